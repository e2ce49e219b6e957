"""The bytes of an ELF file in the order of their physical addresses: a flat image."""

from __future__ import annotations

import io

from elftools.common.exceptions import ELFError
from elftools.elf.constants import SH_FLAGS
from elftools.elf.elffile import ELFFile

from idtviz.lab.building.complaints import BuildError, refusal
from idtviz.lab.building.target import Target


def flatten(raw: bytes, target: Target, limit: int) -> bytes:
    """What a loader puts at `target.at`, zeros between the parts. Raises BuildError."""
    try:
        parts = sorted(_parts(ELFFile(io.BytesIO(raw))))
    except (ELFError, ValueError, KeyError) as error:
        raise refusal(target.file, f"the linker wrote no ELF file: {error}") from error
    if not parts:
        raise refusal(target.file, "there are no bytes in it; expected code in .text")
    first, (last, rest) = parts[0][0], max((address + len(data), b"") for address, data in parts)
    if first != target.at:
        raise _misplaced(target, first)
    if last - first > limit:
        raise refusal(target.file, f"it would reach from {first:#x} to {last:#x}; expected at most {limit} bytes")
    image = bytearray(last - first)
    for address, data in parts:
        image[address - first : address - first + len(data)] = data
    return bytes(image) + rest


def _misplaced(target: Target, first: int) -> BuildError:
    return refusal(target.file, f"its first byte is linked at {first:#x}; expected {target.at:#x}, where it is loaded")


def _parts(elf: ELFFile) -> list[tuple[int, bytes]]:
    """The physical address and the bytes of each section that is loaded."""
    loaded = [each for each in elf.iter_segments("PT_LOAD") if each["p_filesz"]]
    found = []
    for section in elf.iter_sections():
        if not section["sh_flags"] & SH_FLAGS.SHF_ALLOC or section["sh_type"] == "SHT_NOBITS" or not section["sh_size"]:
            continue
        start = section["sh_offset"]
        inside = [each for each in loaded if each["p_offset"] <= start < each["p_offset"] + each["p_filesz"]]
        address = inside[0]["p_paddr"] + start - inside[0]["p_offset"] if inside else section["sh_addr"]
        found.append((address, section.data()))
    return found
