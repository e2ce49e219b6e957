"""A disk or a floppy: an image that stays as it is, and the sectors that the guest wrote over it."""

from __future__ import annotations

from dataclasses import dataclass

from idtviz.machine.chips import geometry
from idtviz.machine.chips.geometry import SECTOR, Geometry
from idtviz.machine.chips.written import Written

__all__ = ["SECTOR", "Drive", "DriveState", "Geometry"]


@dataclass(frozen=True, slots=True)
class DriveState:
    """What was written since the machine was switched on."""

    written: Written


class Drive:
    """Sectors of 512 bytes, counted by LBA from 0. The last one is filled up with zeros; there is at least one."""

    def __init__(self, image: bytes, *, read_only: bool = False, floppy: bool | None = None) -> None:
        """Unless `floppy` says what it is, an image of exactly a floppy's size is one. A floppy is filled up to its
        format: an image that is shorter than 1.44 MB and of no format's size is a 1.44 MB floppy that begins so.
        """
        sectors = max(1, -(-len(image) // SECTOR))
        if floppy is None:
            floppy = sectors in geometry.FLOPPIES
        found = geometry.floppy(sectors) if floppy else None
        self.floppy = found is not None
        self.geometry = found or geometry.hard_disk(image, sectors)
        """Cylinders, heads and sectors, as a BIOS would take them."""
        self.sectors = found.total if found else sectors
        """Sectors in all; more than the geometry reaches where they do not make up whole cylinders."""
        self.read_only = read_only
        self.state = DriveState(Written.none(self.sectors))
        self._image = image

    def holds(self, lba: int, count: int = 1) -> bool:
        """Whether there are `count` sectors from `lba` on."""
        return lba >= 0 and lba + count <= self.sectors

    def read(self, lba: int, count: int = 1) -> bytes:
        """`count` sectors from `lba` on. ValueError where the drive does not hold them."""
        self._check(lba, count)
        return b"".join(map(self._sector, range(lba, lba + count)))

    def write(self, lba: int, data: bytes) -> None:
        """Write whole sectors from `lba` on. ValueError for others, beyond the end, and on a read-only drive."""
        if len(data) % SECTOR or self.read_only:
            raise ValueError("a read-only drive" if self.read_only else f"{len(data)} bytes are not whole sectors")
        self._check(lba, len(data) // SECTOR)
        written = self.state.written
        for index in range(len(data) // SECTOR):
            written = written.put(lba + index, bytes(data[index * SECTOR : (index + 1) * SECTOR]))
        self.state = DriveState(written)

    def _check(self, lba: int, count: int) -> None:
        if not self.holds(lba, count):
            raise ValueError(f"sectors {lba} to {lba + count - 1}, and the drive has {self.sectors}")

    def _sector(self, lba: int) -> bytes:
        written = self.state.written.get(lba)
        return self._image[lba * SECTOR : (lba + 1) * SECTOR].ljust(SECTOR, b"\0") if written is None else written
