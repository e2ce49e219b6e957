"""What a person sees while the hand-ins are graded, and afterwards."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from idtviz.cli.grades.outcome import Outcome
from idtviz.lab.grading.verdicts import Verdict
from idtviz.lab.problems import printable


class Watching(Protocol):
    """Is told of each verdict as it comes."""

    def __call__(self, verdict: Verdict) -> None: ...


@contextmanager
def progress(total: int) -> Iterator[Watching]:
    """A bar on standard error, where that is a terminal."""
    if not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        yield lambda verdict: None  # noqa: ARG005
        return
    from rich.console import Console  # noqa: PLC0415 -- only a terminal needs it
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    passed = 0
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("grading", total=total)

        def watch(verdict: Verdict) -> None:
            nonlocal passed
            passed += verdict.passed
            bar.update(task, advance=1, description=f"grading, {passed} passed")

        yield watch


def table(outcome: Outcome) -> None:
    """Every verdict, and how many there are of each: a table on a terminal, else plain lines."""
    if sys.stdout.isatty() and os.environ.get("TERM") != "dumb":
        _drawn(outcome)
    else:
        for each in outcome.verdicts:
            shown = f"{each.word.value:14} {each.score:3}  {printable(each.student)}"
            print(f"{shown}  {printable(each.why)}" if each.why else shown)
    print(outcome.summary)


def _drawn(outcome: Outcome) -> None:
    from rich.console import Console  # noqa: PLC0415 -- only a terminal needs it
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    drawn = Table(title=Text(printable(outcome.title)), title_justify="left")
    for name, justify in (("Student", "left"), ("Points", "right"), ("Verdict", "left"), ("Why", "left")):
        drawn.add_column(name, justify=justify, overflow="fold")  # type: ignore[arg-type]
    for each in outcome.verdicts:
        word = Text(each.word.value, style="green" if each.passed else "red")
        drawn.add_row(Text(printable(each.student)), str(each.score), word, Text(printable(each.why)))
    Console().print(drawn)
