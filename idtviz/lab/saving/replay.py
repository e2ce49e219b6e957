"""From a saved session to a session: every branch is run again, and every digest compared."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from idtviz.debugger.breakpoint_text import parse_breakpoint
from idtviz.debugger.breakpoints import Listed
from idtviz.debugger.inputs import Input
from idtviz.debugger.moment import Moment
from idtviz.debugger.recording import Note
from idtviz.debugger.session import SessionError
from idtviz.debugger.stops import Reason
from idtviz.lab.preparation import prepare
from idtviz.lab.prepared_session import PreparedSession
from idtviz.lab.problems import printable
from idtviz.lab.saving.document import Document, SavedBranch, moment_of, name_of, overrides_of
from idtviz.lab.saving.finding import SavedFiles, folders_of
from idtviz.lab.saving.given import input_of
from idtviz.lab.saving.problem import SavedSessionError
from idtviz.lab.saving.text import load

Told = Callable[[int, int, int], None]
"""Told how far a replay has come: the branch, the instructions done, and how many it has."""

_S = TypeVar("_S", bound=PreparedSession)
_SLICE = 500_000  # instructions between two reports


def restore(path: str | Path, make: type[_S], *, narrated: bool = True, told: Told | None = None) -> _S:
    """The session that was saved in the file `path`, where it stood. Raises SavedSessionError or ScenarioError."""
    name = str(path)
    document = load(Path(path), name)
    file = Path(os.path.realpath(path))
    files = SavedFiles(document.opened, file.parent, name)
    try:
        given = name_of(document.opened.given)
        overrides = overrides_of(document.opened.said, folders_of(document.opened, file.parent))
    except ValueError as error:
        raise SavedSessionError(name, f"opened: {error}") from error
    prepared = prepare(files.find_first(), overrides, files)
    session = make(prepared, narrated=narrated)
    session.origin = files.origin(given, overrides)
    _Replay(session, document, name, told or _nobody).go()
    session.saved_as = file
    session.remark = document.note
    return session


class _Replay:
    def __init__(self, session: PreparedSession, document: Document, name: str, told: Told) -> None:
        self._session = session
        self._document = document
        self._name = name
        self._told = told
        self._frontier = 0
        """Of the branch that is being replayed: its last instruction."""
        self._number = 0

    def go(self) -> None:
        """Everything, in the order in which it can be done; breakpoints last, so that they stop nothing."""
        session, document = self._session, self._document
        for branch in document.branches:
            self._replay(branch)
        present = document.present
        self._at_work(present.branch, moment_of(present.at))
        session.switch(present.branch)
        self._seek(moment_of(present.at))
        self._compare(present.branch, present.digest)
        for branch in document.branches:
            self._note(branch)
        self._set_breakpoints()

    def _replay(self, branch: SavedBranch) -> None:
        session, fork = self._session, moment_of(branch.fork)
        self._at_work(branch.number, moment_of(branch.frontier))
        given = [(moment_of(str(entry["at"])), input_of(entry)) for entry in branch.inputs]
        if branch.parent is not None:
            session.switch(branch.parent)
            self._seek(fork)
            first = [each for at, each in given if at == fork]
            self._give(lambda: session.begin_branch(branch.number, branch.shared, first), first[0])
            given = given[len(first) :]
        for at, each in given:
            self._seek(at)
            self._give(lambda each=each: session.give(each), each)  # type: ignore[misc]
        self._seek(moment_of(branch.frontier))
        self._compare(branch.number, branch.digest)

    def _at_work(self, number: int, frontier: Moment) -> None:
        self._number, self._frontier = number, frontier.instruction
        self._tell()

    def _tell(self) -> None:
        self._told(self._number, min(self._session.moment.instruction, self._frontier), self._frontier)

    def _seek(self, target: Moment) -> None:
        """Be there, by small stages. Raises SavedSessionError where the run does not get there."""
        session = self._session
        while session.moment != target:
            before = session.moment
            stage = Moment(before.instruction + _SLICE)
            session.seek(min(stage, target) if target > before else target)
            if session.stop.reason is Reason.ENDLESS_FAULT and session.moment < target:
                session.micro_step()
            if session.moment == before:
                raise self._refused(f"came to its end at {before}, and had come to {target}: {session.stop.text}")
            self._tell()

    def _give(self, give: Callable[[], None], given: Input) -> None:
        try:
            give()
        except (SessionError, ValueError, LookupError, TypeError, OverflowError) as error:
            raise self._refused(f"cannot be given {given} at {self._session.moment}: {error}") from error
        if self._session.branch.number != self._number:
            raise self._refused(f"has run on beyond {self._session.moment}, where it was given {given}")

    def _compare(self, number: int, digest: str) -> None:
        session = self._session
        found = session.digest()
        if found != digest:
            raise SavedSessionError(
                self._name,
                f"the replay of branch {number} came to another state at {session.moment}: its digest is "
                f"{found[:12]}…, expected {digest[:12]}…. It was saved by idtviz {printable(self._document.idtviz)}",
            )

    def _refused(self, what: str) -> SavedSessionError:
        return SavedSessionError(self._name, f"the replay of branch {self._number} {what}")

    def _note(self, branch: SavedBranch) -> None:
        recording = next(each.recording for each in self._session.branches if each.number == branch.number)
        recording.notes = [Note(moment_of(note.at), note.text) for note in branch.notes]

    def _set_breakpoints(self) -> None:
        session, saved = self._session, self._document.breakpoints
        listed = []
        for entry in saved.listed:
            try:
                item = parse_breakpoint(entry.text, session.symbols)
            except ValueError as error:
                raise SavedSessionError(self._name, f"breakpoint {entry.number}: {error}") from error
            listed.append(Listed(entry.number, item, entry.enabled, entry.hits))
        session.breakpoints.put_back(listed, saved.last)


def _nobody(_number: int, _done: int, _of: int) -> None:
    """Nobody wants to know."""
