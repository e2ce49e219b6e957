"""The local APIC's registers: what a read gives, and what a write leaves (SDM 3A table 10-1 and table 10-6).

A register has a number: its offset in memory / 16, or its MSR - 0x800. Writes that are more than a change of the state
(EOI, ICR, SELF IPI) are performed in `lapic.py`; here they only have their names.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from idtviz.machine.chips import lapic_timer
from idtviz.machine.chips.lapic_state import (
    MASKED,
    REMOTE_IRR,
    SOFTWARE_ENABLE,
    LapicState,
    Lvt,
    logical_x2apic_id,
    request_level,
    with_lvt,
)

ID: Final = 0x02
VERSION: Final = 0x03
TPR: Final = 0x08
APR: Final = 0x09
PPR: Final = 0x0A
EOI: Final = 0x0B
REMOTE_READ: Final = 0x0C
LDR: Final = 0x0D
DFR: Final = 0x0E
SVR: Final = 0x0F
ISR: Final = 0x10
TMR: Final = 0x18
IRR: Final = 0x20
ESR: Final = 0x28
ICR: Final = 0x30
ICR_HIGH: Final = 0x31
LVT: Final = 0x32
INITIAL_COUNT: Final = 0x38
CURRENT_COUNT: Final = 0x39
DIVIDE_CONFIGURATION: Final = 0x3E
SELF_IPI: Final = 0x3F

VERSION_VALUE: Final = 0x14 | (len(Lvt) - 1) << 16
"""Version 0x14, an integrated APIC; the number of LVT entries less one."""

_MASK32 = 0xFFFF_FFFF
_VECTORS = frozenset(range(ISR, IRR + 8))
_LVTS = frozenset(range(LVT, LVT + len(Lvt)))

LVT_WRITABLE: Final = (0x300FF, 0x107FF, 0x107FF, 0x1A7FF, 0x1A7FF, 0x100FF)
"""The bits of each LVT entry that software writes (SDM 3A figure 10-8); TSC-deadline mode, bit 18, is not offered."""
_LVT_READ_ONLY = 0x1000 | REMOTE_IRR

ICR_WRITABLE: Final = 0xCCFFF
"""The low half; bit 12, the delivery status, is read-only and always idle."""

READABLE: Final = (
    frozenset({ID, VERSION, TPR, APR, PPR, REMOTE_READ, LDR, DFR, SVR, ESR, ICR, ICR_HIGH})
    | _VECTORS
    | _LVTS
    | {INITIAL_COUNT, CURRENT_COUNT, DIVIDE_CONFIGURATION}
)
"""Registers of xAPIC mode that a load reads."""
X2APIC_READABLE: Final = READABLE - {APR, REMOTE_READ, DFR, ICR_HIGH}

X2APIC_WRITABLE: Final = {
    TPR: 0xFF,
    EOI: 0,
    SVR: 0x1FF,
    ESR: 0,
    ICR: ICR_WRITABLE | 0x1000 | _MASK32 << 32,
    INITIAL_COUNT: _MASK32,
    DIVIDE_CONFIGURATION: 0xB,
    SELF_IPI: 0xFF,
    **{LVT + lvt: LVT_WRITABLE[lvt] | _LVT_READ_ONLY for lvt in Lvt},
}
"""Registers of x2APIC mode that WRMSR writes, each with the bits that may be set."""


def read_register(state: LapicState, register: int, pulse: int) -> int:
    """A register of `READABLE` at timer pulse `pulse`."""
    if register in _VECTORS:
        vectors = (state.isr, state.tmr, state.irr)[(register - ISR) // 8]
        return vectors >> 32 * (register & 7) & _MASK32
    if register in _LVTS:
        return state.lvt[register - LVT]
    if register == CURRENT_COUNT:
        return lapic_timer.current_count(state.timer, pulse)
    return _READ[register](state)


def write_register(state: LapicState, register: int, value: int, pulse: int) -> LapicState:
    """The APIC after a write that changes nothing but registers; reserved bits are dropped, read-only ones kept."""
    if register in _LVTS:
        return _write_lvt(state, Lvt(register - LVT), value)
    if register == INITIAL_COUNT:
        return replace(state, timer=lapic_timer.write_initial_count(state.timer, value, pulse))
    if register == DIVIDE_CONFIGURATION:
        return replace(state, timer=lapic_timer.write_configuration(state.timer, value, pulse))
    write = _WRITE.get(register)
    return state if write is None else write(state, value)


def _write_lvt(state: LapicState, source: Lvt, value: int) -> LapicState:
    kept = state.lvt[source] & _LVT_READ_ONLY
    return request_level(with_lvt(state, source, value & LVT_WRITABLE[source] | kept))


def _write_svr(state: LapicState, value: int) -> LapicState:
    """Clearing bit 8 masks every LVT entry, and setting it again leaves them masked (SDM 3A 10.4.7.2)."""
    state = replace(state, svr=value & 0x1FF)
    return state if value & SOFTWARE_ENABLE else replace(state, lvt=tuple(entry | MASKED for entry in state.lvt))


_READ: dict[int, Callable[[LapicState], int]] = {
    ID: lambda state: state.identifier if state.x2apic else state.identifier << 24,
    VERSION: lambda _: VERSION_VALUE,
    TPR: lambda state: state.tpr,
    APR: lambda _: 0,  # arbitration priority and remote read went with the APIC bus of the P6 family
    PPR: lambda state: state.ppr,
    REMOTE_READ: lambda _: 0,
    LDR: lambda state: logical_x2apic_id(state) if state.x2apic else state.ldr << 24,
    DFR: lambda state: state.dfr << 28 | 0x0FFF_FFFF,
    SVR: lambda state: state.svr,
    ESR: lambda state: state.esr,
    ICR: lambda state: state.icr if state.x2apic else state.icr & _MASK32,
    ICR_HIGH: lambda state: state.icr >> 32,
    INITIAL_COUNT: lambda state: state.timer.initial,
    DIVIDE_CONFIGURATION: lambda state: state.timer.configuration,
}

_WRITE: dict[int, Callable[[LapicState, int], LapicState]] = {
    ID: lambda state, value: replace(state, identifier=value >> 24),
    TPR: lambda state, value: replace(state, tpr=value & 0xFF),
    LDR: lambda state, value: replace(state, ldr=value >> 24),
    DFR: lambda state, value: replace(state, dfr=value >> 28),
    SVR: _write_svr,
    ESR: lambda state, _: replace(state, esr=state.errors, errors=0),
    ICR_HIGH: lambda state, value: replace(state, icr=state.icr & _MASK32 | (value & 0xFF00_0000) << 32),
}
