"""What is wrong with a file, said with its place; and the exception that holds all of it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: in which file, in which line (None: the file as a whole), and what was expected."""

    file: str
    line: int | None
    message: str

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{printable(place)}: {printable(self.message)}"


class ScenarioError(Exception):
    """A file that cannot be opened as a session; `problems` lists everything that is wrong, in order of the lines."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda problem: (problem.file, problem.line or 0)))
        super().__init__("\n".join(map(str, self.problems)))


def dotted(path: tuple[str | int, ...]) -> str:
    """A place in a scenario, as a person would write it: `image.modules[0]`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")


def printable(text: str) -> str:
    """`text` on one line, with control characters and what is no character escaped."""
    shown = text if text.isprintable() else "".join(map(_escaped, text))
    return shown if len(shown) <= 1000 else shown[:1000] + "…"


def _escaped(character: str) -> str:
    return character if character.isprintable() else character.encode("unicode_escape", "surrogatepass").decode("ascii")
