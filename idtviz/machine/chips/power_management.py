"""The fixed registers of ACPI: PM1a's events, of which none ever comes, and PM1a_CNT, which switches the PC off.

Source: Advanced Configuration and Power Interface Specification 1.0b, 4.7.3.1 (PM1 event registers) and 4.7.3.2 (PM1
control register).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from idtviz.machine.chips.chip import ByteChip

PM1A_EVENT: Final = 0x600
"""PM1a_STS, a word; behind it PM1a_EN."""
PM1A_CONTROL: Final = 0x604

_STATUS, _ENABLE, _CONTROL = range(3)
_WORD = 2
_WRITABLE: Final = 0x0721
"""PM1a_EN: TMR_EN, GBL_EN, PWRBTN_EN, SLPBTN_EN, RTC_EN."""
_SCI_ENABLED: Final = 1
"""PM1a_CNT.SCI_EN: the PC is in ACPI mode, and stays in it."""
_KEPT: Final = 0x1C02
"""PM1a_CNT: BM_RLD and SLP_TYP."""
_SLEEP, _SLEEP_TYPE = 1 << 13, 7 << 10
_SOFT_OFF: Final = 0 << 10
"""SLP_TYP of S5, as the DSDT says."""


@dataclass(frozen=True, slots=True)
class PowerManagementState:
    """PM1a_EN, and of PM1a_CNT what a program sets."""

    enable: int = 0
    control: int = 0


class PowerManagement(ByteChip):
    """Three words. No event ever sets a bit of PM1a_STS, so no SCI is raised."""

    def __init__(self, on_off: Callable[[str], None]) -> None:
        """`on_off` is told how the guest has switched the PC off."""
        self.name: str = "power_management"
        self.ports: tuple[int, ...] = tuple(range(PM1A_EVENT, PM1A_CONTROL + _WORD))
        self.state = PowerManagementState()
        self._on_off = on_off

    def read_byte(self, port: int) -> int:
        number, high = divmod(port - PM1A_EVENT, _WORD)
        word = {_STATUS: 0, _ENABLE: self.state.enable, _CONTROL: self.state.control | _SCI_ENABLED}[number]
        return word >> 8 * high & 0xFF

    def write_byte(self, port: int, value: int) -> None:
        number, high = divmod(port - PM1A_EVENT, _WORD)
        written, others = value << 8 * high, 0xFF if high else 0xFF00
        state = self.state
        if number == _ENABLE:
            self.state = PowerManagementState(state.enable & others | written & _WRITABLE, state.control)
        elif number == _CONTROL:
            self.state = PowerManagementState(state.enable, state.control & others | written & _KEPT)
            if written & _SLEEP and written & _SLEEP_TYPE == _SOFT_OFF:
                self._on_off(f"power off, by a write of {written:#x} to port {PM1A_CONTROL:#x}")
