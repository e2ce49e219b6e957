"""Cylinders, heads and sectors: how a drive's sectors are counted by software that knows no LBA.

Source: the sizes of PC floppies; for hard disks the partition table's own pairs of CHS and LBA, as ATA-2's annex on
translation and the Phoenix Enhanced Disk Drive Specification describe them.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

SECTOR = 512

_PARTITIONS = 446
_SIGNATURE = b"\x55\xaa"
_CLIPPED = 1023  # a cylinder that does not fit into ten bits is written so


@dataclass(frozen=True, slots=True)
class Geometry:
    """Cylinders, heads a cylinder, sectors a track. Sectors are counted from 1, the others from 0."""

    cylinders: int
    heads: int
    sectors: int

    @property
    def total(self) -> int:
        """Sectors in all."""
        return self.cylinders * self.heads * self.sectors

    def lba(self, cylinder: int, head: int, sector: int) -> int | None:
        """The LBA of a sector; None where the geometry has no such place."""
        if cylinder < self.cylinders and head < self.heads and 1 <= sector <= self.sectors:
            return (cylinder * self.heads + head) * self.sectors + sector - 1
        return None

    def chs(self, lba: int) -> tuple[int, int, int]:
        """Cylinder, head and sector of an LBA."""
        track, sector = divmod(lba, self.sectors)
        return *divmod(track, self.heads), sector + 1


FLOPPIES = {
    geometry.total: geometry
    for geometry in (
        Geometry(40, 1, 8),  # 160 KiB
        Geometry(40, 1, 9),  # 180
        Geometry(40, 2, 8),  # 320
        Geometry(40, 2, 9),  # 360
        Geometry(80, 2, 9),  # 720
        Geometry(80, 2, 15),  # 1.2 MB
        Geometry(80, 2, 18),  # 1.44
        Geometry(80, 2, 36),  # 2.88
    )
}
"""By sectors in all."""


def floppy(sectors: int) -> Geometry | None:
    """The format of a floppy image: its size's own, or 1.44 MB, or 2.88 where that is too small; None above."""
    fits = (FLOPPIES[total] for total in (sectors, 2880, 5760) if total in FLOPPIES and sectors <= total)
    return next(fits, None)


def hard_disk(image: bytes, sectors: int) -> Geometry:
    """What the partition table was written with; without one 16 heads of 63 sectors, and more heads from 504 MiB on."""
    heads, track = _of_partitions(image) or (16, 63)
    while heads < 255 and sectors > 1024 * heads * track:
        heads = min(heads * 2, 255)
    return Geometry(max(1, sectors // (heads * track)), heads, track)


def _of_partitions(image: bytes) -> tuple[int, int] | None:
    """Heads and sectors with which a partition's first and last CHS mean its first and last LBA."""
    if image[510:512] != _SIGNATURE:
        return None
    for place in range(_PARTITIONS, 510, 16):
        _, *first, kind, head, low, high, start, count = struct.unpack_from("<8B2I", image, place)
        heads, track = head + 1, low & 0x3F
        if not kind or not count or not track or heads > 255:
            continue
        if _means(first, heads, track) == start and _means([head, low, high], heads, track) in (
            None,
            start + count - 1,
        ):
            return heads, track
    return None


def _means(chs: list[int], heads: int, track: int) -> int | None:
    """The LBA of a partition entry's three bytes of CHS; None where the cylinder was clipped."""
    head, low, high = chs
    cylinder = high | (low & 0xC0) << 2
    return None if cylinder == _CLIPPED else (cylinder * heads + head) * track + (low & 0x3F) - 1
