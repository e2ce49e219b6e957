"""The few instructions that idtviz performs itself, decoded: INT n, INT3, INTO, INT1, IRET, HLT, RDTSC, RDTSCP."""

from __future__ import annotations

from dataclasses import dataclass

from idtviz.machine import decoding
from idtviz.machine.memory import PAGE, LinearMemory
from idtviz.machine.registers import Registers
from idtviz.machine.unsupported import UnsupportedError

MAXIMUM_LENGTH = 15
"""Bytes of the longest instruction (SDM 2A 2.3.11)."""

_LEGACY_PREFIXES = frozenset((0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65, 0x66, 0x67, 0xF0, 0xF2, 0xF3))
LOCK = 0xF0
_OPERAND_SIZE = 0x66
_INT1 = 0xF1
_STI = 0xFB
_TWO_BYTES = 0x0F
_IN_IMMEDIATE, _IN_DX = 0xE4, 0xEC
_DX = 2
_LENGTHS = {0xCC: 1, 0xCD: 2, 0xCE: 1, 0xCF: 1, 0xF1: 1, 0xF4: 1}
_VECTORS = {0xCC: 3, 0xCE: 4, _INT1: 1}


@dataclass(frozen=True, slots=True)
class Decoded:
    """`length` in bytes with prefixes; `vector` for INT n, INT3, INTO, INT1; `operand_size` in bytes (for IRET)."""

    length: int
    vector: int | None
    operand_size: int


def code_at(at: Registers, memory: LinearMemory) -> bytes:
    """The bytes at CS:RIP, as many as the longest instruction has, as far as they are mapped."""
    address = at.linear_rip
    raw = memory.peek(address, MAXIMUM_LENGTH)
    return raw if raw is not None else memory.peek(address, min(MAXIMUM_LENGTH, PAGE - address % PAGE)) or b""


def fetch(at: Registers, memory: LinearMemory) -> bytes:
    """The bytes at CS:RIP, with zeros for those that are not mapped."""
    return code_at(at, memory).ljust(MAXIMUM_LENGTH, b"\0")


def port_of(raw: bytes, at: Registers) -> tuple[int, int]:
    """Port and size in bytes of the IN, OUT, INS or OUTS that `fetch` found (SDM 2A IN)."""
    start, wide, _ = prefixes(raw, at)
    opcode = raw[start]
    size = (4 if wide else 2) if opcode & 1 else 1
    return raw[start + 1] if opcode < _IN_DX and opcode >= _IN_IMMEDIATE else at.general[_DX] & 0xFFFF, size


def decode(raw: bytes, at: Registers) -> Decoded:
    """Decode the instruction that `fetch` found; it must be one of this module's."""
    start, wide, rex = prefixes(raw, at)
    opcode = raw[start]
    length = _length(opcode) if opcode != _TWO_BYTES else 3 if raw[start + 1] == 0x01 else 2
    vector = raw[start + 1] if opcode == 0xCD else _VECTORS.get(opcode)
    size = 8 if rex & 8 else 4 if wide else 2
    return Decoded(start + length, vector, size)


def length_at_once(raw: bytes) -> int:
    """Length in bytes of the RDTSC, RDTSCP, CPUID or HLT at the start of `raw`, in whatever mode.

    What would be a REX prefix can stand in front of them in 64-bit mode alone: elsewhere it is an instruction.
    """
    start = _behind_prefixes(raw)
    if raw[start] != _TWO_BYTES:
        return start + _length(raw[start])
    return start + (3 if is_rdtscp(raw) else 2)


def is_rdtscp(raw: bytes) -> bool:
    """Whether the RDTSC, RDTSCP or CPUID at the start of `raw` is RDTSCP (0F 01 F9)."""
    start = _behind_prefixes(raw)
    return raw[start : start + 2] == b"\x0f\x01"


def _length(opcode: int) -> int:
    """Of an instruction of one opcode byte, without its prefixes."""
    found = _LENGTHS.get(opcode)
    if found is None:
        raise UnsupportedError(
            f"the emulator runs other code here than memory holds ({opcode:#04x}): with A20 closed it does not mask "
            "address bit 20 within large pages"
        )
    return found


def _behind_prefixes(raw: bytes) -> int:
    start = 0
    while raw[start] in _LEGACY_PREFIXES or raw[start] & 0xF0 == 0x40:
        start += 1
    return start


def is_int1(raw: bytes, at: Registers) -> bool:
    """Whether this is INT1 (F1). With LOCK it is undefined."""
    start, _, _ = prefixes(raw, at)
    return start < len(raw) and raw[start] == _INT1 and LOCK not in raw[:start]


def is_sti(raw: bytes, at: Registers) -> bool:
    """Whether this is STI."""
    start, _, _ = prefixes(raw, at)
    return start < len(raw) and raw[start] == _STI


def prefixes(raw: bytes, at: Registers) -> tuple[int, bool, int]:
    """Where the opcode begins, whether the operand size is 32 bits (without REX.W), and REX."""
    start = rex = 0
    wide = at.cs.long or bool(at.cs.flags & at.cs.CODE_32)
    narrowed = False
    while start < len(raw):
        byte = raw[start]
        if byte in _LEGACY_PREFIXES:
            narrowed |= byte == _OPERAND_SIZE
            rex = 0  # one that does not stand in front of the opcode is ignored (SDM 2A 2.2.1)
        elif at.mode == "long" and byte & 0xF0 == 0x40:
            rex = byte
        else:
            break
        start += 1
    return start, wide != narrowed, rex


def is_wrongly_locked(raw: bytes, at: Registers) -> bool:
    """Whether LOCK stands in front of an instruction that does not take it: #UD (SDM 2A LOCK)."""
    start, _, _ = prefixes(raw, at)
    before = raw[:start]
    if LOCK not in before or decoding.decode(raw, decoding.code_bits(at)) is not None:
        return False
    unlocked = bytes(byte for byte in before if byte != LOCK) + raw[start:]
    return decoding.decode(unlocked, decoding.code_bits(at)) is not None
