"""The 8254 interval timer, with system control port B, which holds the gate of counter 2.

Source: Intel 8254 data sheet; IBM PC/AT Technical Reference (port 61h). Counter 0's OUT is IRQ0, counter 1 once timed
the refresh of memory, counter 2 drives the speaker.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from idtviz.machine.chips import pit_counter
from idtviz.machine.chips.chip import FLOATING, ByteChip, Clock, Line
from idtviz.machine.chips.pit_counter import CounterState

CLK_HERTZ = 1_193_182
"""The input clock of all three counters: 14.31818 MHz / 12."""

CONTROL = 0x43
PORT_B = 0x61
GATE_2, SPEAKER_DATA = 0x01, 0x02
REFRESH_PULSES = 18
"""CLK pulses from one memory refresh to the next: port B's bit 4 toggles with each."""


Counters = tuple[CounterState, CounterState, CounterState]


@dataclass(frozen=True, slots=True)
class PitState:
    """The three counters, port B, and what counter 0's OUT last drove."""

    counters: Counters
    port_b: int = 0  # bits 0-3 as written: gate 2, speaker data, parity check off, channel check off
    irq0: bool = False  # the level that IRQ0 was last driven to
    edge: int | None = None  # the CLK pulse of counter 0's next edge
    deadline: int | None = None  # the tick at which that pulse has come

    def tone(self, pulse: int) -> float | None:
        """The frequency in hertz that the speaker sounds at CLK pulse `pulse`; None while it is silent."""
        counter = pit_counter.settle(self.counters[2], pulse)
        driven = self.port_b & (GATE_2 | SPEAKER_DATA) == GATE_2 | SPEAKER_DATA
        periodic = counter.counting and counter.mode in (pit_counter.RATE_GENERATOR, pit_counter.SQUARE_WAVE)
        return CLK_HERTZ / counter.initial if driven and periodic else None


POWER_ON = PitState((CounterState(), CounterState(), CounterState(gate=False)))
"""No counter has been programmed: nothing counts and IRQ0 stays low."""


def after_bios(hertz: int, now: int = 0) -> PitState:
    """As a BIOS leaves it at tick `now`: counter 0 divides by 65,536 (18.2 interrupts a second), counter 1 by 18.

    Both are rate generators. Counter 2 waits for someone to make a sound.
    """
    pulse = now * CLK_HERTZ // hertz
    ticker = CounterState(mode=2, written=True, counting=True, start=pulse)
    refresh = CounterState(mode=2, access=1, register=18, initial=18, written=True, counting=True, start=pulse)
    speaker = CounterState(mode=3, gate=False)
    edge = pit_counter.next_edge(ticker, pulse)
    deadline = None if edge is None else _tick(edge, hertz)
    return PitState((ticker, refresh, speaker), irq0=True, edge=edge, deadline=deadline)


