"""Where the sections of an object file go: code, constants, data, each group on pages of its own."""

from __future__ import annotations

from collections.abc import Iterator

from idtviz.machine.objects import file, limits
from idtviz.machine.objects.file import ObjectFile, Section
from idtviz.machine.objects.problem import ObjectError, short
from idtviz.machine.objects.room import Room

_GCC_LTO = ".gnu.lto_"
_APART = 16  # bytes
_RELRO = ".data.rel.ro"
"""Data that only the linker writes."""


def checked(found: ObjectFile) -> list[Section]:
    """The sections that are in memory. Raises ObjectError."""
    sections = [section for section in found.sections if section.is_loaded]
    for section in sections:
        if section.flags & file.SHF_COMPRESSED:
            raise ObjectError(f"{short(section.name)} is compressed; expected the bytes themselves in what is loaded")
        check_alignment(section.name, section.alignment)
        if section.has_bytes and section.offset + section.size > len(found.raw):
            found.contents(section)
    held = sum(section.size for section in sections if section.has_bytes)
    if held > len(found.raw):
        raise ObjectError(f"the sections of the ELF file hold {held} bytes; the file has {len(found.raw)}")
    zeroed = sum(section.size for section in sections if not section.has_bytes)
    if zeroed > limits.LARGEST_ZEROED:
        raise ObjectError(
            f"the sections without contents (.bss) have {zeroed} bytes; expected at most {limits.LARGEST_ZEROED}"
        )
    if not any(section.is_code and section.size for section in sections):
        if any(section.name.startswith(_GCC_LTO) for section in found.sections):
            raise ObjectError("the ELF file holds what GCC leaves for the linker to compile; compile without -flto")
        raise ObjectError("the ELF file has no code: no section with instructions (SHF_ALLOC, SHF_EXECINSTR)")
    return sections


def check_alignment(name: str, alignment: int) -> None:
    """Raises ObjectError over an alignment that is no power of two, or too large."""
    if alignment & alignment - 1 or alignment > limits.LARGEST_ALIGNMENT:
        raise ObjectError(
            f"{short(name)} is aligned to {alignment:#x}; "
            f"expected a power of two, at most {limits.LARGEST_ALIGNMENT:#x}"
        )


def placed(sections: list[Section], room: Room) -> Iterator[tuple[Section, int]]:
    """Each section and its address. Raises ObjectError.

    There is a gap between two of them: the address behind the last instruction of one belongs to no other.
    """
    for group in range(3):
        room.page()
        for section in sections:
            if _group(section) == group:
                address = room.take(section.size, max(_APART if section.size else 1, section.alignment))
                room.take(1 if section.size else 0)
                yield section, address


def is_writable(section: Section) -> bool:
    """Whether the program may write there, once it is linked."""
    return bool(section.flags & file.SHF_WRITE) and not section.name.startswith(_RELRO)


def _group(section: Section) -> int:
    return 0 if section.is_code else 2 if is_writable(section) else 1
