"""The debugger's screen, drawn after real keys: a picture shows what a reader sees who presses them."""

from __future__ import annotations

import asyncio
import html
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from textual.pilot import Pilot

from book.directives import Screen
from book.problem import PageError
from idtviz.lab import library
from idtviz.lab.premises import DATA_VARIABLE, premises
from idtviz.lab.problems import ScenarioError
from idtviz.lab.session import LabSession
from idtviz.lab.teaching.workshop import at_work
from idtviz.tui.app import IdtvizApp

GALLERY = "gallery"
_HOME = "~/.local/share/idtviz"
_NAMED = {
    "Enter": "enter",
    "Esc": "escape",
    "Tab": "tab",
    "Space": "space",
    "Backspace": "backspace",
    "↑": "up",
    "↓": "down",
    "←": "left",
    "→": "right",
    "Home": "home",
    "End": "end",
}
_REMOTE_FONTS = re.compile(r"\s*@font-face \{.*?\}", re.DOTALL)
_TAG = re.compile(r"<[^>]*>")
_UNIQUE = re.compile(r"terminal-\d+")


@contextmanager
def reader() -> Iterator[Path]:
    """Someone who keeps what they do in a folder of their own, which goes with them.

    To be begun before anything asks for the premises. The name of the folder is as long as that of a reader's own,
    whose place it takes in pictures.
    """
    place = Path(tempfile.gettempdir())
    data = place / secrets.token_hex(16)[: max(8, len(_HOME) - len(str(place)) - 1)]
    data.mkdir(mode=0o700)
    os.environ[DATA_VARIABLE] = str(data)
    try:
        yield data
    finally:
        shutil.rmtree(data)


def forget(data: Path) -> None:
    """Have the reader to whom this folder belongs be one who has never opened the debugger before."""
    shutil.rmtree(data)
    data.mkdir(mode=0o700)


def draw(wanted: Screen) -> str:
    """SVG text. Raises PageError."""
    try:
        session = None if wanted.file == GALLERY else LabSession.open(at_work(_file(wanted.file)))
        picture = asyncio.run(_draw(wanted, session)).replace(str(premises().data), _HOME)
    except (ScenarioError, ValueError) as error:
        raise PageError(f"the screen {wanted.file} {wanted.at} cannot be drawn: {error}") from error
    said = " ".join(html.unescape(_TAG.sub(" ", picture)).split())
    for text in wanted.shows:
        if " ".join(text.split()) not in said:
            keys = " ".join(wanted.press)
            raise PageError(f"the screen {wanted.file} behind {keys!r} does not show {text!r}; it shows {said[-1500:]}")
    return picture


def _file(name: str) -> Path:
    found = library.find(name)
    if found is None:
        raise PageError(f"there is no scenario {name!r} to be drawn")
    return found


async def _draw(wanted: Screen, session: LabSession | None) -> str:
    if session is not None and wanted.at:
        session.seek(wanted.at)
    app = IdtvizApp(session)
    async with app.run_test(size=wanted.size) as pilot:
        await _settled(pilot)
        for word in wanted.press:
            for key in [_NAMED[word]] if word in _NAMED else list(word.replace("␣", " ")):
                await pilot.press(key)
                await _settled(pilot)
        where = "" if session is None else f" · {session.setup.name} · {session.moment}"
        picture = app.export_screenshot(title=f"idtviz{where}")
    return _UNIQUE.sub("terminal-idtviz", _REMOTE_FONTS.sub("", picture))


async def _settled(pilot: Pilot[Any]) -> None:
    """Wait until nothing moves any more."""
    await pilot.pause()
    while getattr(pilot.app.screen, "is_busy", False):
        await pilot.app.workers.wait_for_complete()
        await pilot.pause()
    await pilot.pause()
