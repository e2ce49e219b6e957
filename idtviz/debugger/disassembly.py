"""Instructions as text."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import capstone
from capstone import x86_const

from idtviz.machine.decoding import decoder

LONGEST = 15
"""Bytes of the longest instruction."""


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction. `address` is its offset in the code segment; so is `target`, where a near jump or call goes."""

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


@lru_cache(maxsize=512)
def disassemble(raw: bytes, address: int, bits: int) -> tuple[Instruction, ...]:
    """The instructions in `raw`, which begins at offset `address`; a byte that starts none shows as `db`.

    `bits`: 64, 32 or 16.
    """
    found: list[Instruction] = []
    at = 0
    while at < len(raw):
        for item in decoder(bits).disasm(raw[at:], address + at):
            found.append(_instruction(item, (1 << bits) - 1))
            at = item.address + item.size - address
        if at < len(raw):
            found.append(Instruction(address + at, raw[at : at + 1], "db", f"{raw[at]:#04x}", None, is_call=False))
            at += 1
    return tuple(found)


def _instruction(item: capstone.CsInsn, mask: int) -> Instruction:
    branch = item.group(capstone.CS_GRP_JUMP) or item.group(capstone.CS_GRP_CALL)
    operands = item.operands
    direct = branch and len(operands) == 1 and operands[0].type == x86_const.X86_OP_IMM
    target = operands[0].imm & mask if direct else None
    is_call = bool(item.group(capstone.CS_GRP_CALL)) or item.mnemonic == "lcall"
    return Instruction(item.address, bytes(item.bytes), item.mnemonic, item.op_str, target, is_call)
