"""`idtviz grade`: what a class has handed in, against what a lab expects."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer

from idtviz.cli.grades import as_csv, as_html, as_json, as_junit
from idtviz.cli.grades.outcome import Outcome
from idtviz.cli.grades.showing import progress, table
from idtviz.cli.problems import FAILED, complain, refuse
from idtviz.lab import library
from idtviz.lab.grading import cluster
from idtviz.lab.grading.bundle import Bundle, bundle
from idtviz.lab.grading.cluster import ClusterError
from idtviz.lab.grading.grader import GraderError
from idtviz.lab.grading.journal import Journal, JournalError
from idtviz.lab.grading.plan import Plan, plan
from idtviz.lab.grading.pool import cores, grade_here
from idtviz.lab.grading.submissions import Submission, read_all
from idtviz.lab.grading.verdicts import Verdict
from idtviz.lab.problems import Problem, ScenarioError, printable

PROCESS = "idtviz.cli.grades.process"
"""The module that a process for grading runs."""
INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class _Reports:
    """Where the outcome goes, beside the terminal."""

    csv: Path | None
    json: Path | None
    junit: Path | None
    folder: Path | None

    def check(self, submissions: Path, journal: Path | None) -> None:
        """Refuse what cannot be written, before hours are spent on it, and what would be lost or graded."""
        files = [path for path in (self.csv, self.json, self.junit, journal) if path is not None]
        whole = [os.path.realpath(path) for path in files]
        twice = [path for path, real in zip(files, whole, strict=True) if whole.count(real) > 1]
        if twice:
            refuse(f"{twice[0]}: is to hold two things; expected a file for each")
        home = os.path.realpath(submissions)
        for path in (*files, *(() if self.folder is None else (self.folder,))):
            if Path(os.path.realpath(path)).is_relative_to(home):
                refuse(f"{path}: lies among the hand-ins, and would be one; expected a place outside of {submissions}")
        for path in (self.csv, self.json, self.junit):
            if path is None:
                continue
            if not os.path.isdir(path.parent):  # noqa: PTH112 -- of any path that one can name
                refuse(f"{path}: the folder {str(path.parent)!r} does not exist")
            if os.path.isdir(path):  # noqa: PTH112
                refuse(f"{path}: is a folder; expected the name of a file")
            if not any(os.access(each, os.W_OK) for each in (path, path.parent)):
                refuse(f"{path}: cannot be written: permission denied")
        if self.folder is not None:
            try:
                self.folder.mkdir(exist_ok=True)
            except OSError as error:
                refuse(f"{self.folder}: cannot be made: {error.strerror}")

    def write(self, outcome: Outcome) -> None:
        """Write what was asked for, but the pages of students."""
        files: list[tuple[Path | None, Callable[[], bytes]]] = [
            (self.csv, lambda: as_csv.report(outcome).encode()),
            (self.json, lambda: as_json.report(outcome).encode()),
            (self.junit, lambda: as_junit.report(outcome)),
            (self.folder and self.folder / as_html.INDEX, lambda: as_html.index(outcome).encode()),
        ]
        for path, report in files:
            if path is not None:
                _write(path, report())

    def write_page(self, title: str, verdict: Verdict) -> None:
        """Write the page of a student; not to be kept until the end, they are large."""
        if self.folder is not None:
            name, text = as_html.page(title, verdict)
            _write(self.folder / name, text.encode())

    def has_page(self, student: str) -> bool:
        """Whether there is one already, if there is to be one."""
        return self.folder is None or (self.folder / as_html.file_of(student)).is_file()


def _write(path: Path, raw: bytes) -> None:
    try:
        path.write_bytes(raw)
    except OSError as error:
        refuse(f"{path}: cannot be written: {error.strerror}")


def command(
    lab: Annotated[str, typer.Argument(metavar="LAB", help="A scenario with a file to write (todo), or its name.")],
    submissions: Annotated[
        Path, typer.Argument(metavar="SUBMISSIONS", help="A folder: each entry is a student, a folder or a file.")
    ],
    csv: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the verdicts for a spreadsheet.")] = None,
    json: Annotated[Path | None, typer.Option(metavar="FILE", help="Write them with every check, as JSON.")] = None,
    junit: Annotated[Path | None, typer.Option(metavar="FILE", help="Write them as JUnit XML.")] = None,
    reports: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Write a page for each student, with a picture.")
    ] = None,
    journal: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Keep each verdict as it comes; what is in there is not graded again."),
    ] = None,
    jobs: Annotated[
        int | None, typer.Option(min=1, max=1024, metavar="N", help="Processes at once; as many as cores, if not said.")
    ] = None,
    dask: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Grade on the Dask cluster of this scheduler.")
    ] = None,
) -> None:
    """Grade everything in SUBMISSIONS against what LAB expects, each in a process of its own, with limits.

    Beside LAB.toml, LAB.grade.toml can hold hidden cases, limits and points. Exit code 0: all passed.
    """
    wanted = _Reports(csv, json, junit, reports)
    wanted.check(submissions, journal)
    if dask is not None and jobs is not None:
        refuse("--jobs and --dask: expected one of the two; a cluster has workers of its own")
    path = _path(lab)
    try:
        todo, packed = plan(path, lab), bundle(path, lab)
        found = read_all(submissions, todo.todo, packed.files)
        kept = None if journal is None else Journal(journal, packed)
    except (ScenarioError, JournalError) as error:
        refuse(error if isinstance(error, ScenarioError) else str(error))
    for name in found.skipped:
        complain(f"{printable(name)}: skipped: a hidden file is no hand-in")
    verdicts: list[Verdict] = []
    interrupted = False
    try:
        course = _Course(todo, packed, found.submissions, jobs or cores(), dask, wanted)
        _grade(course, kept, verdicts)
    except _BrokenError as error:
        refuse(f"{lab}: {error}")
    except (GraderError, ClusterError, JournalError) as error:
        refuse(str(error))
    except KeyboardInterrupt:
        interrupted = True
    outcome = Outcome.of(path.name, todo.title, verdicts, len(found.submissions))
    table(outcome)
    wanted.write(outcome)
    if interrupted:
        raise typer.Exit(INTERRUPTED)
    if not all(verdict.passed for verdict in verdicts):
        raise typer.Exit(FAILED)


def _path(lab: str) -> Path:
    path = Path(lab)
    found = path if os.path.isfile(path) else library.find(lab)  # noqa: PTH113 -- of any path that one can name
    if found is None:
        message = "does not exist, and no scenario that comes with idtviz has this name"
        refuse(ScenarioError([Problem(lab, None, message)]))
    if found.suffix != ".toml":
        refuse(ScenarioError([Problem(lab, None, "is no scenario (.toml): nothing in it is to be written")]))
    return found


class _BrokenError(Exception):
    """A lab that its own solution does not pass; nobody is to pay for that."""

    def __init__(self, found: Verdict) -> None:
        super().__init__(f"its own solution does not pass, so nobody is graded ({found.word.value}): {found.why}")


_SOLUTION = ""
"""The teacher's name: no file is called so."""


