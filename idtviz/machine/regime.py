"""What the processor checks at each instruction that the engine leaves out, in the present state.

The engine runs blocks of translated code at full speed. It knows no segment limits, no alignment checks, no I/O
permission, no breakpoint registers. A regime says which of these matter now, and so which instructions must be looked
at before they run; a block without any such instruction is safe at full speed.
"""

from __future__ import annotations

from dataclasses import dataclass

from idtviz.machine.decoding import Access, Decoded, Kind
from idtviz.machine.registers import Registers, Segment
from idtviz.machine.segmentation import is_expand_down, is_readable, is_writable, offset_mask
from idtviz.x86 import control, flags
from idtviz.x86.addresses import MASK64

FLAT_LIMIT = 0xFFFFFFFF

CHANGES = Kind.SEGMENT_LOAD | Kind.CONTROL | Kind.DEBUG_REGISTER | Kind.FLAGS
"""Kinds of instructions that run on the engine and behind which another regime may hold."""
_PERFORMED = Kind.FAR | Kind.DEBUG_REGISTER | Kind.MODEL_SPECIFIC | Kind.TASK_PRIORITY | Kind.ABSENT
"""Kinds that idtviz performs, or refuses, in place of the engine."""
_ALWAYS = _PERFORMED | Kind.CONTROL | Kind.ALIGNED


@dataclass(frozen=True, slots=True)
class Breakpoint:
    """One of DR0-DR3 that DR7 enables: number, linear address, length in bytes (SDM 3B 17.2.4)."""

    number: int
    kind: int
    address: int
    length: int

    EXECUTE = 0
    WRITE = 1
    PORT = 2
    ACCESS = 3

    def covers(self, address: int, size: int) -> bool:
        """Whether one of `size` bytes at `address` is watched; the address is taken as aligned (SDM 3B 17.2.5)."""
        start = self.address & ~(self.length - 1)
        return address < start + self.length and start < address + size


@dataclass(frozen=True, slots=True)
class Regime:
    """What must be looked at. Equal regimes ask for the same."""

    bits: int
    kinds: Kind
    """Instructions of these kinds are looked at wherever they stand."""
    segments: tuple[tuple[str, Segment], ...] = ()
    """The segments through which an access may be refused, by name; the bases do not matter and are 0."""
    code_limit: int = FLAT_LIMIT
    """Limit of CS in bytes; in 64-bit mode there is none."""
    protected: bool = False
    """Whether the types of segments count, and not their limits alone."""
    alignment: bool = False
    """Whether unaligned operands are #AC."""
    breakpoints: tuple[Breakpoint, ...] = ()

    @property
    def translation(self) -> tuple[object, ...]:
        """What decides whether a block is safe, and is not among what the engine keeps translations apart by."""
        return self.segments, self.code_limit, self.alignment, self.breakpoints

    def wants(self, found: Decoded, offset: int) -> bool:
        """Whether the instruction, at `offset` in its code segment, must be looked at before it runs."""
        if found.kind & self.kinds:
            return True
        if self.may_leave(found, offset):
            return True
        if not found.accesses:
            return False
        if self.alignment or self.breakpoints:
            return True
        return any(self.doubts(access) for access in found.accesses) if self.segments else False

    def may_leave(self, found: Decoded, offset: int) -> bool:
        """Whether the instruction lies partly behind the limit of CS, or might branch there."""
        if self.code_limit >= FLAT_LIMIT:
            return False
        if offset + found.length - 1 > self.code_limit:
            return True
        if Kind.BRANCH not in found.kind or (found.operand_size == 2 and self.code_limit >= 0xFFFF):
            return False
        return found.displacement is None or not 0 <= offset + found.displacement <= self.code_limit

    def doubts(self, access: Access) -> bool:
        """Whether the segment of `access` may refuse it, for all that can be told without its address."""
        for name, segment in self.segments:
            if name == access.segment:
                return self.refuses_type(access) or not _always_contains(segment, access)
        return False

    def refuses_type(self, access: Access) -> bool:
        """Whether the type of the segment refuses `access`, or there is no segment."""
        return self.protected and any(
            name == access.segment and not (segment.present and is_allowed(segment, write=access.write))
            for name, segment in self.segments
        )


