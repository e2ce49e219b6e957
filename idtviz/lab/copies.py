"""A copy of a scenario with all the files that it names, in a folder of its own."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from idtviz.lab import image_file, scenario_file
from idtviz.lab.image_file import LARGEST_DISK, FileProblem
from idtviz.lab.machine_files import MachineFiles
from idtviz.lab.problems import Problem, ScenarioError
from idtviz.lab.saving import atomic


def copy(path: Path, folder: Path, keep: Collection[str] = ()) -> Path:
    """Copy the scenario at `path` and the files that it names into `folder`, which is made; returns the copy.

    A file of `keep` that is in `folder` already stays as it is: it may be what someone has been writing. Raises
    ScenarioError, with every file that cannot be had or put there.
    """
    files = MachineFiles()
    scenario, _ = scenario_file.load(path, path.name, files)
    problems: list[Problem] = []
    for name in (*reversed(scenario.files), path.name):  # the image is not older than what it was made of
        try:
            raw = image_file.read(image_file.inside(path.parent, name), name, LARGEST_DISK)
            _put(folder, name, raw, keep=name in keep)
        except FileProblem as problem:
            problems.append(Problem(path.name, None, str(problem)))
        except OSError as error:
            problems.append(Problem(str(folder / name), None, f"cannot be written: {error.strerror}"))
    if problems:
        raise ScenarioError(problems)
    return folder / path.name


def _put(folder: Path, name: str, raw: bytes, *, keep: bool) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    target = image_file.inside(folder, name)
    if not target.exists() or not (keep or target.read_bytes() == raw):
        atomic.write(target, raw)
