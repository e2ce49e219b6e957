"""A session on a file: opened by its path, saved into a file of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from idtviz.debugger.inputs import Recorded
from idtviz.lab import opening
from idtviz.lab.overrides import NONE, Overrides
from idtviz.lab.prepared_session import PreparedSession
from idtviz.lab.saving import SavedSessionError, Told, save


class LabSession(PreparedSession):
    """What `idtviz.Session` is."""

    @classmethod
    def open(
        cls, path: str | Path, overrides: Overrides = NONE, *, narrated: bool = True, told: Told | None = None
    ) -> Self:
        """Open a scenario (`.toml`), anything that a PC can boot, an object file with a handler, a scenario that comes
        with idtviz, by its name, or a session that was saved (`.idtviz`), which is replayed; `told` hears how far that
        has come.

        Raises ScenarioError, which lists everything that is wrong with the file.
        """
        return opening.open_as(cls, path, overrides, narrated=narrated, told=told)

    @classmethod
    def open_run(
        cls, path: str | Path, overrides: Overrides = NONE, *, told: Told | None = None
    ) -> tuple[Self, tuple[Recorded, ...]]:
        """The session on a file, at its start, and what is to be given on its way; see `run`. Raises ScenarioError."""
        session = cls.open(path, overrides, narrated=False, told=told)
        return (session, ()) if session.saved_as is None else (session.anew(), session.given)

    def save(self, path: str | Path | None = None) -> Path:
        """Put the session into a file, whole or not at all: by default into the one that it came from. Returns which.

        Raises SavedSessionError, a ScenarioError, where that cannot be.
        """
        if path is None and self.saved_as is None:
            raise SavedSessionError(self.path.name, "has not been saved yet: under what name?")
        return save(self, path or self.saved_as or "")
