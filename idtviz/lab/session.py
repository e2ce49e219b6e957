"""A session on a scenario: the debugger's session, with what the scenario brings along."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Self

from idtviz.debugger.inputs import Input
from idtviz.debugger.moment import Moment
from idtviz.debugger.places import Place, PlaceKind
from idtviz.debugger.session import Session
from idtviz.lab.lessons import Lesson
from idtviz.lab.preparation import Prepared, prepare
from idtviz.lab.source_files import SourceFiles


class LabSession(Session):
    """A session that was opened from a file: it knows its scenario, sources and lessons."""

    def __init__(self, prepared: Prepared, *, narrated: bool = True) -> None:
        """`narrated`: keep track of when the lessons' places are passed; a run without a reader goes faster without."""
        self.scenario = prepared.scenario
        self.path: Path = prepared.path
        self.boot: str = prepared.boot
        """What the image is: `elf64`, `flat`, `multiboot`..."""
        self.lessons: tuple[Lesson, ...] = prepared.lessons if narrated else ()
        self._sources = prepared.sources
        self._source_files = SourceFiles(prepared.folders)
        places = [lesson.place for lesson in self.lessons if lesson.place.kind is PlaceKind.ADDRESS]
        self._passes: dict[int, list[Moment]] = {place.value: [] for place in places}
        self._needed = {
            address: max(place.occurrence for place in places if place.value == address) for address in self._passes
        }
        super().__init__(prepared.setup)
        self._scripted = frozenset(self._watched)
        self._watch()

    @classmethod
    def open(cls, path: str | Path, *, narrated: bool = True) -> Self:
        """Open a scenario (`.toml`), anything that a PC can boot, or a scenario that comes with idtviz, by its name.

        Raises ScenarioError, which lists everything that is wrong with the file.
        """
        return cls(prepare(path), narrated=narrated)

    def source(self, path: str) -> tuple[str, ...] | None:
        """The lines of a source file, by its path in the debugging information or by its plain name.

        A scenario has the files that it names, by plain name; a bare image those below its folder. No other file is
        read but those in folders that the user has named.
        """
        listed = self._sources.get(PurePosixPath(path).name)
        return self._source_files.lines(path) if listed is None else listed

    def passed(self, place: Place) -> Moment | None:
        """When the instruction at a lesson's address was next for the `occurrence`-th time, up to the frontier."""
        passes = self._passes.get(place.value, [])
        return passes[place.occurrence - 1] if len(passes) >= place.occurrence else None

    def give(self, given: Input) -> None:
        """Apply an input now; what lay ahead is forgotten, the passing of lessons too."""
        super().give(given)
        for passes in self._passes.values():
            passes[:] = [at for at in passes if at <= self.moment]
        self._watch()

    def _discover(self, at: Moment) -> None:
        machine = self.machine
        if machine.activity is None and not machine.halted:
            passes = self._passes.get(machine.cpu.linear_rip)
            if passes is not None and len(passes) < self._needed[machine.cpu.linear_rip]:
                passes.append(at)
                if len(passes) == self._needed[machine.cpu.linear_rip] and at > Moment(0):
                    self._watch()
        super()._discover(at)

    def _watch(self) -> None:
        """Have runs halt at the addresses of lessons that are still to be passed."""
        waiting = {address for address, passes in self._passes.items() if len(passes) < self._needed[address]}
        self._watched = set(self._scripted) | waiting
