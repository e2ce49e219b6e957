"""Multiboot kernels, version 1: ELF files of 32 or 64 bits, and the a.out kludge.

Source: Multiboot Specification 0.6.96, chapter 3. Where it leaves a choice, the loaders of QEMU and GRUB differ; both
can be had. ESP is undefined by the specification: here it is the top of 4 KiB of low memory (0x7000, as for a bare
image) that nothing else lies in.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from idtviz.machine.board import NO_DRIVES
from idtviz.machine.boot import (
    after_bios,
    elf,
    elf_sections,
    entry,
    image,
    loader_gdt,
    multiboot_header,
    multiboot_info,
)
from idtviz.machine.boot.elf_sections import Sections
from idtviz.machine.boot.image import Image, Part
from idtviz.machine.boot.loader_gdt import LoaderGdt
from idtviz.machine.boot.module import Extras, Module
from idtviz.machine.boot.multiboot_header import Header
from idtviz.machine.boot.placement import FOUR_GIB, Placement
from idtviz.machine.boot.problem import ImageError
from idtviz.machine.memory import PAGE
from idtviz.machine.pc import Machine
from idtviz.machine.registers import RAX, RBX, RSP

LOADED_BY: Final = 0x2BADB002
"""EAX at the entry (3.2)."""

_STACK_AT, _GDT_AT, _INFO_AT = 0x6000, 0x8000, 0x9000
_STACK_SIZE = 0x1000


@dataclass(frozen=True, slots=True)
class Loaded:
    """A kernel with everything that a loader puts beside it, each thing in its place."""

    image: Image
    extra: tuple[Part, ...]
    modules: tuple[tuple[int, Module], ...]
    sections: Sections | None
    section_headers: int
    gdt: LoaderGdt
    gdt_at: int
    stack_top: int
    end: int


def place(
    kernel: Image, gdt: LoaderGdt, modules: tuple[Module, ...], found: elf.Elf | None
) -> tuple[Loaded, Placement]:
    """Find room for everything but the information structure. Raises ImageError."""
    placement = Placement(kernel, strict=gdt is loader_gdt.GRUB)
    stack_top = placement.low(_STACK_SIZE, PAGE, _STACK_AT) + _STACK_SIZE
    gdt_at = gdt.address or placement.low(len(gdt.raw), 16, _GDT_AT)
    places = tuple((placement.high(len(module.data), PAGE), module) for module in modules)
    sections = None if found is None else elf_sections.placed(found, placement)
    headers = placement.high(len(sections.headers), 16) if sections is not None else 0
    extra = [Part(at, module.data, len(module.data)) for at, module in places]
    if sections is not None:
        extra += [*sections.parts, Part(headers, sections.headers, len(sections.headers))]
    loaded = Loaded(kernel, tuple(extra), places, sections, headers, gdt, gdt_at, stack_top, placement.end)
    return loaded, placement


def start(machine: Machine, loaded: Loaded, magic: int, info_at: int, info: bytes) -> None:
    """Put it all into memory, and enter it as both versions of the specification say (1: 3.2, 2: 3.3)."""
    memory = machine.memory
    image.check_room(memory, loaded.end)
    image.copy(memory, loaded.image)
    for part in loaded.extra:
        memory.write(part.address, part.data)
    memory.write(loaded.gdt_at, loaded.gdt.raw)
    memory.write(info_at, info)
    state = loaded.gdt.enter(entry.flat(loaded.gdt.code, loaded.gdt.data), loaded.gdt_at)
    general = list(state.general)
    general[RAX], general[RBX], general[RSP] = magic, info_at, loaded.stack_top
    machine.cpu.load(replace(state, general=tuple(general), rip=loaded.image.physical_entry))
    machine.explain = loader_gdt.explainer(loaded.gdt, loaded.gdt_at, machine)


@dataclass(frozen=True, slots=True)
class Multiboot:
    """A kernel that is entered in protected mode with the magic number of version 1 in EAX."""

    header: Header
    loaded: Loaded
    command_line: str
    info_at: int

    kind = "multiboot"
    mode = "protected"
    drives = NO_DRIVES

    @property
    def room(self) -> int:
        """Bytes of RAM that it needs at least."""
        return self.loaded.end

    def boot(self, machine: Machine) -> None:
        """Load it with its modules, and enter it."""
        after_bios.leave(machine)
        info = multiboot_info.build(
            _contents(self.header, self.loaded, self.command_line), self.info_at, machine.memory.size
        )
        start(machine, self.loaded, LOADED_BY, self.info_at, info)


def _contents(header: Header, loaded: Loaded, command_line: str) -> multiboot_info.Contents:
    sections = None
    if loaded.sections is not None:
        found = loaded.sections
        sections = (found.count, found.entry_size, loaded.section_headers, found.names)
    modules = [(at, module, module_string(module, loaded.gdt)) for at, module in loaded.modules]
    return multiboot_info.Contents(command_line, modules, sections, header.wants_video)


def module_string(module: Module, gdt: LoaderGdt) -> str:
    """The string of a module: QEMU gives the file's name as well, GRUB what stands behind it."""
    if gdt is loader_gdt.GRUB:
        return module.arguments
    return f"{module.name} {module.arguments}".rstrip()


def parse(raw: bytes, extras: Extras, gdt: LoaderGdt = loader_gdt.QEMU) -> Multiboot:
    """A kernel with a Multiboot header, as the loader with this GDT loads it. Raises ImageError."""
    header = multiboot_header.find(raw)
    if header is None:
        raise ImageError(f"there is no Multiboot header in the first {multiboot_header.SEARCHED} bytes of the file")
    found = elf.read(raw) if raw.startswith(elf.MAGIC) else None
    if header.addresses is not None:
        kernel = multiboot_header.image_of(raw, header.offset, header.addresses)
    elif found is not None:
        kernel = elf.parse_elf(raw)
    else:
        raise ImageError("the file is no ELF file, and its Multiboot header has no addresses (flag bit 16)")
    check_entry(kernel)
    loaded, placement = place(kernel, gdt, extras.modules, found)
    contents = _contents(header, loaded, extras.command_line)
    info_at = placement.low(len(multiboot_info.build(contents, 0, FOUR_GIB)), 16, _INFO_AT)
    return Multiboot(header, replace(loaded, end=placement.end), extras.command_line, info_at)


def check_entry(kernel: Image) -> None:
    """Raises ImageError for an entry point that 32-bit code cannot have, or at which nothing is loaded."""
    start_at = kernel.physical_entry
    if not any(part.address <= start_at < part.end for part in kernel.parts):
        raise ImageError(f"the entry point {start_at:#x} lies in no segment")
