"""One checkpoint of the machine, and how much memory all of them hold together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from idtviz.debugger.moment import Moment
from idtviz.machine.memory import Memory
from idtviz.machine.pc import Machine, MachineState

CHUNK = 16 << 10
"""Bytes of RAM that are kept, or shared with the checkpoint before, as one."""
_ZERO = bytes(CHUNK)
_POINTER = 8  # bytes that a chunk takes in the list of them
_DELIVERY_COST = 2000  # instructions that run in the time of a delivery


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """The machine at `moment`; `chunks` hold all of RAM, shared with other checkpoints where nothing has changed."""

    moment: Moment
    state: MachineState
    chunks: tuple[bytes, ...]

    @property
    def place(self) -> int:
        """Where it stands on an axis along which equal distances take about equal times to replay."""
        return self.moment.instruction + _DELIVERY_COST * self.state.events


def capture(machine: Machine, moment: Moment, before: Checkpoint | None) -> Checkpoint:
    """The machine as it is; a chunk of RAM that equals the one in `before` is that very object."""
    return Checkpoint(moment, machine.snapshot(), image(machine.memory, before.chunks if before else ()))


def put_back(machine: Machine, found: Checkpoint) -> None:
    """Have the machine be what it was."""
    view = machine.memory.view
    for index, chunk in enumerate(found.chunks):
        start = index * CHUNK
        # The comparison of memoryviews goes element by element; this one is a memcmp.
        if not chunk.startswith(view[start : start + len(chunk)]):
            view[start : start + len(chunk)] = chunk
    machine.restore(found.state)


def image(memory: Memory, before: tuple[bytes, ...] = ()) -> tuple[bytes, ...]:
    """All of RAM in chunks; one that equals that in `before` is that very object."""
    view, size = memory.view, memory.size
    chunks = []
    for index, start in enumerate(range(0, size, CHUNK)):
        now = view[start : start + CHUNK]
        chunk = before[index] if before else _ZERO[: len(now)]
        chunks.append(chunk if chunk.startswith(now) else bytes(now))
    return tuple(chunks)


class Room:
    """Counts the bytes that checkpoints hold, each chunk once however many share it."""

    def __init__(self) -> None:
        self.taken = 0
        """In bytes."""
        self._checkpoints: Counter[Checkpoint] = Counter()
        self._chunks: Counter[int] = Counter()

    def hold(self, checkpoints: Iterable[Checkpoint]) -> None:
        """One history more has these."""
        for checkpoint in checkpoints:
            self._checkpoints[checkpoint] += 1
            if self._checkpoints[checkpoint] == 1:
                self.taken += self._cost(checkpoint)
                for chunk in checkpoint.chunks:
                    if not self._chunks[id(chunk)]:
                        self.taken += len(chunk)
                    self._chunks[id(chunk)] += 1

    def release(self, checkpoints: Iterable[Checkpoint]) -> None:
        """One history less has these."""
        for checkpoint in checkpoints:
            self._checkpoints[checkpoint] -= 1
            if not self._checkpoints[checkpoint]:
                del self._checkpoints[checkpoint]
                self.taken -= self._cost(checkpoint)
                for chunk in checkpoint.chunks:
                    self._chunks[id(chunk)] -= 1
                    if not self._chunks[id(chunk)]:
                        del self._chunks[id(chunk)]
                        self.taken -= len(chunk)

    @staticmethod
    def _cost(checkpoint: Checkpoint) -> int:
        """What a checkpoint takes beside its chunks."""
        return checkpoint.state.cpu.size + _POINTER * len(checkpoint.chunks)
