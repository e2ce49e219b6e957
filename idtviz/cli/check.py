"""`idtviz check`: the rules over kernels, scenarios and object files."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from idtviz.checks.finding import Severity
from idtviz.cli.machine_options import on_a_machine, vector_of
from idtviz.cli.problems import FAILED, REFUSED, complain
from idtviz.cli.reports import as_json, as_sarif, as_text
from idtviz.lab.checking import BUDGET, Checked, check_run
from idtviz.lab.overrides import NONE, Overrides
from idtviz.lab.problems import Problem, ScenarioError
from idtviz.lab.session import LabSession
from idtviz.machine.boot.elf import MAGIC as ELF_MAGIC
from idtviz.machine.objects.header import is_relocatable

_FILES_HELP = "Kernels and scenarios, which are run, and object files (.o) with a handler."
_HEAD = 18  # bytes of the ELF header up to the end of e_type


class Format(Enum):
    """How the findings are printed."""

    TEXT = "text"
    JSON = "json"
    SARIF = "sarif"


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What to check in each file: a handler of an ELF, or all that comes up in a run."""

    symbol: str | None
    vector: int | None
    limit: int
    overrides: Overrides

    @property
    def handler(self) -> bool:
        """Whether one handler is named."""
        return self.symbol is not None or self.vector is not None


@on_a_machine
def command(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help=_FILES_HELP)],
    symbol: Annotated[
        str | None, typer.Option(metavar="NAME", help="Check this handler alone, of an object file or an ELF.")
    ] = None,
    vector: Annotated[
        str | None, typer.Option(metavar="VECTOR", help="Of which vector (14, 0xe, #PF) the handler is.")
    ] = None,
    form: Annotated[Format, typer.Option("--format", help="For people, or for other programs.")] = Format.TEXT,
    limit: Annotated[
        int, typer.Option(min=0, max=1 << 50, help="Stop the run of a kernel after so many instructions.")
    ] = BUDGET,
    *,
    overrides: Overrides,
) -> None:
    """Look for bugs in interrupt set-up and handlers: run each FILE, and name what to change.

    Exit code 0: nothing found but notes. 1: an error or a warning. 2: a file that cannot be checked.
    """
    wanted = _Wanted(symbol, None if vector is None else vector_of(vector), limit, overrides)
    found: list[Checked] = []
    problems: list[str] = []
    paint = as_text.Paint(_colours())
    for file in files:
        try:
            checked = _checked(file, wanted)
        except ScenarioError as error:
            complain(error)
            problems += map(str, error.problems)
            continue
        found.append(checked)
        if form is Format.TEXT:
            typer.echo(as_text.file(checked, paint) + "\n", color=paint.on)
    _close(form, found, problems, len(files) - len(found))
    if problems:
        raise typer.Exit(REFUSED)
    if any(reported.finding.severity is not Severity.NOTE for checked in found for reported in checked.reported):
        raise typer.Exit(FAILED)


def _close(form: Format, found: list[Checked], problems: list[str], refused: int) -> None:
    if form is Format.JSON:
        typer.echo(as_json.report(found))
    elif form is Format.SARIF:
        typer.echo(as_sarif.report(found, problems))
    elif as_text.summary(found, refused):
        typer.echo(as_text.summary(found, refused))


def _checked(file: str, wanted: _Wanted) -> Checked:
    """Check one file. Raises ScenarioError."""
    head = _head(file)
    if is_relocatable(head) or (head.startswith(ELF_MAGIC) and wanted.handler):
        if wanted.overrides != NONE:
            raise ScenarioError([Problem(file, None, "a handler alone has no machine; expected no options for one")])
        from idtviz.lab.harness import check_object  # noqa: PLC0415 -- a run needs none of it

        return check_object(Path(file), wanted.symbol, wanted.vector)
    if wanted.handler:
        raise ScenarioError([Problem(file, None, "--symbol and --vector name a handler; expected an ELF of it")])
    session, given = LabSession.open_run(file, wanted.overrides)
    return check_run(session, file, limit=wanted.limit, given=given)


def _head(file: str) -> bytes:
    """As much of a file as tells whether it is an ELF, and whether that is linked; nothing of what is no file."""
    try:
        path = Path(file)
        if not path.is_file():
            return b""
        with path.open("rb") as opened:
            head = opened.read(_HEAD)
    except (OSError, ValueError):
        return b""
    return head if len(head) == _HEAD else b""


def _colours() -> bool:
    """Whether somebody looks at a terminal, and wants colours (https://no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
