"""Read-only memory: it is read and executed, and takes no write, of the running code or of anyone."""

from __future__ import annotations

import pytest

from idtviz.machine import boot
from idtviz.machine.pc import Machine

WAYS = ("step", "run")
ROM = 0xF0000


def real(code: bytes, rom: bytes = b"\xaa" * 4096, at: int = ROM) -> Machine:
    machine = Machine(1 << 20, 10_000_000)
    machine.memory.write(0x1000, code)
    machine.memory.add_rom(at, rom)
    boot.enter(machine, "real", 0x1000)
    return machine


def go(machine: Machine, way: str, instructions: int) -> None:
    while machine.instructions < instructions:
        if way == "run":
            machine.run(instructions)
        else:
            machine.micro_step()


@pytest.mark.parametrize("way", WAYS)
def test_a_write_to_it_is_lost(way: str) -> None:
    # mov ax, 0xf000; mov ds, ax; mov byte [0], 0x55; mov bl, [0]; inc byte [0]; mov bh, [0]
    machine = real(bytes.fromhex("b800f0 8ed8 c606000055 8a1e0000 fe060000 8a3e0000 ebfe"))
    go(machine, way, 6)
    assert machine.cpu.general[3] & 0xFFFF == 0xAAAA
    assert machine.memory.read(ROM, 2) == b"\xaa\xaa"


def test_our_own_writes_go_around_it() -> None:
    machine = real(b"\xeb\xfe")
    machine.memory.write(ROM - 2, b"\x11" * (4096 + 4))
    assert machine.memory.read(ROM - 2, 4) == b"\x11\x11\xaa\xaa"
    assert machine.memory.read(ROM + 4096 - 2, 4) == b"\xaa\xaa\x11\x11"


def test_one_above_ram_is_read_and_executed() -> None:
    rom = bytes.fromhex("b82a00 ebfe").ljust(4096, b"\x90")
    machine = Machine(1 << 20, 10_000_000)
    machine.memory.add_rom(0xFFFFF000, rom)
    boot.enter(machine, "protected", 0xFFFFF000)
    assert machine.memory.read(0xFFFFF000, 4) == rom[:4]
    assert machine.memory.read(0xFFFFEFFE, 4) == b"\xff\xff" + rom[:2]
    go(machine, "run", 2)
    assert machine.cpu.rip >> 12 == 0xFFFFF


@pytest.mark.parametrize("way", WAYS)
def test_where_a20_is_low_the_first_mebibyte_is_seen_twice(way: str) -> None:
    machine = Machine(4 << 20, 10_000_000)
    machine.memory.write(0x100000, b"\x22")
    machine.memory.write(0x0, b"\x11")
    machine.memory.write(0x2000, bytes.fromhex("a000001000 8ac8 a000001000 ebfe"))  # al = [0x100000], twice; cl between
    boot.enter(machine, "protected", 0x2000)
    go(machine, way, 2)
    assert machine.cpu.general[1] & 0xFF == 0x22
    machine.board.write(0x92, 1, 0x00)
    machine.board.write(0x64, 1, 0xDD)  # the 8042 asks for it as well
    go(machine, way, 3)
    assert machine.cpu.general[0] & 0xFF == 0x11
    assert machine.memory.read(0x100000, 1) == b"\x11"
