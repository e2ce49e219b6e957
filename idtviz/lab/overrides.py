"""What the user says on the command line about the machine and what is loaded beside the image."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal


@dataclass(frozen=True, slots=True)
class Overrides:
    """Each None or empty where nothing was said. Files are named by paths from the current folder."""

    command_line: str | None = None
    initrd: str | None = None
    modules: tuple[str, ...] = ()
    """Each a path, and the words for the kernel behind it."""
    loader: str | None = None
    disks: tuple[str, ...] = ()
    """Hard disks, behind the one that is booted from."""
    rom: bool = False
    memory: int | None = None
    apic: bool | None = None
    speed: int | None = None
    """Instructions per second."""
    symbols: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    """Folders with source files."""
    symbol: str | None = None
    """Of a bare handler: its name, its vector, and the ring that it interrupts."""
    vector: int | None = None
    ring: Literal[0, 3] | None = None

    def said(self) -> frozenset[str]:
        """The names of those that were given."""
        return frozenset(each.name for each in fields(self) if getattr(self, each.name) not in (None, (), False))


OPTIONS = {
    "command_line": "--cmdline",
    "initrd": "--initrd",
    "modules": "--module",
    "loader": "--loader",
    "disks": "--disk",
    "rom": "--rom",
    "symbol": "--symbol",
    "vector": "--vector",
    "ring": "--ring",
}
"""The options that not every image takes, as the user writes them."""


NONE = Overrides()
