"""From a path to everything that a session needs: image, symbols, sources, inputs and lessons, all checked."""

from __future__ import annotations

from pathlib import Path

from idtviz.lab import kernel_file, library, scenario_preparation
from idtviz.lab.image_file import LARGEST_DISK, FileProblem
from idtviz.lab.kernel_file import refused
from idtviz.lab.machine_files import IMAGE, MachineFiles
from idtviz.lab.overrides import NONE, Overrides
from idtviz.lab.prepared import Prepared
from idtviz.lab.problems import printable

__all__ = ["Prepared", "prepare"]

_SCENARIO = ".toml"


def prepare(path: str | Path, overrides: Overrides = NONE, files: MachineFiles | None = None) -> Prepared:
    """Read a scenario, anything that a PC can boot, or a shipped scenario by its name. Raises ScenarioError.

    `files`: what reads them, where one wants to have a say in that.
    """
    files = files or MachineFiles()
    name = str(path)
    found = _find(name)
    if found.suffix == _SCENARIO and not overrides.rom:
        return scenario_preparation.prepare(found, name, overrides, files)
    try:
        raw = files.read(IMAGE, found, printable(name), LARGEST_DISK)
    except FileProblem as problem:
        raise refused(name, str(problem)) from problem
    if not raw:
        raise refused(name, "the file is empty")
    return kernel_file.prepare(found, name, raw, overrides, files)


def _find(name: str) -> Path:
    if not name or "\0" in name:
        raise refused(name, "no file name")
    path = Path(name)
    try:
        if path.is_file():
            return path
        shipped = library.find(name)
        if shipped is not None:
            return shipped
        if path.is_dir():
            raise refused(name, "is a folder; expected a scenario (.toml) or an image")
        if not path.exists():
            raise refused(name, "does not exist, and no scenario that comes with idtviz has this name")
    except OSError as error:
        raise refused(name, f"cannot be opened: {error.strerror}") from error
    return path
