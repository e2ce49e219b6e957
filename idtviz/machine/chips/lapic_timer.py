"""The local APIC's timer as a value (SDM 3A 10.5.4): a count that falls by one every few pulses of its clock.

A pulse is a number: how many there have been since the machine was switched on. The timer keeps the count of one
pulse, and every later count follows from it, so that nothing drifts.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

LAPIC_HERTZ = 100_000_000
"""The bus clock that the timer divides: so many pulses in a second of virtual time."""


@dataclass(frozen=True, slots=True)
class TimerState:
    """The count registers, and the divide configuration register."""

    initial: int = 0
    count: int = 0  # at the pulse `start`; 0: the timer has stopped
    start: int = 0
    configuration: int = 0  # divide configuration register: bits 0, 1 and 3

    @property
    def divisor(self) -> int:
        """1 to 128 (SDM 3A figure 10-10)."""
        code = self.configuration >> 1 & 4 | self.configuration & 3
        return 1 << (code + 1 & 7)

    @property
    def running(self) -> bool:
        return self.count != 0

    @property
    def end(self) -> int:
        """The pulse at which a running count reaches 0."""
        return self.start + self.count * self.divisor


def pulses(now: int, hertz: int) -> int:
    """How many pulses there have been at tick `now` of a clock of `hertz` ticks a second."""
    return now * LAPIC_HERTZ // hertz


def tick(pulse: int, hertz: int) -> int:
    """The first tick at which `pulse` pulses have come."""
    return -(-pulse * hertz // LAPIC_HERTZ)


def settle(timer: TimerState, pulse: int, *, periodic: bool) -> tuple[bool, TimerState]:
    """Whether the count has reached 0 until `pulse`, and the timer after that.

    A periodic timer starts again from the initial count in the pulse in which it reaches 0.
    """
    if not timer.running or pulse < timer.end:
        return False, timer
    if not periodic:
        return True, replace(timer, count=0)
    period = timer.initial * timer.divisor
    return True, replace(timer, count=timer.initial, start=pulse - (pulse - timer.end) % period)


def current_count(timer: TimerState, pulse: int) -> int:
    """The current count register of a settled timer."""
    return timer.count - (pulse - timer.start) // timer.divisor if timer.running else 0


def write_initial_count(timer: TimerState, value: int, pulse: int) -> TimerState:
    """A write of the initial count register starts the timer, and 0 stops it."""
    return replace(timer, initial=value, count=value, start=pulse)


def write_configuration(timer: TimerState, value: int, pulse: int) -> TimerState:
    """A new divisor: a settled timer goes on from the count that it has."""
    return replace(timer, count=current_count(timer, pulse), start=pulse, configuration=value & 0xB)
