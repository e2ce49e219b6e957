"""The local APIC as a value, and what each interrupt, acknowledge and EOI turns it into (SDM 3A chapter 10).

Nothing here knows of memory or MSRs (`lapic_registers.py`), nor of what is wired to the chip (`lapic.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import IntEnum

from idtviz.machine.chips.lapic_timer import TimerState
from idtviz.x86.apic import EXTINT, FIRST_LEGAL_VECTOR, FIXED, LvtEntry

BASE = 0xFEE0_0000
"""Physical address of the registers in xAPIC mode."""
BSP, X2APIC, ENABLE = 1 << 8, 1 << 10, 1 << 11
"""Bits of IA32_APIC_BASE."""

SOFTWARE_ENABLE = 1 << 8
"""Bit of the spurious-interrupt vector register."""

MODE = LvtEntry.mode.mask
MASKED = LvtEntry.masked.mask
LEVEL = LvtEntry.level.mask
REMOTE_IRR = LvtEntry.remote_irr.mask
ACTIVE_LOW = LvtEntry.active_low.mask
PERIODIC = 1 << 17

SEND_ILLEGAL_VECTOR = 1 << 5
RECEIVE_ILLEGAL_VECTOR = 1 << 6
ILLEGAL_REGISTER = 1 << 7
"""Bits of the error status register (SDM 3A 10.5.3)."""


class Lvt(IntEnum):
    """The entries of the local vector table, in the order of their registers: 0x320 to 0x370."""

    TIMER = 0
    THERMAL = 1
    PERFORMANCE = 2
    LINT0 = 3
    LINT1 = 4
    ERROR = 5


@dataclass(frozen=True, slots=True)
class LapicState:
    """All of one local APIC. Bit n of `irr`, `isr` and `tmr` belongs to vector n."""

    base: int = BASE | BSP | ENABLE  # IA32_APIC_BASE
    identifier: int = 0
    tpr: int = 0
    ldr: int = 0  # the logical ID of xAPIC mode
    dfr: int = 0xF  # the model: 0xF flat, 0 cluster
    svr: int = 0xFF
    irr: int = 0
    isr: int = 0
    tmr: int = 0
    esr: int = 0
    errors: int = 0  # since the ESR was last written
    icr: int = 0
    lvt: tuple[int, ...] = (MASKED,) * len(Lvt)
    timer: TimerState = field(default_factory=TimerState)
    lint0: bool = False  # level of the pin: the 8259 pair's INT
    lint1: bool = False
    extint: bool = False  # an ExtINT message of the I/O APIC waits for its acknowledge

    @property
    def enabled(self) -> bool:
        """IA32_APIC_BASE bit 11: there is a local APIC at all."""
        return bool(self.base & ENABLE)

    @property
    def x2apic(self) -> bool:
        return bool(self.base & X2APIC)

    @property
    def software_enabled(self) -> bool:
        """SVR bit 8."""
        return bool(self.svr & SOFTWARE_ENABLE)

    @property
    def ppr(self) -> int:
        """The processor-priority register (SDM 3A 10.8.3.1): the higher class of the TPR and of what is in service."""
        in_service = highest(self.isr) & 0xF0
        return self.tpr if self.tpr & 0xF0 >= in_service else in_service

    @property
    def periodic(self) -> bool:
        """The timer's mode."""
        return bool(self.lvt[Lvt.TIMER] & PERIODIC)

    @property
    def virtual_wire(self) -> bool:
        """The 8259 pair reaches the processor: through LINT0 as ExtINT, or because there is no local APIC."""
        return not self.enabled or self.lvt[Lvt.LINT0] & (MODE | MASKED) == EXTINT << 8


AFTER_RESET = LapicState()
"""SDM 3A 10.4.7.1: software-disabled, every LVT entry masked."""

AFTER_BIOS = LapicState(svr=0x1FF, lvt=(MASKED, MASKED, MASKED, 0x8700, 0x8400, MASKED))
"""As a BIOS leaves it, in virtual wire mode (MP specification 3.6.2.2): LINT0 = ExtINT, LINT1 = NMI."""


def highest(vectors: int) -> int:
    """The highest vector among the bits of `vectors`; 0 if there is none."""
    return max(vectors.bit_length() - 1, 0)


def deliverable(state: LapicState) -> int | None:
    """The vector that the processor would take now: its class, bits 7:4, is above that of the PPR (SDM 3A 10.8.4)."""
    vector = highest(state.irr)
    return vector if state.enabled and vector >> 4 > state.ppr >> 4 else None


def extint_requested(state: LapicState) -> bool:
    """Whether the 8259 pair asks for its INTA cycles. Such an interrupt has no vector yet, and so no priority."""
    if not state.enabled:
        return state.lint0
    return state.extint or (state.virtual_wire and _active(state, Lvt.LINT0))


def accept(state: LapicState, vector: int, *, level_triggered: bool) -> tuple[bool, LapicState]:
    """A fixed interrupt reaches the APIC: whether it was taken, and the APIC after it (SDM 3A 10.8.4)."""
    if not state.enabled or not state.software_enabled:
        return False, state
    if vector < FIRST_LEGAL_VECTOR:
        return False, record_error(state, RECEIVE_ILLEGAL_VECTOR)
    bit = 1 << vector
    tmr = state.tmr | bit if level_triggered else state.tmr & ~bit
    return True, replace(state, irr=state.irr | bit, tmr=tmr)


