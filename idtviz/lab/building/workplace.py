"""The folder in which an image is made: copies of the sources, and nothing else of the lab's folder."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from idtviz.lab.building.complaints import BuildError, Complaint
from idtviz.lab.building.limits import Limits
from idtviz.lab.image_file import FileProblem, inside, read

_NAME = re.compile(r"[\w.][\w.+ /-]*")
"""A name that no tool takes for an option, for a list of options, or for two names."""
PATH_LENGTH = 199
"""Of a folder with copies: what an assembler writes about it can be overwritten, and is of the same length anywhere."""


@dataclass(frozen=True, slots=True)
class Workplace:
    """`sources`: where the tools run, with what they may read; `made`: what they write; `scratch`: what they keep.

    `files`: what was copied, by its name in the scenario.
    """

    sources: Path
    made: Path
    scratch: Path
    files: dict[str, bytes]
    limits: Limits

    def room(self) -> Path:
        """A new folder among what is made, so that two sources `part.S` and `part.c` do not meet."""
        folder = self.made / f"{len(os.listdir(self.made))}"  # noqa: PTH208 -- a count
        folder.mkdir()
        return folder

    def named(self, path: str) -> str | None:
        """The scenario's name of the source that a tool calls `path`; None: it is none of them."""
        whole = os.path.normpath(self.sources / path)
        try:
            name = Path(whole).relative_to(self.sources).as_posix()
        except ValueError:
            return None
        return name if name in self.files else None


@contextmanager
def workplace(folder: Path, names: Iterable[str], limits: Limits) -> Iterator[Workplace]:
    """A workplace with copies of the files `names` of `folder`, which is taken away at the end. Raises BuildError."""
    files = _files(folder, list(dict.fromkeys(names)), limits)
    with tempfile.TemporaryDirectory(prefix="idtviz-build-", ignore_cleanup_errors=True) as made:
        root = Path(made).resolve()
        for each in ("made", "scratch"):
            (root / each).mkdir()
        sources = _filled(root, files)
        yield Workplace(sources, root / "made", root / "scratch", files, limits)


def _filled(parent: Path, files: dict[str, bytes]) -> Path:
    folder = parent / "sources".ljust(PATH_LENGTH - len(os.fsencode(parent)) - 1, "-")
    folder.mkdir()
    for name, raw in files.items():
        copy = folder / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(raw)
    return folder


def _files(folder: Path, names: list[str], limits: Limits) -> dict[str, bytes]:
    if len(names) > limits.sources:
        raise BuildError([Complaint("image.source", None, f"{len(names)} files; expected at most {limits.sources}")])
    files: dict[str, bytes] = {}
    problems: list[Complaint] = []
    for name in names:
        if not _NAME.fullmatch(name):
            problems.append(
                Complaint(name, None, "not built from a file of this name; expected letters, digits, . _ + -")
            )
            continue
        try:
            files[PurePosixPath(name).as_posix()] = read(inside(folder, name), name, limits.source)
        except FileProblem as problem:
            problems.append(Complaint(name, None, str(problem)))
    if problems:
        raise BuildError(problems)
    return files
