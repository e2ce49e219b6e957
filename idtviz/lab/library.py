"""The scenarios that come with idtviz."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from idtviz.lab.problems import ScenarioError
from idtviz.lab.scenario_file import load

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
    """All of them, by name. One that cannot be read is left out."""
    found = []
    for path in sorted(folder().glob("*.toml")):
        try:
            scenario, _ = load(path, path.name)
        except ScenarioError:
            continue
        found.append(Shipped(path.stem, scenario.title, scenario.summary, path))
    return tuple(found)


def find(name: str) -> Path | None:
    """The file of the scenario called `name`."""
    if not name or not name.replace("_", "").replace("-", "").isalnum():
        return None
    path = folder() / f"{name}.toml"
    return path if os.path.isfile(path) else None  # noqa: PTH113 -- a name that is too long is none
