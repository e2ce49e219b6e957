"""Reading what students handed in. Names and contents are taken for hostile: nothing is followed or executed."""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from idtviz.lab.grading.bundle import Files, digest
from idtviz.lab.grading.verdicts import Verdict, Word
from idtviz.lab.problems import Problem, ScenarioError, printable

LARGEST = 1 << 20
"""Bytes of the largest file that is accepted."""
MOST = 100_000
"""Hand-ins in a folder."""

_FLAGS = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)


@dataclass(frozen=True, slots=True)
class Submission:
    """The files of a student, by the names that the lab gives them; or the verdict on what is not even to be tried."""

    student: str
    files: Files
    refused: Verdict | None = None

    @property
    def digest(self) -> str:
        """A hash of the files."""
        return digest(self.files)


@dataclass(frozen=True, slots=True)
class HandIns:
    """All hand-ins, by the students' names in order, and the entries of the folder that are none."""

    submissions: tuple[Submission, ...]
    skipped: tuple[str, ...]


class _RefusedError(Exception):
    def __init__(self, word: Word, why: str) -> None:
        super().__init__(why)
        self.word = word


def read_all(folder: Path, todo: Sequence[str], handed_out: Files) -> HandIns:
    """Read a folder in which each entry is a student: a folder with the files `todo`, or a single file.

    `handed_out`: these files as the students got them. Raises ScenarioError.
    """
    try:
        entries = sorted(os.listdir(folder))  # noqa: PTH208 -- names, as the system has them
    except OSError as error:
        message = f"cannot be read as a folder of hand-ins: {error.strerror}"
        raise ScenarioError([Problem(str(folder), None, message)]) from error
    wanted = [entry for entry in entries if not entry.startswith(".")]
    if not wanted or len(wanted) > MOST:
        found = f"{len(wanted):,} hand-ins" if wanted else "no hand-in"
        raise ScenarioError([Problem(str(folder), None, f"{found} in there; expected 1 to {MOST:,}")])
    names = _students(folder, wanted)
    submissions = [_read(folder, entry, names[entry], todo, handed_out) for entry in wanted]
    submissions.sort(key=lambda each: each.student)
    return HandIns(tuple(submissions), tuple(entry for entry in entries if entry.startswith(".")))


def _students(folder: Path, entries: Sequence[str]) -> dict[str, str]:
    """What each entry's student is called: a file without its suffix, unless another is called so, too."""
    whole = {entry for entry in entries if os.path.isdir(folder / entry)}  # noqa: PTH112 -- one may not be allowed to look
    stems = {entry: entry if entry in whole else PurePosixPath(entry).stem for entry in entries}
    counts = Counter(stems.values())
    return {entry: stem if counts[stem] == 1 else entry for entry, stem in stems.items()}


def _read(folder: Path, entry: str, student: str, todo: Sequence[str], handed_out: Files) -> Submission:
    try:
        files = _files(folder, entry, todo)
        _refuse_untouched(files, handed_out)
    except _RefusedError as error:
        return Submission(student, {}, Verdict(student, error.word, 0, str(error)))
    return Submission(student, files)


def _files(folder: Path, entry: str, todo: Sequence[str]) -> dict[str, bytes]:
    found = _look(folder / entry, entry)
    if stat.S_ISDIR(found.st_mode):
        return {name: _inside(folder / entry, name) for name in todo}
    if len(todo) > 1:
        raise _RefusedError(Word.REFUSED, f"it is a single file; expected a folder with {', '.join(todo)}")
    suffix = PurePosixPath(todo[0]).suffix
    if PurePosixPath(entry).suffix.lower() != suffix.lower():
        raise _RefusedError(Word.REFUSED, f"{printable(entry)!r} is no {suffix} file; expected {todo[0]} or a folder")
    return {todo[0]: _content(folder / entry, entry)}


def _inside(home: Path, name: str) -> bytes:
    """A file of a student's folder, by its whole name or its last part."""
    relative = PurePosixPath(name)
    for part in reversed(relative.parents[:-1]):
        if (home / part).is_symlink():
            raise _RefusedError(Word.REFUSED, f"{part} is a link; expected a folder")
    path = home / name
    if not os.path.lexists(path):
        path = home / relative.name
    if not os.path.lexists(path):
        raise _RefusedError(Word.EMPTY, f"there is no {name}")
    if stat.S_ISDIR(_look(path, name).st_mode):
        raise _RefusedError(Word.REFUSED, f"{name} is a folder; expected a file")
    return _content(path, name)


def _look(path: Path, name: str) -> os.stat_result:
    try:
        found = path.lstat()
    except OSError as error:
        raise _RefusedError(Word.REFUSED, f"{printable(name)} cannot be read: {error.strerror}") from error
    if stat.S_ISLNK(found.st_mode):
        raise _RefusedError(Word.REFUSED, f"{printable(name)} is a link; expected a file of its own")
    if not (stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)):
        raise _RefusedError(Word.REFUSED, f"{printable(name)} is not a regular file")
    return found


def _content(path: Path, name: str) -> bytes:
    try:
        with os.fdopen(os.open(path, _FLAGS), "rb") as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise _RefusedError(Word.REFUSED, f"{printable(name)} is not a regular file")
            raw = file.read(LARGEST + 1)
    except OSError as error:
        raise _RefusedError(Word.REFUSED, f"{printable(name)} cannot be read: {error.strerror}") from error
    if len(raw) > LARGEST:
        raise _RefusedError(Word.REFUSED, f"{printable(name)} is larger than {LARGEST >> 20} MiB")
    return raw


def _refuse_untouched(files: Files, handed_out: Files) -> None:
    if not any(raw.strip() for raw in files.values()):
        raise _RefusedError(Word.EMPTY, f"{' and '.join(files)} {'is' if len(files) == 1 else 'are'} empty")
    if all(raw.split() == handed_out.get(name, b"").split() for name, raw in files.items()):
        raise _RefusedError(Word.EMPTY, f"{' and '.join(files)} as handed out: nothing was written")
