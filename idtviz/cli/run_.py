"""`idtviz run`: the debugger on the screen."""

from __future__ import annotations

from typing import Annotated

import typer

from idtviz.cli.importing import importing
from idtviz.cli.machine_options import FILE_HELP, on_a_machine
from idtviz.cli.problems import refuse
from idtviz.lab.overrides import Overrides
from idtviz.lab.preparation import prepare
from idtviz.lab.problems import ScenarioError
from idtviz.lab.session import LabSession


@on_a_machine
def command(file: Annotated[str, typer.Argument(metavar="FILE", help=FILE_HELP)], *, overrides: Overrides) -> None:
    """Open the debugger on FILE."""
    try:
        session = LabSession(prepare(file, overrides))
    except ScenarioError as error:
        refuse(error)
    with importing():
        from idtviz.tui.app import run_session  # noqa: PLC0415 -- only a screen needs Textual
    run_session(session)
