"""Sectors that were written over an image: a tree whose versions share what they have in common.

A snapshot holds one version. Writing a sector makes a new one by copying the few nodes on the way to it, so that
thousands of snapshots of a disk cost what was written between them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

_BITS = 5
_FAN = 1 << _BITS
_EMPTY: Node = (None,) * _FAN

Node = tuple["Node | bytes | None", ...]


@dataclass(frozen=True, slots=True, repr=False)
class Written:
    """A mapping of LBAs to sectors, none at first. `shift` says how deep the tree is."""

    root: Node = _EMPTY
    shift: int = 0

    @classmethod
    def none(cls, sectors: int) -> Written:
        """Nothing written, with room for LBAs below `sectors`."""
        shift = 0
        while sectors > _FAN << shift:
            shift += _BITS
        return cls(_EMPTY, shift)

    def get(self, lba: int) -> bytes | None:
        """What was last written to sector `lba`; None where nothing was."""
        node: Node | bytes | None = self.root
        shift = self.shift
        while isinstance(node, tuple):
            node = node[lba >> shift & _FAN - 1]
            shift -= _BITS
        return node

    def put(self, lba: int, sector: bytes) -> Written:
        """The mapping with `sector` at `lba`."""
        return Written(_put(self.root, lba, self.shift, sector), self.shift)

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        """Every written sector with its LBA, in order."""
        return _walk(self.root, 0, self.shift)

    def __repr__(self) -> str:
        """The same for the same sectors, and short: a hash."""
        digest = hashlib.blake2b(digest_size=16)
        for lba, sector in self:
            digest.update(lba.to_bytes(8, "little"))
            digest.update(sector)
        return f"Written({digest.hexdigest()})"


def _put(node: Node, lba: int, shift: int, sector: bytes) -> Node:
    slot = lba >> shift & _FAN - 1
    below = node[slot]
    if not shift:
        leaf: Node | bytes = sector
    else:
        leaf = _put(below if isinstance(below, tuple) else _EMPTY, lba, shift - _BITS, sector)
    return (*node[:slot], leaf, *node[slot + 1 :])


def _walk(node: Node, base: int, shift: int) -> Iterator[tuple[int, bytes]]:
    for slot, below in enumerate(node):
        place = base + (slot << shift)
        if isinstance(below, bytes):
            yield place, below
        elif below is not None:
            yield from _walk(below, place, shift - _BITS)
