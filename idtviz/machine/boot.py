"""Images into memory, and the processor state in which a bare image is entered."""

from __future__ import annotations

import io
from dataclasses import dataclass

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile

from idtviz.machine.pc import Machine
from idtviz.machine.registers import RSP, Registers, Segment, Table
from idtviz.x86 import control
from idtviz.x86.flags import ALWAYS_SET

STACK_POINTER = 0x7000
"""RSP when a bare image is entered."""
TABLE_BYTES = 3 * 4096
"""PML4, PDPT and page directory at the top of RAM, for an image entered in long mode."""

_CODE, _DATA = 0x08, 0x10
_CODE64_FLAGS, _DATA_FLAGS = 0x00AF9B00, 0x00CF9300
_PRESENT_WRITABLE, _LARGE = 0x3, 0x80


class ImageError(Exception):
    """An image that cannot be loaded; the message says what was found and what was expected."""


@dataclass(frozen=True, slots=True)
class Segment64:
    """One loadable segment: physical address, contents, and the size in memory (the rest is zero)."""

    address: int
    data: bytes
    size: int


@dataclass(frozen=True, slots=True)
class Image:
    """A program as it lies in memory, and where it is entered."""

    segments: tuple[Segment64, ...]
    entry: int


def parse_elf64(raw: bytes) -> Image:
    """The loadable segments of an x86-64 executable. Raises ImageError."""
    try:
        elf = ELFFile(io.BytesIO(raw))
        if elf.elfclass != 64 or elf["e_machine"] != "EM_X86_64":
            raise ImageError(f"an ELF file for x86-64 is needed; this one is {elf.elfclass}-bit {elf['e_machine']}")
        if elf["e_type"] != "ET_EXEC":
            raise ImageError(f"a linked executable (ET_EXEC) is needed; this one is {elf['e_type']}")
        found = []
        for part in elf.iter_segments("PT_LOAD"):
            data = part.data()
            if len(data) != part["p_filesz"] or part["p_memsz"] < part["p_filesz"]:
                raise ImageError(f"the ELF file is cut short: the segment at {part['p_paddr']:#x} is incomplete")
            found.append(Segment64(part["p_paddr"], data, part["p_memsz"]))
        entry = int(elf["e_entry"])
    except ImageError:
        raise
    except (ELFError, ValueError, KeyError, OverflowError, AttributeError, TypeError, AssertionError) as error:
        raise ImageError(f"this is not a usable ELF file: {error}") from error
    if not found:
        raise ImageError("the ELF file has nothing to load (no PT_LOAD segment)")
    return Image(tuple(found), entry)


def load(machine: Machine, image: Image) -> None:
    """Copy `image` into RAM. Raises ImageError where it does not fit below the page tables at the top."""
    top = machine.memory.size - TABLE_BYTES
    for part in image.segments:
        if part.address + part.size > top:
            raise ImageError(
                f"the image needs memory up to {part.address + part.size:#x}; "
                f"the machine has {machine.memory.size:#x} bytes, of which the last {TABLE_BYTES:#x} hold its first "
                "page tables"
            )
        machine.memory.write(part.address, part.data)


def enter_long(machine: Machine, entry: int) -> None:
    """64-bit mode in ring 0, the first GiB identity-mapped, no GDT and no IDT: the image brings its own."""
    tables = machine.memory.size - TABLE_BYTES
    pml4, pdpt, directory = tables, tables + 0x1000, tables + 0x2000
    write = machine.memory.write
    write(pml4, (pdpt | _PRESENT_WRITABLE).to_bytes(8, "little"))
    write(pdpt, (directory | _PRESENT_WRITABLE).to_bytes(8, "little"))
    pages = (index << 21 | _LARGE | _PRESENT_WRITABLE for index in range(512))
    write(directory, b"".join(page.to_bytes(8, "little") for page in pages))
    data = Segment(_DATA, 0, 0xFFFFFFFF, _DATA_FLAGS)
    unused = Segment(0, 0, 0, 0)
    general = [0] * 16
    general[RSP] = STACK_POINTER
    machine.cpu.load(
        Registers(
            general=tuple(general),
            rip=entry,
            rflags=ALWAYS_SET,
            cpl=0,
            es=data,
            cs=Segment(_CODE, 0, 0xFFFFFFFF, _CODE64_FLAGS),
            ss=data,
            ds=data,
            fs=unused,
            gs=unused,
            ldtr=unused,
            tr=unused,
            gdtr=Table(0, 0),
            idtr=Table(0, 0),
            cr0=control.CR0_PG | control.CR0_WP | control.CR0_ET | control.CR0_PE,
            cr2=0,
            cr3=pml4,
            cr4=control.CR4_PAE | control.CR4_OSFXSR,
            efer=control.EFER_LME | control.EFER_LMA | control.EFER_NXE | control.EFER_SCE,
            interrupt_shadow=False,
        )
    )
