"""`idtviz run`: the debugger on the screen."""

from __future__ import annotations

from typing import Annotated

import typer

from idtviz.cli.importing import importing
from idtviz.cli.problems import refuse
from idtviz.lab.problems import ScenarioError
from idtviz.lab.session import LabSession


def command(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A scenario (.toml), its name, or a 64-bit ELF kernel.")],
) -> None:
    """Open the debugger on FILE."""
    try:
        session = LabSession.open(file)
    except ScenarioError as error:
        refuse(error)
    with importing():
        from idtviz.tui.app import run_session  # noqa: PLC0415 -- only a screen needs Textual
    run_session(session)
