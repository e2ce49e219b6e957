"""Text that a chip sent out of the machine, kept so that many snapshots can share it."""

from __future__ import annotations

from dataclasses import dataclass

BLOCK = 4096
"""Bytes in a full block. Appending copies at most one block, and snapshots share all the full ones."""

LIMIT = 1 << 20
"""Bytes kept, at least; beyond one block more than this the oldest block is dropped."""


@dataclass(frozen=True, slots=True)
class Transcript:
    """Bytes in the order in which they were sent; `dropped` counts those forgotten at the front."""

    blocks: tuple[bytes, ...] = ()
    tail: bytes = b""
    dropped: int = 0

    @property
    def output(self) -> bytes:
        """All bytes that are still kept."""
        return b"".join(self.blocks) + self.tail

    @property
    def count(self) -> int:
        """How many bytes were ever sent."""
        return self.dropped + len(self.blocks) * BLOCK + len(self.tail)

    def append(self, byte: int) -> Transcript:
        """The transcript with one more byte."""
        tail = self.tail + bytes((byte,))
        if len(tail) < BLOCK:
            return Transcript(self.blocks, tail, self.dropped)
        blocks = (*self.blocks, tail)
        if len(blocks) * BLOCK <= LIMIT:
            return Transcript(blocks, b"", self.dropped)
        return Transcript(blocks[1:], b"", self.dropped + BLOCK)
