"""The application: the gallery of scenarios, and the debugger on one of them."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path

from textual.app import SystemCommand
from textual.screen import Screen

from idtviz.lab.session import LabSession
from idtviz.lab.teaching.tutor import Tutor
from idtviz.tui.actions import ACTIONS
from idtviz.tui.debugger import DebuggerScreen
from idtviz.tui.gallery import Gallery
from idtviz.tui.in_order import KeysInOrder

STYLES = Path(__file__).with_name("idtviz.tcss")


class IdtvizApp(KeysInOrder):
    """The debugger in a terminal."""

    CSS_PATH = STYLES
    TITLE = "idtviz"
    ANIMATION_LEVEL = "none"
    ENABLE_COMMAND_PALETTE = True

    def __init__(self, session: LabSession | None = None, tutor: Tutor | None = None) -> None:
        """Without a session the gallery; without a tutor one that goes by what the student has done so far."""
        super().__init__()
        self._session, self._tutor = session, tutor
        self.animation_level = "none"

    def on_mount(self) -> None:
        self.push_screen(Gallery() if self._session is None else DebuggerScreen(self._session, self._tutor))

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """The palette holds every action of the debugger, beside Textual's own."""
        if isinstance(screen, DebuggerScreen):
            for action in ACTIONS:
                yield SystemCommand(action.label, action.help, partial(screen.run_action, action.id))
        yield from super().get_system_commands(screen)


def run_session(session: LabSession) -> None:
    """Open the debugger on a session."""
    IdtvizApp(session).run()


def run_gallery() -> None:
    """Open the gallery."""
    IdtvizApp().run()
