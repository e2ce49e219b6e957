"""Reading the files that a scenario names: regular files of a sane size, inside its folder."""

from __future__ import annotations

import os
import stat
from pathlib import Path

LARGEST_FILE = 64 << 20
"""Bytes of the largest image that is read."""
LARGEST_DISK = 512 << 20
"""Bytes of the largest disk."""


class FileProblem(Exception):  # noqa: N818 -- becomes a Problem with a line
    """A file that cannot be used; the message says why."""


def inside(folder: Path, name: str) -> Path:
    """The file `name` of `folder`. Raises FileProblem for one that lies elsewhere, also through a symbolic link."""
    if not name or "\0" in name:
        raise FileProblem(f"{name!r} is no file name")
    relative = Path(name)
    if relative.is_absolute() or ".." in relative.parts:
        raise FileProblem(f"{name!r} lies outside the scenario's folder; expected a path inside it")
    try:
        home = folder.resolve(strict=True)
        found = (home / relative).resolve(strict=False)
    except (OSError, RuntimeError, ValueError) as error:
        raise FileProblem(f"{name!r} cannot be followed: {_reason(error)}") from error
    if not found.is_relative_to(home):
        raise FileProblem(f"{name!r} is a link to a place outside the scenario's folder; expected a file inside it")
    return found


def read(path: Path, name: str, limit: int = LARGEST_FILE) -> bytes:
    """The bytes of the regular file `path`, called `name` in messages. Raises FileProblem."""
    try:
        found = path.stat()
        if stat.S_ISDIR(found.st_mode):
            raise FileProblem(f"{name!r} is a folder; expected a file")
        if not stat.S_ISREG(found.st_mode):
            raise FileProblem(f"{name!r} is not a regular file")
        if found.st_size > limit:
            raise FileProblem(f"{name!r} has {found.st_size} bytes; expected at most {limit}")
        with path.open("rb") as file:
            raw = file.read(limit + 1)
    except FileNotFoundError as error:
        raise FileProblem(f"{name!r} does not exist") from error
    except (OSError, ValueError) as error:
        raise FileProblem(f"{name!r} cannot be read: {_reason(error)}") from error
    if len(raw) > limit:
        raise FileProblem(f"{name!r} is larger than {limit} bytes")
    return raw


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno is not None:
        return os.strerror(error.errno).lower()
    return str(error)
