"""The one way in which a command says that it cannot go on, and the exit codes."""

from __future__ import annotations

from typing import NoReturn

import typer

from idtviz.lab.problems import ScenarioError, printable

FAILED = 1
"""It ran, and something expected did not hold."""
REFUSED = 2
"""The input or the usage was wrong."""


def complain(error: ScenarioError | str) -> None:
    """Say what is wrong on stderr, one line for each problem: `idtviz: FILE:LINE: message`."""
    lines = [str(problem) for problem in error.problems] if isinstance(error, ScenarioError) else [printable(error)]
    for line in lines:
        typer.echo(f"idtviz: {line}", err=True)


def refuse(error: ScenarioError | str) -> NoReturn:
    """Complain, and end with exit code 2."""
    complain(error)
    raise typer.Exit(REFUSED)
