"""A picture of the debugger at a moment: the real screen, drawn without a terminal."""

from __future__ import annotations

import asyncio
import re

from idtviz.debugger.moment import Moment
from idtviz.lab.session import LabSession
from idtviz.lab.teaching.progress import Progress
from idtviz.lab.teaching.tutor import Tutor
from idtviz.tui.app import IdtvizApp
from idtviz.tui.debugger import DebuggerScreen

_REMOTE_FONTS = re.compile(r"\s*@font-face \{.*?\}", re.DOTALL)
_UNIQUE = re.compile(r"terminal-\d+")


def shoot(session: LabSession, at: str | None, size: tuple[int, int]) -> str:
    """SVG text of the screen, `size` (columns, rows), with the session at the place `at`, or where it stands."""
    if at is not None:
        session.seek(at)
    return asyncio.run(_draw(session, size))


async def _draw(session: LabSession, size: tuple[int, int]) -> str:
    here = session.moment
    tutor = Tutor(session, Progress(""))
    tutor.pass_by(here)
    if here > Moment(0):
        session.micro_back()
    app = IdtvizApp(session, tutor)
    async with app.run_test(size=size) as pilot:
        screen = app.screen
        assert isinstance(screen, DebuggerScreen)
        session.seek(here)
        screen.look_again()
        await pilot.pause()
        await pilot.pause()
        picture = app.export_screenshot(title=f"idtviz · {session.setup.name} · {session.moment}")
    # The same screen gives the same bytes; a picture fetches nothing.
    return _UNIQUE.sub("terminal-idtviz", _REMOTE_FONTS.sub("", picture))
