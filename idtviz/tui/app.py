"""The application: the gallery of scenarios, and the debugger on one of them."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path

from textual.app import ComposeResult, SystemCommand
from textual.binding import Binding
from textual.screen import Screen
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from idtviz.lab.library import Shipped, bugs, shipped
from idtviz.lab.session import LabSession
from idtviz.tui.actions import ACTIONS
from idtviz.tui.debugger import DebuggerScreen
from idtviz.tui.in_order import KeysInOrder

STYLES = Path(__file__).with_name("idtviz.tcss")


class Gallery(Screen[None]):
    """The scenarios that come with idtviz, and behind them the kernels that are wrong in one way each."""

    BINDINGS = [Binding("q,escape", "app.quit", "quit")]

    def __init__(self) -> None:
        super().__init__()
        self._wrong = tuple(item for item in bugs() if not item.name.endswith("_fixed"))
        self._scenarios: tuple[Shipped, ...] = (*shipped(), *self._wrong)

    def compose(self) -> ComposeResult:
        options = [
            Option(f" {sign}{item.title}\n   {' '.join(item.summary.split())}\n", id=item.name)
            for item in self._scenarios
            for sign in ["⚑ " if item in self._wrong else ""]
        ]
        found = OptionList(*options, id="gallery", markup=False)
        found.border_title = "idtviz · choose a scenario, Enter runs it, q leaves"
        yield found

    def on_option_list_option_selected(self, message: OptionList.OptionSelected) -> None:
        """Run the one that was chosen."""
        chosen = next(item for item in self._scenarios if item.name == message.option.id)
        self.app.push_screen(DebuggerScreen(LabSession.open(chosen.path)))


class IdtvizApp(KeysInOrder):
    """The debugger in a terminal."""

    CSS_PATH = STYLES
    TITLE = "idtviz"
    ANIMATION_LEVEL = "none"
    ENABLE_COMMAND_PALETTE = True

    def __init__(self, session: LabSession | None = None) -> None:
        super().__init__()
        self._session = session
        self.animation_level = "none"

    def on_mount(self) -> None:
        self.push_screen(Gallery() if self._session is None else DebuggerScreen(self._session))

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
