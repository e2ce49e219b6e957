"""A chip whose registers lie in memory and not at ports."""

from __future__ import annotations

from idtviz.machine.chips.chip import FLOATING


class MemoryMappedChip:
    """The half of `Chip` that is about ports and time, for a chip that has neither."""

    name: str
    ports: tuple[int, ...] = ()

    def read(self, port: int, size: int) -> int:  # noqa: ARG002
        return FLOATING

    def write(self, port: int, size: int, value: int) -> None:
        """There is no port to write to."""

    def deadline(self) -> int | None:
        return None

    def advance(self) -> None:
        """Nothing in a chip without a clock happens by itself."""

    def read_memory(self, offset: int, size: int) -> int:
        """The value that a load of `size` bytes at `offset` from the chip's base gives."""
        raise NotImplementedError

    def write_memory(self, offset: int, size: int, value: int) -> None:
        """Perform a store of `size` bytes at `offset` from the chip's base."""
        raise NotImplementedError
