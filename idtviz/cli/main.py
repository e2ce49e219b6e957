"""The entry point: the commands put together, and the ways in which a program of a shell ends."""

from __future__ import annotations

import io
import os
import sys
from typing import Annotated, Any

import typer

from idtviz import __version__
from idtviz.cli import check, explain, grade, list_, new, run_, schema, serve, shot, test, trace, why
from idtviz.cli.problems import REFUSED, complain

INTERRUPTED = 130
"""128 + SIGINT, as shells have it."""

_UsageError: Any = typer.BadParameter.__base__

app = typer.Typer(
    name="idtviz",
    help="Shows how an x86 processor gets into an interrupt handler, check by check. Without a command: the gallery.",
    no_args_is_help=False,
    pretty_exceptions_enable=False,
    add_completion=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("run")(run_.command)
app.command("trace")(trace.command)
app.command("why")(why.command)
app.command("check")(check.command)
app.command("test")(test.command)
app.command("shot")(shot.command)
app.command("list")(list_.command)
app.command("explain")(explain.command)
app.command("new")(new.command)
app.command("schema")(schema.command)
app.command("serve")(serve.command)
app.command("grade")(grade.command)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"idtviz {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def gallery(
    context: typer.Context,
    *,
    version: Annotated[  # noqa: ARG001 -- its callback does the work
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Open the gallery, where no command is given."""
    if context.invoked_subcommand is None:
        from idtviz.tui.app import run_gallery  # noqa: PLC0415 -- only a screen needs Textual

        run_gallery()


def run() -> None:
    """Run the command line and exit: 0 done, 1 something expected did not hold, 2 wrong input or usage, 130 Ctrl-C."""
    _prepare_streams()
    sys.exit(_run())


def _run() -> int:
    try:
        code = app(standalone_mode=False)
        sys.stdout.flush()
    except _UsageError as error:
        complain(error.format_message())
        return REFUSED
    except (typer.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except BrokenPipeError:
        return _abandoned()
    except SystemExit as error:
        # Typer ends the program itself where the reader of its output has gone.
        if isinstance(error.__context__, BrokenPipeError):
            return _abandoned()
        raise
    return code if isinstance(code, int) else 0


def _prepare_streams() -> None:
    """Each line goes out as it is printed; a character that the terminal cannot show is no reason to stop."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace", line_buffering=True)


def _abandoned() -> int:
    """Whoever read the output has gone: nothing is left to be said, not even by the interpreter as it shuts down."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0
