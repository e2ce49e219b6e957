"""Explanations as rows: the chain that led to the end of a run, and why an interrupt does not arrive."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from idtviz.checks.why import Arrival, Chain, Condition, Entry, Failure, Link, Part, Place
from idtviz.debugger.moment import START, Moment
from idtviz.view.findings import ROLES, sign
from idtviz.view.fitting import fitted, told
from idtviz.view.row import Role, Row, Rows, Span, row

_INDENT = "    "
_SIGNS = "…→←≤≥≠×·"
_TELLING = ("P", "DPL", "IST", "L", "type", "base", "segment selector", "selector", "R/W", "U/S")
"""Fields that are told even where they are 0."""
_EXPLAINED = ("type", "P")


def chain(found: Chain, width: int) -> Rows:
    """The verdict, and one block for each link, a blank row in front of it. A block's first row has its place among
    `links` as its key.
    """
    rows = told((), Span(shown(found.verdict), Role.TITLE), width)
    stamps = [str((link.moment or START).instruction) for link in found.links]
    pad = max((len(stamp) for stamp in stamps), default=0)
    seen: set[Entry] = set()
    for number, (link, stamp) in enumerate(zip(found.links, stamps, strict=True)):
        rows.append(Row())
        rows += _link(link, number, f"{stamp:>{pad}}", seen, width)
        seen.update(link.entries)
    return tuple(fitted(each, width) for each in rows)


def arrival(found: Arrival, width: int) -> Rows:
    """The verdict, what to change, and each condition on the way."""
    first = found.blocked
    rows = told((), Span(f"{_capital(shown(found.verdict))}.", Role.TITLE), width)
    if first is not None and first.change:
        rows += told((Span("What to change: ", Role.LABEL),), Span(f"{shown(first.change)}."), width)
    rows += [Row(), *told((Span("on its way: ", Role.LABEL),), Span(shown(found.way)), width)]
    for condition in found.conditions:
        rows += _condition(condition, width, lit=condition is first)
    return tuple(fitted(each, width) for each in rows)


def shown(text: str) -> str:
    """`text` with what the guest may have put into its names made harmless: each character one column wide."""
    return "".join(char if char.isprintable() and (ord(char) < 0x300 or char in _SIGNS) else "?" for char in text)


def moments(found: Chain) -> tuple[Moment | None, ...]:
    """Where each link leads, by its number."""
    return tuple(link.moment for link in found.links)


def _condition(condition: Condition, width: int, *, lit: bool) -> Iterator[Row]:
    mark = Span("  ✓ ", Role.GOOD) if condition.holds else Span("  ✗ ", Role.BAD)
    name = Span(f"{condition.name}: ", Role.LABEL)
    yield from told((mark, name), Span(shown(condition.found), Role.TEXT if condition.holds else Role.BAD), width)
    if condition.change and not condition.holds and not lit:
        yield from told((Span("      change: ", Role.LABEL),), Span(shown(condition.change)), width)


def _link(link: Link, number: int, stamp: str, seen: Collection[Entry], width: int) -> Iterator[Row]:
    blank = " " * (len(stamp) + 2)
    yield row((f"{stamp}  ", Role.ADDRESS), (shown(link.title), Role.TITLE), key=number)
    if link.place is not None:
        code = f"  {shown(link.instruction)}" if link.instruction else ""
        yield row(blank, (_place(link.place), Role.SYMBOL), (code, Role.CODE))
    for sentence in link.prose:
        if sentence:
            yield from told((Span(blank),), Span(_capital(shown(sentence))), width)
    for failure in (link.returning, link.failure):
        if failure is not None:
            yield from _failure(failure, blank, width)
    for entry in link.entries:
        yield from _entry(entry, blank, width, brief=entry in seen)
    for finding in link.findings:
        head = (Span(blank), sign(finding), Span(f" {finding.rule} ", ROLES[finding.severity]))
        yield from told(head, Span(shown(finding.message)), width)


def _failure(failure: Failure, blank: str, width: int) -> Iterator[Row]:
    value = f": {shown(failure.value)}" if failure.value else ""
    head = (Span(blank), Span("✗ ", Role.BAD), Span(f"{failure.rule}  ", Role.LABEL))
    yield from told(head, Span(f"{shown(failure.asked)}{value} → {failure.fault}", Role.BAD), width)


def _entry(entry: Entry, blank: str, width: int, *, brief: bool) -> Iterator[Row]:
    """The bytes, and what they say; `brief`: that stands further up."""
    where = f"physical {entry.address:#x}" if entry.physical else f"{entry.address:#x}"
    raw = entry.raw.hex(" ")
    yield from told((Span(blank), Span(f"{entry.name} at {where}: ", Role.LABEL)), Span(raw, Role.READ), width)
    said = " · ".join(_part(part) for part in entry.parts if part.value or part.name in _TELLING)
    if said and not brief:
        yield from told((Span(f"{blank}{_INDENT}"),), Span(said, Role.DIM), width)


def _part(part: Part) -> str:
    number = str(part.value) if part.value < 10 else f"{part.value:#x}"
    return f"{part.name}={number}" + (f" ({shown(part.meaning)})" if part.name in _EXPLAINED else "")


def _place(place: Place) -> str:
    name = shown(place.name) if place.name else ""
    source = f"{shown(place.file)}:{place.line}" if place.file else ""
    return "  ".join(part for part in (f"{place.address:#x}", name, source) if part)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
