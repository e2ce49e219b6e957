"""Far transfers and system calls as their bytes say (SDM 2A 2.1, 2.2; CALL, JMP; 2B RET)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from idtviz.machine.far_instructions import FarInstruction, Kind, MemoryPointer, decode
from idtviz.machine.registers import Registers
from tests.machine.returns.performed import registers
from tests.oracle.long_mode import CODE, LongModeWorld
from tests.oracle.protected_mode import KERNEL_CODE16, ProtectedModeWorld
from tests.oracle.real_mode import RealModeWorld

MASK64 = (1 << 64) - 1


def in_mode(bits: int) -> Registers:
    case = (
        LongModeWorld().case("")
        if bits == 64
        else ProtectedModeWorld(cs=None if bits == 32 else KERNEL_CODE16).case("")
    )
    return replace(registers(case.state), general=tuple(0x1000 * index for index in range(16)))


def found(code: str, bits: int) -> FarInstruction:
    instruction = decode(bytes.fromhex(code).ljust(15, b"\0"), in_mode(bits))
    assert instruction is not None
    return instruction


@pytest.mark.parametrize(
    ("code", "bits", "expected"),
    [
        ("9a 78563412 0800", 32, FarInstruction(Kind.CALL, 7, 4, pointer=(8, 0x12345678))),
        ("66 9a 3412 0800", 32, FarInstruction(Kind.CALL, 6, 2, pointer=(8, 0x1234))),
        ("ea 3412 0800", 16, FarInstruction(Kind.JUMP, 5, 2, pointer=(8, 0x1234))),
        ("66 ea 78563412 0800", 16, FarInstruction(Kind.JUMP, 8, 4, pointer=(8, 0x12345678))),
        ("cb", 32, FarInstruction(Kind.RETURN, 1, 4)),
        ("cb", 64, FarInstruction(Kind.RETURN, 1, 4)),
        ("48 cb", 64, FarInstruction(Kind.RETURN, 2, 8)),
        ("66 ca f0ff", 64, FarInstruction(Kind.RETURN, 4, 2, release=0xFFF0)),
        ("0f05", 64, FarInstruction(Kind.SYSCALL, 2, 4)),
        ("48 0f34", 64, FarInstruction(Kind.SYSENTER, 3, 8)),
    ],
)
def test_a_far_transfer_has_a_length_an_operand_size_and_a_pointer(
    code: str, bits: int, expected: FarInstruction
) -> None:
    assert found(code, bits) == expected


@pytest.mark.parametrize(
    ("code", "bits", "length", "memory"),
    [
        ("ff1e 3412", 16, 4, MemoryPointer("ds", 0x1234, 0xFFFF)),
        ("ff18", 16, 2, MemoryPointer("ds", 0x9000, 0xFFFF)),
        ("ff5a 10", 16, 3, MemoryPointer("ss", 0xB010, 0xFFFF)),
        ("ff9e f0ff", 16, 4, MemoryPointer("ss", 0x4FF0, 0xFFFF)),
        ("67 ff5b fc", 16, 4, MemoryPointer("ds", 0x2FFC, 0xFFFFFFFF)),
        ("ff1d 78563412", 32, 6, MemoryPointer("ds", 0x12345678, 0xFFFFFFFF)),
        ("ff5c24 08", 32, 4, MemoryPointer("ss", 0x4008, 0xFFFFFFFF)),
        ("2e ff1cc8", 32, 4, MemoryPointer("cs", 0x8000, 0xFFFFFFFF)),
        ("64 ff5d 00", 32, 4, MemoryPointer("fs", 0x5000, 0xFFFFFFFF)),
        ("ff1ccd 00100000", 32, 7, MemoryPointer("ds", 0x9000, 0xFFFFFFFF)),
        ("ff1d 10000000", 64, 6, MemoryPointer("ds", CODE + 0x16, MASK64)),
        ("ff1c25 00000280", 64, 7, MemoryPointer("ds", 0xFFFF_FFFF_8002_0000, MASK64)),
        ("67 ff1c25 00000280", 64, 8, MemoryPointer("ds", 0x8002_0000, 0xFFFFFFFF)),
        ("41 ff5c24 08", 64, 5, MemoryPointer("ds", 0xC008, MASK64)),
        ("42 ff1c20", 64, 4, MemoryPointer("ds", 0xC000, MASK64)),
        ("2e 48 ff5d 00", 64, 5, MemoryPointer("ss", 0x5000, MASK64)),
        ("65 49 ff5d 00", 64, 5, MemoryPointer("gs", 0xD000, MASK64)),
    ],
)
def test_a_memory_operand_has_a_segment_and_an_effective_address(
    code: str, bits: int, length: int, memory: MemoryPointer
) -> None:
    instruction = found(code, bits)
    assert (instruction.kind, instruction.length, instruction.memory) == (Kind.CALL, length, memory)


@pytest.mark.parametrize(
    ("code", "bits"),
    [
        ("9a 78563412 0800", 64),
        ("ea 78563412 0800", 64),
        ("ffd8", 32),
        ("ff10", 32),
        ("f0 ff18", 32),
        ("c3", 32),
        ("cf", 32),
        ("0f07", 64),
        ("2e2e2e2e2e2e2e2e2e2e2e2e2e2e2e cb", 32),
    ],
)
def test_what_is_no_far_transfer_or_an_undefined_one_is_left_to_others(code: str, bits: int) -> None:
    assert decode(bytes.fromhex(code).ljust(15, b"\0")[:15], in_mode(bits)) is None


def test_real_mode_has_16_bit_operands_and_addresses() -> None:
    at = registers(RealModeWorld().case("").state)
    assert decode(b"\xcb".ljust(15, b"\0"), at) == FarInstruction(Kind.RETURN, 1, 2)
