"""`make bugs`: whether each class of bugs is found in the kernels that have it, and nothing in their fixed twins."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from idtviz.checks.rules import BY_ID
from idtviz.lab.library import Shipped, bugs, shipped
from idtviz.lab.run import run
from idtviz.lab.session import LabSession

CLASSES = range(1, 34)
LIMIT = 5_000_000

ON_PURPOSE = {
    "breakpoint": {"IDT005"},  # ring 3 tries a gate that is not its own, and the #GP is what it is about
    "double_fault_no_ist": {"IDT007"},
    "irq_on_vector_8": {"PIC004"},
    "multiboot_stale_gdt": {"IDT003"},
    "stale_ss": {"GDT001"},
}
"""Scenarios that show a bug, and its rule."""


@dataclass(frozen=True)
class Pair:
    """A wrong kernel, its fixed twin, and the ids of the rules that found something in each."""

    name: str
    found: frozenset[str]
    found_in_fixed: frozenset[str]

    @property
    def classes(self) -> frozenset[int | None]:
        return frozenset(BY_ID[rule].bug_class for rule in self.found)


def found_in(scenario: Shipped) -> frozenset[str]:
    """The rules that find something in a run to the end."""
    session = LabSession.open(scenario.path, narrated=False)
    run(session, limit=LIMIT)
    return frozenset(finding.rule for finding in session.findings)


def pairs() -> list[Pair]:
    """All wrong kernels, with what is found in each and in its twin."""
    listed = {item.name: item for item in bugs()}
    return [
        Pair(name, found_in(item), found_in(listed[f"{name}_fixed"]))
        for name, item in listed.items()
        if not name.endswith("_fixed")
    ]


def main() -> int:
    console = Console(width=None if sys.stdout.isatty() else 120)
    table = Table("class", "kernel", "rule", "found in the wrong one", "fixed one", title="Classes of bugs")
    tried = pairs()
    good = True
    for number in CLASSES:
        of_class = [pair for pair in tried if number in pair.classes]
        good &= bool(of_class)
        if not of_class:
            table.add_row(str(number), "", "", "NOT FOUND", "")
        for pair in of_class:
            alone, silent = len(pair.found) == 1, not pair.found_in_fixed
            good &= alone and silent
            table.add_row(
                str(number),
                pair.name.removeprefix("bugs/"),
                " ".join(sorted(pair.found)),
                "yes" if alone else "yes, and others",
                "silent" if silent else " ".join(sorted(pair.found_in_fixed)),
            )
    missed = [pair.name for pair in tried if not pair.found]
    console.print(table)
    others = {item.name: found_in(item) for item in shipped()}
    wrong = {name: rules for name, rules in others.items() if rules != ON_PURPOSE.get(name, set())}
    console.print(f"found: {len({number for pair in tried for number in pair.classes})} of {len(CLASSES)} classes")
    console.print(f"kernels in which nothing is found: {', '.join(missed) or 'none'}")
    without = len(others) - len(ON_PURPOSE)
    console.print(
        f"the other {len(others)} scenarios: {without} without a bug, {len(ON_PURPOSE)} that show one; "
        f"not as they should be: {', '.join(map(str, wrong.items())) or 'none'}"
    )
    return 0 if good and not missed and not wrong else 1


if __name__ == "__main__":
    sys.exit(main())
