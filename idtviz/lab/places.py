"""The places of findings: file, line, symbol, and the instruction that stands there."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass

from idtviz.checks.finding import Finding
from idtviz.debugger.symbols import Line, Symbols


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is: what is not known of it is None.

    `file` and `line` are those of the source, `source` is the text of that line. `symbol` is what the linear `address`
    lies in, `offset` bytes from its start. `instruction` is what stands there, where it is code.
    """

    file: str | None = None
    line: int | None = None
    source: str | None = None
    symbol: str | None = None
    address: int | None = None
    offset: int = 0
    instruction: str | None = None

    @property
    def name(self) -> str | None:
        """`symbol` or `symbol+0x12`."""
        return f"{self.symbol}+{self.offset:#x}" if self.symbol is not None and self.offset else self.symbol


NOWHERE = Place()


@dataclass(frozen=True, slots=True)
class Reported:
    """A finding and its place, and its notes with theirs."""

    finding: Finding
    place: Place
    notes: tuple[tuple[str, Place], ...] = ()


class Places(ABC):
    """Finds the places of linear addresses, with `symbols`."""

    def __init__(self, symbols: Symbols) -> None:
        self._symbols = symbols

    def of(self, address: int | None, *, code: bool = False) -> Place:
        """The place of a linear address. `code`: an instruction stands there, even if none is known to have run."""
        if address is None:
            return NOWHERE
        symbol, line = self._symbols.at(address), self._symbols.line(address)
        lines = None if line is None else self.lines(line)
        return Place(
            file=None if line is None else self.named(line),
            line=None if line is None else line.number,
            source=lines[line.number - 1] if line is not None and lines and 0 < line.number <= len(lines) else None,
            symbol=None if symbol is None else symbol.shown,
            address=address,
            offset=0 if symbol is None else address - symbol.address,
            instruction=self.instruction(address, code=code or (symbol is not None and symbol.code)),
        )

    def report(self, findings: Iterable[Finding]) -> tuple[Reported, ...]:
        """Each finding with its place, and its notes with theirs."""
        return tuple(
            Reported(
                finding,
                self.of(finding.address, code=finding.moment is None),
                tuple((note.text, self.of(note.address)) for note in finding.notes),
            )
            for finding in findings
        )

    @abstractmethod
    def named(self, line: Line) -> str:
        """The source file as the user can open it."""

    @abstractmethod
    def lines(self, line: Line) -> tuple[str, ...] | None:
        """All lines of the source file of `line`; None where it is not at hand."""

    @abstractmethod
    def instruction(self, address: int, *, code: bool) -> str | None:
        """The instruction at a linear address, with the name of what it branches to; None where there is none."""
