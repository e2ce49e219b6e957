"""One counter of an 8254, as a value and as functions of time.

Source: Intel 8254 Programmable Interval Timer data sheet (231164-005). Time is counted in CLK pulses of the counter's
input. Nothing ticks: the count, the OUT pin and the next edge follow from the pulse at which the counting element was
loaded.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

RATE_GENERATOR = 2
SQUARE_WAVE = 3


@dataclass(frozen=True, slots=True)
class CounterState:
    """One counter. `start` is the CLK pulse at which the count `initial` was, or will be, in the counting element."""

    mode: int = 0
    access: int = 3  # RW1 RW0: 1 = low byte only, 2 = high byte only, 3 = low byte, then high byte
    bcd: bool = False
    gate: bool = True
    register: int = 0  # the count register as written, 16 bits; 0 stands for the largest count
    written: bool = False  # a count has been written since the control word
    counting: bool = False  # the counting element has been loaded (by the write, or by a trigger)
    initial: int = 0x10000  # the effective count that is being counted
    start: int = 0
    stopped: int | None = None  # pulses counted when the gate (or half a written count) stopped it
    pending_at: int | None = None  # modes 2 and 3: the pulse at which the count register will be taken over
    write_low: int | None = None  # the low byte of a 16-bit count, until the high byte comes
    read_high_next: bool = False
    latched_count: int | None = None
    latched_status: int | None = None

    @property
    def null_count(self) -> bool:
        """Whether the last count written still waits to be counted, leaving aside the one pulse that loading takes."""
        return not self.counting or self.pending_at is not None or _effective(self) != self.initial


def control(counter: CounterState, word: int) -> CounterState:
    """The counter after a control word that selects it: it waits for a count, with OUT at the mode's initial level."""
    mode = word >> 1 & 7
    return CounterState(
        mode=mode & 3 if mode > 5 else mode,  # D3 is a don't-care for modes 2 and 3
        access=word >> 4 & 3,
        bcd=bool(word & 1),
        gate=counter.gate,
    )


def write(counter: CounterState, value: int, pulse: int) -> CounterState:
    """A byte written to the counter's port."""
    if counter.access == 1:
        return _load(replace(counter, register=value), pulse)
    if counter.access == 2:
        return _load(replace(counter, register=value << 8), pulse)
    if counter.write_low is None:
        counter = replace(counter, write_low=value)
        if counter.mode == 0 and counter.counting:
            # Mode 0: the first byte disables counting and takes OUT low at once.
            return replace(counter, counting=False)
        return counter
    return _load(replace(counter, register=value << 8 | counter.write_low, write_low=None), pulse)


def read(counter: CounterState, pulse: int) -> tuple[int, CounterState]:
    """A byte read from the counter's port: a latched status first, then a latched count, else the live count."""
    if counter.latched_status is not None:
        return counter.latched_status, replace(counter, latched_status=None)
    value = counter.latched_count if counter.latched_count is not None else count(counter, pulse)
    if counter.access == 1:
        return value & 0xFF, _read_on(counter, None)
    if counter.access == 2:
        return value >> 8, _read_on(counter, None)
    if counter.read_high_next:
        return value >> 8, _read_on(counter, None)
    return value & 0xFF, _read_on(counter, counter.latched_count, read_high_next=True)


def latch_count(counter: CounterState, pulse: int) -> CounterState:
    """The counter latch command; ignored while an earlier one has not been read."""
    if counter.latched_count is not None:
        return counter
    return _read_on(counter, count(counter, pulse), read_high_next=counter.read_high_next)


def _read_on(counter: CounterState, latched_count: int | None, *, read_high_next: bool = False) -> CounterState:
    """The counter with another state of its reading. Written out: programs poll, `replace()` is slow."""
    return CounterState(
        *(counter.mode, counter.access, counter.bcd, counter.gate, counter.register, counter.written),
        *(counter.counting, counter.initial, counter.start, counter.stopped, counter.pending_at, counter.write_low),
        read_high_next,
        latched_count,
        counter.latched_status,
    )


def latch_status(counter: CounterState, pulse: int) -> CounterState:
    """The read-back command's status byte; ignored while an earlier one has not been read."""
    if counter.latched_status is not None:
        return counter
    null_count = counter.null_count or pulse < counter.start
    status = out(counter, pulse) << 7 | null_count << 6 | counter.access << 4 | counter.mode << 1 | counter.bcd
    return replace(counter, latched_status=status)


def set_gate(counter: CounterState, gate: bool, pulse: int) -> CounterState:
    """The counter after its GATE input has been driven."""
    if gate == counter.gate:
        return counter
    counter = replace(counter, gate=gate)
    if counter.mode in (1, 5):
        return _trigger(counter, pulse) if gate else counter
    if not gate:
        return replace(counter, stopped=pulse - counter.start) if counter.counting else counter
    if counter.mode in (RATE_GENERATOR, SQUARE_WAVE):
        return _trigger(counter, pulse)
    if counter.stopped is None:
        return counter
    return replace(counter, start=pulse - counter.stopped, stopped=None)


