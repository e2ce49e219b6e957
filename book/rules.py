"""The rules of the checks, the rules that deliveries follow, and the vectors: the texts of `idtviz explain`."""

from __future__ import annotations

from collections.abc import Iterable

from book.tables import anchor, escaped, table
from idtviz.checks.rule import Rule as Check
from idtviz.checks.rules import RULES as CHECKS
from idtviz.machine.delivery.rules import (
    RULES,
    Rule,
    entering,
    gates,
    returns,
    segments,
    stacks,
    tasks,
    transfers,
)
from idtviz.x86.vectors import VECTORS, Vector

_FAMILIES = {
    "DEV": "Devices",
    "GDT": "Segments",
    "HDL": "Bare handlers as a whole",
    "IDT": "The IDT",
    "PIC": "Interrupt controllers",
    "REG": "Registers that a handler must give back",
    "RUN": "What keeps a kernel from going on",
    "STK": "Stacks and frames",
    "TSS": "The TSS",
}
_SUBJECTS = {
    gates: "The gate",
    segments: "The code segment",
    stacks: "The stack, and what is pushed",
    entering: "Into the handler, and HLT",
    returns: "IRET",
    tasks: "Task switches",
    transfers: "Far transfers and system calls",
}
_EXCEPTIONS = 32


def checks() -> str:
    """Every rule of `idtviz check`, by families."""
    parts = []
    for family, rules in _families(CHECKS).items():
        rows = [(f"[{rule.id}](#{anchor(rule.id)})", rule.severity.value, escaped(rule.title)) for rule in rules]
        parts.append(f"## {_FAMILIES.get(family, family)}\n\n{table(('rule', 'says', 'finds'), rows)}")
        parts += [_check(rule) for rule in rules]
    return "\n\n".join(parts)


def _families(rules: Iterable[type[Check]]) -> dict[str, list[type[Check]]]:
    found: dict[str, list[type[Check]]] = {}
    for rule in rules:
        found.setdefault(rule.id.rstrip("0123456789"), []).append(rule)
    return found


def _check(rule: type[Check]) -> str:
    row = "" if rule.bug_class is None else f", class {rule.bug_class} of the bugs that people write"
    return "\n\n".join(
        [
            f"### {rule.id} · {escaped(rule.title)} {{ #{anchor(rule.id)} }}",
            f"*{rule.severity.value}{row}*",
            escaped(rule.why),
            f"**What to change.** {escaped(rule.fix)}",
            f"**Source.** {escaped(rule.source)}",
        ]
    )


def deliveries() -> str:
    """Every rule that the steps of a delivery or a return follow, by the files that they stand in."""
    parts = []
    for room, title in _SUBJECTS.items():
        parts.append(f"## {title}\n\n{escaped(room.__doc__ or '')}")
        parts += [_rule(rule) for rule in RULES.values() if rule in vars(room).values()]
    return "\n\n".join(parts)


def _rule(rule: Rule) -> str:
    return (
        f"### {escaped(rule.id)} · {escaped(rule.title)} {{ #{anchor(rule.id)} }}\n\n{escaped(rule.why)}\n\n"
        f"**Source.** {escaped(rule.source)}"
    )


def vectors() -> str:
    """The vectors of the processor."""
    named = [vector for vector in VECTORS[:_EXCEPTIONS] if vector.mnemonic]
    rows = [
        (
            f"{vector.number} ({vector.number:#04x})",
            f"[{escaped(vector.mnemonic)}](#vector-{vector.number})",
            escaped(vector.title),
            vector.kind.value,
            "yes" if vector.error_code else "no",
        )
        for vector in named
    ]
    heads = ("vector", "name", "is", "kind", "error code")
    return "\n\n".join([table(heads, rows), *map(_vector, named)])


def _vector(vector: Vector) -> str:
    return (
        f"## {escaped(vector.mnemonic)} · {escaped(vector.title)} {{ #vector-{vector.number} }}\n\n"
        f"{escaped(vector.explanation)}\n\n**Source.** {escaped(vector.source)}"
    )
