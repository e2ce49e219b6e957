"""What the rules have found: the signs for it, how many so far, and what is said of it in a line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from idtviz.checks.finding import Finding, Severity
from idtviz.checks.rules import BY_ID
from idtviz.debugger.moment import START, Moment
from idtviz.debugger.view import View
from idtviz.view.layout import printable
from idtviz.view.row import Role, Row, Rows, Span

SIGNS = {Severity.ERROR: "⚑", Severity.WARNING: "⚐", Severity.NOTE: "¶"}
"""One sign for each severity, so that it is read without colour."""
ROLES = {Severity.ERROR: Role.BAD, Severity.WARNING: Role.WARNING, Severity.NOTE: Role.READ}
_DESCRIPTOR = 8  # bytes of an entry of the GDT
_BY_WEIGHT = (Severity.NOTE, Severity.WARNING, Severity.ERROR)


def when(finding: Finding) -> Moment:
    """When it showed; what was wrong from the start did so there."""
    return finding.moment or START


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """By the moment at which they showed, which some rules know only later."""
    return tuple(sorted(findings, key=when))


def up_to(findings: Iterable[Finding], moment: Moment) -> tuple[Finding, ...]:
    """Those that have shown by then."""
    return tuple(finding for finding in findings if when(finding) <= moment)


def title(rule: str) -> str:
    """What a rule is about, in some words; empty for one that is not known here."""
    return BY_ID[rule].title if rule in BY_ID else ""


def sign(finding: Finding) -> Span:
    """Its sign in its look."""
    return Span(SIGNS[finding.severity], ROLES[finding.severity])


def flagged(rows: Rows, found: Mapping[int, Finding]) -> Rows:
    """Rows with a gutter; those whose `key` is in `found` have the sign of what was found there in its second column.

    Of rows with the same key the first has it.
    """
    waiting = dict(found)
    return tuple(row if row.key not in waiting else _flagged(row, waiting.pop(row.key)) for row in rows)


def _flagged(row: Row, finding: Finding) -> Row:
    gutter, *others = row.spans
    mark = Span(gutter.text[:1], gutter.role)
    return Row((mark, sign(finding), Span(gutter.text[2:], gutter.role), *others), row.lit, row.key)


def counted(findings: Sequence[Finding], moment: Moment) -> tuple[Span, Span] | None:
    """How many there are so far, with the key that leads on, and the same in fewer columns; None: there are none.

    `⚑2 ⚐1 (x)`; where more is known ahead of this moment: `⚑2 · 1 ahead (x)`.
    """
    if not findings:
        return None
    so_far = up_to(findings, moment)
    ahead = len(findings) - len(so_far)
    if not so_far:
        mark = SIGNS[max((each.severity for each in findings), key=_BY_WEIGHT.index)]
        return Span(f"{mark} {ahead} ahead (x)", Role.LABEL), Span(f"{mark}0/{ahead}", Role.LABEL)
    numbers = {severity: sum(each.severity is severity for each in so_far) for severity in reversed(_BY_WEIGHT)}
    counts = " ".join(f"{SIGNS[severity]}{number}" for severity, number in numbers.items() if number)
    role = next(ROLES[severity] for severity, number in numbers.items() if number)
    if not ahead:
        return Span(f"{counts} (x)", role), Span(counts, role)
    return Span(f"{counts} · {ahead} ahead (x)", role), Span(f"{counts}/{len(findings)}", role)


def place(view: View, address: int) -> str:
    """`page_fault_handler+0xc · page_fault.S:31`, `IDT[14]`, `GDT[2]`."""
    line = view.line(address)
    entry = _entry(view, address) if line is None else ""
    name = entry or printable(view.name(address) or f"{address:#x}")
    return name if line is None else f"{name} · {printable(line.file)}:{line.number}"


def _entry(view: View, address: int) -> str:
    """The entry of a table in use that lies there; real mode has no GDT."""
    vector = (address - view.idt.base) // view.idt.entry_size
    if 0 <= vector < len(view.idt.gates):
        return f"{view.idt.name}[{vector}]"
    gdt = view.gdt
    if view.mode != "real" and gdt.base <= address <= gdt.base + gdt.limit:
        return f"{gdt.name}[{(address - gdt.base) // _DESCRIPTOR}]"
    return ""


def sentence(findings: Sequence[Finding], view: View) -> str:
    """What is said of the first of them, where that is, if not here, and how many more there are."""
    if not findings:
        return ""
    first, *more = findings
    text = f"{SIGNS[first.severity]} {first.rule}: {printable(first.message)}"
    if more:
        return f"{text} · and {len(more)} more: see :findings"
    code = view.code
    if first.address is None or first.address == code.linear(code.rip):
        return f"{text} · :explain tells what to change"
    return f"{text} · :explain tells what to change at {place(view, first.address)}"
