"""Reading DWARF's numbers and texts one after another."""

from __future__ import annotations

import struct

_LONGEST_LEB128 = 16  # bytes
_NUMBERS = {
    order: {size: struct.Struct(order + kind) for size, kind in ((1, "B"), (2, "H"), (4, "I"), (8, "Q"))}
    for order in "<>"
}


class DwarfError(Exception):
    """Bytes that are not what DWARF says should stand there."""


class Cursor:
    """A place in a section, which moves behind what is read. Raises DwarfError at the end."""

    def __init__(self, raw: bytes, at: int, order: str, end: int | None = None) -> None:
        """`order`: of bytes, as `struct` has it. `end`: where reading ends, the section's end if not given."""
        self.raw = raw
        self.at = at
        self.order = order
        self.end = len(raw) if end is None else min(end, len(raw))
        self._numbers = _NUMBERS[order]

    def number(self, size: int) -> int:
        """An unsigned number of `size` bytes: 1, 2, 3, 4 or 8."""
        raw = self.take(size)
        layout = self._numbers.get(size)
        if layout is None:
            return int.from_bytes(raw, "little" if self.order == "<" else "big")
        value: int = layout.unpack(raw)[0]
        return value

    def take(self, size: int) -> bytes:
        """The next `size` bytes."""
        at = self.at
        if size < 0 or at < 0 or at + size > self.end:
            raise DwarfError(f"{size} bytes at {at:#x} reach beyond the end")
        self.at = at + size
        return self.raw[at : at + size]

    def leb128(self) -> int:
        """An unsigned number of variable length (DWARF 5, 7.6)."""
        value = shift = 0
        for byte in self.raw[self.at : min(self.at + _LONGEST_LEB128, self.end)]:
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                self.at += shift // 7
                return value
        raise DwarfError(f"a number at {self.at:#x} has no end")

    def text(self) -> bytes:
        """Bytes up to a zero, which is skipped."""
        end = self.raw.find(b"\0", self.at, self.end)
        if end < 0:
            raise DwarfError(f"a text at {self.at:#x} has no end")
        found = self.raw[self.at : end]
        self.at = end + 1
        return found

    def unit_length(self) -> tuple[int, int]:
        """Where a unit ends that begins here, and how many bytes its offsets have: 4 or 8 (DWARF 5, 7.4)."""
        length, size = self.number(4), 4
        if length == 0xFFFF_FFFF:
            length, size = self.number(8), 8
        return self.at + length, size


def text_at(raw: bytes, at: int) -> str:
    """The text at an offset of a section of texts; an empty one where there is none."""
    end = raw.find(b"\0", at) if 0 <= at < len(raw) else -1
    return raw[at:end].decode(errors="replace") if end >= 0 else ""