def _always_contains(segment: Segment, access: Access) -> bool:
    """Whether `access` lies within the limit wherever its address registers point."""
    if is_expand_down(segment):
        return False
    mask = offset_mask(segment) if access.stack else access.mask
    fixed = access.base is None and access.index is None and not (access.stack or access.relative or access.bit)
    highest = access.displacement & mask if fixed else mask
    return segment.limit == FLAT_LIMIT or highest + access.size - 1 <= segment.limit


def is_allowed(segment: Segment, *, write: bool) -> bool:
    """Whether the segment's type allows the access (SDM 3A 5.5)."""
    return is_writable(segment) if write else is_readable(segment)


def regime_of(at: Registers, debug_registers: tuple[int, ...]) -> Regime:
    """The regime in the state `at`; `debug_registers` are DR0-DR3 and DR7."""
    breakpoints = enabled_breakpoints(debug_registers, at.cr4)
    user = at.cpl == 3
    may_align = user and bool(at.cr0 & control.CR0_AM)
    kinds = _ALWAYS | (Kind.FLAGS if may_align else Kind.PLAIN)
    if _checks_ports(at) or any(point.kind == Breakpoint.PORT for point in breakpoints):
        kinds |= Kind.PORT
    alignment = may_align and bool(at.rflags & flags.AC)
    if at.mode == "long":
        return Regime(64, kinds, code_limit=MASK64, alignment=alignment, breakpoints=breakpoints)
    protected = at.mode in ("protected", "compatibility")
    if protected:
        kinds |= Kind.SEGMENT_LOAD
    bits = 32 if at.cs.flags & Segment.CODE_32 else 16
    return Regime(
        bits,
        kinds,
        segments=tuple((name, _shape(found)) for name, found in _doubtful(at, protected=protected)),
        code_limit=at.cs.limit,
        protected=protected,
        alignment=alignment,
        breakpoints=breakpoints,
    )


def _doubtful(at: Registers, *, protected: bool) -> list[tuple[str, Segment]]:
    named = [(name, getattr(at, name)) for name in ("es", "cs", "ss", "ds", "fs", "gs")]
    if not protected:
        return [(name, found) for name, found in named if found.limit != FLAT_LIMIT]
    return [(name, found) for name, found in named if not _is_flat(found)]


def _is_flat(found: Segment) -> bool:
    return found.limit == FLAT_LIMIT and found.present and is_writable(found) and not is_expand_down(found)


def _shape(found: Segment) -> Segment:
    """What counts of a segment register: limit and type."""
    return Segment(0, 0, found.limit, found.flags)


def _checks_ports(at: Registers) -> bool:
    """Whether I/O instructions ask the TSS (SDM 1 18.5.2): above IOPL, and in virtual-8086 mode always."""
    if not at.cr0 & control.CR0_PE:
        return False
    return bool(at.rflags & flags.VM) or at.cpl > (at.rflags & flags.IOPL) >> 12


def enabled_breakpoints(debug_registers: tuple[int, ...], cr4: int) -> tuple[Breakpoint, ...]:
    """DR0-DR3 as far as DR7 enables them, locally or globally (SDM 3B 17.2.4); `debug_registers` ends with DR7."""
    dr7 = debug_registers[-1]
    if not dr7 & 0xFF:
        return ()
    found = []
    for number in range(4):
        if not dr7 >> 2 * number & 3:
            continue
        kind = dr7 >> 16 + 4 * number & 3
        length = (1, 2, 8, 4)[dr7 >> 18 + 4 * number & 3]
        if kind == Breakpoint.PORT and not cr4 & control.CR4_DE:
            continue
        found.append(Breakpoint(number, kind, debug_registers[number], 1 if kind == Breakpoint.EXECUTE else length))
    return tuple(found)
