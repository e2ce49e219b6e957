"""Keys one after the other: each is looked at when all that came of the one before has been done."""

from __future__ import annotations

import asyncio
from collections import deque

from textual import events
from textual.app import App
from textual.dom import DOMNode
from textual.screen import Screen

_ROUNDS = 3  # the key; what it has sent (a line was entered, a row was chosen); what that has called back
_PATIENCE = 1.0  # seconds


class KeysInOrder(App[None]):
    """An application that is typed ahead of.

    A key goes to what has the focus when the key arrives, but what it does may give the focus to something else: to the
    input line, or to a sheet. So those that follow it wait.
    """

    def __init__(self) -> None:
        super().__init__()
        self._waiting: deque[events.Key | events.Paste] = deque()
        self._admitted: events.Key | events.Paste | None = None
        """The one of them whose turn it is."""
        self._following: asyncio.Task[None] | None = None

    @property
    def is_behind(self) -> bool:
        """Whether keys have come that have not been looked at, or whose effect is not there yet."""
        return self._following is not None

    async def on_event(self, event: events.Event) -> None:
        """Textual's entrance for all that comes from the terminal."""
        if not isinstance(event, events.Key | events.Paste) or event.is_forwarded or event is self._admitted:
            await super().on_event(event)
        elif self._following is not None:
            self._waiting.append(event)
        else:
            path = self._path
            await super().on_event(event)
            self._following = asyncio.create_task(self._follow(path))

    async def _follow(self, path: list[DOMNode]) -> None:
        try:
            await self._handled(path)
            while self._waiting:
                path = self._path
                self._admitted = self._waiting.popleft()
                self.post_message(self._admitted)
                await self._round([self, *path])
                await self._handled(path)
        finally:
            self._following = None

    @property
    def _path(self) -> list[DOMNode]:
        """Those that a key passes: what has the focus, what that lies in, and in the end the application."""
        return list((self.focused or self.screen).ancestors_with_self)

    async def _handled(self, path: list[DOMNode]) -> None:
        """Wait until a key has passed, and until what it opens is open."""
        for _ in range(_ROUNDS):
            await self._round(path)
        until = asyncio.get_running_loop().time() + _PATIENCE
        while _opens(self.screen) and asyncio.get_running_loop().time() < until:
            await asyncio.sleep(0.005)

    async def _round(self, path: list[DOMNode]) -> None:
        """Wait until each in turn has done what it had to do by then."""
        for node in path:
            done = asyncio.Event()
            if node.is_running and node.call_later(done.set):
                try:
                    await asyncio.wait_for(done.wait(), _PATIENCE)
                except TimeoutError:
                    return


def _opens(screen: Screen[object]) -> bool:
    """Whether a screen says that it is about to open something, or to be open itself."""
    return bool(getattr(screen, "opens", False))
