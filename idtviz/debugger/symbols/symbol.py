"""What is known of an address: the symbol that it lies in, and the source line that it comes from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Protocol

from idtviz.debugger.symbols.readable import readable


@dataclass(frozen=True, slots=True)
class Symbol:
    """A name for the bytes from `address`, `size` of them (0: unknown). `code`: it lies in an executable section.

    `name` is that of the symbol table: of a C++ or Rust compiler, a mangled one.
    """

    name: str
    address: int
    size: int
    code: bool

    @property
    def shown(self) -> str:
        """The name as a person would write it: `blog_os::kernel_main`."""
        return readable(self.name)


@dataclass(frozen=True, slots=True)
class Line:
    """One source line, and an address from which on instructions come from it.

    `path` is the file as the debugging information has it, with the folder that it was compiled in where that is known.
    """

    path: str
    number: int
    address: int

    @property
    def file(self) -> str:
        """The file's name without folders."""
        return PurePosixPath(self.path).name


class Lines(Protocol):
    """Where the source lines of a program are. All addresses are those that the program is linked at."""

    def at(self, address: int) -> Line | None:
        """The line that the instruction at `address` comes from."""

    def files(self, suffix: str) -> tuple[str, ...]:
        """The paths of the source files whose last components are `suffix`."""

    def addresses_of(self, path: str, number: int) -> tuple[int, ...]:
        """Where each stretch of code of a line begins; of the next line that has code if this one has none."""


class NoLines:
    """The lines of a program without debugging information."""

    def at(self, _address: int) -> Line | None:
        """Nothing."""
        return None

    def files(self, _suffix: str) -> tuple[str, ...]:
        """None."""
        return ()

    def addresses_of(self, _path: str, _number: int) -> tuple[int, ...]:
        """None."""
        return ()


@dataclass(frozen=True, slots=True)
class LinesOfBoth:
    """The lines of two programs; where both know one, that of `first`."""

    first: Lines
    second: Lines

    def at(self, address: int) -> Line | None:
        """The line that the instruction at `address` comes from."""
        return self.first.at(address) or self.second.at(address)

    def files(self, suffix: str) -> tuple[str, ...]:
        """The paths of the source files of both whose last components are `suffix`."""
        return tuple(dict.fromkeys((*self.first.files(suffix), *self.second.files(suffix))))

    def addresses_of(self, path: str, number: int) -> tuple[int, ...]:
        """Where the line's code begins, in the first of them that knows the file."""
        return self.first.addresses_of(path, number) or self.second.addresses_of(path, number)
