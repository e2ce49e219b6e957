"""The stack around SS:SP, in words of the size that the processor pushes, and the interrupt frames on it."""

from __future__ import annotations

from dataclasses import dataclass

from idtviz.debugger.recording import Recording
from idtviz.machine.decoding import code_bits
from idtviz.machine.delivery.stack import stack_of
from idtviz.machine.handlers import Live
from idtviz.machine.memory import LinearMemory
from idtviz.machine.registers import Registers
from idtviz.machine.segmentation import is_expand_down
from idtviz.x86.addresses import MASK32, MASK64
from idtviz.x86.frames import InterruptFrame

_BELOW, _ABOVE = 128, 512
_PIECE = 64


@dataclass(frozen=True)
class StackView:
    """Memory around the top of the stack, `size` bytes from linear address `start`.

    `pointer` is the offset in SS (RSP, ESP or SP), `base` that of SS, `word_size` the bytes of a push: 8, 4 or 2.
    """

    selector: int
    base: int
    pointer: int
    word_size: int
    start: int
    size: int
    pieces: tuple[tuple[int, bytes], ...]
    """The parts that are mapped: linear address and bytes, in order."""

    @property
    def linear(self) -> int:
        """Linear address of the top of the stack."""
        return (self.base + self.pointer) & (MASK64 if self.word_size == 8 else MASK32)

    @property
    def end(self) -> int:
        """Linear address behind the window."""
        return self.start + self.size

    @property
    def words(self) -> tuple[int | None, ...]:
        """`words[i]` is the word at `start + word_size * i`, None where no page is mapped."""
        return tuple(self.word(at) for at in range(self.start, self.end - self.word_size + 1, self.word_size))

    def word(self, address: int, size: int | None = None) -> int | None:
        """The word of `size` bytes (`word_size` if not given) at linear `address`, if it lies in the window."""
        wanted = self.word_size if size is None else size
        found = b""
        for start, raw in self.pieces:
            at = address + len(found) - start
            if 0 <= at < len(raw):
                found += raw[at : at + wanted - len(found)]
                if len(found) == wanted:
                    return int.from_bytes(found, "little")
        return None


@dataclass(frozen=True)
class FrameView:
    """The frame of a handler that is running: as it was pushed, and as it is now (None: no longer mapped)."""

    delivery: int
    name: str
    pushed: InterruptFrame
    now: InterruptFrame | None


def stack_view(memory: LinearMemory, at: Registers) -> StackView:
    """The stack that SS:SP names."""
    found = stack_of(at)
    word_size = code_bits(at) // 8
    base = 0 if found.flat else at.ss.base
    pointer = at.rsp & found.mask
    lowest, highest = base, base + found.mask
    if not found.flat and not is_expand_down(at.ss):
        highest = min(highest, base + at.ss.limit)
    linear = base + pointer
    start = linear - min(_BELOW, max(0, linear - lowest) // word_size * word_size)
    end = max(linear, min(linear + _ABOVE, highest + 1))
    return StackView(at.ss.selector, base, pointer, word_size, start, end - start, _pieces(memory, start, end))


def _pieces(memory: LinearMemory, start: int, end: int) -> tuple[tuple[int, bytes], ...]:
    """What is mapped from `start` to `end`."""
    whole = memory.peek(start & MASK64, end - start) if end > start else b""
    if whole is not None:
        return ((start, whole),)
    found: list[tuple[int, bytes]] = []
    at = start
    while at < end:
        size = min(end, (at // _PIECE + 1) * _PIECE) - at
        raw = memory.peek(at & MASK64, size)
        if raw is not None:
            found.append((at, raw))
        at += size
    return tuple(found)


def frame_views(memory: LinearMemory, live: tuple[Live, ...], recording: Recording) -> tuple[FrameView, ...]:
    """The frames of the handlers that run, outermost first. A task gate leaves none."""
    found = []
    for handler in live:
        record = recording.deliveries[handler.delivery]
        pushed = record.frame
        if pushed is not None:
            raw = memory.peek(pushed.address, pushed.size)
            now = None if raw is None else pushed.reread(raw)
            found.append(FrameView(handler.delivery, record.event.name, pushed, now))
    return tuple(found)
