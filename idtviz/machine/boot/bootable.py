"""What a machine can be started with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from idtviz.machine.pc import Machine


class Bootable(Protocol):
    """A program, and the way in which it is brought into a machine and entered."""

    @property
    def kind(self) -> str:
        """What it is, in a word: `elf64`, `flat`, `multiboot`, `boot_sector`..."""

    @property
    def mode(self) -> str:
        """The mode in which the processor begins: `real`, `protected` or `long`."""

    @property
    def room(self) -> int:
        """Bytes of RAM that it needs at least."""

    @property
    def drives(self) -> Mapping[int, bytes]:
        """The images of the drives that the machine has to be made with, by their number for the BIOS."""

    def boot(self, machine: Machine) -> None:
        """Put everything into the memory, the chips and the processor of a new machine. Raises ImageError."""
