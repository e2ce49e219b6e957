"""The MP configuration table, found and read as a kernel does."""

from __future__ import annotations

from idtviz.machine.firmware.tables import install
from idtviz.machine.memory import Memory

SIZES = {0: 20, 1: 8, 2: 8, 3: 8, 4: 8}


def number(raw: bytes, at: int, size: int) -> int:
    return int.from_bytes(raw[at : at + size], "little")


def found_in(memory: Memory) -> list[int]:
    ram = memory.read(0, 1 << 20)
    return [at for at in range(0xF0000, 0x100000, 16) if ram[at : at + 4] == b"_MP_"]


def configuration() -> tuple[bytes, list[bytes]]:
    """The table's header and its entries."""
    memory = Memory(1 << 20)
    install(memory, apic=True)
    (at,) = found_in(memory)
    pointer = memory.read(at, 16)
    assert (sum(pointer) & 0xFF, pointer[8], pointer[9], pointer[11:]) == (0, 1, 4, bytes(5))
    start = number(pointer, 4, 4)
    table = memory.read(start, number(memory.read(start, 6), 4, 2))
    assert (table[:4], sum(table) & 0xFF, table[6]) == (b"PCMP", 0, 4)
    entries, at = [], 44
    while at < len(table):
        entries.append(table[at : at + SIZES[table[at]]])
        at += len(entries[-1])
    assert at == len(table)
    return table[:44], entries


def test_without_apics_there_is_no_mp_table() -> None:
    memory = Memory(1 << 20)
    install(memory, apic=False)
    assert found_in(memory) == []


def test_the_header_counts_the_entries_and_tells_where_the_local_apic_is() -> None:
    header, entries = configuration()
    assert number(header, 34, 2) == len(entries)
    assert number(header, 36, 4) == 0xFEE0_0000


def test_there_is_one_processor_one_isa_bus_and_one_io_apic() -> None:
    _, entries = configuration()
    processor, bus, io_apic = (entry for entry in entries if entry[0] < 3)
    assert processor[:4] == bytes((0, 0, 0x14, 3)), "APIC ID 0, version 0x14, enabled, bootstrap processor"
    assert number(processor, 8, 4) >> 9 & 1, "CPUID tells of an APIC"
    assert bus == b"\x01\x00ISA   "
    assert io_apic == bytes((2, 1, 0x11, 1)) + (0xFEC0_0000).to_bytes(4, "little")


def test_each_isa_line_has_its_pin_and_the_timer_has_pin_2() -> None:
    _, entries = configuration()
    lines = {entry[5]: entry for entry in entries if entry[0] == 3}
    assert {irq: entry[7] for irq, entry in lines.items()} == {irq: irq or 2 for irq in range(16) if irq != 2}
    assert {irq for irq, entry in lines.items() if number(entry, 2, 2)} == {9}
    assert number(lines[9], 2, 2) == 0xD, "active high, level triggered"
    assert {(entry[1], entry[4], entry[6]) for entry in lines.values()} == {(0, 0, 1)}


def test_the_8259_pair_is_at_lint0_and_the_nmi_at_lint1() -> None:
    _, entries = configuration()
    assert [(entry[1], entry[6], entry[7]) for entry in entries if entry[0] == 4] == [(3, 0, 0), (1, 0xFF, 1)]


def test_the_entries_stand_in_the_order_of_their_types() -> None:
    _, entries = configuration()
    types = [entry[0] for entry in entries]
    assert types == sorted(types)
