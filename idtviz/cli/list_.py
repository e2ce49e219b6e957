"""`idtviz list`: the scenarios that come with idtviz."""

from __future__ import annotations

import typer

from idtviz.lab.library import shipped


def command() -> None:
    """List the scenarios that come with idtviz; `idtviz run NAME` opens one."""
    found = shipped()
    width = max((len(item.name) for item in found), default=0)
    for item in found:
        typer.echo(f"{item.name:<{width}}  {item.summary or item.title}")
