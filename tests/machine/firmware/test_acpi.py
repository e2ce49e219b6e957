"""The ACPI tables, found and read as a kernel does."""

from __future__ import annotations

from idtviz.machine.firmware.tables import install
from idtviz.machine.memory import Memory


def installed(*, apic: bool = True) -> bytes:
    memory = Memory(1 << 20)
    install(memory, apic=apic)
    return memory.read(0, 1 << 20)


def number(raw: bytes, at: int, size: int) -> int:
    return int.from_bytes(raw[at : at + size], "little")


def root(ram: bytes) -> int:
    """The address of the RSDT, by the scan for the RSDP."""
    found = [at for at in range(0xE0000, 0x100000, 16) if ram[at : at + 8] == b"RSD PTR "]
    assert len(found) == 1
    pointer = ram[found[0] : found[0] + 20]
    assert sum(pointer) & 0xFF == 0
    assert pointer[15] == 0, "revision 0: there is no XSDT"
    return number(pointer, 16, 4)


def table(ram: bytes, at: int) -> bytes:
    """A table whose length and checksum are right."""
    found = ram[at : at + number(ram, at + 4, 4)]
    assert sum(found) & 0xFF == 0, found[:4]
    return found


def tables(ram: bytes) -> dict[bytes, bytes]:
    rsdt = table(ram, root(ram))
    assert rsdt[:4] == b"RSDT"
    found = [table(ram, number(rsdt, at, 4)) for at in range(36, len(rsdt), 4)]
    return {each[:4]: each for each in found}


def test_the_rsdt_leads_to_a_fadt_and_a_madt() -> None:
    assert list(tables(installed())) == [b"FACP", b"APIC"]


def test_without_apics_there_is_no_madt() -> None:
    assert list(tables(installed(apic=False))) == [b"FACP"]


def test_the_madt_tells_of_one_processor_one_io_apic_two_overrides_and_the_nmi() -> None:
    madt = tables(installed())[b"APIC"]
    assert (number(madt, 36, 4), number(madt, 40, 4)) == (0xFEE0_0000, 1)
    entries, at = [], 44
    while at < len(madt):
        entries.append(madt[at : at + madt[at + 1]])
        at += madt[at + 1]
    assert at == len(madt)
    assert [entry.hex(" ") for entry in entries] == [
        "00 08 00 00 01 00 00 00",  # APIC ID 0, enabled
        "01 0c 01 00 00 00 c0 fe 00 00 00 00",  # ID 1 at 0xfec00000, from interrupt 0 on
        "02 0a 00 00 02 00 00 00 05 00",  # ISA line 0 at pin 2, active high, edge
        "02 0a 00 09 09 00 00 00 0d 00",  # ISA line 9 at pin 9, active high, level
        "04 06 ff 00 00 01",  # every processor's NMI at LINT1
    ]


def test_the_fadt_leads_to_the_facs_and_the_dsdt_and_tells_the_port_that_switches_off() -> None:
    ram = installed()
    fadt = tables(ram)[b"FACP"]
    assert len(fadt) == 116
    facs, dsdt = number(fadt, 36, 4), number(fadt, 40, 4)
    assert (ram[facs : facs + 4], number(ram, facs + 4, 4), facs % 64) == (b"FACS", 64, 0)
    assert number(fadt, 46, 2) == 9, "the SCI"
    assert (number(fadt, 56, 4), fadt[88]) == (0x600, 4)
    assert (number(fadt, 64, 4), fadt[89]) == (0x604, 2)
    assert number(fadt, 48, 4) == 0, "no SMI command: ACPI mode is on"
    assert table(ram, dsdt)[:4] == b"DSDT"


def test_the_dsdt_holds_the_sleep_types_of_s5() -> None:
    ram = installed()
    fadt = tables(ram)[b"FACP"]
    aml = table(ram, number(fadt, 40, 4))[36:]
    name, package = aml[:5], aml[5:]
    assert name == b"\x08_S5_"
    assert package[0] == 0x12
    assert package[1] == len(package) - 1, "a package's length counts its own byte"
    assert package[2:] == bytes((4, 0, 0, 0, 0)), "four elements, each ZeroOp"
