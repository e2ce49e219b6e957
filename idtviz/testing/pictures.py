"""Pictures of the moment at which a run went wrong."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

from idtviz.testing.account import telling
from idtviz.testing.running import ScenarioRun

_SIZE = (160, 48)
_LONGEST = 120


def draw(run: ScenarioRun, folder: Path, test: str) -> Path:
    """Draw the debugger there into a file of `folder` that is called after the test. Raises OSError."""
    from idtviz.tui.shot import shoot  # noqa: PLC0415 -- only a picture needs Textual

    name = re.sub(r"[^A-Za-z0-9._-]+", "-", test).strip("-.")[-_LONGEST:] or "run"
    end = run.session.moment
    run.session.seek(telling(run))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        picture = shoot(run.session, None, _SIZE)
    run.session.seek(end)
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}.svg"
    file.write_text(picture, encoding="utf-8", newline="\n")
    return file
