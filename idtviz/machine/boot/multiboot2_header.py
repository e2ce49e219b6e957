"""The header by which a kernel asks for Multiboot2: found, checked, its tags decoded.

Source: Multiboot2 Specification 2.0, 3.1.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from idtviz.machine.boot.multiboot_header import Addresses, search
from idtviz.machine.boot.problem import ImageError

MAGIC: Final = 0xE85250D6
SEARCHED: Final = 32768
"""The header lies whole within so many bytes of the file, on a boundary of eight (3.1.1)."""

_I386 = 0
_MAGIC = struct.pack("<I", MAGIC)
_FIELDS = struct.Struct("<4I")
_TAG = struct.Struct("<HHI")
_OPTIONAL = 1
_END, _INFORMATION_REQUEST, _ADDRESS, _ENTRY_ADDRESS, _CONSOLE_FLAGS, _FRAMEBUFFER = range(6)
_MODULE_ALIGNMENT, _EFI_BOOT_SERVICES, _EFI_32_ENTRY, _EFI_64_ENTRY, _RELOCATABLE = range(6, 11)
_NOTHING_TO_DO = frozenset(
    (_CONSOLE_FLAGS, _FRAMEBUFFER, _MODULE_ALIGNMENT, _EFI_BOOT_SERVICES, _EFI_32_ENTRY, _EFI_64_ENTRY)
)
"""There is a text console, modules are always aligned, no EFI; a framebuffer is a wish (3.1.10)."""
_SIZES = {_ADDRESS: 24, _ENTRY_ADDRESS: 12, _RELOCATABLE: 24}
_LAST_INFORMATION = 21
"""Type of the image load base address: the last kind of information that the specification knows."""


@dataclass(frozen=True, slots=True)
class Relocation:
    """Where the kernel may be loaded: `low` to `high`, on a multiple of `alignment` (3.1.11)."""

    low: int
    high: int
    alignment: int


@dataclass(frozen=True, slots=True)
class Header:
    """What the tags of the header at `offset` ask for."""

    offset: int
    addresses: Addresses | None = None
    entry: int | None = None
    relocation: Relocation | None = None


def offset(raw: bytes) -> int | None:
    """Where in the file a header with the right checksum stands."""
    return search(raw[:SEARCHED], _MAGIC, _FIELDS, alignment=8)


def find(raw: bytes) -> Header:
    """The header of a kernel. Raises ImageError where there is none, or none that can be served."""
    at = offset(raw)
    if at is None:
        raise ImageError(f"there is no Multiboot2 header in the first {SEARCHED} bytes of the file")
    _, architecture, length, _ = _FIELDS.unpack_from(raw, at)
    if architecture != _I386:
        raise ImageError(f"the Multiboot2 header is for architecture {architecture}; expected 0, i386")
    if at + length > min(len(raw), SEARCHED):
        raise ImageError(f"the Multiboot2 header is cut short: its {length} bytes are incomplete")
    header = Header(at)
    for kind, optional, body in _tags(raw[at + _FIELDS.size : at + length]):
        header = _applied(header, kind, optional=optional, body=body)
    if header.addresses is not None and header.entry is None:
        raise ImageError("the Multiboot2 header has an address tag and no entry address tag; they go together")
    return header


def _tags(raw: bytes) -> Iterator[tuple[int, bool, bytes]]:
    """Type, whether the tag is optional, and what stands in it."""
    at = 0
    while at + _TAG.size <= len(raw):
        kind, flags, size = _TAG.unpack_from(raw, at)
        if kind == _END:
            return
        if size < max(_TAG.size, _SIZES.get(kind, 0)) or at + size > len(raw):
            raise ImageError(f"the Multiboot2 header has a tag of type {kind} with a size of {size} bytes")
        yield kind, bool(flags & _OPTIONAL), raw[at + _TAG.size : at + size]
        at += -(-size // 8) * 8
    raise ImageError("the Multiboot2 header has no end tag")


def _applied(header: Header, kind: int, *, optional: bool, body: bytes) -> Header:
    if kind == _INFORMATION_REQUEST:
        wanted = [number for (number,) in struct.iter_unpack("<I", body[: len(body) // 4 * 4])]
        unknown = [number for number in wanted if number > _LAST_INFORMATION]
        if unknown and not optional:
            raise ImageError(f"the Multiboot2 header requires information of type {unknown[0]}, which is not known")
        return header
    if kind == _ADDRESS:
        at, load, load_end, bss_end = struct.unpack_from("<4I", body)
        return replace(header, addresses=Addresses(at, load, load_end, bss_end, 0))
    if kind == _ENTRY_ADDRESS:
        (entry,) = struct.unpack_from("<I", body)
        return replace(header, entry=entry)
    if kind == _RELOCATABLE:
        low, high, alignment, _ = struct.unpack_from("<4I", body)
        return replace(header, relocation=Relocation(low, high, alignment))
    if kind not in _NOTHING_TO_DO and not optional:
        raise ImageError(f"the Multiboot2 header requires a tag of type {kind}, which is not known")
    return header
