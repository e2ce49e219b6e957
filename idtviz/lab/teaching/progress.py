"""How far a student has come: which questions were answered and which labs work, kept in a file of the user's."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from idtviz.lab.premises import premises
from idtviz.lab.saving import atomic

_LARGEST = 4 << 20  # bytes
_MOST = 5000  # scenarios


class _Kept(BaseModel):
    """What is kept of one scenario."""

    model_config = ConfigDict(extra="ignore", strict=True)

    answered: dict[str, str] = Field(default={}, max_length=10_000)
    of: int = Field(default=0, ge=0)
    done: bool = False


@dataclass(slots=True)
class Progress:
    """One scenario's: by question (`Lesson.key`) what was answered; out of how many; whether its task is done."""

    scenario: str
    """What the scenario is called where progress is kept: a shipped one by its name, another by its whole path.

    Empty: nothing of it is kept.
    """
    answered: dict[str, str] = field(default_factory=dict)
    of: int = 0
    done: bool = False

    def __str__(self) -> str:
        """`✓`, `2/5`, or nothing where nothing has been done."""
        if self.done:
            return "✓"
        return f"{len(self.answered)}/{self.of}" if self.answered else ""

    def save(self) -> None:
        """Keep it. What cannot be written is forgotten: a lesson goes on without."""
        if not self.scenario:
            return
        with suppress(OSError), _alone() as path:
            known = _read(path)
            known.pop(self.scenario, None)
            kept = {"answered": self.answered, "of": self.of, "done": self.done}
            found = {**_latest(known, _LARGEST - _size(kept)), self.scenario: kept}
            raw = json.dumps({"schema": 1, "scenarios": found}, indent=1).encode() + b"\n"
            if len(raw) <= _LARGEST:
                atomic.write(path, raw)


def progress(scenario: str) -> Progress:
    """What is known of a scenario."""
    return _of(scenario, _read(_path()).get(scenario))


def all_progress() -> dict[str, Progress]:
    """What is known of every scenario that was worked on, by its name or path."""
    return {name: _of(name, kept) for name, kept in _read(_path()).items()}


def _of(scenario: str, kept: Any) -> Progress:
    try:
        found = _Kept.model_validate(kept if kept is not None else {})
    except ValidationError:
        return Progress(scenario)
    return Progress(scenario, dict(found.answered), found.of, found.done)


def _path() -> Path:
    return premises().data / "progress.json"


@contextmanager
def _alone() -> Iterator[Path]:
    """The path of the file, with no other process writing to it."""
    path = _path()
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_suffix(".lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield path


def _latest(known: dict[str, Any], room: int) -> dict[str, Any]:
    """What was kept last of other scenarios, as far as there is room: a file that is too large would not be read."""
    found: list[tuple[str, Any]] = []
    for name, kept in reversed(known.items()):
        room -= _size({name: kept})
        if room < 0 or len(found) == _MOST:
            break
        found.append((name, kept))
    return dict(reversed(found))


def _size(kept: Any) -> int:
    """Bytes that it takes in the file, and a few more: it stands further to the right there."""
    return len(text := json.dumps(kept, indent=1)) + 2 * text.count("\n") + 100


def _read(path: Path) -> dict[str, Any]:
    """What the file holds; nothing where it is missing or damaged."""
    try:
        with path.open("rb") as file:
            found = json.loads(file.read(_LARGEST))
    except (OSError, ValueError, RecursionError):
        return {}
    scenarios = found.get("scenarios") if isinstance(found, dict) else None
    return scenarios if isinstance(scenarios, dict) else {}
