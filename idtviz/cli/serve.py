"""`idtviz serve`: the debugger in the browser."""

from __future__ import annotations

import asyncio
import errno
import os
import secrets
from pathlib import Path
from typing import Annotated, NoReturn
from urllib.parse import urlsplit

import typer

from idtviz.cli.importing import importing
from idtviz.cli.machine_options import FILE_HELP
from idtviz.cli.opening import opened
from idtviz.cli.problems import refuse
from idtviz.lab import library
from idtviz.lab.overrides import NONE

SHORTEST_TOKEN = 16
"""Characters of a token that somebody has thought up."""
_INTERRUPTED = 130


def command(
    file: Annotated[
        str | None, typer.Argument(metavar="FILE", help=f"{FILE_HELP} Without it, the gallery.", show_default=False)
    ] = None,
    *,
    host: Annotated[
        str, typer.Option(help="The address to listen on; any but this computer's own asks for a token.")
    ] = ("127.0.0.1"),
    port: Annotated[int, typer.Option(min=1, max=65535, help="The port to listen on.")] = 8000,
    url: Annotated[
        str | None, typer.Option(metavar="URL", help="Where visitors find it, behind a proxy: https://lab.example.edu")
    ] = None,
    token: Annotated[
        str | None,
        typer.Option(
            envvar="IDTVIZ_TOKEN",
            show_envvar=True,
            help="What a visitor must bring; without it one is made up, where one is asked for.",
        ),
    ] = None,
    visitors: Annotated[
        int, typer.Option(min=1, max=1000, help="How many at once; each has a machine of their own.")
    ] = 8,
    idle: Annotated[float, typer.Option(min=0.1, help="Minutes without a key after which a visit ends.")] = 30.0,
    stay: Annotated[float, typer.Option(min=0.1, help="Minutes that a visit may last.")] = 480.0,
) -> None:
    """Serve the debugger as a web page: on this computer alone, unless told otherwise. Ctrl+C ends it."""
    try:
        with importing():
            from idtviz.web.admission import Admission, is_loopback  # noqa: PLC0415 -- only a server needs it
            from idtviz.web.limits import Limits  # noqa: PLC0415
            from idtviz.web.server import VisitorServer  # noqa: PLC0415
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "idtviz":
            raise
        refuse(f"serve needs {error.name}, which is not installed; expected: pip install 'idtviz[serve]'")
    _check(host, url, token)
    shown = None if file is None else _found(file)
    if token is None and (url is not None or not is_loopback(host)):
        token = secrets.token_urlsafe()
    server = VisitorServer(
        Admission(host, port, token, url), Limits(visitors=visitors, idle=idle * 60, stay=stay * 60), shown
    )

    def ready(address: str) -> None:
        typer.echo(f"idtviz: {address}/{f'?token={token}' if token else ''} (Ctrl+C ends it)")

    try:
        interrupted = asyncio.run(server.run(ready))
    except OSError as error:
        _cannot_listen(host, port, error)
    if interrupted:
        raise typer.Exit(_INTERRUPTED)


def _check(host: str, url: str | None, token: str | None) -> None:
    if not host:
        refuse("--host: found nothing; expected an address such as 127.0.0.1, or 0.0.0.0 for all")
    if token is not None and (
        len(token) < SHORTEST_TOKEN or not token.isascii() or not token.replace("-", "").replace("_", "").isalnum()
    ):
        refuse(f"--token: expected at least {SHORTEST_TOKEN} letters, digits, '-' and '_'; without it one is made up")
    if url is not None:
        try:
            parts = urlsplit(url)
            _ = parts.port
        except ValueError:
            refuse(f"--url: found {url!r}; expected an address such as https://lab.example.edu")
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/") or parts.query:
            refuse(f"--url: found {url!r}; expected an address without a path, such as https://lab.example.edu")


def _found(file: str) -> str:
    """The whole path of FILE, for processes that work elsewhere; it is opened once to see that it can be."""
    opened(file, NONE)
    shipped = None if os.path.exists(file) else library.find(file)  # noqa: PTH110 -- a name that is too long is none
    return file if shipped is not None else str(Path(file).absolute())


def _cannot_listen(host: str, port: int, error: OSError) -> NoReturn:
    known = error.errno in errno.errorcode  # a name that leads nowhere has a number of its own
    why = os.strerror(error.errno) if known and error.errno else error.strerror or str(error)
    refuse(f"cannot listen on {host}, port {port}: {why.lower()}")
