"""The commands about the session as a whole: put it into a file, write something down about this moment."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from idtviz.debugger.session import Session
from idtviz.lab.premises import premises
from idtviz.lab.problems import ScenarioError
from idtviz.lab.session import LabSession
from idtviz.tui.problem import CommandError

WORDS = ("save", "note")


def command(word: str, rest: str, session: Session) -> Callable[[], str] | None:
    """What a command line about the session does; None if it is about something else. Raises CommandError."""
    if word == "note":
        return lambda: _note(rest, session)
    if word != "save":
        return None
    if not premises().trusted:
        raise CommandError("a visitor's session is not saved: what is in this machine goes with it")
    if not isinstance(session, LabSession):
        raise CommandError("this session was not opened from a file: there is nothing that it could be opened from")
    if not rest and session.saved_as is None:
        raise CommandError("save it under what name? save FILE writes FILE.idtviz; from then on save alone will do")
    return lambda: _save(session, rest)


def _note(text: str, session: Session) -> str:
    session.note(text)
    return f"noted at {session.moment}: {text}" if text else f"nothing is noted at {session.moment} any more"


def _save(session: LabSession, name: str) -> str:
    try:
        path = session.save(Path(name).expanduser() if name else None)
    except ScenarioError as error:
        raise CommandError(str(error)) from error
    except RuntimeError as error:  # no home of that name
        raise CommandError(f"{name}: {error}") from error
    count = len(session.branches)
    runs = "one run" if count == 1 else f"{count} runs"
    return f"saved: {path} ({runs}, at {session.moment}); idtviz run opens it again"
