"""ROM images: where they lie, the state after a reset, and how one can be broken."""

from __future__ import annotations

import pytest

from idtviz.machine.boot import ImageError, rom
from idtviz.machine.chips import pic, pit
from idtviz.machine.pc import Machine
from tests.machine.firmware.bios_calls import HERTZ, MIB

FAR_JUMP = bytes.fromhex("ea 00f0 00f0")  # jmp 0xf000:0xf000


def image(size: int, code: bytes) -> bytes:
    """A ROM with `code` at offset 0xF000 of its segment, and at the reset vector the jump there."""
    raw = bytearray(b"\xf4" * size)
    raw[-0x1000 : -0x1000 + len(code)] = code
    raw[-16 : -16 + len(FAR_JUMP)] = FAR_JUMP
    return bytes(raw)


def test_a_rom_is_entered_at_the_reset_vector_and_seen_below_1_mib_too() -> None:
    machine = Machine(16 * MIB, HERTZ)
    raw = image(0x40000, bytes.fromhex("c606 0000 aa f4"))  # mov byte [0], 0xaa; hlt
    found = rom.parse(raw)
    assert (found.kind, found.mode, found.room) == ("rom", "real", MIB)
    assert not found.drives
    found.boot(machine)

    at = machine.cpu.registers()
    assert (at.cs.selector, at.cs.base, at.rip, at.linear_rip) == (0xF000, 0xFFFF0000, 0xFFF0, 0xFFFFFFF0)
    assert (at.cr0, at.rflags, at.rsp, at.idtr.limit) == (0x60000010, 2, 0, 0xFFFF)
    assert at.general[2] >> 8 & 0xF  # EDX: a family
    assert machine.board.pic.state == pic.POWER_ON
    assert machine.board.pit.state == pit.POWER_ON
    assert machine.memory.read(0xE0000, 0x20000) == raw[-0x20000:]
    assert machine.memory.read(0x1_0000_0000 - len(raw), 16) == raw[:16]
    assert machine.processor.firmware is None

    while not machine.stuck:
        machine.micro_step()
    assert machine.cpu.registers().cs.base == 0xF0000
    assert machine.memory.read(0, 1) == b"\xaa"


def test_a_rom_that_is_no_whole_number_of_pages_is_filled_up_in_front() -> None:
    raw = image(0x1000, b"\xf4")[0x600:]
    assert rom.parse(raw).raw == b"\xff" * 0x600 + raw


@pytest.mark.parametrize(
    ("size", "message"),
    [(0, "empty"), (256, "256 bytes"), (4097, "4097 bytes"), ((16 << 20) + 4096, "at most 16777216")],
)
def test_a_rom_of_an_impossible_size_is_refused(size: int, message: str) -> None:
    with pytest.raises(ImageError, match=message):
        rom.parse(bytes(size))
