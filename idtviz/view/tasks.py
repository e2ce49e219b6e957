"""Rows for the TSS of protected mode, 32-bit or the 80286's: stacks of the inner rings, and a task's registers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from idtviz.debugger.tables import TssView
from idtviz.debugger.view import View
from idtviz.view.layout import Line, printable, touched
from idtviz.view.row import Role, Span
from idtviz.x86.addresses import MASK32
from idtviz.x86.fields import Bits
from idtviz.x86.flags import VM, RFlags
from idtviz.x86.selectors import Selector
from idtviz.x86.tss import Tss16, Tss32

Task = Tss32 | Tss16
NARROW = 36
"""Columns below which a row has room for a name and a value only."""


@dataclass(frozen=True, slots=True)
class _Names:
    """What the fields are called: attributes of the structure."""

    ip: str
    sp: str
    flags: str
    general: tuple[tuple[str, ...], ...]
    segments: tuple[str, ...]
    digits: int


_NAMES_32 = _Names(
    "eip", "esp", "eflags", (("eax", "ebx"), ("ecx", "edx"), ("esi", "edi"), ("ebp",)), ("ds", "es", "fs", "gs"), 8
)
_NAMES_16 = _Names("ip", "sp", "flags", (("ax", "bx"), ("cx", "dx"), ("si", "di"), ("bp",)), ("ds", "es"), 4)


class TaskRows:
    """The rows of one TSS."""

    def __init__(self, view: View, found: TssView, tss: Task, old: Task | None) -> None:
        """`old` is the same TSS at the moment before."""
        self._view = view
        self._found = found
        self._tss = tss
        self._old = old if type(old) is type(tss) else None
        self._names = _NAMES_32 if isinstance(tss, Tss32) else _NAMES_16

    def stacks(self) -> list[Line]:
        """The stack of each inner ring, and the task that IRET with NT=1 goes back to."""
        sp = self._names.sp
        lines = [self._stack(ring, f"ss{ring}", f"{sp}{ring}") for ring in range(3)]
        shown = [line for ring, line in enumerate(lines) if not ring or not self._is_idle(f"ss{ring}", f"{sp}{ring}")]
        unset = [str(ring) for ring in (1, 2) if self._is_idle(f"ss{ring}", f"{sp}{ring}")]
        if unset:
            text = "zero: no stack" if len(unset) == 1 else "zero: no stacks"
            shown.append(Line((Span(f"ring {'-'.join(unset)}", Role.DIM), Span(text, Role.DIM)), key=self._key))
        return [*shown, self._link()]

    def registers(self, width: int) -> list[Line]:
        """Where the task goes on, its stack, flags and registers; one row where all of them are zero."""
        names = self._names
        fields = [*self._general, names.ip, names.sp, names.flags, "cs", "ss", "ldt", *names.segments]
        if self._is_idle(*fields):
            return [Line((Span("task", Role.DIM), Span("its saved registers are all zero", Role.DIM)), key=self._key)]
        ip, sp = f"cs:{names.ip}", f"ss:{names.sp}"
        here = self._found.selector == self._view.registers.tr.selector
        when = "at its last switch" if here else "as it goes on"
        aside = (Span(""),) if width >= NARROW else ()
        lines = [
            Line((Span("task", Role.DIM), *aside, Span(when, Role.DIM)), key=self._key),
            self._line(ip, (names.ip, "cs"), self._pointer("cs", names.ip), self._symbol("cs", names.ip)),
            self._line(sp, (names.sp, "ss"), self._pointer("ss", names.sp), self._symbol("ss", names.sp)),
            self._line(names.flags, (names.flags,), f"{self._value(names.flags):x}", self._flags()),
            *self._several(names.general if width >= NARROW else self._singly(self._general), names.digits),
            *self._several((names.segments,) if width >= NARROW else self._singly(names.segments), 2),
        ]
        if self._value("ldt"):
            lines.append(self._line("ldt", ("ldt",), f"{self._value('ldt'):x}", ""))
        if isinstance(self._tss, Tss32) and self._value("cr3"):
            lines.append(self._line("cr3", ("cr3",), f"{self._value('cr3'):08x}", "page tables of the task"))
        return lines

    def linear_stacks(self) -> Iterable[tuple[str, int]]:
        """Name and linear address of the top of each inner ring's stack that is set."""
        for ring in range(3):
            name = f"{self._names.sp}{ring}"
            if self._value(name):
                yield name.upper(), self._linear(f"ss{ring}", name)

    @property
    def _key(self) -> int:
        return self._found.selector

    @property
    def _general(self) -> list[str]:
        return [name for pair in self._names.general for name in pair]

    def _field(self, name: str) -> Bits:
        found: Bits = getattr(type(self._tss), name)
        return found

    def _value(self, name: str) -> int:
        return self._field(name).extract(self._tss.value)

    def _lit(self, names: Iterable[str]) -> Role | None:
        for name in names:
            bits = self._field(name)
            place = (self._found.base + bits.byte_offset) & MASK32
            if (role := touched(self._view, place, max(1, bits.width // 8))) is not None:
                return role
        return None

    def _changed(self, names: Iterable[str]) -> bool:
        old = self._old
        return old is not None and any(self._field(name).extract(old.value) != self._value(name) for name in names)

    def _is_idle(self, *names: str) -> bool:
        zero = not any(self._value(name) for name in names)
        return zero and self._lit(names) is None and not self._changed(names)

    def _line(self, label: str, names: Iterable[str], value: str, text: str) -> Line:
        names = tuple(names)
        changed = self._changed(names)
        role = Role.CHANGED if changed else Role.VALUE if any(map(self._value, names)) else Role.DIM
        cells = (Span(label, Role.LABEL), Span(value, role), Span(text, Role.SYMBOL))
        return Line(cells, self._lit(names), changed, self._key)

    def _stack(self, ring: int, ss: str, sp: str) -> Line:
        text = self._symbol(ss, sp)
        if not ring and not self._value(ss):
            text = "SS0 is null: ring 0 cannot be entered"
        return self._line(f"{ss}:{sp}", (ss, sp), self._pointer(ss, sp), text)

    def _link(self) -> Line:
        selector = Selector(self._value("link"))
        found = self._view.find(selector)
        back = f"back to {found.summary}" if found else "beyond the GDT"
        if selector.null:
            return self._line("link", ("link",), "0: none", "")
        return self._line("link", ("link",), f"{selector.value:x}", back)

    def _pointer(self, segment: str, offset: str) -> str:
        return f"{self._value(segment):02x}:{self._value(offset):0{self._names.digits}x}"

    def _linear(self, segment: str, offset: str) -> int:
        return (self._base(segment) + self._value(offset)) & MASK32

    def _base(self, segment: str) -> int:
        """Base of the segment that a selector in the TSS names."""
        selector = self._value(segment)
        if isinstance(self._tss, Tss32) and self._tss.eflags & VM and not segment[-1].isdigit():
            return selector << 4
        found = self._view.find(Selector(selector))
        return found.base if found is not None else 0

    def _symbol(self, segment: str, offset: str) -> str:
        base, linear = self._base(segment), self._linear(segment, offset)
        name = printable(self._view.name(linear) or "") if self._value(offset) else ""
        return f"= {linear:x} {name}".rstrip() if base else name

    def _flags(self) -> str:
        return " ".join(RFlags(self._value(self._names.flags)).names())

    @staticmethod
    def _singly(names: Iterable[str]) -> tuple[tuple[str, ...], ...]:
        return tuple((name,) for name in names)

    def _several(self, groups: Iterable[tuple[str, ...]], digits: int) -> list[Line]:
        """A row for each group of registers."""
        lines = []
        for names in groups:
            rest = "  ".join(f"{name} {self._value(name):0{digits}x}" for name in names[1:])
            lines.append(self._line(names[0], names, f"{self._value(names[0]):0{digits}x}", rest))
        return lines
