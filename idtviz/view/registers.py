"""The registers panel."""

from __future__ import annotations

from dataclasses import dataclass

from idtviz.debugger.view import View
from idtviz.machine.registers import GENERAL_NAMES, Registers, Segment
from idtviz.view import status
from idtviz.view.layout import GUTTER, flow, line, printable
from idtviz.view.row import Panel, Role, Row, Rows, Span
from idtviz.x86.control import Cr0, Cr4, Efer
from idtviz.x86.fields import Structure
from idtviz.x86.flags import RFlags
from idtviz.x86.selectors import Selector

_LABEL = 6  # `rax ` in front of the digits, ` ●` behind
_SEGMENTS = ("cs", "ss", "ds", "es", "fs", "gs")
_FLAT_LIMIT, _PARAGRAPHS_LIMIT = 0xFFFF_FFFF, 0xFFFF


def panel(view: View, before: View | None, width: int) -> Panel:
    """General registers in two columns where they fit, then RIP, flags, segments and control registers.

    `key`, on the rows of RIP, RSP and CR2: the linear address there.
    """
    now, old = view.registers, None if before is None else before.registers
    names = names_in(view)
    rows = [
        *_general(view, old, names, width),
        _whole(names, view, old, width),
        *_flags(now, old, names, width),
        *_segments(view, old, width),
        *flow(_bits("cr0", Cr0(now.cr0), None if old is None else old.cr0), width),
    ]
    if view.mode != "real":
        rows += _pair(now, old, names, width)
    late: tuple[Span, ...] = ()
    if view.mode != "real" or now.cr4:
        late += _bits("cr4", Cr4(now.cr4), None if old is None else old.cr4)
    if now.efer or (old is not None and old.efer) or view.mode == "long":
        late += _bits("efer", Efer(now.efer), None if old is None else old.efer)
    return Panel("Registers", (*rows, *flow(late, width)), status.standing(view))


@dataclass(frozen=True, slots=True)
class Names:
    """What the registers are called for code of the present mode: how many there are, and how many digits they have."""

    general: tuple[str, ...]
    ip: str
    flags: str
    digits: int


_LONG = Names(
    ("rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp", *(f"r{n}" for n in range(8, 16))), "rip", "rflags", 16
)
_WIDE = Names(("eax", "ebx", "ecx", "edx", "esi", "edi", "ebp", "esp"), "eip", "eflags", 8)
_NARROW = Names(("ax", "bx", "cx", "dx", "si", "di", "bp", "sp"), "ip", "flags", 4)


def names_in(view: View) -> Names:
    """The names of `view`'s mode; 16-bit code that uses 32-bit registers sees those."""
    if view.code.bits == 64:
        return _LONG
    values = (*view.registers.general[:8], view.registers.rip)
    return _NARROW if view.code.bits == 16 and all(value <= 0xFFFF for value in values) else _WIDE


def _general(view: View, old: Registers | None, names: Names, width: int) -> Rows:
    now, cells = view.registers, []
    keys = [view.stack.linear if name.endswith("sp") else None for name in names.general]
    for name in names.general:
        place = GENERAL_NAMES.index(name if name[0] == "r" else f"r{name[-2:]}")
        value = now.general[place]
        differs = old is not None and old.general[place] != value
        cells.append(_cell(name, value, names.digits, differs))
    half = len(cells) // 2
    if width >= GUTTER + 2 * (names.digits + _LABEL):
        return tuple(
            line(width, *cells[place], *cells[place + half], key=keys[place] or keys[place + half])
            for place in range(half)
        )
    return tuple(line(width, *cell, key=key) for cell, key in zip(cells, keys, strict=True))


def _cell(name: str, value: int, digits: int, differs: bool) -> tuple[Span, Span, Span]:
    mark = Span(" ●", Role.CHANGED) if differs else Span("  ")
    shown = f"{value & (1 << 4 * digits) - 1:0{digits}x}"
    return Span(f"{name:<3} ", Role.LABEL), Span(shown, Role.CHANGED if differs else Role.VALUE), mark


