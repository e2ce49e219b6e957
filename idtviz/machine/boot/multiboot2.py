"""Multiboot kernels, version 2, as GRUB loads them on a PC with a BIOS.

Source: Multiboot2 Specification 2.0, chapter 3. A kernel that can be relocated stays where it is linked if its header
allows that; else it goes to the lowest place that the header allows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from idtviz.machine.board import NO_DRIVES
from idtviz.machine.boot import (
    after_bios,
    elf,
    loader_gdt,
    multiboot,
    multiboot2_header,
    multiboot2_info,
    multiboot_header,
)
from idtviz.machine.boot.image import Image
from idtviz.machine.boot.module import Extras
from idtviz.machine.boot.multiboot import Loaded
from idtviz.machine.boot.multiboot2_header import Header, Relocation
from idtviz.machine.boot.placement import FOUR_GIB, moved
from idtviz.machine.boot.problem import ImageError
from idtviz.machine.firmware import memory_map, tables
from idtviz.machine.pc import Machine

LOADED_BY: Final = 0x36D76289
"""EAX at the entry (3.3)."""

_INFO_AT = 0x9000
_RSDP_SIZE = 20
_RSDP_SIGNATURE = b"RSD PTR "


@dataclass(frozen=True, slots=True)
class Multiboot2:
    """A kernel that is entered in protected mode with the magic number of version 2 in EAX."""

    header: Header
    loaded: Loaded
    command_line: str
    info_at: int

    kind = "multiboot2"
    mode = "protected"
    drives = NO_DRIVES

    @property
    def room(self) -> int:
        """Bytes of RAM that it needs at least."""
        return self.loaded.end

    def boot(self, machine: Machine) -> None:
        """Load it with its modules, and enter it."""
        after_bios.leave(machine)
        contents = _contents(self.header, self.loaded, self.command_line, _rsdp(machine))
        info = multiboot2_info.build(contents, machine.memory.size)
        multiboot.start(machine, self.loaded, LOADED_BY, self.info_at, info)


def is_multiboot2(raw: bytes) -> bool:
    """Whether the file has a header of version 2."""
    return multiboot2_header.offset(raw) is not None


def parse(raw: bytes, extras: Extras) -> Multiboot2:
    """A kernel with a Multiboot2 header. Raises ImageError."""
    header = multiboot2_header.find(raw)
    found = elf.read(raw) if raw.startswith(elf.MAGIC) else None
    kernel = _image(raw, header, found)
    multiboot.check_entry(kernel)
    if header.relocation is not None:
        kernel = _relocated(kernel, header.relocation)
    loaded, placement = multiboot.place(kernel, loader_gdt.GRUB, extras.modules, found)
    contents = _contents(header, loaded, extras.command_line, bytes(_RSDP_SIZE))
    info_at = placement.low(len(multiboot2_info.build(contents, FOUR_GIB)), 8, _INFO_AT)
    return Multiboot2(header, replace(loaded, end=placement.end), extras.command_line, info_at)


def _image(raw: bytes, header: Header, found: elf.Elf | None) -> Image:
    if header.addresses is not None and header.entry is not None:
        addresses = replace(header.addresses, entry=header.entry)
        return multiboot_header.image_of(raw, header.offset, addresses)
    if found is None:
        raise ImageError("the file is no ELF file, and its Multiboot2 header has no address tag")
    kernel = elf.parse_elf(raw)
    return kernel if header.entry is None else replace(kernel, entry=header.entry)


def _relocated(kernel: Image, allowed: Relocation) -> Image:
    low, alignment = min(part.address for part in kernel.parts), allowed.alignment or 1
    size = kernel.end - low
    if allowed.low <= low and kernel.end - 1 <= allowed.high and not low % alignment:
        return kernel
    start = -(-max(allowed.low, memory_map.EXTENDED_MEMORY) // alignment) * alignment
    if start + size - 1 > allowed.high:
        raise ImageError(
            f"the Multiboot2 header wants the kernel between {allowed.low:#x} and {allowed.high:#x}, "
            f"on a multiple of {alignment:#x}; it has {size:#x} bytes"
        )
    return moved(kernel, start - low)


def _contents(header: Header, loaded: Loaded, command_line: str, rsdp: bytes) -> multiboot2_info.Contents:
    found = loaded.sections
    sections = None if found is None else (found.count, found.entry_size, found.names, found.headers)
    modules = [(at, module, multiboot.module_string(module, loaded.gdt)) for at, module in loaded.modules]
    base = min(part.address for part in loaded.image.parts) if header.relocation is not None else None
    return multiboot2_info.Contents(command_line, modules, sections, base, rsdp)


def _rsdp(machine: Machine) -> bytes:
    """ACPI's root pointer, where the firmware has left one."""
    found = machine.memory.read(tables.ACPI_AT, _RSDP_SIZE)
    return found if found.startswith(_RSDP_SIGNATURE) else b""
