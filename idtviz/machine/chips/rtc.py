"""The MC146818 real-time clock with its CMOS RAM.

Source: Motorola MC146818A data sheet; IBM PC/AT Technical Reference for the two ports and the NMI mask in the first.
The time is worked out from the clock when somebody looks: as long as no interrupt is enabled the chip asks for
nothing. The update cycle is taken to end with the second; UIP is set for the last 244 microseconds before it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from idtviz.machine.chips import cmos, rtc_time
from idtviz.machine.chips.chip import FLOATING, ByteChip, Clock, Line
from idtviz.machine.chips.cmos import REGISTER_A, REGISTER_B, REGISTER_C

INDEX, DATA = 0x70, 0x71
CRYSTAL = 32_768
"""Pulses a second at the top of the divider chain."""

UIP = 0x80  # register A
DV_RESET = 0x60  # the divider chain is held at zero
RS = 0x0F
SET, PIE, AIE, UIE = 0x80, 0x40, 0x20, 0x10  # register B
IRQF, PF, AF, UF = 0x80, 0x40, 0x20, 0x10  # register C
NMI_OFF = 0x80  # port 0x70


@dataclass(frozen=True, slots=True)
class RtcState:
    """The 128 bytes as they were at tick `settled`, and where the divider chain stands."""

    cmos: bytes
    index: int = 0
    nmi_off: bool = False
    flags: int = 0  # PF, AF and UF of register C
    settled: int = 0
    started: int = 0  # the tick at which the divider chain was at zero
    line: bool = False  # the level of IRQ8
    deadline: int | None = None

    @property
    def control(self) -> int:
        """Register B."""
        return self.cmos[REGISTER_B]

    @property
    def running(self) -> bool:
        """Whether the divider chain counts."""
        return self.cmos[REGISTER_A] & DV_RESET != DV_RESET

    @property
    def updating(self) -> bool:
        """Whether the time goes on."""
        return self.running and not self.control & SET

    @property
    def period(self) -> int:
        """Crystal pulses from one periodic interrupt to the next; 0 for none (data sheet, table 5)."""
        rate = self.cmos[REGISTER_A] & RS
        if rate == 0:
            return 0
        return 1 << (rate + 6 if rate < 3 else rate - 1)


class Rtc(ByteChip):
    """Ports 0x70 and 0x71."""

    def __init__(self, clock: Clock, line: Line, contents: bytes | None = None) -> None:
        """`line` is IRQ8. `contents` are the 128 bytes of `cmos.after_bios`."""
        self.name: str = "rtc"
        self.ports: tuple[int, ...] = (INDEX, DATA)
        self.state = RtcState(cmos.after_bios(0, {}) if contents is None else contents)
        self._clock = clock
        self._line = line

    def deadline(self) -> int | None:
        return self.state.deadline

    def advance(self) -> None:
        self._become(settled(self.state, self._clock.now, self._clock.hertz))

    def read_byte(self, port: int) -> int:
        if port == INDEX:
            return FLOATING  # it can only be written
        self.advance()
        state = self.state
        if state.index == REGISTER_A:
            return state.cmos[REGISTER_A] | self._uip()
        if state.index == REGISTER_C:
            value = _register_c(state)
            self._become(replace(state, flags=0))
            return value
        return state.cmos[state.index]

    def write_byte(self, port: int, value: int) -> None:
        if port == INDEX:
            self.state = replace(self.state, index=value & 0x7F, nmi_off=bool(value & NMI_OFF))
            return
        self.advance()
        state, started = self.state, self.state.started
        match state.index:
            case cmos.REGISTER_A:
                value &= ~UIP
                if not state.running and value & DV_RESET != DV_RESET:
                    # The first update comes half a second after the divider chain is let go.
                    started = self._clock.now - self._clock.hertz // 2
            case cmos.REGISTER_B if value & SET:
                value &= ~UIE
            case cmos.REGISTER_C | cmos.REGISTER_D:
                return
        contents = state.cmos[: state.index] + bytes((value,)) + state.cmos[state.index + 1 :]
        self._become(replace(state, cmos=contents, started=started))

    def _uip(self) -> int:
        """Register A's bit 7: the time is about to change."""
        hertz = self._clock.hertz
        left = hertz - (self._clock.now - self.state.started) % hertz
        return UIP if self.state.updating and left <= max(1, hertz * 244 // 1_000_000) else 0

    def _become(self, state: RtcState) -> None:
        level = bool(_register_c(state) & IRQF)
        changed = level != self.state.line
        self.state = replace(state, line=level, deadline=None if level else _deadline(state, self._clock.hertz))
        if changed:
            self._line(level)


def _register_c(state: RtcState) -> int:
    return state.flags | (IRQF if state.flags & state.control else 0)


def settled(state: RtcState, now: int, hertz: int) -> RtcState:
    """The chip at tick `now`: the time has gone on, and what happened on the way stands in register C."""
    if not state.running:
        return replace(state, settled=now)
    flags, contents = state.flags, state.cmos
    if (
        state.period
        and _pulses(state, now, hertz) // state.period > _pulses(state, state.settled, hertz) // state.period
    ):
        flags |= PF
    seconds = (now - state.started) // hertz - (state.settled - state.started) // hertz
    if seconds and state.updating:
        alarm = rtc_time.until_alarm(contents)
        flags |= UF | (AF if alarm is not None and alarm <= seconds else 0)
        contents = rtc_time.advanced(contents, seconds)
    return replace(state, cmos=contents, flags=flags, settled=now)


def _pulses(state: RtcState, tick: int, hertz: int) -> int:
    return (tick - state.started) * CRYSTAL // hertz


def _deadline(state: RtcState, hertz: int) -> int | None:
    """The tick at which the first of the enabled interrupts comes."""
    enabled = state.control
    if not (enabled & (PIE | AIE | UIE) and state.running):
        return None
    dues = []
    if enabled & PIE and state.period:
        pulse = (_pulses(state, state.settled, hertz) // state.period + 1) * state.period
        dues.append(state.started - -pulse * hertz // CRYSTAL)
    second = (state.settled - state.started) // hertz
    if enabled & UIE and state.updating:
        dues.append(state.started + (second + 1) * hertz)
    alarm = rtc_time.until_alarm(state.cmos) if enabled & AIE and state.updating else None
    if alarm is not None:
        dues.append(state.started + (second + alarm) * hertz)
    return min(dues, default=None)
