"""What the code does with a name, told from the instruction that has its address in it, and from those that follow.

Source: SDM 2A 2.1 (formats of instructions), SDM 2 appendix A (opcodes).
"""

from __future__ import annotations

from typing import Any

import capstone

from idtviz.machine.decoding import decoder
from idtviz.machine.objects.loaded import Use
from idtviz.machine.objects.relocation import Rule

_CALL, _JUMP, _LOAD, _LEA, _GROUP5 = 0xE8, 0xE9, 0x8B, 0x8D, 0xFF
_CONDITIONAL_JUMPS = range(0x80, 0x90)
_MOFFS = range(0xA0, 0xA4)
_IMMEDIATE_LOADS = range(0xB8, 0xC0)
_REX = range(0x48, 0x50)
_FOLLOWED = 12  # instructions behind the one that takes an address
_RANK = {Use.NAMED: 0, Use.ACCESSED: 1, Use.CALLED: 2}


def use_of(before: bytes, rule: Rule, bits: int) -> Use:
    """What an instruction does with the address that `rule` fills in; `before`: at most three bytes in front of it."""
    if "PLT" in rule.name:
        return Use.CALLED
    if rule.size != 4:
        return Use.NAMED
    third, second, last = before.rjust(3, b"\0")
    if "PC32" in rule.name and (last in (_CALL, _JUMP) or (second == 0x0F and last in _CONDITIONAL_JUMPS)):
        return Use.CALLED
    if rule.entry:
        return Use.CALLED if second == _GROUP5 and last >> 3 & 7 in (2, 4) else Use.NAMED
    if bits == 32 and last in _MOFFS and rule.name == "R_386_32":
        return Use.ACCESSED
    if _is_memory(last):
        opcode = second
    elif _is_memory_with_sib(second, last):
        opcode = third
    else:
        return Use.NAMED
    return Use.NAMED if opcode == _LEA else Use.ACCESSED


def use_of_pointer(code: bytes, at: int, bits: int) -> Use:
    """What becomes of an address that a register is loaded with, by the instruction whose relocation lies at `at`."""
    start = _start(code[max(0, at - 3) : at], bits)
    instructions = decoder(bits).disasm(code[at - start : at + 128], 0, _FOLLOWED) if start else iter(())
    first = next(instructions, None)
    if first is None or not first.operands or first.operands[0].type != capstone.CS_OP_REG:
        return Use.NAMED
    register = first.operands[0].reg
    for each in instructions:
        branches = each.group(capstone.CS_GRP_CALL) or each.group(capstone.CS_GRP_JUMP)
        if branches and any(_is(operand, register) for operand in each.operands):
            return Use.CALLED
        if any(_is_at(operand, register) for operand in each.operands):
            return Use.NAMED if each.mnemonic == "lea" else Use.ACCESSED
        if branches or each.group(capstone.CS_GRP_RET) or (each.operands and _is(each.operands[0], register)):
            break
    return Use.NAMED


def stronger(one: Use, other: Use) -> Use:
    """Which of two uses of a name tells more of it."""
    return max(one, other, key=_RANK.__getitem__)


def _is_memory(modrm: int) -> bool:
    """Whether a ModRM byte is followed by a displacement of 32 bits: alone, on RIP, or on a register."""
    return modrm & 0xC7 == 0x05 or (modrm & 0xC0 == 0x80 and modrm & 7 != 4)


def _is_memory_with_sib(modrm: int, sib: int) -> bool:
    return (modrm & 0xC7 == 0x04 and sib & 7 == 5) or modrm & 0xC7 == 0x84


def _start(before: bytes, bits: int) -> int:
    """How far in front of its address an instruction begins that loads a register with it; 0: it is none."""
    third, second, last = before.rjust(3, b"\0")
    if second in (_LOAD, _LEA) and _is_memory(last):
        return 3 if bits == 64 and third in _REX else 2
    if last in _IMMEDIATE_LOADS:
        return 2 if bits == 64 and second in _REX else 1
    return 0


def _is(operand: Any, register: int) -> bool:
    return bool(operand.type == capstone.CS_OP_REG and operand.reg == register)


def _is_at(operand: Any, register: int) -> bool:
    return bool(operand.type == capstone.CS_OP_MEM and register in (operand.mem.base, operand.mem.index))
