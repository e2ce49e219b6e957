"""The files that were opened last, for the gallery: those that do not come with idtviz."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path

from idtviz.lab import library
from idtviz.lab.premises import premises
from idtviz.lab.saving import atomic

_MOST = 8
_LARGEST = 1 << 16  # bytes


def files() -> tuple[Path, ...]:
    """The latest first; those that are not there any more are left out."""
    return tuple(path for path in _read() if os.path.isfile(path))  # noqa: PTH113 -- one in a closed folder is not there


def opened(path: Path) -> None:
    """A file was opened. Where that cannot be written down, it is not."""
    whole = path.resolve()
    if any(whole.is_relative_to(home.resolve()) for home in (library.folder(), premises().data)):
        return
    found = [whole, *(other for other in _read() if other != whole)][:_MOST]
    with suppress(OSError):
        _path().parent.mkdir(parents=True, exist_ok=True)
        atomic.write(_path(), json.dumps([str(each) for each in found], indent=1).encode() + b"\n")


def _path() -> Path:
    return premises().data / "recent.json"


def _read() -> list[Path]:
    try:
        with _path().open("rb") as file:
            found = json.loads(file.read(_LARGEST))
    except (OSError, ValueError, RecursionError):
        return []
    if not isinstance(found, list):
        return []
    return [Path(each) for each in found[:_MOST] if isinstance(each, str) and "\0" not in each]
