"""One visit: a websocket at one end, a process with the debugger at the other, and what ends it."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from asyncio import Transport
from asyncio.subprocess import PIPE, Process
from contextlib import suppress
from pathlib import Path
from typing import Any

from aiohttp import WSCloseCode, WSMsgType, web
from textual_serve.app_service import AppService
from textual_serve.download_manager import DownloadManager

import idtviz
from idtviz.lab.premises import DATA_VARIABLE, VISITOR_VARIABLE
from idtviz.web.limits import Limits, resident

WIDTHS = range(20, 501)
"""Columns that a terminal may have; a page that asks for others gets the nearest."""
HEIGHTS = range(5, 201)
_PATIENCE = 2.0  # seconds for a process that says that it ends, to end
_LOOK = 1.0  # seconds between two looks at what a visitor takes
_KEPT = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ")
_GIVEN = ("TEXTUAL_FPS", "TEXTUAL_COLOR_SYSTEM", "TERM_PROGRAM", "TERM_PROGRAM_VERSION", "COLUMNS", "ROWS")

QUIT = "You have left. What was in this machine is gone."
FAILED = "The debugger has failed. Whoever runs the server sees why."
NO_ROOM = "The computer has no room for another machine. Come back later."
STOPPED = "The server was stopped."
CLOSED = "The page was closed."
NOT_UNDERSTOOD = "The page sent something that no terminal sends."


class Visit(AppService):
    """A visitor's process and the folder that is all its own. Both are gone when `last` has returned."""

    def __init__(
        self,
        file: str | None,
        limits: Limits,
        home: Path,
        websocket: web.WebSocketResponse,
        downloads: DownloadManager,
        connection: Transport | None,
    ) -> None:
        """`home`: the folder in which that of the visitor is made."""
        super().__init__(
            "idtviz",
            write_bytes=websocket.send_bytes,
            write_str=websocket.send_str,
            close=self._leave,
            download_manager=downloads,
        )
        self._file = file
        self._limits = limits
        self._websocket = websocket
        self._connection = connection
        self._folder = Path(tempfile.mkdtemp(prefix="visitor-", dir=home))
        self._left = asyncio.Event()
        self._dismissed = asyncio.Event()
        self._begun = self._heard = time.monotonic()

    async def last(self, width: int, height: int) -> None:
        """Serve the visitor until one side or the other ends it, and clear everything away."""
        ends: set[asyncio.Task[str]] = set()
        reason = CLOSED
        try:
            await self.start(_within(width, WIDTHS), _within(height, HEIGHTS))
            assert self._task is not None
            ends = {asyncio.create_task(end) for end in (self._listen(), self._watch(), self._played(self._task))}
            done, _ = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            reason = next(iter(done)).result()
        except ConnectionResetError:
            pass  # the page went while it was being spoken to
        except OSError:
            reason = NO_ROOM
        finally:
            for end in ends:
                end.cancel()
            await asyncio.gather(*ends, return_exceptions=True)
            await self.stop()
            await self._websocket.close(code=WSCloseCode.OK, message=reason.encode())

    def dismiss(self) -> None:
        """End the visit, because the server ends."""
        self._dismissed.set()

    async def stop(self) -> None:
        """End the process, and remove its folder. There is nothing that it would have to do first."""
        process, task = self._process, self._task
        if process is not None:
            _kill(process)
            await process.wait()
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await self._download_manager.cancel_app_downloads(app_service_id=self.app_service_id)
        await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)

    def _build_environment(self, width: int = 80, height: int = 24) -> dict[str, str]:
        """What the process knows of the world; above all not the token."""
        given = super()._build_environment(width, height)
        return {
            **{name: given[name] for name in (*_KEPT, *_GIVEN) if name in given},
            "PYTHONPATH": str(Path(idtviz.__file__).resolve().parent.parent),
            "TEXTUAL_DRIVER": "idtviz.web.driver:VisitorDriver",
            "TERM": "xterm-256color",
            "HOME": str(self._folder),
            "TMPDIR": str(self._folder),
            DATA_VARIABLE: str(self._folder),
            VISITOR_VARIABLE: "1",
        }

    async def _open_app_process(self, width: int = 80, height: int = 24) -> Process:
        program = [sys.executable, "-P", "-m", "idtviz.web.visitor"]
        self._process = process = await asyncio.create_subprocess_exec(
            *(program if self._file is None else [*program, self._file]),
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            cwd=self._folder,
            env=self._build_environment(width, height),
            start_new_session=True,
        )
        self._stdin = process.stdin
        return process

    async def _leave(self) -> None:
        self._left.set()

    async def _played(self, task: asyncio.Task[None]) -> str:
        """Until the debugger is left, or its process has ended in any other way."""
        left = asyncio.create_task(self._left.wait())
        try:
            await asyncio.wait({left, task}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            left.cancel()
        await asyncio.wait({task}, timeout=_PATIENCE)
        assert self._process is not None
        with suppress(TimeoutError):
            await asyncio.wait_for(self._process.wait(), _PATIENCE)
        return QUIT if self._process.returncode == 0 else FAILED

    async def _watch(self) -> str:
        """Until the visitor has taken as much as one may."""
        assert self._process is not None
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(min(_LOOK, self._limits.idle, self._limits.stay)):
                    await self._dismissed.wait()
                    return STOPPED
            if self._connection is None or self._connection.is_closing():
                return CLOSED  # what was typed before may keep the process busy, and `_listen` waiting for it
            now = time.monotonic()
            if now - self._heard >= self._limits.idle:
                return f"No key for {_minutes(self._limits.idle)}: the machine was given back."
            if now - self._begun >= self._limits.stay:
                return f"A visit lasts {_minutes(self._limits.stay)} at most: the machine was given back."
            if resident(self._process.pid) > self._limits.resident:
                return f"This machine needed more than {self._limits.resident >> 20} MiB of memory: it was given back."

    async def _listen(self) -> str:
        """Until the page is closed, or sends what no terminal sends."""
        async for message in self._websocket:
            if message.type is not WSMsgType.TEXT or not await self._hear(message.data):
                return NOT_UNDERSTOOD
        return CLOSED

    async def _hear(self, text: str) -> bool:
        """Hand on what the page says; whether that was anything."""
        try:
            said = json.loads(text)
        except (ValueError, RecursionError):
            return False
        match said:
            case ["stdin", str(keys)]:
                self._heard = time.monotonic()
                await self.send_bytes(keys.encode(errors="ignore"))
            case ["resize", {"width": int(width), "height": int(height)}]:
                await self.set_terminal_size(_within(width, WIDTHS), _within(height, HEIGHTS))
            case ["ping", str(when)]:
                await self._websocket.send_json(["pong", when])
            case ["blur"]:
                await self.blur()
            case ["focus"]:
                await self.focus()
            case _:
                return False
        return True

    async def on_meta(self, data: bytes) -> None:
        """The process tells of its end, or has a file for the visitor. It opens no pages in their browser."""
        found: Any = json.loads(data)
        if found.get("type") != "open_url":
            await super().on_meta(data)


def _kill(process: Process) -> None:
    """Kill a process that has not ended, and those that it has started: an assembler has a group of its own."""
    if process.returncode is not None:
        return
    with suppress(ProcessLookupError):
        process.send_signal(signal.SIGSTOP)
    family = [process.pid]
    for member in family:
        family += _children(member)
    for member in family:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(member, signal.SIGKILL)


def _children(process: int) -> list[int]:
    """The processes that one has started; none where the system does not tell."""
    try:
        threads = list(Path(f"/proc/{process}/task").iterdir())
        return [int(child) for thread in threads for child in (thread / "children").read_text().split()]
    except OSError:
        return []


def _within(value: int, allowed: range) -> int:
    return max(allowed.start, min(value, allowed.stop - 1))


def _minutes(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{minutes} minute{'s' * (minutes != 1)}" if minutes else f"{seconds:g} seconds"
