"""`idtviz shot`: a picture of the debugger at a moment."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from idtviz.cli.machine_options import FILE_HELP, on_a_machine
from idtviz.cli.opening import opened
from idtviz.cli.problems import FAILED, complain, refuse
from idtviz.debugger.places import PlaceError, parse
from idtviz.debugger.session import SessionError
from idtviz.lab.overrides import Overrides

_SMALLEST, _LARGEST = (40, 12), (400, 200)


@on_a_machine
def command(
    file: Annotated[str, typer.Argument(metavar="FILE", help=FILE_HELP)],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE.svg", help="Where the picture goes.")],
    at: Annotated[
        str | None,
        typer.Option(
            "--at",
            metavar="MOMENT",
            help="812, 812+3, #PF:2+5, irq1, a symbol, or end; of a saved session else where it stands.",
        ),
    ] = None,
    size: Annotated[str, typer.Option("--size", metavar="COLUMNSxROWS", help="The size of the screen.")] = "160x48",
    *,
    overrides: Overrides,
) -> None:
    """Draw the debugger at MOMENT into an SVG file."""
    wanted = _size(size)
    session = opened(file, overrides)
    if at is None and session.saved_as is None:
        refuse("--at: expected a moment; only a saved session stands at one")
    try:
        if at is not None:
            parse(at, session.symbols)
    except PlaceError as error:
        refuse(f"--at: {error}")
    except ValueError:
        refuse(f"--at: the number in {str(at)[:60]!r} is too large")
    if not output.parent.is_dir():
        refuse(f"{output}: the folder {str(output.parent)!r} does not exist")
    if output.is_dir():
        refuse(f"{output}: is a folder; expected the name of a file")
    from idtviz.tui.shot import shoot  # noqa: PLC0415 -- only a screen needs Textual

    try:
        picture = shoot(session, at, wanted)
    except SessionError as error:
        complain(f"{file}: {error}")
        raise typer.Exit(FAILED) from error
    try:
        _write(output, picture)
    except OSError as error:
        refuse(f"{output}: cannot be written: {error.strerror}")


def _size(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{1,6})[x×](\d{1,6})", text.strip(), re.IGNORECASE)
    if match is None:
        refuse(f"--size: expected COLUMNSxROWS such as 160x48, not {text[:60]!r}")
    columns, rows = int(match[1]), int(match[2])
    if not (_SMALLEST[0] <= columns <= _LARGEST[0] and _SMALLEST[1] <= rows <= _LARGEST[1]):
        refuse(f"--size: expected {_SMALLEST[0]}x{_SMALLEST[1]} to {_LARGEST[0]}x{_LARGEST[1]}, not {columns}x{rows}")
    return columns, rows


def _write(path: Path, text: str) -> None:
    """Put the whole text in place at once, or nothing."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
