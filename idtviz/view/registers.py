"""The registers panel."""

from __future__ import annotations

from idtviz.debugger.view import View
from idtviz.machine.registers import GENERAL_NAMES, Registers, Segment
from idtviz.view.layout import GUTTER, flow, line, printable
from idtviz.view.row import Panel, Role, Row, Rows, Span
from idtviz.x86.control import Cr0, Cr4, Efer
from idtviz.x86.fields import Structure
from idtviz.x86.flags import RFlags
from idtviz.x86.selectors import Selector

_ORDER = ("rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp", *(f"r{number}" for number in range(8, 16)))
_CELL = 22  # `rax 0000000000000000 ●`
_SEGMENTS = ("cs", "ss", "ds", "es", "fs", "gs")


def panel(view: View, before: View | None, width: int) -> Panel:
    """General registers in two columns where they fit, then RIP, flags, segments and control registers."""
    now, old = view.registers, None if before is None else before.registers
    rows = [
        *_general(now, old, width),
        _whole("rip", now.rip, None if old is None else old.rip, width, view.name(now.rip)),
        *_flags(now, old, width),
        *_segments(now, old, width),
        *flow(_bits("cr0", Cr0(now.cr0), None if old is None else old.cr0), width),
        *_pair(now, old, width),
        *flow(
            (
                *_bits("cr4", Cr4(now.cr4), None if old is None else old.cr4),
                *_bits("efer", Efer(now.efer), None if old is None else old.efer),
            ),
            width,
        ),
    ]
    return Panel("Registers", tuple(rows), f"{view.mode} mode · ring {now.cpl}")


def _general(now: Registers, old: Registers | None, width: int) -> Rows:
    cells = []
    for name in _ORDER:
        place = GENERAL_NAMES.index(name)
        value = now.general[place]
        differs = old is not None and old.general[place] != value
        cells.append(_cell(name, value, differs))
    if width >= GUTTER + 2 * _CELL:
        return tuple(line(width, *left, *right) for left, right in zip(cells[:8], cells[8:], strict=True))
    return tuple(line(width, *cell) for cell in cells)


def _cell(name: str, value: int, differs: bool) -> tuple[Span, Span, Span]:
    mark = Span(" ●", Role.CHANGED) if differs else Span("  ")
    return Span(f"{name:<3} ", Role.LABEL), Span(f"{value:016x}", Role.CHANGED if differs else Role.VALUE), mark


def _whole(name: str, value: int, old: int | None, width: int, symbol: str | None = None) -> Row:
    label = Span(f" {printable(symbol)}", Role.SYMBOL) if symbol else Span("")
    return line(width, *_cell(name, value, old is not None and old != value), label)


def _flags(now: Registers, old: Registers | None, width: int) -> Rows:
    differs = old is not None and old.rflags != now.rflags
    flags = RFlags(now.rflags)
    names = [Span(name, Role.TEXT) for name in flags.names()]
    if flags.iopl:
        names.append(Span(f"IOPL={flags.iopl}"))
    was = old is not None and old.cpl != now.cpl
    ring = Span(f"CPL {now.cpl}{' ●' if was else ''}", Role.CHANGED if was else Role.LABEL)
    return flow((*_valued("rflags", now.rflags, differs), *names, ring), width)


def _segments(now: Registers, old: Registers | None, width: int) -> Rows:
    cells = []
    for name in _SEGMENTS:
        found: Segment = getattr(now, name)
        differs = old is not None and getattr(old, name).selector != found.selector
        selector = Selector(found.selector)
        what = "null" if selector.null else f"ring {selector.rpl}"
        mark = " ●" if differs else ""
        cells.append(Span(f"{name} {found.selector:02x} {what}{mark}", Role.CHANGED if differs else Role.VALUE))
    return flow(cells, width, indent=0, gap=3)


def _pair(now: Registers, old: Registers | None, width: int) -> Rows:
    """CR2 and CR3, side by side where there is room."""
    cells = [
        _cell(name, getattr(now, name), old is not None and getattr(old, name) != getattr(now, name))
        for name in ("cr2", "cr3")
    ]
    if width >= GUTTER + 2 * _CELL:
        return (line(width, *cells[0], *cells[1]),)
    return tuple(line(width, *cell) for cell in cells)


def _bits(name: str, value: Structure, old: int | None) -> tuple[Span, ...]:
    """A register's value, and the names of the bits that are set."""
    return (*_valued(name, value.value, old is not None and old != value.value), *map(Span, value.names()))


def _valued(name: str, value: int, differs: bool) -> tuple[Span, ...]:
    if differs:
        return Span(name, Role.LABEL), Span(f"{value:x} ●", Role.CHANGED)
    return Span(name, Role.LABEL), Span(f"{value:x}", Role.VALUE)
