"""Instructions as text, and the memory that they are about to touch."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import capstone
from capstone import x86_const

from idtviz.machine.registers import GENERAL_NAMES, Registers
from idtviz.x86.addresses import MASK64

LONGEST = 15
"""Bytes of the longest instruction."""


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction. `target` is the address that a direct call or jump goes to."""

    address: int
    raw: bytes
    mnemonic: str
    operands: str
    target: int | None
    is_call: bool

    @property
    def end(self) -> int:
        return self.address + len(self.raw)

    @property
    def repeats(self) -> bool:
        """Whether it is a repeated string instruction."""
        return self.mnemonic.startswith("rep")


@dataclass(frozen=True, slots=True)
class Operand:
    """A memory operand: linear address, size in bytes, and whether it is written."""

    address: int
    size: int
    write: bool


@lru_cache(maxsize=2)
def _engine(mode: str) -> capstone.Cs:
    bits = {"long": capstone.CS_MODE_64, "compatibility": capstone.CS_MODE_32, "protected": capstone.CS_MODE_32}
    engine = capstone.Cs(capstone.CS_ARCH_X86, bits.get(mode, capstone.CS_MODE_16))
    engine.detail = True
    return engine


@lru_cache(maxsize=512)
def disassemble(raw: bytes, address: int, mode: str) -> tuple[Instruction, ...]:
    """The instructions in `raw`, which begins at `address`; a byte that starts none shows as `db`."""
    found: list[Instruction] = []
    at = 0
    while at < len(raw):
        for item in _engine(mode).disasm(raw[at:], address + at):
            found.append(_instruction(item))
            at = item.address + item.size - address
        if at < len(raw):
            found.append(Instruction(address + at, raw[at : at + 1], "db", f"{raw[at]:#04x}", None, is_call=False))
            at += 1
    return tuple(found)


def _instruction(item: capstone.CsInsn) -> Instruction:
    branch = item.group(capstone.CS_GRP_JUMP) or item.group(capstone.CS_GRP_CALL)
    operands = item.operands
    direct = branch and operands and operands[0].type == x86_const.X86_OP_IMM
    target = operands[0].imm & MASK64 if direct else None
    is_call = bool(item.group(capstone.CS_GRP_CALL))
    return Instruction(item.address, bytes(item.bytes), item.mnemonic, item.op_str, target, is_call)


def memory_operand(raw: bytes, registers: Registers) -> Operand | None:
    """The explicit memory operand of the first instruction in `raw`, computed from `registers`; None if it has none."""
    engine = _engine(registers.mode)
    item = next(iter(engine.disasm(raw, registers.rip, 1)), None)
    if item is None or item.mnemonic in ("lea", "nop"):
        return None
    for operand in item.operands:
        if operand.type == x86_const.X86_OP_MEM:
            address = _effective(item, operand.mem, registers)
            if address is None:
                return None
            return Operand(address, operand.size, bool(operand.access & capstone.CS_AC_WRITE))
    return None


def _effective(item: capstone.CsInsn, memory: capstone.x86.X86OpMem, registers: Registers) -> int | None:
    address: int = memory.disp
    for register, scale in ((memory.base, 1), (memory.index, memory.scale)):
        if register == x86_const.X86_REG_INVALID:
            continue
        name = item.reg_name(register)
        if name in ("rip", "eip"):
            address += item.address + item.size
        elif name in GENERAL_NAMES:
            address += registers.general[GENERAL_NAMES.index(name)] * scale
        elif name in ("riz", "eiz"):
            continue
        else:
            return None
    segment = item.reg_name(memory.segment) if memory.segment else None
    if segment in ("fs", "gs"):
        address += getattr(registers, segment).base
    return address & MASK64
