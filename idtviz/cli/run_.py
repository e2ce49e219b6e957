"""`idtviz run`: the debugger on the screen."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from idtviz.cli.importing import importing
from idtviz.cli.machine_options import FILE_HELP, on_a_machine
from idtviz.cli.opening import opened
from idtviz.cli.problems import refuse
from idtviz.lab import library, recent
from idtviz.lab.overrides import Overrides
from idtviz.lab.problems import ScenarioError
from idtviz.lab.teaching.workshop import at_work


@on_a_machine
def command(file: Annotated[str, typer.Argument(metavar="FILE", help=FILE_HELP)], *, overrides: Overrides) -> None:
    """Open the debugger on FILE."""
    session = opened(_at_work(file), overrides)
    recent.opened(session.saved_as or session.path)
    with importing():
        from idtviz.tui.app import run_session  # noqa: PLC0415 -- only a screen needs Textual
    run_session(session)


def _at_work(file: str) -> str:
    """FILE; of a scenario that comes with idtviz and leaves something to be written, the student's own copy."""
    shipped = None if os.path.exists(file) else library.find(file)  # noqa: PTH110 -- a name that is too long is none
    try:
        return file if shipped is None else str(at_work(shipped))
    except ScenarioError as error:
        refuse(error)
