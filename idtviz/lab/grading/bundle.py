"""A lab as bytes: what is sent to those who grade, and written anew for each hand-in."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from idtviz.lab import scenario_file
from idtviz.lab.grading import grade_file
from idtviz.lab.image_file import LARGEST_DISK, FileProblem, inside, read
from idtviz.lab.problems import Problem, ScenarioError
from idtviz.lab.scenario import Scenario

Files = Mapping[str, bytes]
"""Contents by name; a name may have folders in front: `solutions/handler.S`."""


@dataclass(frozen=True)
class Bundle:
    """`scenario` is the name of the scenario file; it is among `files`, as all are that the lab names."""

    scenario: str
    files: Files

    def write_to(self, folder: Path) -> Path:
        """Write all of it below `folder`; returns where the scenario is."""
        write(self.files, folder)
        return folder / self.scenario

    def handed_out(self, teachers: Collection[str]) -> Bundle:
        """The lab without the files `teachers`, which no hand-in is to get at."""
        return Bundle(self.scenario, {name: raw for name, raw in self.files.items() if name not in teachers})

    @cached_property
    def digest(self) -> str:
        """A hash of the names and contents."""
        return digest(self.files)

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return {"scenario": self.scenario, "files": to_json(self.files)}

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> Self:
        """The other way round."""
        return cls(raw["scenario"], from_json(raw["files"]))


def write(files: Files, folder: Path) -> None:
    """Write files below `folder`, in place of what has their names."""
    for name, raw in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(raw)


def digest(files: Files) -> str:
    """A hash of names and contents."""
    total = hashlib.sha256()
    for name in sorted(files):
        for part in (name.encode("utf-8", "surrogateescape"), files[name]):
            total.update(len(part).to_bytes(8, "little") + part)
    return total.hexdigest()


def to_json(files: Files) -> dict[str, str]:
    """Contents as text."""
    return {name: base64.b64encode(raw).decode() for name, raw in files.items()}


def from_json(raw: Mapping[str, str]) -> dict[str, bytes]:
    """The other way round."""
    return {name: base64.b64decode(text) for name, text in raw.items()}


def bundle(path: Path, name: str) -> Bundle:
    """Read the lab at `path`, called `name` in messages, with all that it and its teacher name. Raises ScenarioError.

    The image itself is left out: it is built.
    """
    scenario, text = scenario_file.load(path, name)
    files = {path.name: text.text.encode()}
    teachers = grade_file.beside(path)
    if teachers.exists():
        files[teachers.name] = _read(path.parent, teachers.name, name)
    wanted = [
        *_named(scenario),
        *grade_file.solution(path, scenario, grade_file.load(teachers, teachers.name)).values(),
    ]
    for each in dict.fromkeys(wanted):
        files[each] = _read(path.parent, each, name)
    return Bundle(path.name, files)


def _read(folder: Path, name: str, lab: str) -> bytes:
    try:
        return read(inside(folder, name), name, LARGEST_DISK)
    except FileProblem as problem:
        raise ScenarioError([Problem(lab, None, str(problem))]) from problem


def _named(scenario: Scenario) -> Iterator[str]:
    image = scenario.image
    yield from image.source
    yield from image.symbols
    if scenario.build is not None and scenario.build.script is not None:
        yield scenario.build.script
    yield from (said.partition(" ")[0] for said in image.modules or ())
    yield from (each for each in (image.initrd, image.disk) if each is not None)
    yield from image.disks or ()
