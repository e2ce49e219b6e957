"""A session on a scenario: the debugger's session, with what the scenario brings along."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Self

from idtviz.checks.finding import Finding
from idtviz.debugger.inputs import Recorded
from idtviz.debugger.moment import Moment
from idtviz.debugger.places import Place
from idtviz.debugger.session import Session
from idtviz.lab.machine_files import Origin
from idtviz.lab.preparation import Prepared
from idtviz.lab.source_files import SourceFiles
from idtviz.lab.teaching.lessons import Lesson


class PreparedSession(Session):
    """A session on a file that has been read: it knows its scenario, sources and lessons."""

    def __init__(self, prepared: Prepared, *, narrated: bool = True) -> None:
        """`narrated`: keep track of when the lessons' places are passed; a run without a reader goes faster without."""
        self._prepared, self._narrated = prepared, narrated
        self.scenario = prepared.scenario
        self.path: Path = prepared.path
        self.boot: str = prepared.boot
        """What the image is: `elf64`, `flat`, `multiboot`..."""
        self.origin: Origin = prepared.origin
        self.saved_as: Path | None = None
        """The file that it was opened from, or saved to last."""
        self.remark = ""
        """What is written down about the session as a whole; it is saved with it."""
        self.lessons: tuple[Lesson, ...] = prepared.lessons if narrated else ()
        self._sources = prepared.sources
        self._source_files = SourceFiles(prepared.folders)
        stations = tuple(lesson.place for lesson in self.lessons)
        super().__init__(replace(prepared.setup, stations=stations))
        self._examination = prepared.examine(self.observations, self.symbols)

    @property
    def findings(self) -> Sequence[Finding]:
        """What the rules have found up to the frontier of the present branch, in the order in which it showed."""
        if self._examination.observations is not self.observations:
            self._examination = self._prepared.examine(self.observations, self.symbols)
        self._examination.go_on()
        return self._examination.findings

    @property
    def given(self) -> tuple[Recorded, ...]:
        """All that was given on the way to the frontier of the present branch, but not by the scenario."""
        return tuple(given for given in self.inputs if given.script is None)

    def anew(self) -> Self:
        """A session on the same machine, at its start, with nothing given yet."""
        return type(self)(self._prepared, narrated=self._narrated)

    def source(self, path: str) -> tuple[str, ...] | None:
        """The lines of a source file, by its path in the debugging information or by its plain name.

        A scenario has the files that it names, by plain name; a bare image those below its folder. No other file is
        read but those in folders that the user has named.
        """
        listed = self._sources.get(PurePosixPath(path).name)
        return self._source_files.lines(path) if listed is None else listed

    def passed(self, place: Place) -> Moment | None:
        """When a lesson's event came, or its instruction was next, for the `occurrence`-th time, up to the frontier."""
        return self._recording.passed(place)
