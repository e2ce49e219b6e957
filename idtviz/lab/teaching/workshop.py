"""Where a student works at a lab: a copy of their own, its parts to write, and the machine anew of what was written."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from idtviz.debugger.places import PlaceKind
from idtviz.lab import image_file, library
from idtviz.lab.copies import copy
from idtviz.lab.image_file import FileProblem
from idtviz.lab.premises import premises
from idtviz.lab.problems import Problem, ScenarioError
from idtviz.lab.reaching import HANGS
from idtviz.lab.scenario_file import load
from idtviz.lab.session import LabSession
from idtviz.lab.teaching.narration import passed_lessons, reached

LARGEST_PART = 1 << 20
"""Bytes of the largest file that is written in the debugger."""
_LABS = "labs"


class NotBuiltError(Exception):
    """A part that cannot be made into a machine: one line for each complaint."""


def name_of(path: Path) -> str:
    """What progress in a scenario is kept under: a shipped one's name, in a copy of it too; else the whole path."""
    whole = path.resolve()
    for home in (library.folder(), premises().data / _LABS):
        if whole.is_relative_to(home.resolve()):
            return whole.relative_to(home.resolve()).with_suffix("").as_posix()
    return str(whole)


def at_work(path: Path) -> Path:
    """Where a student works at the scenario: in a copy of a shipped one that has parts to write; else where it is.

    What was written into the copy stays; the rest of it follows what idtviz ships. Raises ScenarioError.
    """
    home = library.folder().resolve()
    if not path.resolve().is_relative_to(home):
        return path
    scenario, _ = load(path, path.name)
    if not scenario.todo:
        return path
    relative = path.resolve().relative_to(home)
    return copy(path, premises().data / _LABS / relative.parent, keep=(*scenario.todo, scenario.files[0]))


class Workshop:
    """The parts of a session's scenario that are to be written, and what has become of them since one last looked."""

    def __init__(self, session: LabSession) -> None:
        self.parts: tuple[Path, ...] = tuple(session.path.parent / name for name in session.scenario.todo)
        image = session.path.parent / session.scenario.files[0] if self.parts else None
        self.is_behind = image is not None and any(_stamp(part)[0] > _stamp(image)[0] for part in self.parts)
        """Whether a part was written after the image was made of it."""
        self._seen = self._signature()

    def has_changed(self) -> bool:
        """Whether a part is another file than when this was asked last."""
        before, self._seen = self._seen, self._signature()
        return self._seen != before

    def _signature(self) -> Sequence[tuple[int, int]]:
        return [_stamp(part) for part in self.parts]


def rebuilt(session: LabSession) -> tuple[LabSession, str]:
    """The image made anew of what has been written, and a session on it at the same moment, or back at the task; and
    what was done.

    Raises NotBuiltError; then everything is as it was.
    """
    from idtviz.lab.building import BuildError, build  # noqa: PLC0415 -- the debugger's first picture does not wait

    try:
        built = build(session.path, trusted=premises().trusted)
        found = LabSession.open(session.path)
    except (BuildError, ScenarioError) as error:
        raise NotBuiltError(str(error)) from error
    back = retrace(found, session)
    where = f"now at {found.moment}{', at the task' if back else ''}"
    if found.moment == session.moment:
        where = "at the same place"
    return found, f"{', '.join(session.scenario.todo)}: built with {', '.join(built.tools)}; {where}"


def retrace(session: LabSession, old: LabSession) -> bool:
    """Bring `session`, whose code may be another, to where `old` is: to the place of a lesson, or the count.

    Where the old one had come to its end, or got no further, it is brought to the last task instead, and that is the
    answer. What was given to the old one on its way is given again. A run that ends before is left at its end.
    """
    here, back = old.moment, False
    lessons = [lesson for lesson in old.lessons if lesson.place.kind is not PlaceKind.END]
    place = next((lesson.place.text for lesson in lessons if reached(lesson, old) == here), None)
    over = old.machine.stuck or old.idle or any(finding.rule in HANGS for finding in old.findings)
    tasks = [(at, lesson) for at, lesson in passed_lessons(old) if lesson.is_task and lesson in lessons]
    if place is None and over and tasks:
        here, place, back = tasks[-1][0], tasks[-1][1].place.text, True
    for given in old.given:
        if given.moment <= here:
            session.seek(given.moment)
            session.give(given.input)
    session.seek(place if place is not None else here)
    return back


def read_part(path: Path) -> str:
    """The text of a part, for an editor. Raises ScenarioError where it cannot be read, or is no text."""
    try:
        return image_file.read(path, path.name, LARGEST_PART).decode()
    except FileProblem as problem:
        raise _unreadable(path, str(problem)) from problem
    except UnicodeDecodeError as error:
        raise _unreadable(path, "the file is not UTF-8 text") from error


def _unreadable(path: Path, why: str) -> ScenarioError:
    return ScenarioError([Problem(path.name, None, why)])


def _stamp(path: Path) -> tuple[int, int]:
    """When the file was changed last, in nanoseconds, and its size; before all others where there is none."""
    try:
        found = os.stat(path)  # noqa: PTH116 -- asked often
    except OSError:
        return -1, -1
    return found.st_mtime_ns, found.st_size
