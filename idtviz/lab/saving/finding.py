"""Finding the files of a saved session again, and making sure that they are the same."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from idtviz.lab import image_file, library
from idtviz.lab.image_file import LARGEST_DISK, LARGEST_FILE, FileProblem
from idtviz.lab.machine_files import SCENARIO, MachineFile, MachineFiles
from idtviz.lab.problems import printable
from idtviz.lab.saving.document import Opened, SavedFile, name_of
from idtviz.lab.saving.problem import SavedSessionError
from idtviz.lab.scenario_file import LARGEST_TEXT

_MOST_SHOWN = 200


class SavedFiles(MachineFiles):
    """Reads the files that a saved session names, and no others, as long as they are what they were."""

    def __init__(self, opened: Opened, folder: Path, session: str) -> None:
        """`folder`: where the session's file lies; `session`: what it is called in messages."""
        super().__init__()
        self._saved = {file.role: file for file in opened.files}
        self._first = opened.files[0]
        self._folder = folder
        self._session = session
        self._read: dict[str, MachineFile] = {}

    def find_first(self) -> Path:
        """The scenario or image. Raises SavedSessionError where it is gone or has changed."""
        limit = LARGEST_TEXT if self._first.role == SCENARIO else LARGEST_DISK
        return self._find(self._first, limit).path

    def read(self, role: str, path: Path, name: str, limit: int = LARGEST_FILE, *, beside: bool = False) -> bytes:
        """The bytes of the file that has this role. Raises FileProblem or SavedSessionError."""
        saved = self._saved.get(role)
        if saved is None:
            raise SavedSessionError(self._session, f"does not say what {printable(role)} ({printable(name)}) was")
        if not beside:
            return self._keep(self._find(saved, limit))
        raw = image_file.read(path, name, limit)
        found = MachineFile(role, path, raw, beside=True)
        if found.sha256 != saved.sha256:
            raise self._changed(saved, found)
        return self._keep(found)

    def _keep(self, found: MachineFile) -> bytes:
        self._files.append(found)
        return found.raw

    def _find(self, saved: SavedFile, limit: int) -> MachineFile:
        """The first file with the same content, at the places where it may be. Raises SavedSessionError."""
        if saved.role in self._read:
            return self._read[saved.role]
        other: MachineFile | None = None
        looked: list[str] = []
        try:
            places = list(dict.fromkeys(self._places(saved)))
        except ValueError as error:
            raise SavedSessionError(self._session, f"{printable(saved.role)}: {error}") from error
        for path in places:
            try:
                found = MachineFile(saved.role, path, _content(path, limit))
            except FileProblem as problem:
                looked.append(str(problem))
                continue
            if found.sha256 == saved.sha256:
                self._read[saved.role] = found
                return found
            other = other or found
        if other is not None:
            raise self._changed(saved, other)
        places_shown = "; ".join(map(_short, looked))
        raise SavedSessionError(
            self._session, f"{_short(saved.name)!r}, from which it was saved, is not to be found: {places_shown}"
        )

    def _places(self, saved: SavedFile) -> Iterator[Path]:
        """Where a file may be: beside the session as it was, in the same folder, where it was, among the shipped."""
        name = name_of(saved.name)
        if saved.relative is not None:
            yield _normal(self._folder / name_of(saved.relative))
        if "/" not in name:
            yield _normal(self._folder / name)
        if saved.absolute is not None:
            yield _normal(Path("/") / name_of(saved.absolute))
        shipped = library.find(Path(name).stem) if saved.role == SCENARIO else None
        if shipped is not None:
            yield shipped

    def _changed(self, saved: SavedFile, found: MachineFile) -> SavedSessionError:
        return SavedSessionError(
            self._session,
            f"{printable(str(found.path))} has changed since: its SHA-256 is {found.sha256[:12]}…, "
            f"expected {saved.sha256[:12]}…",
        )


def _content(path: Path, limit: int) -> bytes:
    """The bytes of a file. What says that it is empty is not read: some files of the system never end."""
    return b"" if _says_empty(path) else image_file.read(path, str(path), limit)


def _says_empty(path: Path) -> bool:
    try:
        found = path.stat()
    except (OSError, ValueError):
        return False
    return stat.S_ISREG(found.st_mode) and not found.st_size


def folders_of(opened: Opened, folder: Path) -> tuple[str, ...]:
    """The folders with sources, where they are now."""
    return tuple(str(_folder_of(folder, each.relative, each.absolute)) for each in opened.sources)


def _folder_of(folder: Path, relative: str, absolute: str) -> Path:
    beside, before = _normal(folder / name_of(relative)), _normal(Path("/") / name_of(absolute))
    return beside if os.path.isdir(beside) else before  # noqa: PTH112 -- a name that is too long is none


def _normal(path: Path) -> Path:
    """Without `..`: the folder of a session is given without links, so that no link is passed on the way up."""
    return Path(os.path.normpath(path))


def _short(text: str) -> str:
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}…"