def acknowledge(state: LapicState) -> tuple[int | None, LapicState]:
    """The vector that the processor gets, and the APIC after it. None: the 8259 pair answers.

    A request that is no longer deliverable gives the spurious vector, and sets no ISR bit (SDM 3A 10.9).
    """
    vector = deliverable(state)
    if vector is not None:
        bit = 1 << vector
        return vector, replace(state, irr=state.irr & ~bit, isr=state.isr | bit)
    if not state.enabled or extint_requested(state):
        return None, replace(state, extint=False) if state.extint else state
    return state.svr & 0xFF, state


def end_of_interrupt(state: LapicState) -> tuple[int | None, LapicState]:
    """EOI: the vector whose ISR bit it cleared (None: none was set), and the APIC after it (SDM 3A 10.8.5)."""
    if not state.isr:
        return None, state
    vector = highest(state.isr)
    state = replace(state, isr=state.isr & ~(1 << vector))
    entry = state.lvt[Lvt.LINT0]
    if entry & REMOTE_IRR and entry & 0xFF == vector:
        state = request_level(with_lvt(state, Lvt.LINT0, entry & ~REMOTE_IRR))
    return vector, state


def record_error(state: LapicState, error: int) -> LapicState:
    """An error of the ESR. The first since the last write of the ESR is also an interrupt (SDM 3A 10.5.3)."""
    first = not state.errors
    state = replace(state, errors=state.errors | error)
    return fire(state, Lvt.ERROR) if first else state


def fire(state: LapicState, source: Lvt) -> LapicState:
    """The fixed interrupt of an LVT entry that is not masked."""
    entry = state.lvt[source]
    return state if entry & MASKED else accept(state, entry & 0xFF, level_triggered=False)[1]


def set_lint(state: LapicState, pin: Lvt, level: bool) -> tuple[bool, LapicState]:
    """LINT0 or LINT1 has been driven to `level`: whether that is a rising edge of the active level, and the APIC."""
    was = _active(state, pin)
    state = replace(state, lint0=level) if pin is Lvt.LINT0 else replace(state, lint1=level)
    rises = _active(state, pin) and not was
    entry = LvtEntry(state.lvt[pin])
    if entry.mode == FIXED and not (pin is Lvt.LINT0 and entry.level):
        return rises, fire(state, pin) if rises else state
    return rises, request_level(state)


def request_level(state: LapicState) -> LapicState:
    """The level-triggered interrupt of LINT0: one at a time, as long as the pin is active."""
    entry = LvtEntry(state.lvt[Lvt.LINT0])
    if entry.masked or entry.mode != FIXED or not entry.level or entry.remote_irr or not _active(state, Lvt.LINT0):
        return state
    taken, state = accept(state, entry.vector, level_triggered=True)
    return with_lvt(state, Lvt.LINT0, entry.value | REMOTE_IRR) if taken else state


def with_lvt(state: LapicState, source: Lvt, value: int) -> LapicState:
    """The APIC with one LVT entry changed. While it is software-disabled the entry stays masked (SDM 3A 10.4.7.2)."""
    if not state.software_enabled:
        value |= MASKED
    return replace(state, lvt=(*state.lvt[:source], value, *state.lvt[source + 1 :]))


def destined(state: LapicState, destination: int, *, logical: bool) -> bool:
    """Whether a message to `destination` is for this APIC (SDM 3A 10.6.2 and 10.12.10).

    In xAPIC mode a destination has 8 bits, of which 0xFF is everybody; in x2APIC mode it has 32.
    """
    if not state.enabled:
        return False
    if state.x2apic:
        if destination == 0xFFFF_FFFF:
            return True
        mine = logical_x2apic_id(state)
        same_cluster = destination >> 16 == mine >> 16
        return same_cluster and bool(destination & mine & 0xFFFF) if logical else destination == state.identifier
    if not logical:
        return destination in (state.identifier, 0xFF)
    if state.dfr == 0xF:
        return bool(destination & state.ldr)
    return destination >> 4 in (state.ldr >> 4, 0xF) and bool(destination & state.ldr & 0xF)


def logical_x2apic_id(state: LapicState) -> int:
    """The LDR of x2APIC mode: cluster and bit follow from the APIC ID (SDM 3A 10.12.10.2)."""
    return state.identifier >> 4 << 16 | 1 << (state.identifier & 0xF)


def why_held(state: LapicState, vector: int) -> str | None:
    """Why a vector that stands in the IRR is not offered to the processor; None if it is, or does not stand there."""
    if not state.irr >> vector & 1 or deliverable(state) == vector:
        return None
    if not state.enabled:
        return "the local APIC is disabled (IA32_APIC_BASE bit 11)"
    if vector >> 4 <= state.ppr >> 4:
        serving = highest(state.isr)
        if state.isr >> vector & 1:
            return f"vector {vector:#04x} itself is still in service (no EOI yet)"
        if vector >> 4 <= serving >> 4:
            return f"vector {serving:#04x} of class {serving >> 4:X} is in service (no EOI yet)"
        return f"its class {vector >> 4:X} is not above the TPR's ({state.tpr:#04x}, CR8 = {state.tpr >> 4:X})"
    return f"vector {highest(state.irr):#04x} is higher and goes first"


def _active(state: LapicState, pin: Lvt) -> bool:
    level = state.lint0 if pin is Lvt.LINT0 else state.lint1
    return level != bool(state.lvt[pin] & ACTIVE_LOW)
