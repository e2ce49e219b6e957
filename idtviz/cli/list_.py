"""`idtviz list`: the scenarios that come with idtviz."""

from __future__ import annotations

import typer

from idtviz.lab.library import Shipped, bugs, course, shipped


def command() -> None:
    """List the scenarios that come with idtviz; `idtviz run NAME` opens one."""
    _print(shipped())
    typer.echo("\nThe course, in its order:\n")
    _print(course())
    typer.echo("\nKernels that are wrong in one way each; NAME_fixed is the same kernel without the bug:\n")
    _print(tuple(item for item in bugs() if not item.name.endswith("_fixed")))


def _print(found: tuple[Shipped, ...]) -> None:
    width = max((len(item.name) for item in found), default=0)
    for item in found:
        typer.echo(f"{item.name:<{width}}  {item.summary or item.title}")
