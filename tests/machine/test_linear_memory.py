"""Linear memory goes through the guest's tables of every kind, and wraps at 4 GiB outside long mode."""

from __future__ import annotations

import pytest

from idtviz.machine.memory import AccessFault, LinearMemory, Memory
from idtviz.machine.registers import Registers, Segment, Table
from idtviz.x86.control import CR0_PE, CR0_PG, CR0_WP, CR4_PAE, CR4_PSE, EFER_LMA, EFER_LME, EFER_NXE
from idtviz.x86.paging import PagingMode

A, D = 1 << 5, 1 << 6
LAST_PAGE = 0xFFFF_F000


def linear_memory(mode: PagingMode, tables: dict[int, int] | None = None) -> tuple[Memory, LinearMemory]:
    """64 KiB with these entries, and CR3 0x1000; without paging for NONE."""
    memory = Memory(0x1_0000)
    for address, entry in (tables or {}).items():
        memory.put(address, entry.to_bytes(mode.entry_size, "little"))
    cr0 = CR0_PE if mode is PagingMode.NONE else CR0_PE | CR0_WP | CR0_PG
    cr4, efer = {
        PagingMode.BITS_32_PSE: (CR4_PSE, 0),
        PagingMode.PAE: (CR4_PAE, EFER_NXE),
        PagingMode.LEVELS_4: (CR4_PAE, EFER_LME | EFER_LMA),
    }.get(mode, (0, 0))
    nothing, table = Segment(0, 0, 0, 0), Table(0, 0)
    segments = dict.fromkeys(("es", "cs", "ss", "ds", "fs", "gs", "ldtr", "tr"), nothing)
    registers = Registers(
        **segments, general=(0,) * 16, rip=0, rflags=2, cpl=0, gdtr=table, idtr=table,
        cr0=cr0, cr2=0, cr3=0x1000, cr4=cr4, efer=efer, interrupt_shadow=False,
    )  # fmt: skip
    return memory, LinearMemory(memory, registers)


FIRST_AND_LAST = {
    PagingMode.BITS_32: {0x1000: 0x2003, 0x1FFC: 0x3003, 0x2000: 0x8003, 0x3FFC: 0x9003},
    PagingMode.BITS_32_PSE: {0x1000: 0x2003, 0x1FFC: 0x3003, 0x2000: 0x8003, 0x3FFC: 0x9003},
    PagingMode.PAE: {
        0x1000: 0x2001,
        0x2000: 0x3003,
        0x3000: 0x8003,
        0x1018: 0x4001,
        0x4FF8: 0x5003,
        0x5FF8: 0x9003,
    },
}
"""Linear page 0 is physical 0x8000, the last one below 4 GiB is 0x9000."""
OUTSIDE_LONG_MODE = pytest.mark.parametrize("mode", FIRST_AND_LAST)


@OUTSIDE_LONG_MODE
def test_an_access_past_4_gib_goes_on_at_linear_address_0_outside_long_mode(mode: PagingMode) -> None:
    memory, linear = linear_memory(mode, FIRST_AND_LAST[mode])
    linear.write(0xFFFF_FFFE, b"\1\2\3\4")
    assert (memory.read(0x9FFE, 2), memory.read(0x8000, 2)) == (b"\1\2", b"\3\4")
    assert linear.read(0xFFFF_FFFE, 4) == linear.peek(0xFFFF_FFFE, 4) == b"\1\2\3\4"
    assert linear.read(0x1_0000_0000, 2) == linear.peek(0x1_0000_0000, 2) == b"\3\4"
    assert linear.is_accessed(0x1_0000_0000)


@OUTSIDE_LONG_MODE
def test_no_address_is_non_canonical_outside_long_mode(mode: PagingMode) -> None:
    _, linear = linear_memory(mode, FIRST_AND_LAST[mode])
    assert linear.read(0x8000_0000_0000, 1) == linear.peek(0x8000_0000_0000, 1) == b"\0"
    assert linear.is_accessed(0x8000_0000_0000)
    with pytest.raises(AccessFault) as caught:
        linear.write(0x8000_0000_1000, b"\1")
    assert (caught.value.vector, caught.value.error_code, caught.value.linear) == (14, 2, 0x1000)


def test_a_non_canonical_address_raises_gp_in_long_mode() -> None:
    _, linear = linear_memory(PagingMode.LEVELS_4)
    with pytest.raises(AccessFault) as caught:
        linear.read(0x8000_0000_0000, 1)
    assert (caught.value.vector, caught.value.error_code) == (13, 0)
    assert linear.peek(0x8000_0000_0000, 1) is None
    assert not linear.is_accessed(0x8000_0000_0000)


def test_without_paging_an_address_is_physical_modulo_4_gib() -> None:
    memory, linear = linear_memory(PagingMode.NONE)
    linear.write(0x5_0000_8000, b"\7")
    assert memory.read(0x8000, 1) == linear.read(0x8000, 1) == linear.peek(0x9_0000_8000, 1) == b"\7"
    memory.put(0, b"\5")
    assert linear.read(0xFFFF_FFFF, 2) == b"\xff\5"


@OUTSIDE_LONG_MODE
def test_accessed_and_dirty_bits_are_written_into_the_entries_and_nowhere_else(mode: PagingMode) -> None:
    tables = FIRST_AND_LAST[mode]
    memory, linear = linear_memory(mode, tables)
    before = bytes(memory.view)
    linear.write(LAST_PAGE, b"\1")
    path = [
        address for address in tables if memory.read(address, mode.entry_size) != before[address:][: mode.entry_size]
    ]
    expected = bytearray(before)
    expected[0x9000] = 1
    for address in path:
        expected[address] |= A
    expected[path[-1]] |= D
    assert bytes(memory.view) == expected
    assert path == {4: [0x1FFC, 0x3FFC], 8: [0x4FF8, 0x5FF8]}[mode.entry_size]


def test_an_entry_of_4_bytes_leaves_the_next_one_alone() -> None:
    memory, linear = linear_memory(PagingMode.BITS_32, {0x1000: 0x2003, 0x1004: 0xDEAD_BEEE, 0x2000: 0x8003})
    linear.read(0, 1)
    assert memory.read(0x1004, 4) == 0xDEAD_BEEE.to_bytes(4, "little")
