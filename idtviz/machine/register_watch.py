"""Registers that a person watches: who writes one, and what it was and is.

A run at full speed ends behind each instruction that writes a watched register, whether or not that changes the value.
Nothing is hooked for it: the run stops in front of the block of code that holds such an instruction, goes on to behind
it, and the block's translation is dropped again. What idtviz performs itself, a step of a delivery above all, counts
where it has changed the value.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from idtviz.machine.activity import ActiveProcessor, Activity
from idtviz.machine.chips.lapic import Lapic
from idtviz.machine.clock import Clock
from idtviz.machine.cpu import Cpu
from idtviz.machine.register_writes import DEBUG, SEGMENTS, SELECTORS
from idtviz.machine.registers import GENERAL_NAMES, Registers, Table
from idtviz.machine.scrutiny import Scrutiny
from idtviz.x86 import flags

_NUMBERS = {name: number for number, name in enumerate(GENERAL_NAMES)}


@dataclass(frozen=True, slots=True)
class RegisterWrite:
    """Register `name` was written, by the instruction at linear `rip` or, where that is None, by a step.

    A segment register, LDTR and TR are their selectors. GDTR and IDTR are numbers as LGDT reads them from memory: the
    limit is in bits 0 to 15, the base above (SDM 2A LGDT). RFLAGS is without RF, which every instruction clears.
    """

    rip: int | None
    name: str
    old: int
    new: int


@dataclass(frozen=True, slots=True)
class _Writer:
    """An instruction that writes registers, once `instruction` instructions have completed and one more does."""

    rip: int
    names: frozenset[str]
    instruction: int


class RegisterWatch:
    """The watch over the registers of one processor."""

    def __init__(
        self, cpu: Cpu, scrutiny: Scrutiny, processor: ActiveProcessor, lapic: Lapic | None, clock: Clock
    ) -> None:
        self._cpu = cpu
        self._scrutiny = scrutiny
        self._processor = processor
        self._lapic = lapic
        self._clock = clock
        self._armed = False
        self._watched: tuple[str, ...] = ()
        self._before: tuple[int, ...] = ()
        self._writers: list[_Writer] = []
        self._last: _Writer | None = None
        """The instruction that was looked at last."""
        self._held: tuple[Activity, tuple[int, ...]] | None = None
        """An activity that has begun without a step, and the registers as they were in front of it.

        The engine loads CR2, and idtviz DR6, where the event is recognised; they count as written by the first step.
        """
        scrutiny.on_writer = self._on_writer

    def watch(self, registers: frozenset[str]) -> None:
        """Watch these registers, by their full names, and no others. Not during a run."""
        self._watched = tuple(sorted(registers))
        self._held = None
        self._scrutiny.watch_registers(registers)

    def forget(self) -> None:
        """The machine is somewhere else."""
        self._held = None

    # One move

    def arm(self) -> None:
        """The machine is about to move."""
        if not self._watched:
            return
        self._armed = True
        self._scrutiny.heed_registers(heeded=True)
        self._writers.clear()
        self._last = None
        held, self._held = self._held, None
        self._before = held[1] if held is not None and held[0] is self._begun() else self._values()

    def disarm(self) -> tuple[RegisterWrite, ...]:
        """The machine has moved: what has been written since `arm`."""
        if not self._armed:
            return ()
        found = tuple(self._written())
        begun = self._begun()
        self._held = None if begun is None else (begun, self._before)
        self._armed = False
        self._scrutiny.heed_registers(heeded=False)
        return found

    def met(self) -> bool:
        """Whether a watched register has been written since `arm`."""
        return self._armed and next(self._written(), None) is not None

    def stored(self, instruction: int) -> None:
        """The instruction behind `instruction` others has stored to a chip: CR8 is a register of the local APIC too."""
        if not self._armed or "cr8" not in self._watched:
            return
        if self._task_priority() != self._before[self._watched.index("cr8")]:
            self._writers.append(_Writer(self._cpu.linear_rip, frozenset(("cr8",)), instruction))
            self._cpu.end_behind()

    def _begun(self) -> Activity | None:
        """The activity that stands in front of its first step."""
        activity = self._processor.activity
        return None if activity is None or activity.steps or self._processor.finished is not None else activity

    def _written(self) -> Iterator[RegisterWrite]:
        now, begun = self._clock.instructions, self._begun()
        stepped = begun is None and (self._processor.activity is not None or self._processor.finished is not None)
        last = self._last if self._last is not None and self._last.instruction < now and not stepped else None
        for name, old, new in zip(self._watched, self._before, self._values(), strict=True):
            writers = (item for item in self._writers if name in item.names and item.instruction < now)
            writer = next(writers, None)
            if writer is not None:
                yield RegisterWrite(writer.rip, name, old, new)
            elif begun is None and old != new:
                # A step, or an instruction that was looked at and whose bytes do not tell.
                yield RegisterWrite(last.rip if last is not None else None, name, old, new)

    def _on_writer(self, rip: int, names: frozenset[str], behind: int) -> None:
        self._last = _Writer(rip, names, self._clock.instructions + behind)
        if names:
            self._writers.append(self._last)

    # Values

    def _values(self) -> tuple[int, ...]:
        if not self._watched:
            return ()
        at = None if all(name in _NUMBERS for name in self._watched) else self._cpu.registers()
        return tuple(self._value(name, at) for name in self._watched)

    def _value(self, name: str, at: Registers | None) -> int:
        if at is None or name in _NUMBERS:
            return self._cpu.general[_NUMBERS[name]]
        if name in SEGMENTS or name in SELECTORS:
            return int(getattr(at, name).selector)
        if name in DEBUG:
            return self._cpu.debug_register(int(name[2:]))
        match name:
            case "gdtr" | "idtr":
                table: Table = getattr(at, name)
                return table.base << 16 | table.limit
            case "fs_base":
                return at.fs.base
            case "gs_base":
                return at.gs.base
            case "cr8":
                return self._task_priority()
            case "rflags":
                return at.rflags & ~flags.RF
        return int(getattr(at, name))

    def _task_priority(self) -> int:
        return self._lapic.task_priority if self._lapic is not None else 0
