"""The timeline's widget: rows like any other panel, and a place to point at."""

from __future__ import annotations

from textual import events
from textual.binding import Binding
from textual.message import Message

from idtviz.tui.panel import RowsPanel


class TimelinePanel(RowsPanel):
    """A click, or a drag, asks for the moment under the pointer; the wheel for a shorter or a longer stretch."""

    ALLOW_SELECT = False
    BINDINGS = [
        Binding("home", "screen.start", "start", show=False),
        Binding("end", "screen.frontier", "end of the recording", show=False),
    ]

    class Pointed(Message):
        """The pointer asks for the moment at column `x` of the rows."""

        def __init__(self, x: int) -> None:
            super().__init__()
            self.x = x

    class Zoomed(Message):
        """The wheel was turned at column `x` of the rows."""

        def __init__(self, x: int, *, nearer: bool) -> None:
            super().__init__()
            self.x = x
            self.nearer = nearer

    def _x(self, event: events.MouseEvent) -> int:
        """The column of the rows under the pointer; a captured pointer may be anywhere on the screen."""
        return event.screen_x - self.content_region.x

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Go there, and from now on wherever the pointer goes."""
        self.capture_mouse()
        self.post_message(self.Pointed(self._x(event)))

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """While the button is held the present follows the pointer."""
        if self.app.mouse_captured is self:
            self.post_message(self.Pointed(self._x(event)))

    def on_mouse_up(self) -> None:
        """The pointer is free again."""
        self.release_mouse()

    def on_click(self, event: events.Click) -> None:
        """A click puts no cursor on a row here."""
        event.prevent_default()

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Nearer."""
        event.prevent_default()
        event.stop()
        self.post_message(self.Zoomed(self._x(event), nearer=True))

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Further away."""
        event.prevent_default()
        event.stop()
        self.post_message(self.Zoomed(self._x(event), nearer=False))
