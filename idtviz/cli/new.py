"""`idtviz new`: a folder with a scenario or a lab to begin with."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from idtviz.cli.problems import refuse
from idtviz.lab import library, scenario_file, skeletons
from idtviz.lab.problems import ScenarioError
from idtviz.lab.skeletons import Mode, placing


def command(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="What it is called; with --from, else that of the original.")
    ] = None,
    *,
    lab: Annotated[
        bool,
        typer.Option("--lab", help="A lab: a handler to be written, its solution, and how it is graded."),
    ] = False,
    mode: Annotated[Mode | None, typer.Option(help="The mode in which the kernel is entered; else long.")] = None,
    bare: Annotated[bool, typer.Option("--object", help="A handler in an object file, without a kernel.")] = False,
    original: Annotated[
        str | None,
        typer.Option("--from", metavar="SCENARIO", help="A copy of SCENARIO, a file or a shipped one, to work on."),
    ] = None,
) -> None:
    """Make the folder NAME, with a scenario that runs at once: no assembler is needed until you change its sources."""
    _check(lab=lab, mode=mode, bare=bare, copied=original is not None)
    if name is None and original is None:
        refuse("NAME: expected a name, or --from")
    called = Path(original or "").stem if name is None else name
    if not placing.is_name(called):
        refuse(
            f"NAME: expected up to 64 letters, digits, '_' and '-', with a letter or digit first, not {called[:80]!r}"
        )
    try:
        if original is not None:
            path = placing.place_copy(Path(), called, _found(original))
        else:
            path = placing.place(Path(), called, _files(called, mode or Mode.LONG, lab=lab, bare=bare))
    except placing.NotPlacedError as error:
        refuse(str(error))
    except ScenarioError as error:
        refuse(error)
    _say(path)


def _check(*, lab: bool, mode: Mode | None, bare: bool, copied: bool) -> None:
    given = [
        option
        for option, said in (("--lab", lab), ("--mode", mode is not None), ("--object", bare), ("--from", copied))
        if said
    ]
    if len(given) > 1 and given != ["--lab", "--mode"]:
        refuse(f"{' and '.join(given)} do not go together; expected one of them, or --lab with --mode")


def _found(original: str) -> Path:
    path = Path(original)
    if path.suffix == ".toml" and os.path.isfile(path):  # noqa: PTH113 -- a name that is too long is none
        return path
    shipped = library.find(original)
    if shipped is None:
        refuse(f"--from: {original[:200]!r} is no scenario file, and no scenario that comes with idtviz")
    return shipped


def _files(name: str, mode: Mode, *, lab: bool, bare: bool) -> dict[str, bytes]:
    if bare:
        return skeletons.bare_handler(name)
    return skeletons.lab(name, mode) if lab else skeletons.scenario(name, mode)


def _say(path: Path) -> None:
    scenario, _ = scenario_file.load(path, str(path))
    build = "" if scenario.build is None and scenario.image.object is None else "--build "
    typer.echo(f"run it    idtviz run {path}")
    typer.echo(f"edit it   {path.parent / scenario.todo[0] if scenario.todo else path}")
    typer.echo(f"test it   idtviz test {build}{path}")
