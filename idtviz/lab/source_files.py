"""Finding the source files that debugging information names, in folders that the user has named."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from idtviz.lab.image_file import FileProblem, inside, read

LARGEST_SOURCE = 4 << 20
"""Bytes of the largest source file that is read."""

_MOST_COMPONENTS = 64
_Found = tuple[int, tuple[str, ...]]
"""How many components of the path led to the file, and its lines."""


class SourceFiles:
    """Reads source files below some folders, and nowhere else.

    A path that lies in one of the folders is that file or none. Any other path was written on another machine, or
    before the sources were moved: its last components are looked for, as many as possible. Where two paths would lead
    to one file, the file is that of the path with more components in common, and of none if they have as many.
    """

    def __init__(self, folders: Iterable[Path]) -> None:
        self._folders: Sequence[Path] = tuple(folders)
        self._found: dict[str, Path | None] = {}
        self._claims: dict[Path, dict[str, int]] = {}
        self._lines: dict[Path, tuple[str, ...] | None] = {}

    def lines(self, path: str) -> tuple[str, ...] | None:
        """The lines of the file that debugging information calls `path`; None where it is not at hand."""
        if path not in self._found:
            self._found[path] = self._find(path)
        file = self._found[path]
        if file is None:
            return None
        claims = self._claims[file]
        others = (other for other, common in claims.items() if common >= claims[path] and not _agree(path, other))
        return None if any(others) else self._lines[file]

    def _find(self, path: str) -> Path | None:
        parts = [part for part in PurePosixPath(path).parts if part != "/"]
        if not parts or ".." in parts or len(parts) > _MOST_COMPONENTS:
            return None
        for folder in self._folders:
            for common in self._suffixes(folder, path, len(parts)):
                file = self._open(folder, "/".join(parts[-common:]))
                if file is not None:
                    self._claims.setdefault(file, {})[path] = common
                    return file
        return None

    @staticmethod
    def _suffixes(folder: Path, path: str, count: int) -> Iterable[int]:
        """How many components of the path to try, the most first."""
        try:
            relative = PurePosixPath(path).relative_to(folder.resolve().as_posix())
        except (OSError, RuntimeError, ValueError):
            return range(count, 0, -1)
        return (len(relative.parts),) if relative.parts else ()

    def _open(self, folder: Path, name: str) -> Path | None:
        """The file `name` of `folder`, with its lines read; None if it is not one that may be read."""
        try:
            file = inside(folder, name)
            if file not in self._lines:
                self._lines[file] = _lines(read(file, name, LARGEST_SOURCE))
        except FileProblem:
            return None
        return file


def _agree(one: str, other: str) -> bool:
    """Whether one path says the same as the other, or less of it."""
    return f"/{one}".endswith(f"/{other}") or f"/{other}".endswith(f"/{one}")


def _lines(raw: bytes) -> tuple[str, ...]:
    """Compilers count line feeds only: no form feed, no other sign that ends a line elsewhere."""
    text = raw.decode("utf-8", errors="replace").removesuffix("\n")
    return tuple(line.removesuffix("\r") for line in text.split("\n"))
