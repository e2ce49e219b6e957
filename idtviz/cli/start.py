"""Where the program begins: the imports, and then the command line."""

from __future__ import annotations

from idtviz.cli.importing import importing


def start() -> None:
    """Run the command line."""
    with importing():
        from idtviz.cli.main import run  # noqa: PLC0415 -- within the block
    run()
