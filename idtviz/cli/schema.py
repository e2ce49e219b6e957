"""`idtviz schema`: what editors need to know of a scenario file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from idtviz.cli.problems import refuse
from idtviz.lab.schema import grade_schema, scenario_schema, text


def command(
    output: Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write it there.")] = None,
    *,
    grade: Annotated[bool, typer.Option("--grade", help="That of a LAB.grade.toml instead.")] = False,
) -> None:
    """Print the JSON Schema of scenario files. An editor takes it by a first line `#:schema ./FILE`."""
    said = text(grade_schema() if grade else scenario_schema())
    if output is None:
        typer.echo(said, nl=False)
        return
    try:
        output.write_text(said, encoding="utf-8", newline="\n")
    except OSError as error:
        refuse(f"{output}: cannot be written: {error.strerror}")
