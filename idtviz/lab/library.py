"""The scenarios that come with idtviz."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from idtviz.lab.problems import ScenarioError
from idtviz.lab.scenario_file import load

_BUGS, _COURSE = "bugs", "course"
_PACKAGE = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Shipped:
    """A scenario that comes with idtviz: `name` opens it anywhere."""

    name: str
    title: str
    summary: str
    path: Path


def folder() -> Path:
    """Where the scenarios lie: inside an installed package, beside it in a working copy."""
    inside = _PACKAGE / "scenarios"
    return inside if inside.is_dir() else _PACKAGE.parent / "scenarios"


def shipped() -> tuple[Shipped, ...]:
    """Those that show how things work, by name. One that cannot be read is left out."""
    return tuple(_readable(folder(), ""))


def bugs() -> tuple[Shipped, ...]:
    """Kernels that are wrong in one way each, and behind each the same kernel without the bug: `bugs/NAME_fixed`."""
    return tuple(_readable(folder() / _BUGS, f"{_BUGS}/"))


def course() -> tuple[Shipped, ...]:
    """The lessons of the course, in their order."""
    return tuple(_readable(folder() / _COURSE, f"{_COURSE}/"))


def _readable(where: Path, prefix: str) -> Iterator[Shipped]:
    for path in sorted(where.glob("*.toml"), key=lambda path: path.stem):
        try:
            scenario, _ = load(path, path.name)
        except ScenarioError:
            continue
        yield Shipped(prefix + path.stem, scenario.title, scenario.summary, path)


def find(name: str) -> Path | None:
    """The file of the scenario called `name`."""
    where, _, plain = name.rpartition("/")
    if where not in ("", _BUGS, _COURSE) or not plain.replace("_", "").replace("-", "").isalnum():
        return None
    path = folder() / f"{name}.toml"
    return path if os.path.isfile(path) else None  # noqa: PTH113 -- a name that is too long is none
