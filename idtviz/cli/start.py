"""Where the program begins: the imports, and then the command line."""

from __future__ import annotations

import sys

from idtviz.cli.importing import importing

_INTERRUPTED = 130


def start() -> None:
    """Run the command line."""
    try:
        with importing():
            from idtviz.cli.main import run  # noqa: PLC0415 -- within the block
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
    run()