class Pit(ByteChip):
    """Ports 0x40-0x43 and 0x61."""

    def __init__(self, clock: Clock, line: Line, state: PitState | None = None) -> None:
        """`line` is IRQ0. `state` is `after_bios(clock.hertz, clock.now)` unless given."""
        self.name: str = "pit"
        self.ports: tuple[int, ...] = (0x40, 0x41, 0x42, CONTROL, PORT_B)
        self.state = after_bios(clock.hertz, clock.now) if state is None else state
        self._clock = clock
        self._line = line

    def pulses(self) -> int:
        """How many CLK pulses there have been until now."""
        return self._clock.now * CLK_HERTZ // self._clock.hertz

    def deadline(self) -> int | None:
        return self.state.deadline

    def advance(self) -> None:
        self._become(self.state)

    def read_byte(self, port: int) -> int:
        self.advance()
        if port == CONTROL:
            return FLOATING
        pulse = self.pulses()
        if port == PORT_B:
            refresh = pulse // REFRESH_PULSES & 1
            return self.state.port_b | refresh << 4 | pit_counter.out(self._counter(2), pulse) << 5
        value, counter = pit_counter.read(self._counter(port & 3), pulse)
        self._read_on(port & 3, counter)
        return value

    def write_byte(self, port: int, value: int) -> None:
        self.advance()
        pulse = self.pulses()
        if port == PORT_B:
            gate = bool(value & GATE_2)
            self.state = replace(self.state, port_b=value & 0x0F)
            self._replace_counter(2, pit_counter.set_gate(self._counter(2), gate, pulse))
        elif port != CONTROL:
            self._replace_counter(port & 3, pit_counter.write(self._counter(port & 3), value, pulse))
        elif value >> 6 == 3:
            self._read_back(value, pulse)
        elif value & 0x30:
            self._replace_counter(value >> 6, pit_counter.control(self._counter(value >> 6), value))
        else:
            self._read_on(value >> 6, pit_counter.latch_count(self._counter(value >> 6), pulse))

    def _counter(self, index: int) -> CounterState:
        return pit_counter.settle(self.state.counters[index], self.pulses())

    def _read_back(self, word: int, pulse: int) -> None:
        for index in range(3):
            if not word >> (index + 1) & 1:
                continue
            counter = self._counter(index)
            if not word & 0x20:
                counter = pit_counter.latch_count(counter, pulse)
            if not word & 0x10:
                counter = pit_counter.latch_status(counter, pulse)
            self._read_on(index, counter)

    def _read_on(self, index: int, counter: CounterState) -> None:
        """A counter was latched or read: it counts on as before, so that no edge moves."""
        now = self.state
        self.state = PitState(_put(now.counters, index, counter), now.port_b, now.irq0, now.edge, now.deadline)

    def _replace_counter(self, index: int, counter: CounterState) -> None:
        counters = _put(self.state.counters, index, counter)
        if index:
            self.state = replace(self.state, counters=counters)
        else:
            # Programming counter 0 may move its OUT at once, with no edge of the old count in between.
            self._become(replace(self.state, counters=counters, edge=None))

    def _become(self, state: PitState) -> None:
        """Bring counter 0 up to now, and IRQ0 with it."""
        pulse = self.pulses()
        if state.edge is not None and pulse < state.edge:
            self.state = state
            return
        ticker, levels = _levels(state, pulse)
        edge = pit_counter.next_edge(ticker, pulse)
        self.state = PitState(
            (ticker, *state.counters[1:]),
            port_b=state.port_b,
            irq0=levels[-1] if levels else state.irq0,
            edge=edge,
            deadline=None if edge is None else _tick(edge, self._clock.hertz),
        )
        for level in levels:
            self._line(level)


def _put(counters: Counters, index: int, counter: CounterState) -> Counters:
    first, second, third = counters
    return (
        (counter, second, third) if index == 0 else (first, counter, third) if index == 1 else (first, second, counter)
    )


def _levels(state: PitState, pulse: int) -> tuple[CounterState, list[bool]]:
    """Counter 0 at `pulse`, and the levels that its OUT took on the way there.

    A pulse of OUT may be shorter than a tick, and the interrupt controller must see its edges all the same: three of
    them always hold a rising one, however many more there were.
    """
    ticker, edge, level = state.counters[0], state.edge, state.irq0
    levels: list[bool] = []
    for _ in range(3):
        if edge is None or edge >= pulse:
            break
        ticker = pit_counter.settle(ticker, edge)
        if pit_counter.out(ticker, edge) != level:
            level = not level
            levels.append(level)
        edge = pit_counter.next_edge(ticker, edge)
    ticker = pit_counter.settle(ticker, pulse)
    if pit_counter.out(ticker, pulse) != level:
        levels.append(not level)
    return ticker, levels


def _tick(pulse: int, hertz: int) -> int:
    """The first tick at which `pulse` CLK pulses have come."""
    return -(-pulse * hertz // CLK_HERTZ)
