"""Images of programs, and how they come into memory."""

from __future__ import annotations

import io
from dataclasses import dataclass

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile

from idtviz.machine.pc import Machine
from idtviz.x86.addresses import is_canonical

TABLE_BYTES = 3 * 4096
"""PML4, PDPT and page directory at the top of RAM, for an image entered in long mode."""

_MACHINES = {32: "EM_386", 64: "EM_X86_64"}


class ImageError(Exception):
    """An image that cannot be loaded; the message says what was found and what was expected."""


@dataclass(frozen=True, slots=True)
class Part:
    """One loadable segment: physical address, contents, and the size in memory (the rest is zero)."""

    address: int
    data: bytes
    size: int


@dataclass(frozen=True, slots=True)
class Image:
    """A program as it lies in memory, and where it is entered."""

    parts: tuple[Part, ...]
    entry: int
    bits: int = 64
    """Of the code that the file says it holds: 32 or 64."""


def parse_elf(raw: bytes, mode: str | None = None) -> Image:
    """The loadable segments of an executable for i386 or x86-64. Raises ImageError.

    `mode` is the one in which it will be entered: 64-bit code is needed for `long`. None: any.
    """
    try:
        elf = ELFFile(io.BytesIO(raw))
        machine = elf["e_machine"]
        if _MACHINES.get(elf.elfclass) != machine:
            raise ImageError(f"an ELF file for i386 or x86-64 is needed; this one is {elf.elfclass}-bit {machine}")
        if mode == "long" and elf.elfclass != 64:
            raise ImageError("an ELF file for x86-64 is needed to enter in long mode; this one is 32-bit EM_386")
        if elf["e_type"] != "ET_EXEC":
            raise ImageError(f"a linked executable (ET_EXEC) is needed; this one is {elf['e_type']}")
        found = []
        for part in elf.iter_segments("PT_LOAD"):
            data = part.data()
            if len(data) != part["p_filesz"] or part["p_memsz"] < part["p_filesz"]:
                raise ImageError(f"the ELF file is cut short: the segment at {part['p_paddr']:#x} is incomplete")
            found.append(Part(part["p_paddr"], data, part["p_memsz"]))
        entry = int(elf["e_entry"])
    except ImageError:
        raise
    except (ELFError, ValueError, KeyError, OverflowError, AttributeError, TypeError, AssertionError) as error:
        raise ImageError(f"this is not a usable ELF file: {error}") from error
    if not found:
        raise ImageError("the ELF file has nothing to load (no PT_LOAD segment)")
    return Image(tuple(found), entry, elf.elfclass)


def load(machine: Machine, image: Image, mode: str) -> None:
    """Copy `image` into RAM. Raises ImageError where it does not fit, below the page tables at the top for `long`."""
    top = room(machine.memory.size, mode)
    for part in image.parts:
        if part.address + part.size > top:
            kept = f", of which the last {TABLE_BYTES:#x} hold its first page tables" if mode == "long" else ""
            raise ImageError(
                f"the image needs memory up to {part.address + part.size:#x}; "
                f"the machine has {machine.memory.size:#x} bytes{kept}"
            )
        machine.memory.write(part.address, part.data)


def entry_problem(entry: int, mode: str) -> str | None:
    """Why no image can be entered at `entry` in `mode`; None: it can."""
    if mode == "long":
        return None if is_canonical(entry) else f"the entry point {entry:#x} is not canonical"
    bits = 16 if mode == "real" else 32
    if entry >> bits:
        return f"the entry point {entry:#x} has more than {bits} bits; expected less to enter in {mode} mode"
    return None


def room(memory: int, mode: str) -> int:
    """How many of `memory` bytes, from 0 on, an image entered in `mode` may fill."""
    return memory - TABLE_BYTES if mode == "long" else memory
