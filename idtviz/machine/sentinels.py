"""Checks that go along with code at full speed, for instructions whose operands alone are in doubt.

At each such instruction a code hook asks, with the registers as they are, whether this operand lies within its
segment's limit, or is aligned. Where it does not, the run stops in front, and the instruction gets a close look.
"""

from __future__ import annotations

from dataclasses import dataclass

from idtviz.machine.cpu import Cpu
from idtviz.machine.decoding import Access, Decoded, Kind
from idtviz.machine.regime import Regime
from idtviz.machine.registers import RSP, Segment
from idtviz.machine.segmentation import is_expand_down, offset_mask
from idtviz.x86.addresses import MASK64

_MOST = 1024  # hooks: the engine goes through the list of them at each


@dataclass(frozen=True, slots=True)
class _Doubt:
    """One operand: how its offset is made, and what it must lie within."""

    base: int | None
    base_mask: int
    index: int | None
    index_mask: int
    scale: int
    displacement: int
    mask: int
    beyond: int  # size - 1
    low: int
    high: int  # the lowest and the highest offset that the segment lets through
    segment: str
    aligned: bool


class Sentinels:
    """The doubtful instructions of the blocks that the engine holds translated."""

    def __init__(self, cpu: Cpu) -> None:
        self._cpu = cpu
        self._doubts: dict[int, tuple[_Doubt, ...]] = {}
        """By linear address of the instruction: those of all the code that has stood there, in any address space."""
        self._hooks: dict[int, int] = {}

    def watch(self, linear: int, offset: int, found: Decoded, regime: Regime) -> bool:
        """Watch the instruction at `linear`, which is at `offset` in CS; whether its hook stood there already."""
        known = self._doubts.get(linear, ())
        doubts = (_doubt(access, offset, found, regime) for access in found.accesses)
        self._doubts[linear] = (*known, *(doubt for doubt in doubts if doubt not in known))
        return linear in self._hooks

    def post(self, linear: int) -> None:
        """Set the hook at `linear`, for code that will be translated from now on. Not during a run."""
        if linear not in self._hooks:
            self._hooks[linear] = self._cpu.hook_instruction(linear, self._ask)

    @property
    def crowded(self) -> bool:
        """Whether there are so many that it is better to begin anew."""
        return len(self._hooks) > _MOST

    def withdraw(self) -> None:
        """Take all hooks away; every translation must be dropped as well. Not during a run."""
        for handle in self._hooks.values():
            self._cpu.unhook(handle)
        self._hooks.clear()
        self._doubts.clear()

    def forget(self) -> None:
        """All translations are dropped: each block will be sifted again."""
        self._doubts.clear()

    def _ask(self, _engine: object, address: int, _size: int, _data: object) -> None:
        doubts = self._doubts.get(address)
        if doubts is not None and not all(map(self._settles, doubts)):
            self._cpu.stop_in_front()

    def _settles(self, doubt: _Doubt) -> bool:
        """Whether there is nothing to look at, this time."""
        general = self._cpu.general
        offset = doubt.displacement
        if doubt.base is not None:
            offset += general[doubt.base] & doubt.base_mask
        if doubt.index is not None:
            offset += (general[doubt.index] & doubt.index_mask) * doubt.scale
        offset &= doubt.mask
        if offset < doubt.low or offset + doubt.beyond > doubt.high:
            return False
        return not doubt.aligned or (offset + self._cpu.segment_base(doubt.segment)) & 0xF == 0


def can_tell(found: Decoded, offset: int, regime: Regime) -> bool:
    """Whether the addresses of its operands are all that is in doubt about an instruction."""
    if found.kind & regime.kinds & ~Kind.ALIGNED or regime.alignment or regime.breakpoints:
        return False
    if regime.may_leave(found, offset):
        return False
    return not any(access.bit is not None or regime.refuses_type(access) for access in found.accesses)


def _doubt(access: Access, offset: int, found: Decoded, regime: Regime) -> _Doubt:
    segment = next((shape for name, shape in regime.segments if name == access.segment), None)
    low, high = (0, MASK64) if segment is None else _bounds(segment)
    mask = offset_mask(segment) if access.stack and segment is not None else access.mask
    return _Doubt(
        base=RSP if access.stack else access.base,
        base_mask=MASK64 if access.stack else access.base_mask,
        index=access.index,
        index_mask=access.index_mask,
        scale=access.scale,
        displacement=access.displacement + (offset if access.relative else 0),
        mask=mask,
        beyond=access.size - 1,
        low=low,
        high=high,
        segment=access.segment,
        aligned=Kind.ALIGNED in found.kind,
    )


def _bounds(segment: Segment) -> tuple[int, int]:
    """The lowest and the highest offset within the limit (SDM 3A 5.3)."""
    if is_expand_down(segment):
        return segment.limit + 1, offset_mask(segment)
    return 0, segment.limit
