"""What a visitor's process runs, in a folder of its own: `python -P -m idtviz.web.visitor [FILE]`."""

from __future__ import annotations

import sys
from pathlib import Path

from idtviz.lab import library
from idtviz.lab.copies import copy
from idtviz.lab.premises import premises
from idtviz.lab.problems import ScenarioError
from idtviz.lab.session import LabSession
from idtviz.lab.teaching.workshop import at_work
from idtviz.tui.app import IdtvizApp
from idtviz.web.limits import hold_this_process

COPIES = "lab"
"""The folder, among the visitor's data, into which the scenario FILE is copied."""


def main() -> int:
    """Open the debugger on FILE, or the gallery; nothing of theirs is read before the process is held to its limits."""
    hold_this_process()
    try:
        app = IdtvizApp(LabSession.open(own(sys.argv[1])) if len(sys.argv) > 1 else None)
    except ScenarioError as error:
        print(*error.problems, sep="\n", file=sys.stderr)
        return 2
    app.run()
    return app.return_code or 0


def own(file: str) -> Path:
    """The visitor's own copy of a scenario, so that what they write stays with them; of anything else, the file.

    Raises ScenarioError.
    """
    path = library.find(file) or Path(file)
    if path.resolve().is_relative_to(library.folder().resolve()):
        return at_work(path)
    return copy(path, premises().data / COPIES) if path.suffix == ".toml" and path.is_file() else path


if __name__ == "__main__":
    sys.exit(main())