def _whole(names: Names, view: View, old: Registers | None, width: int) -> Row:
    """The instruction pointer, and what it points at."""
    rip = view.registers.rip
    linear = view.code.linear(rip)
    symbol = view.name(linear)
    where = f"= {linear:x}" if linear != rip else ""
    label = Span(f"{where} {printable(symbol or '')}".rstrip(), Role.SYMBOL)
    cell = _cell(names.ip, rip, names.digits, old is not None and old.rip != rip)
    return line(width, *cell, label, key=linear)


def _flags(now: Registers, old: Registers | None, names: Names, width: int) -> Rows:
    differs = old is not None and old.rflags != now.rflags
    flags = RFlags(now.rflags)
    set_ = [Span(name, Role.TEXT) for name in flags.names()]
    if flags.iopl:
        set_.append(Span(f"IOPL={flags.iopl}"))
    name = "eflags" if names.digits == 4 and now.rflags > 0xFFFF else names.flags
    parts = [*_valued(name, now.rflags, differs), *set_]
    if now.mode != "real":
        was = old is not None and old.cpl != now.cpl
        parts.append(Span(f"CPL {now.cpl}{' ●' if was else ''}", Role.CHANGED if was else Role.LABEL))
    return flow(parts, width)


def _segments(view: View, old: Registers | None, width: int) -> Rows:
    cells = []
    for name in _SEGMENTS:
        found: Segment = getattr(view.registers, name)
        was: Segment | None = None if old is None else getattr(old, name)
        differs = was is not None and (was.selector, was.base) != (found.selector, found.base)
        text = f"{name} {_segment(view, name, found)}{' ●' if differs else ''}"
        cells.append(Span(text, Role.CHANGED if differs else Role.VALUE))
    return flow(cells, width, indent=0, gap=3)


def _segment(view: View, name: str, found: Segment) -> str:
    """The selector, and what is not to be taken for granted of the segment."""
    if view.mode in ("real", "vm86"):
        odd = f" limit {found.limit:x}" if found.limit != _PARAGRAPHS_LIMIT else ""
        return f"{found.selector:04x} base {found.base:05x}{odd}"
    selector = Selector(found.selector)
    # A null selector in protected mode leaves nothing usable behind: what is still there was loaded before.
    null = "from real mode" if found.present and view.mode != "long" else "null"
    what = null if selector.null else f"ring {selector.rpl}"
    text = f"{found.selector:02x} {what}"
    if view.mode == "long":
        return f"{text} base {found.base:x}" if name in ("fs", "gs") and found.base else text
    if not found.present:
        return text
    base = f" base {found.base:x}" if found.base else ""
    return f"{text}{base}" + (f" limit {found.limit:x}" if found.limit != _FLAT_LIMIT else "")


def _pair(now: Registers, old: Registers | None, names: Names, width: int) -> Rows:
    """CR2 and CR3, side by side where there is room."""
    digits = max(8, names.digits)
    cells = [
        _cell(name, getattr(now, name), digits, old is not None and getattr(old, name) != getattr(now, name))
        for name in ("cr2", "cr3")
    ]
    if width >= GUTTER + 2 * (digits + _LABEL):
        return (line(width, *cells[0], *cells[1], key=now.cr2),)
    return tuple(line(width, *cell, key=now.cr2) for cell in cells)


def _bits(name: str, value: Structure, old: int | None) -> tuple[Span, ...]:
    """A register's value, and the names of the bits that are set."""
    return (*_valued(name, value.value, old is not None and old != value.value), *map(Span, value.names()))


def _valued(name: str, value: int, differs: bool) -> tuple[Span, ...]:
    if differs:
        return Span(name, Role.LABEL), Span(f"{value:x} ●", Role.CHANGED)
    return Span(name, Role.LABEL), Span(f"{value:x}", Role.VALUE)
