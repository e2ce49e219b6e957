"""Boot sectors, floppies and hard disks: what they are, how they are entered, and how one can be broken."""

from __future__ import annotations

import pytest

from idtviz.machine.boot import ImageError, boot_sector
from idtviz.machine.firmware import bios, rom
from idtviz.machine.pc import Machine
from idtviz.machine.unsupported import UnsupportedError
from idtviz.x86 import flags
from tests.machine.firmware.bios_calls import HERTZ, MIB, Caller, floppy

SECTOR = bytes(510) + b"\x55\xaa"
ENTRY = bytes((0x80, 1, 1, 0, 0x83, 3, 63, 0)) + (63).to_bytes(4, "little") + (1000).to_bytes(4, "little")
PARTITIONED = bytes(446) + ENTRY + bytes(48) + b"\x55\xaa"
FAT = (b"\xeb\x3c\x90FAT     " + (512).to_bytes(2, "little")).ljust(21, b"\0") + b"\xf0"


@pytest.mark.parametrize(
    ("raw", "kind", "drive"),
    [
        (SECTOR, "boot_sector", 0x00),
        (SECTOR + bytes(1024), "floppy", 0x00),
        (SECTOR.ljust(1474560, b"\0"), "floppy", 0x00),
        (PARTITIONED.ljust(1474560, b"\0"), "floppy", 0x00),
        (PARTITIONED.ljust(1 << 20, b"\0"), "disk", 0x80),
        ((FAT + PARTITIONED[len(FAT) :]).ljust(1 << 20, b"\0"), "floppy", 0x00),
        (SECTOR.ljust(3 << 20, b"\0"), "disk", 0x80),
    ],
)
def test_an_image_is_what_its_size_and_its_first_sector_say(raw: bytes, kind: str, drive: int) -> None:
    found = boot_sector.parse(raw)
    assert (found.kind, found.mode, found.drive, found.room) == (kind, "real", drive, MIB)
    assert found.drives == {drive: raw}


def test_an_image_is_a_disk_or_a_floppy_where_that_is_said() -> None:
    assert boot_sector.parse(SECTOR, floppy=False).kind == "disk"
    assert boot_sector.parse(PARTITIONED.ljust(1 << 20, b"\0"), floppy=True).kind == "floppy"


class Huge(bytes):
    """Bytes that say that they are more than there are."""

    def __len__(self) -> int:
        return (2 << 30) + 512


@pytest.mark.parametrize(
    ("raw", "floppy_", "message"),
    [
        (b"", None, "empty"),
        (SECTOR[:511], None, "511 bytes; a boot sector has 512"),
        (bytes(512), None, "00 00, expected 55 aa"),
        (bytes(510) + b"\xaa\x55", None, "aa 55, expected 55 aa"),
        (bytes(1022) + b"\x55\xaa", None, "00 00, expected 55 aa"),
        (Huge(SECTOR), None, "at most 2147483648"),
        (SECTOR.ljust(3 << 20, b"\0"), True, "a floppy has at most 2949120"),
    ],
)
def test_an_image_that_cannot_be_booted_is_refused_with_what_was_found(
    raw: bytes, floppy_: bool | None, message: str
) -> None:
    with pytest.raises(ImageError, match=message):
        boot_sector.parse(raw, floppy=floppy_)


def test_a_machine_without_the_drive_is_refused() -> None:
    with pytest.raises(ImageError, match="no drive 0x80"):
        boot_sector.parse(SECTOR, floppy=False).boot(Machine(16 * MIB, HERTZ))


@pytest.mark.parametrize("number", [0x00, 0x80])
def test_a_boot_sector_is_entered_as_a_bios_does(number: int) -> None:
    machine = Caller({number: floppy(3000 if number else 2880)}).machine
    at = machine.cpu.registers()
    assert (at.cs.selector, at.rip, at.mode) == (0, 0x7C00, "real")
    assert [segment.selector for segment in (at.ds, at.es, at.ss)] == [0, 0, 0]
    assert (at.general[2], at.rsp, at.idtr.limit) == (number, 0x6F00, 0x3FF)
    assert at.rflags & flags.IF
    assert machine.memory.read(0x7DFE, 2) == b"\x55\xaa"
    assert machine.board.a20


def test_the_vectors_lead_into_the_bios() -> None:
    caller = Caller()
    names = dict(rom.symbols())
    for number in (0x08, 0x09, 0x10, 0x13, 0x16, 0x19, 0x1A):
        address = caller.word(4 * number + 2) * 16 + caller.word(4 * number)
        assert address == names[f"bios_int{number:02x}"]
    assert caller.doubleword(0x61 * 4) == 0


def test_the_entry_points_stand_where_the_at_had_them() -> None:
    names = dict(rom.symbols())
    known = {"bios_int10": 0xFF065, "bios_int13": 0xFE3FE, "bios_int16": 0xFE82E, "bios_iret": 0xFFF53}
    assert {name: names[name] for name in known} == known


def test_each_service_has_its_vmcall_in_the_rom() -> None:
    caller = Caller()
    names = dict(rom.symbols())
    for name in bios.SERVICES:
        assert caller.read(names[name], 3) == b"\x0f\x01\xc1", name


def test_the_code_of_the_bios_cannot_be_overwritten() -> None:
    caller = Caller()
    before = caller.read(0xF0000, 0x10000)
    caller.write(0xFE000, b"\xcc" * 0x1000)
    assert caller.read(0xF0000, 0x10000) == before


def test_operating_systems_find_the_acpi_tables_in_the_rom() -> None:
    assert Caller().read(0xF0000, 8) == b"RSD PTR "


def test_a_jump_to_the_reset_vector_boots_again() -> None:
    caller = Caller()
    caller.print("before")
    caller.write(0x0, bytes(0x400))
    caller.machine.board.drives[0].write(0, b"\xfa\xf4".ljust(510, b"\0") + b"\x55\xaa")
    caller.start(bytes.fromhex("ea 0000 ffff"))  # jmp 0xffff:0
    caller.run()
    assert caller.screen == ""
    assert caller.machine.cpu.rip == 0x7C02
    assert caller.call(0x10, ah=0x0F).al == 3


def test_int_19h_without_a_bootable_drive_says_so_and_stops() -> None:
    caller = Caller()
    caller.machine.board.drives[0].write(0, bytes(512))
    caller.call(0x19)
    assert caller.screen == "\nNothing to boot from."
    assert caller.machine.cpu.registers().cs.selector == 0xF000


def test_the_bios_cannot_be_called_in_protected_mode() -> None:
    caller = Caller()
    # lgdt [0x7c20]; mov eax, cr0; or al, 1; mov cr0, eax; jmp 8:0x065
    caller.start(bytes.fromhex("fa 0f0116 207c 0f20c0 0c01 0f22c0 ea 65f0 0800"))
    caller.write(0x7C20, bytes.fromhex("1700 307c0000"))
    caller.write(0x7C30, bytes(8) + bytes.fromhex("ffff 0000 0f 9b 0000") + bytes(8))
    with pytest.raises(UnsupportedError, match="protected mode"):
        caller.run()


def test_time_goes_back_with_everything_that_the_bios_remembers() -> None:
    caller = Caller()
    caller.print("kept")
    machine = caller.machine
    state, memory, digest = machine.snapshot(), bytes(machine.memory.view), machine.digest()
    caller.print(" and lost")
    caller.call(0x13, ax=0x0301, cx=0x0002, dx=0, es=0, bx=0x7C00)
    machine.memory.write(0, memory)
    machine.restore(state)
    assert machine.digest() == digest
    caller.print("!")
    assert caller.screen == "kept!"
