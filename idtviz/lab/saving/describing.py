"""From a session to what is saved of it, and into a file."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from pydantic import ValidationError

from idtviz import __version__
from idtviz.debugger.branching import Branch
from idtviz.debugger.breakpoint_text import BreakpointError, text_of
from idtviz.debugger.session import Phase, SessionError
from idtviz.lab.machine_files import MachineFile
from idtviz.lab.prepared_session import PreparedSession
from idtviz.lab.problems import printable
from idtviz.lab.saving import atomic
from idtviz.lab.saving.document import (
    SCHEMA,
    Document,
    Folder,
    Opened,
    Present,
    SavedBranch,
    SavedBreakpoint,
    SavedBreakpoints,
    SavedFile,
    SavedNote,
    said_of,
    saved_name,
)
from idtviz.lab.saving.given import entry_of
from idtviz.lab.saving.problem import SavedSessionError
from idtviz.lab.saving.text import LARGEST, SUFFIX, decode, edition, encode, first_of, is_marked


def save(session: PreparedSession, path: str | Path) -> Path:
    """Put the session into a file, whole or not at all; returns which.

    A name without a suffix gets `.idtviz`. A link is followed. Raises SavedSessionError where that cannot be, and
    leaves what was there; SessionError while the machine is running.
    """
    if session.phase is Phase.RUNNING:
        raise SessionError("the machine is running: pause it first")
    shown, target = str(path), _target(path)
    try:
        _check_target(target, shown)
        raw = _encoded(session, target.parent, shown)
        atomic.write(target, raw)
    except atomic.NotSyncedError as error:
        raise SavedSessionError(
            shown, f"is saved, but a power failure may still undo that: the folder: {_reason(error)}"
        ) from error
    except OSError as error:
        raise SavedSessionError(shown, f"cannot be saved: {_reason(error)}{_as_it_was(target)}") from error
    session.saved_as = target
    return target


def _target(path: str | Path) -> Path:
    """The file behind the name. Raises SavedSessionError."""
    text = str(path)
    name = os.path.basename(text)  # noqa: PTH119 -- Path would drop a slash at the end
    if "\0" in text or not text:
        raise SavedSessionError(text, "is no name of a file")
    if name in ("", ".", "..") or os.path.isdir(text):  # noqa: PTH112 -- a name that is too long is none
        raise SavedSessionError(text, "is a folder; expected the name of a file")
    named = Path(text) if Path(text).suffix else Path(f"{text}{SUFFIX}")
    return Path(os.path.realpath(named))


def _check_target(target: Path, shown: str) -> None:
    """Only a session is written over. Raises SavedSessionError or OSError."""
    try:
        found = target.stat()
    except FileNotFoundError:
        if not target.parent.is_dir():
            raise SavedSessionError(shown, f"the folder {printable(str(target.parent))!r} does not exist") from None
        return
    if stat.S_ISDIR(found.st_mode):
        raise SavedSessionError(shown, "is a folder; expected the name of a file")
    if not stat.S_ISREG(found.st_mode):
        raise SavedSessionError(shown, "is not a regular file; it is left alone")
    with target.open("rb") as file:
        head = file.read(1024)
    if not is_marked(head):
        raise SavedSessionError(shown, "is a file of another kind; expected a new name, or a session to write over")
    if edition(head) > SCHEMA:
        raise SavedSessionError(shown, f"is a session of format {edition(head)}, of a later idtviz; it is left alone")
    if not os.access(target, os.W_OK):
        raise SavedSessionError(shown, "may not be written to; it is left as it was")


def _as_it_was(target: Path) -> str:
    return "; the file is as it was" if os.path.lexists(target) else ""


def _reason(error: OSError) -> str:
    return os.strerror(error.errno).lower() if error.errno else str(error)


def _encoded(session: PreparedSession, folder: Path, shown: str) -> bytes:
    """The bytes of the file, which can be read again. Raises SavedSessionError."""
    try:
        raw = encode(describe(session, folder))
        if len(raw) > LARGEST:
            raise ValueError(f"the session takes {len(raw)} bytes; expected at most {LARGEST}")
        decode(raw)
    except ValidationError as error:
        raise SavedSessionError(shown, f"cannot be saved: {first_of(error)}") from error
    except ValueError as error:
        raise SavedSessionError(shown, f"cannot be saved: {error}") from error
    return raw


def describe(session: PreparedSession, folder: Path) -> Document:
    """What is saved of a session into `folder`. Raises ValueError."""
    present = Present(branch=session.branch.number, at=str(session.moment), digest=session.digest())
    digests = session.digests()
    return Document(
        idtviz=__version__,
        note=session.remark,
        opened=_opened(session, folder),
        branches=[_branch(session, branch, digests[branch.number]) for branch in session.branches],
        breakpoints=SavedBreakpoints(
            last=session.breakpoints.last,
            listed=[
                SavedBreakpoint(
                    number=entry.number,
                    text=_text_of(session, entry.number),
                    enabled=entry.enabled,
                    hits=entry.hits,
                )
                for entry in session.breakpoints.listed
            ],
        ),
        present=present,
    )


def _text_of(session: PreparedSession, number: int) -> str:
    item = next(entry.breakpoint for entry in session.breakpoints.listed if entry.number == number)
    try:
        return text_of(item, session.symbols)
    except BreakpointError as error:
        raise ValueError(f"breakpoint {number}: {error}") from error


def _branch(session: PreparedSession, branch: Branch, digest: str) -> SavedBranch:
    parent = _parent(session, branch)
    shared = branch.recording.inputs[parent.inherited : branch.inherited] if parent is not None else []
    return SavedBranch(
        number=branch.number,
        parent=None if parent is None else parent.number,
        fork=str(branch.fork),
        shared=sum(given.script is None for given in shared),
        inputs=[{"at": str(given.moment), **entry_of(given.input)} for given in branch.own],
        notes=[SavedNote(at=str(note.moment), text=note.text) for note in branch.recording.notes],
        frontier=str(branch.frontier),
        digest=digest,
    )


def _parent(session: PreparedSession, branch: Branch) -> Branch | None:
    """The run that a branch parted from; where that has been deleted, the one that both parted from."""
    parent = branch.parent
    while parent is not None and not any(parent is other for other in session.branches):
        parent = parent.parent
    return parent


def _opened(session: PreparedSession, folder: Path) -> Opened:
    origin = session.origin
    return Opened(
        given=saved_name(origin.given),
        said=said_of(origin.overrides),
        sources=[
            Folder(relative=_relative(source, folder), absolute=saved_name(os.path.abspath(source)))  # noqa: PTH100
            for source in origin.overrides.sources
        ],
        files=[_file(file, folder) for file in origin.files],
    )


def _file(file: MachineFile, folder: Path) -> SavedFile:
    return SavedFile(
        role=file.role,
        name=saved_name(file.path.name),
        size=len(file.raw),
        sha256=file.sha256,
        relative=None if file.beside else _relative(file.path, folder),
        absolute=None if file.beside else saved_name(str(file.path)),
    )


def _relative(path: str | Path, folder: Path) -> str:
    return saved_name(os.path.relpath(path, folder))
