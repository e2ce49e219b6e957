"""MOV from and to the debug registers (SDM 3B 17.2; 2B MOV). The engine would set breakpoints of its own for them."""

from __future__ import annotations

from idtviz.machine import instructions
from idtviz.machine.cpu import Cpu
from idtviz.machine.delivery.event import DEBUG, GENERAL_PROTECTION, UNDEFINED_OPCODE, Fault
from idtviz.machine.registers import Registers
from idtviz.x86 import control
from idtviz.x86.addresses import MASK64

DR6_BREAKPOINTS = 0xF
"""B0 to B3: the breakpoints that were met."""
DR6_BD, DR6_BS, DR6_BT = 1 << 13, 1 << 14, 1 << 15
DR7_GD = 1 << 13
DR7_LOCAL = 0x155
"""L0 to L3, and LE: a task switch clears them."""

_DR6_WRITABLE, _DR6_ONES = 0x0000_E00F, 0xFFFF_0FF0
_DR7_WRITABLE, _DR7_ONES = 0xFFFF_2BFF, 0x0000_0400
_TO_DEBUG_REGISTER = 0x23


def move(raw: bytes, at: Registers, cpu: Cpu) -> Fault | None:
    """Perform the MOV whose bytes are `raw`, all but the step to the next instruction; or the fault that it raises."""
    start, _, rex = instructions.prefixes(raw, at)
    opcode, modrm = raw[start + 1], raw[start + 2]
    number, general = modrm >> 3 & 7, (modrm & 7) | (rex & 1) << 3
    if rex & 4 or instructions.LOCK in raw[:start] or (number in (4, 5) and at.cr4 & control.CR4_DE):
        return Fault(UNDEFINED_OPCODE, 0)
    if at.cpl:
        return Fault(GENERAL_PROTECTION, 0)
    if cpu.debug_register(7) & DR7_GD:
        cpu.set_debug_register(6, cpu.debug_register(6) | DR6_BD)
        return Fault(DEBUG, 0)
    if number in (4, 5):
        number += 2
    mask = MASK64 if at.mode == "long" else 0xFFFFFFFF
    if opcode != _TO_DEBUG_REGISTER:
        cpu.set_general(general, cpu.debug_register(number) & mask)
        return None
    kept = stored(number, at.general[general] & mask)
    if kept is None:
        return Fault(GENERAL_PROTECTION, 0)
    cpu.set_debug_register(number, kept)
    return None


def stored(number: int, value: int) -> int | None:
    """What DR`number` (0-3, 6, 7) holds when `value` is moved to it; None: #GP(0)."""
    if number in (6, 7) and value >> 32:
        return None
    if number == 6:
        return value & _DR6_WRITABLE | _DR6_ONES
    if number == 7:
        return value & _DR7_WRITABLE | _DR7_ONES
    return value
