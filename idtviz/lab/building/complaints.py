"""What is wrong with a build, with its place in the sources."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from idtviz.lab.problems import printable

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Complaint:
    """One thing that a tool, or idtviz, says about a source: in which file and line (None: all of the file)."""

    file: str
    line: int | None
    text: str
    severity: Severity = "error"

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        said = f"warning: {self.text}" if self.severity == "warning" else self.text
        return f"{printable(place)}: {printable(said)}"


class BuildError(Exception):
    """An image that was not made. `complaints` says all that is known about why, in order; `message` is all of it."""

    def __init__(self, complaints: Iterable[Complaint]) -> None:
        self.complaints = tuple(complaints)
        self.message = "\n".join(map(str, self.complaints))
        super().__init__(self.message)


def refusal(file: str, text: str, line: int | None = None) -> BuildError:
    """The error of one complaint."""
    return BuildError([Complaint(file, line, text)])
