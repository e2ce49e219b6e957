"""The death of a kernel that relies on a loader's GDT is explained by name."""

from __future__ import annotations

import pytest

from idtviz.machine.boot import multiboot
from idtviz.machine.boot.loader_gdt import GRUB, QEMU, LoaderGdt
from idtviz.machine.boot.module import NO_EXTRAS
from idtviz.machine.events import Noted
from idtviz.machine.pc import Machine
from tests.machine.bare import HERTZ
from tests.machine.boot import files

LOADS_DS_0X08 = bytes.fromhex("b808000000 8ed8 f4")  # mov eax, 8; mov ds, eax; hlt
LOADS_DS_0X10 = bytes.fromhex("b810000000 8ed8 f4")
LOADS_DS_0X30 = bytes.fromhex("b830000000 8ed8 f4")
GDT_AT = 0x100100


def notes(code: bytes, gdt: LoaderGdt, own_gdt: bytes = b"") -> list[str]:
    """What is noted until the machine stands still; an LGDT goes in front where the kernel has a GDT of its own."""
    if own_gdt:
        code = bytes.fromhex("0f0115 f0001000") + code  # lgdt [0x1000f0]
    body = (files.multiboot_header() + code).ljust(0xF0, b"\0")
    body += (len(own_gdt) - 1 & 0xFFFF).to_bytes(2, "little") + GDT_AT.to_bytes(4, "little")
    raw = files.elf(files.Segment(body.ljust(0x100, b"\0") + own_gdt), entry=0x10000C)
    machine = Machine(files.MEMORY, HERTZ)
    multiboot.parse(raw, NO_EXTRAS, gdt).boot(machine)
    found = []
    machine.on_event = lambda event: found.append(event.text) if isinstance(event, Noted) else None
    for _ in range(60):
        machine.micro_step()
    return found


def test_the_other_loaders_selector_without_a_gdt_of_ones_own_is_named():
    (text,) = notes(LOADS_DS_0X08, GRUB)
    assert text.startswith("selector 0x08 is the code segment where QEMU loads the kernel; this is GRUB's loader")
    assert "it is empty" in text
    assert text.endswith('loader = "qemu" enters with CS=0x08 and DS=0x10')


def test_the_loaders_selector_in_a_gdt_of_ones_own_is_named():
    own = bytes(16) + bytes(8)
    (text,) = notes(LOADS_DS_0X10, QEMU, own)
    assert text.startswith("selector 0x10 is the data segment of the GDT that QEMU's loader entered the kernel with")
    assert "a GDT of its own, in which it is empty" in text
    (text,) = notes(LOADS_DS_0X10, QEMU, bytes(16))
    assert "lies behind the end of the table" in text


def test_a_loaders_gdt_that_was_overwritten_is_named():
    machine = Machine(files.MEMORY, HERTZ)
    at = multiboot.parse(files.multiboot(), NO_EXTRAS, GRUB).loaded.gdt_at
    assert at < 0x9FC00
    del machine
    wipe = b"\xc7\x05" + (at + 0x18).to_bytes(4, "little") + bytes(4)  # mov dword [at + 0x18], 0
    wipe += b"\xc7\x05" + (at + 0x1C).to_bytes(4, "little") + bytes(4)
    (text,) = notes(wipe + bytes.fromhex("b818000000 8ed8 f4"), GRUB)
    assert "has overwritten the one that GRUB's loader left in memory: selector 0x18 is empty now" in text


@pytest.mark.parametrize(
    ("code", "gdt", "own"),
    [
        (LOADS_DS_0X10, QEMU, b""),
        (LOADS_DS_0X30, QEMU, bytes(16)),
        (LOADS_DS_0X08, GRUB, bytes(16)),
        (bytes.fromhex("0f0b"), QEMU, b""),
    ],
    ids=["a good load", "a selector of no loader", "another loader's selector in one's own GDT", "no selector at all"],
)
def test_what_has_nothing_to_do_with_the_loader_is_not_noted(code, gdt, own):
    assert notes(code, gdt, own) == []
