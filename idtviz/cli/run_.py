"""`idtviz run`: the debugger on the screen."""

from __future__ import annotations

from typing import Annotated

import typer

from idtviz.cli.importing import importing
from idtviz.cli.machine_options import FILE_HELP, on_a_machine
from idtviz.cli.opening import opened
from idtviz.lab.overrides import Overrides


@on_a_machine
def command(file: Annotated[str, typer.Argument(metavar="FILE", help=FILE_HELP)], *, overrides: Overrides) -> None:
    """Open the debugger on FILE."""
    session = opened(file, overrides)
    with importing():
        from idtviz.tui.app import run_session  # noqa: PLC0415 -- only a screen needs Textual
    run_session(session)
