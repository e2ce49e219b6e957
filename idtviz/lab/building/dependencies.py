"""Which files a tool has read, as it says itself; and whether all of them belong to the lab."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

from idtviz.lab.building.complaints import BuildError, Complaint, refusal
from idtviz.lab.building.workplace import Workplace

_ENTRY = re.compile(r"(?:\\[\s\S]|[^\s\\])+")
_LARGEST = 1 << 20


def listed(source: str, rule: Path) -> tuple[str, ...]:
    """The files behind the colon of a rule for `make`, which assemblers and compilers write. Raises BuildError."""
    with rule.open("rb") as file:
        raw = file.read(_LARGEST + 1)
    if len(raw) > _LARGEST:
        raise refusal(source, "reads files by more names than can be looked at; expected each file by its own name")
    text = raw.decode("utf-8", errors="surrogateescape")
    _, _, behind = text.replace("\\\n", " ").partition(": ")
    return tuple(dict.fromkeys(_plain(entry) for entry in _ENTRY.findall(behind)))


def _plain(entry: str) -> str:
    """`make` has `$$` for a dollar and a backslash in front of a space."""
    return re.sub(r"\\([ \t#:\\])", r"\1", entry).replace("$$", "$")


def check(place: Workplace, source: str, paths: Iterable[str], allowed: Iterable[Path] = ()) -> None:
    """Raises BuildError if `source` had a file read that is none of the lab's, and not in a folder of `allowed`."""
    own = [place.made, place.scratch, *allowed]
    for path in paths:
        whole = Path(os.path.normpath(place.sources / path))
        if place.named(path) is None and not any(whole.is_relative_to(folder) for folder in own):
            raise outside(place, source, path)


def outside(place: Workplace, source: str, path: str) -> BuildError:
    """The refusal of a source that wants the file `path` read; with the line that names it, if there is one."""
    for name in dict.fromkeys((source, *place.files)):
        for number, text in enumerate(place.files.get(name, b"").split(b"\n"), 1):
            if os.fsencode(path) in text:
                return _refusal(name, number, path)
    return _refusal(source, None, path)


def _refusal(source: str, line: int | None, path: str) -> BuildError:
    shown = path if len(path) <= 200 else f"{path[:200]}…"
    text = f"reads {shown!r}, which is none of the lab's files; expected only what image.source names"
    return BuildError([Complaint(source, line, text)])
