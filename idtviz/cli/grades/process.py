"""What a process that grades runs: `python -m idtviz.cli.grades.process`."""

from __future__ import annotations

from idtviz.debugger.moment import Moment
from idtviz.lab.grading.forking import serve
from idtviz.lab.grading.trying import Draw
from idtviz.lab.session import LabSession

_SIZE = (160, 48)


def drawing() -> Draw:
    """What makes an SVG of the debugger at a moment, as `idtviz shot` does."""
    from idtviz.tui.shot import shoot  # noqa: PLC0415 -- only pictures need Textual

    def draw(session: LabSession, moment: Moment) -> str:
        session.seek(moment)
        return shoot(session, None, _SIZE)

    return draw


if __name__ == "__main__":
    serve(drawing)
