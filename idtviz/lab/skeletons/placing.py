"""A folder with a scenario in it: all of it, or nothing, and never over something that is there."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from idtviz.lab import copies
from idtviz.lab.problems import Problem, ScenarioError
from idtviz.lab.skeletons import SCENARIO_SCHEMA, schema_file

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", re.ASCII)
_SCHEMA_LINE = f"#:schema ./{SCENARIO_SCHEMA}\n".encode()


class NotPlacedError(Exception):
    """No folder has been made; the message says why."""


def is_name(name: str) -> bool:
    """Whether a scenario and its folder can be called so."""
    return _NAME.fullmatch(name) is not None


def place(parent: Path, name: str, files: Mapping[str, bytes]) -> Path:
    """Make the folder `name` in `parent`, with `files` by their paths in it; returns the scenario in it.

    Raises NotPlacedError.
    """

    def write(folder: Path) -> None:
        for path, raw in files.items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(raw)

    return _made(parent, name, write) / f"{name}.toml"


def place_copy(parent: Path, name: str, scenario: Path) -> Path:
    """The same with a copy of `scenario` and of all files that it names; nothing of the teacher's is among them.

    Raises NotPlacedError, and ScenarioError where the scenario cannot be read.
    """

    def write(folder: Path) -> None:
        copied = copies.copy(scenario, folder)
        raw = copied.read_bytes()
        copied.unlink()
        text = folder / f"{name}.toml"
        schema = folder / SCENARIO_SCHEMA
        for each in (text, schema):
            if each.exists():
                raise ScenarioError([Problem(scenario.name, None, f"names a file {each.name!r}, which is made anew")])
        text.write_bytes(raw if raw.startswith(b"#:schema ") else _SCHEMA_LINE + raw)
        schema.write_bytes(schema_file())

    return _made(parent, name, write) / f"{name}.toml"


def _made(parent: Path, name: str, write: Callable[[Path], None]) -> Path:
    """The folder, written beside its place and then moved there as a whole."""
    folder = parent / name
    if os.path.lexists(folder):
        raise NotPlacedError(f"{name!r} is there already; nothing is written over")
    try:
        beside = Path(tempfile.mkdtemp(dir=parent, prefix=".idtviz-new-"))
    except OSError as error:
        raise NotPlacedError(f"{name!r} cannot be made: {error.strerror}") from error
    try:
        write(beside)
        umask = os.umask(0)
        os.umask(umask)
        beside.chmod(0o777 & ~umask)
        if os.path.lexists(folder):
            raise NotPlacedError(f"{name!r} is there already; nothing is written over")
        beside.rename(folder)
    except OSError as error:
        raise NotPlacedError(f"{name!r} cannot be made: {error.strerror}") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return folder
