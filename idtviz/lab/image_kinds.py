"""The kinds of images that can be booted, and what may be given beside each."""

from __future__ import annotations

from enum import Enum


class Kind(Enum):
    """An image, by the key that it has in a scenario."""

    ELF = "elf"
    FLAT = "flat"
    MULTIBOOT = "multiboot"
    BZIMAGE = "bzimage"
    BOOT_SECTOR = "boot_sector"
    ROM = "rom"
    DISK = "disk"
    OBJECT = "object"

    @property
    def shown(self) -> str:
        """What it is called in a message."""
        return _SHOWN[self]

    @property
    def takes(self) -> frozenset[str]:
        """What may be given beside it, by the names of a scenario's `[image]`."""
        return _TAKES[self]

    @property
    def mode(self) -> str | None:
        """The mode in which the processor begins with it; None: there is a choice."""
        return _MODES.get(self)


_SHOWN = {
    Kind.ELF: "a bare ELF kernel",
    Kind.FLAT: "a flat image",
    Kind.MULTIBOOT: "a Multiboot kernel",
    Kind.BZIMAGE: "a bzImage",
    Kind.BOOT_SECTOR: "a boot sector",
    Kind.DISK: "a disk",
    Kind.ROM: "a ROM",
    Kind.OBJECT: "a bare handler",
}
_DISKS = frozenset(("disk", "disks"))
_TAKES = {
    Kind.ELF: _DISKS,
    Kind.FLAT: _DISKS,
    Kind.MULTIBOOT: frozenset(("command_line", "modules", "loader")) | _DISKS,
    Kind.BZIMAGE: frozenset(("command_line", "initrd")) | _DISKS,
    Kind.BOOT_SECTOR: _DISKS,
    Kind.DISK: _DISKS,
    Kind.ROM: _DISKS | {"rom"},
    Kind.OBJECT: frozenset(("symbol", "vector", "ring")),
}
_MODES = {
    Kind.MULTIBOOT: "protected",
    Kind.BZIMAGE: "protected",
    Kind.BOOT_SECTOR: "real",
    Kind.DISK: "real",
    Kind.ROM: "real",
}
