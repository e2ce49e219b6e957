"""MOV to CR0 and CR4: the values that a processor refuses with #GP(0). The engine takes them, or drops them unsaid.

Source: SDM 2B MOV (control registers); SDM 3A 2.5, 9.8.5.
"""

from __future__ import annotations

from idtviz.machine import instructions
from idtviz.machine.registers import Registers
from idtviz.x86 import control
from idtviz.x86.addresses import MASK32, MASK64

_CR0, _CR4 = 0, 4
_TO_CONTROL_REGISTER = 0x22
_TSS_16 = 0x01  # its type, but for the busy bit


def refuses(raw: bytes, at: Registers) -> str | None:
    """Why the instruction at the start of `raw` may not move its value to CR0 or CR4; None where it may.

    Other instructions may too, for all that is known here: whether the ring and the form are right is left to the
    engine.
    """
    start, _, rex = instructions.prefixes(raw, at)
    if raw[start + 1] != _TO_CONTROL_REGISTER or instructions.LOCK in raw[:start] or rex & 4 or at.cpl:
        return None
    number = raw[start + 2] >> 3 & 7
    value = at.general[(raw[start + 2] & 7) | (rex & 1) << 3] & (MASK64 if at.mode == "long" else MASK32)
    if number == _CR0:
        return refuses_cr0(value, at)
    return refuses_cr4(value, at) if number == _CR4 else None


def refuses_cr0(value: int, at: Registers) -> str | None:
    """Why CR0 may not become `value`; None where it may."""
    if value >> 32:
        return "bits 63:32 of CR0 are reserved"
    if value & control.CR0_PG and not value & control.CR0_PE:
        return "CR0.PG=1 needs PE=1"
    if value & control.CR0_NW and not value & control.CR0_CD:
        return "CR0.NW=1 needs CD=1"
    if not value & control.CR0_PG:
        return "paging cannot be switched off in 64-bit mode" if at.mode == "long" else None
    if at.cr0 & control.CR0_PG or not at.efer & control.EFER_LME:
        return None
    if not at.cr4 & control.CR4_PAE:
        return "CR0.PG=1 with EFER.LME=1 enters long mode, which needs CR4.PAE=1"
    if at.cs.long:
        return "CR0.PG=1 with EFER.LME=1 enters long mode, which no code segment with L=1 may do"
    if at.tr.present and at.tr.flags >> 8 & 0x1D == _TSS_16:
        return "CR0.PG=1 with EFER.LME=1 enters long mode, where TR cannot hold a 16-bit TSS"
    return None


def refuses_cr4(value: int, at: Registers) -> str | None:
    """Why CR4 may not become `value`; None where it may."""
    if value >> 32:
        return "bits 63:32 of CR4 are reserved"
    if at.efer & control.EFER_LMA and not value & control.CR4_PAE:
        return "CR4.PAE cannot be switched off in long mode"
    return None