@dataclass(frozen=True, slots=True)
class _Course:
    """What is to be graded, by whom, and what comes of it."""

    todo: Plan
    lab: Bundle
    handed_in: Sequence[Submission]
    jobs: int
    dask: str | None
    reports: _Reports

    @property
    def solution(self) -> tuple[Submission, ...]:
        """The teacher's own hand-in, if there is one."""
        folder = self.todo.path.parent
        names = {name: path.relative_to(folder).as_posix() for name, path in self.todo.solution.items()}
        files = {name: self.lab.files[path] for name, path in names.items()}
        return (Submission(_SOLUTION, files),) if files else ()

    def verdicts(self, submissions: Sequence[Submission]) -> Iterator[Verdict]:
        """Each as it comes."""
        pictures = self.reports.folder is not None
        if self.dask is not None:
            return cluster.grade_there(self.dask, PROCESS, self.lab, submissions, pictures=pictures, told=complain)
        command = cluster.command(PROCESS)
        return grade_here(command, self.lab, submissions, jobs=self.jobs, pictures=pictures)


def _grade(course: _Course, journal: Journal | None, verdicts: list[Verdict]) -> None:
    """Put each verdict into `verdicts` as it comes, and none before the solution has passed."""
    known = {} if journal is None else journal.known(course.handed_in)
    known = {student: verdict for student, verdict in known.items() if course.reports.has_page(student)}
    left = {each.student: each for each in course.handed_in if each.student not in known}
    solution = course.solution
    held: list[Verdict] | None = [] if solution else None
    with progress(len(course.handed_in)) as watch:

        def take(verdict: Verdict) -> None:
            course.reports.write_page(course.todo.title, verdict)
            verdicts.append(replace(verdict, picture=None))
            if journal is not None:
                journal.keep(left[verdict.student], verdict)
            watch(verdict)

        for verdict in known.values():
            verdicts.append(verdict)
            watch(verdict)
        with closing(course.verdicts([*solution, *left.values()])) as coming:  # type: ignore[type-var]
            for verdict in coming:
                if verdict.student != _SOLUTION:
                    take(verdict) if held is None else held.append(verdict)
                    continue
                if not verdict.passed:
                    raise _BrokenError(verdict)
                for each in held or ():
                    take(each)
                held = None
