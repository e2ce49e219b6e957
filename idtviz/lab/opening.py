"""Opening whatever can be opened as a session: a scenario, an image, or a session that was saved."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from idtviz.lab.overrides import NONE, Overrides
from idtviz.lab.preparation import prepare
from idtviz.lab.prepared_session import PreparedSession
from idtviz.lab.saving import SavedSessionError, Told, restore
from idtviz.lab.saving.text import SUFFIX, is_marked

_S = TypeVar("_S", bound=PreparedSession)


def is_saved(path: str | Path) -> bool:
    """Whether the file is a saved session, by its content; or says so by its suffix."""
    found = Path(path)
    if found.suffix == SUFFIX:
        return True
    try:
        if not found.is_file():
            return False
        with found.open("rb") as file:
            return is_marked(file.read(1024))
    except (OSError, ValueError):
        return False


def open_as(
    make: type[_S],
    path: str | Path,
    overrides: Overrides = NONE,
    *,
    narrated: bool = True,
    told: Told | None = None,
) -> _S:
    """The session on a file, of the class `make`. Raises ScenarioError.

    `told` hears how far the replay of a saved one has come.
    """
    if not is_saved(path):
        return make(prepare(path, overrides), narrated=narrated)
    if overrides != NONE:
        raise SavedSessionError(str(path), "a saved session has its machine; expected no options for that beside it")
    return restore(path, make, narrated=narrated, told=told)