def settle(counter: CounterState, pulse: int) -> CounterState:
    """Take a waiting count over if its time has come (modes 2 and 3: at the end of the period or half-period)."""
    if counter.pending_at is None or pulse < counter.pending_at:
        return counter
    initial = _effective(counter)
    half = (counter.pending_at - counter.start) % counter.initial != 0
    start = counter.pending_at - (initial + 1) // 2 if half else counter.pending_at
    return replace(counter, initial=initial, start=start, pending_at=None)


def out(counter: CounterState, pulse: int) -> bool:
    """The level of the OUT pin."""
    if not counter.counting:
        return counter.mode != 0
    elapsed = _elapsed(counter, pulse)
    match counter.mode:
        case 0 | 1:
            return elapsed >= counter.initial
        case 2:
            if counter.stopped is not None or elapsed < 0 or counter.initial == 1:
                return True
            return elapsed % counter.initial != counter.initial - 1
        case 3:
            if counter.stopped is not None or elapsed < 0:
                return True
            return elapsed % counter.initial < (counter.initial + 1) // 2
        case _:
            return elapsed != counter.initial


def count(counter: CounterState, pulse: int) -> int:
    """The counting element as a read gives it, 16 bits (four digits in BCD)."""
    if not counter.counting:
        return counter.register
    elapsed = max(0, _elapsed(counter, pulse))
    initial = counter.initial
    if counter.mode == RATE_GENERATOR:
        value = initial - elapsed % initial
    elif counter.mode == SQUARE_WAVE:
        value = _square_wave_count(initial, elapsed % initial)
    else:
        value = initial - elapsed
    if not counter.bcd:
        return value & 0xFFFF
    return int(str(value % 10_000), 16)


def next_edge(counter: CounterState, pulse: int) -> int | None:
    """The first pulse after `pulse` at which OUT changes, or a waiting count is taken over."""
    if not counter.counting or counter.stopped is not None:
        return None
    initial = counter.initial
    end = counter.start + initial
    match counter.mode:
        case 0 | 1:
            return end if pulse < end else None
        case 2 | 3:
            if initial == 1 and counter.pending_at is None:
                return None
            elapsed = max(0, pulse - counter.start)
            base = counter.start + elapsed - elapsed % initial
            fall = base + (initial - 1 if counter.mode == RATE_GENERATOR else (initial + 1) // 2)
            return fall if pulse < fall else base + initial
        case _:
            if pulse < end:
                return end
            return end + 1 if pulse == end else None


def _effective(counter: CounterState) -> int:
    """The number of pulses that the count register stands for."""
    register = counter.register
    if not counter.bcd:
        return register or 0x10000
    digits = sum((register >> 4 * place & 0xF) * 10**place for place in range(4))
    return digits or 10_000


def _elapsed(counter: CounterState, pulse: int) -> int:
    return pulse - counter.start if counter.stopped is None else counter.stopped


def _square_wave_count(initial: int, elapsed: int) -> int:
    """Mode 3 counts down by two, twice a period; an odd count starts from the even number below it."""
    high = (initial + 1) // 2
    if elapsed >= high:
        elapsed -= high
    return (initial & ~1) - 2 * elapsed


def _load(counter: CounterState, pulse: int) -> CounterState:
    """A whole count has been written."""
    counter = replace(counter, written=True)
    if counter.mode in (1, 5):
        return counter if counter.counting else replace(counter, initial=_effective(counter))
    if counter.mode in (RATE_GENERATOR, SQUARE_WAVE) and counter.counting and counter.stopped is None:
        return replace(counter, pending_at=_take_over(counter, pulse))
    stopped = None if counter.gate else 0
    return replace(
        counter, initial=_effective(counter), start=pulse + 1, counting=True, stopped=stopped, pending_at=None
    )


def _take_over(counter: CounterState, pulse: int) -> int:
    """When a count written while the counter runs takes effect."""
    if pulse < counter.start:
        return counter.start
    elapsed = (pulse - counter.start) % counter.initial
    high = (counter.initial + 1) // 2
    rest = high - elapsed if counter.mode == SQUARE_WAVE and elapsed < high else counter.initial - elapsed
    return pulse + rest


def _trigger(counter: CounterState, pulse: int) -> CounterState:
    """A rising edge of GATE (re)loads the counting element on the next pulse."""
    if not counter.written:
        return counter
    return replace(counter, initial=_effective(counter), start=pulse + 1, counting=True, stopped=None, pending_at=None)
