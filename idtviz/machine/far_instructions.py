"""The instructions that go to another code segment, decoded: far CALL, JMP and RET, SYSCALL and SYSENTER.

IRET and INT n stand in `instructions`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from idtviz.machine.instructions import MAXIMUM_LENGTH
from idtviz.machine.registers import Registers
from idtviz.x86.addresses import MASK32, MASK64

_SEGMENTS = {0x26: "es", 0x2E: "cs", 0x36: "ss", 0x3E: "ds", 0x64: "fs", 0x65: "gs"}
_OPERAND_SIZE, _ADDRESS_SIZE, _LOCK = 0x66, 0x67, 0xF0
_OTHER_PREFIXES = (0xF2, 0xF3)
_RSP, _RBP, _RSI, _RDI, _RBX = 4, 5, 6, 7, 3
_BASES_16 = ((_RBX, _RSI), (_RBX, _RDI), (_RBP, _RSI), (_RBP, _RDI), (_RSI,), (_RDI,), (_RBP,), (_RBX,))
"""Registers of a 16-bit address, by the R/M field (SDM 2A table 2-1)."""


class Kind(Enum):
    """Which instruction."""

    CALL = "CALL far"
    JUMP = "JMP far"
    RETURN = "RET far"
    SYSCALL = "SYSCALL"
    SYSENTER = "SYSENTER"


@dataclass(frozen=True, slots=True)
class MemoryPointer:
    """Where a far pointer lies: segment register, offset in it, and the bits that an address has here."""

    segment: str
    offset: int
    mask: int


@dataclass(frozen=True, slots=True)
class FarInstruction:
    """One of these instructions. `length` in bytes with prefixes, `operand_size` in bytes.

    A CALL or JMP has its far pointer in the instruction (`pointer`: selector and offset) or in memory (`memory`).
    `release` is how many bytes of parameters RET takes off the stack.
    """

    kind: Kind
    length: int
    operand_size: int
    pointer: tuple[int, int] | None = None
    memory: MemoryPointer | None = None
    release: int = 0


def decode(raw: bytes, at: Registers) -> FarInstruction | None:
    """The instruction of this module at the start of `raw`, the bytes at CS:RIP; None for any other.

    Forms that no processor knows (a far pointer in a register, one in the instruction in 64-bit mode, LOCK) are others
    too: they are #UD. `raw` is as long as the longest instruction.
    """
    found = _Decoder(raw, at).decode()
    return found if found is not None and found.length <= MAXIMUM_LENGTH else None


class _Decoder:
    """The bytes of one instruction, read from left to right (SDM 2A 2.1)."""

    def __init__(self, raw: bytes, at: Registers) -> None:
        self._raw = raw.ljust(2 * MAXIMUM_LENGTH, b"\0")
        self._at = at
        self._place = 0
        self._long = at.mode == "long"
        self._override: str | None = None
        self._rex = 0

    def decode(self) -> FarInstruction | None:
        prefixes = self._prefixes()
        if _LOCK in prefixes:
            return None
        wide = self._long or bool(self._at.cs.flags & self._at.cs.CODE_32)
        size = 4 if wide != (_OPERAND_SIZE in prefixes) else 2
        size = 8 if self._rex & 8 else size
        opcode = self._number(1)
        match opcode:
            case 0x9A | 0xEA if not self._long:
                offset, selector = self._number(size), self._number(2)
                kind = Kind.CALL if opcode == 0x9A else Kind.JUMP
                return FarInstruction(kind, self._place, size, pointer=(selector, offset))
            case 0xCA:
                release = self._number(2)
                return FarInstruction(Kind.RETURN, self._place, size, release=release)
            case 0xCB:
                return FarInstruction(Kind.RETURN, self._place, size)
            case 0xFF:
                return self._indirect(size, other_address_size=_ADDRESS_SIZE in prefixes)
            case 0x0F:
                kind_of = {0x05: Kind.SYSCALL, 0x34: Kind.SYSENTER}.get(self._number(1))
                return None if kind_of is None else FarInstruction(kind_of, self._place, size)
        return None

    def _prefixes(self) -> bytes:
        while self._raw[self._place] in (*_SEGMENTS, _OPERAND_SIZE, _ADDRESS_SIZE, _LOCK, *_OTHER_PREFIXES):
            self._override = _SEGMENTS.get(self._raw[self._place], self._override)
            self._place += 1
            if self._place == MAXIMUM_LENGTH:
                break
        prefixes = self._raw[: self._place]
        if self._long and self._raw[self._place] & 0xF0 == 0x40:
            self._rex = self._number(1)
        return prefixes

    def _number(self, size: int, *, signed: bool = False) -> int:
        """The next `size` bytes."""
        data = self._raw[self._place : self._place + size]
        self._place += size
        return int.from_bytes(data, "little", signed=signed)

    def _indirect(self, size: int, *, other_address_size: bool) -> FarInstruction | None:
        """FF /3 and FF /5 with a memory operand."""
        mod_rm = self._number(1)
        kind = {3: Kind.CALL, 5: Kind.JUMP}.get(mod_rm >> 3 & 7)
        if kind is None or mod_rm >> 6 == 3:
            return None
        wide = bool(self._at.cs.flags & self._at.cs.CODE_32)
        if self._long:
            mask = MASK32 if other_address_size else MASK64
        else:
            mask = MASK32 if wide != other_address_size else 0xFFFF
        offset, on_stack = self._address_16(mod_rm) if mask == 0xFFFF else self._address(mod_rm)
        memory = MemoryPointer(self._segment(on_stack=on_stack), offset & mask, mask)
        return FarInstruction(kind, self._place, size, memory=memory)

    def _segment(self, *, on_stack: bool) -> str:
        default = "ss" if on_stack else "ds"
        if self._long and self._override not in ("fs", "gs"):
            return default  # ES, CS, SS and DS are no overrides in 64-bit mode (SDM 1 3.4.2.1)
        return self._override or default

    def _address_16(self, mod_rm: int) -> tuple[int, bool]:
        """Offset, and whether SS is the segment of it (SDM 2A table 2-1)."""
        mod, rm = mod_rm >> 6, mod_rm & 7
        if mod == 0 and rm == 6:
            return self._number(2), False
        registers = _BASES_16[rm]
        offset = sum(self._at.general[register] for register in registers)
        return offset + self._number(mod, signed=True), _RBP in registers

    def _address(self, mod_rm: int) -> tuple[int, bool]:
        """Offset, and whether SS is the segment of it (SDM 2A tables 2-2 and 2-3)."""
        mod, base = mod_rm >> 6, mod_rm & 7
        scaled = 0
        by_sib = base == _RSP
        if by_sib:
            sib = self._number(1)
            base = sib & 7
            index = sib >> 3 & 7 | (self._rex & 2) << 2
            scaled = 0 if index == _RSP else self._at.general[index] << (sib >> 6)
        if mod == 0 and base == _RBP:
            displacement = self._number(4, signed=True)
            if self._long and not by_sib:
                return self._at.rip + self._place + displacement, False
            return scaled + displacement, False
        displacement = self._number((0, 1, 4)[mod], signed=True)
        value = self._at.general[base | (self._rex & 1) << 3]
        on_stack = not self._rex & 1 and base in (_RSP, _RBP)
        return value + scaled + displacement, on_stack
