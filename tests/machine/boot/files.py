"""Kernels of a few bytes, made field by field, so that a test can break any of them."""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace

CODE = b"\xfa\xf4"  # cli; hlt
MEMORY = 16 << 20


@dataclass(frozen=True)
class Segment:
    """A program header; `kind` 1 is PT_LOAD."""

    data: bytes = CODE
    linear: int = 0x100000
    physical: int | None = None
    size: int | None = None
    kind: int = 1
    file_size: int | None = None


def elf(
    *segments: Segment, entry: int | None = None, bits: int = 32, kind: int = 2, machine: int | None = None
) -> bytes:
    """An ELF file: its header, the program headers, and each segment's contents."""
    segments = segments or (Segment(),)
    header = struct.Struct("<HHIIIIIHHHHHH" if bits == 32 else "<HHIQQQIHHHHHH")
    program = struct.Struct("<8I" if bits == 32 else "<IIQQQQQQ")
    at = 16 + header.size + program.size * len(segments)
    headers, contents = b"", b""
    for each in segments:
        file_size = len(each.data) if each.file_size is None else each.file_size
        size = file_size if each.size is None else each.size
        physical = each.linear if each.physical is None else each.physical
        where = (at + len(contents), each.linear, physical, file_size, size)
        fields = (each.kind, *where, 7, 4) if bits == 32 else (each.kind, 7, *where, 4)
        headers += program.pack(*fields)
        contents += each.data
    start = segments[0].linear if entry is None else entry
    processor = machine or (3 if bits == 32 else 62)
    names = b"\x7fELF" + bytes((1 if bits == 32 else 2, 1, 1)).ljust(12, b"\0")
    rest = (start, 16 + header.size, 0, 0, 16 + header.size, program.size, len(segments), 0, 0, 0)
    return names + header.pack(kind, processor, 1, *rest) + headers + contents


def multiboot_header(flags: int = 0, *addresses: int) -> bytes:
    """A header of version 1, with the fields of the a.out kludge behind it."""
    magic = 0x1BADB002
    return struct.pack("<3I", magic, flags, -(magic + flags) & 0xFFFFFFFF) + struct.pack(
        f"<{len(addresses)}I", *addresses
    )


def multiboot(flags: int = 0, code: bytes = CODE, **changes: int) -> bytes:
    """An ELF kernel of version 1 whose code follows its header."""
    header = multiboot_header(flags)
    return elf(replace(Segment(header + code), **changes), entry=0x100000 + len(header))


@dataclass(frozen=True)
class Addresses:
    """The a.out kludge's fields, of a file that is loaded whole at 1 MiB and entered behind its header."""

    header: int = 0x100000
    load: int = 0x100000
    load_end: int = 0
    bss_end: int = 0
    entry: int = 0x100020

    def file(self, code: bytes = CODE) -> bytes:
        """The kernel, without an ELF header."""
        fields = (self.header, self.load, self.load_end, self.bss_end, self.entry)
        return multiboot_header(1 << 16, *fields) + code


def tag(kind: int, body: bytes = b"", *, optional: bool = False, size: int | None = None) -> bytes:
    """A tag of the header of version 2."""
    raw = struct.pack("<HHI", kind, int(optional), 8 + len(body) if size is None else size) + body
    return raw + bytes(-len(raw) % 8)


END = tag(0)


def multiboot2_header(*tags: bytes, architecture: int = 0, length: int | None = None) -> bytes:
    """A header of version 2."""
    body = b"".join(tags)
    magic, size = 0xE85250D6, 16 + len(body) if length is None else length
    return struct.pack("<4I", magic, architecture, size, -(magic + architecture + size) & 0xFFFFFFFF) + body


def multiboot2(*tags: bytes, code: bytes = CODE, **options: int) -> bytes:
    """An ELF kernel of version 2 whose code follows its header; the header lies on a multiple of eight."""
    header = multiboot2_header(*(tags or (END,)), **options)
    padding = bytes(-(52 + 32) % 8)
    return elf(Segment(padding + header + code), entry=0x100000 + len(padding) + len(header))


@dataclass(frozen=True)
class BzImage:
    """The fields of a setup header that a loader reads."""

    version: int = 0x020F
    loadflags: int = 1
    setup_sectors: int = 1
    code32_start: int = 0x100000
    initrd_limit: int = 0x7FFFFFFF
    alignment: int = 0x1000
    relocatable: int = 0
    command_line_size: int = 255
    preferred: int = 0x100000
    init_size: int = 0x2000
    code: bytes = CODE

    def file(self) -> bytes:
        """The kernel."""
        raw = bytearray((self.setup_sectors + 1) * 512)
        raw[0x1F1] = self.setup_sectors
        raw[0x1FE:0x206] = b"\x55\xaa\xeb\x66HdrS"
        struct.pack_into("<H", raw, 0x206, self.version)
        raw[0x211] = self.loadflags
        struct.pack_into("<I", raw, 0x214, self.code32_start)
        struct.pack_into("<IIB", raw, 0x22C, self.initrd_limit, self.alignment, self.relocatable)
        struct.pack_into("<I", raw, 0x238, self.command_line_size)
        struct.pack_into("<QI", raw, 0x258, self.preferred, self.init_size)
        return bytes(raw) + self.code
