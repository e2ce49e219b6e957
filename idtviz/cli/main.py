"""The entry point: the commands put together, and the ways in which a program of a shell ends."""

from __future__ import annotations

import os
import sys

import click
import typer

from idtviz import __version__
from idtviz.cli import explain, list_, run_, shot, test, trace
from idtviz.cli.problems import REFUSED

INTERRUPTED = 130
"""128 + SIGINT, as shells have it."""

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
app.command("test")(test.command)
app.command("shot")(shot.command)
app.command("list")(list_.command)
app.command("explain")(explain.command)


def _version(wanted: bool) -> None:  # noqa: FBT001 -- the shape of a typer callback
    if wanted:
        typer.echo(f"idtviz {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def gallery(
    context: typer.Context,
    *,
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),  # noqa: ARG001
) -> None:
    """Open the gallery, where no command is given."""
    if context.invoked_subcommand is None:
        from idtviz.tui.app import run_gallery  # noqa: PLC0415 -- only a screen needs Textual

        run_gallery()


def run() -> None:
    """Run the command line and exit: 0 done, 1 something expected did not hold, 2 wrong input or usage, 130 Ctrl-C."""
    try:
        code = app(standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        code = REFUSED
    except (click.Abort, KeyboardInterrupt):
        code = INTERRUPTED
    except BrokenPipeError:
        # Whoever read the output has gone. Nothing is left to be said, not even by the interpreter as it shuts down.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    sys.exit(code if isinstance(code, int) else 0)
