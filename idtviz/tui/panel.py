"""The one widget that draws rows. It repaints the lines that changed and nothing else."""

from __future__ import annotations

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from idtviz.tui.looks import DARK, LIGHT, Looks
from idtviz.view.row import Panel, Role, Row


class RowsPanel(Widget, can_focus=True):
    """A bordered window on a list of rows, with a cursor row while it has the focus."""

    ALLOW_MAXIMIZE = True
    BINDINGS = [
        Binding("up", "cursor(-1)", "up", show=False),
        Binding("down", "cursor(1)", "down", show=False),
        Binding("pageup", "cursor(-10)", "page up", show=False),
        Binding("pagedown", "cursor(10)", "page down", show=False),
        Binding("home", "cursor(-100000)", "top", show=False),
        Binding("end", "cursor(100000)", "bottom", show=False),
        Binding("enter", "choose", "open", show=False),
    ]

    class Chosen(Message):
        """Enter, or a second click, on a row."""

        def __init__(self, panel: RowsPanel, row: Row) -> None:
            super().__init__()
            self.panel = panel
            self.row = row

    class Resized(Message):
        """The panel has another width: its rows have to be laid out again."""

        def __init__(self, panel: RowsPanel) -> None:
            super().__init__()
            self.panel = panel

    def __init__(self, name: str, number: str = "", *, follows: bool = False) -> None:
        super().__init__(id=name)
        self.number = number
        self.follows = follows
        """Where another row is the one to keep in sight, the cursor goes there too."""
        self._rows: tuple[Row, ...] = ()
        self._top = 0
        self._cursor: int | None = None
        self._focus_row: int | None = None
        self.painted = 0
        """Lines repainted since the start: a test counts them."""

    @property
    def columns(self) -> int:
        """How many columns a row has."""
        return max(10, self.content_size.width)

    @property
    def row(self) -> Row | None:
        """The row under the cursor; without a cursor the row that the panel keeps in sight."""
        place = self._cursor if self._cursor is not None else self._focus_row
        return self._rows[place] if place is not None and place < len(self._rows) else None

    @property
    def rows(self) -> tuple[Row, ...]:
        """What the panel holds, seen or not."""
        return self._rows

    def show(self, content: Panel) -> None:
        """Show other rows. Only lines that differ are painted again."""
        self._title(content)
        before, top = self._rows, self._top
        moved = _at(before, self._focus_row) != _at(content.rows, content.focus)
        self._rows = content.rows
        self._focus_row = content.focus
        if self._cursor is not None:
            wanted = content.focus if moved and self.follows and content.focus is not None else self._cursor
            self._cursor = min(wanted, max(0, len(self._rows) - 1))
        height = self.content_size.height
        self._keep_in_sight(content.focus if moved or self._cursor is None else self._cursor, height)
        if self._top != top:
            self.refresh()
            return
        regions = [
            Region(0, line, self.content_size.width, 1)
            for line in range(height)
            if _at(before, top + line) != _at(self._rows, top + line)
        ]
        if regions:
            self.refresh(*regions)

    def _title(self, content: Panel) -> None:
        title = f"{self.number} {content.title}".strip()
        if self.border_title != title:
            self.border_title = title
        if (self.border_subtitle or "") != content.note:
            self.border_subtitle = content.note

    def _keep_in_sight(self, place: int | None, height: int) -> None:
        last = max(0, len(self._rows) - height)
        if place is not None and height > 0:
            margin = min(3, height // 3)
            if place < self._top + margin:
                self._top = place - margin
            elif place >= self._top + height - margin:
                self._top = place - height + margin + 1
        self._top = max(0, min(self._top, last))

    def render_line(self, y: int) -> Strip:
        """One line, as few segments as its roles allow."""
        self.painted += 1
        looks: Looks = DARK if self.app.current_theme.dark else LIGHT
        width = self.content_size.width
        place = self._top + y
        found = _at(self._rows, place)
        cursor = self.has_focus and place == self._cursor
        lit = found.lit if found is not None else None
        blank = looks.style(Role.TEXT, lit, cursor=cursor)
        segments: list[Segment] = []
        if found is not None:
            last: Style | None = None
            text = ""
            for span in found.spans:
                style = looks.style(span.role, lit, cursor=cursor)
                if last is not None and style != last:
                    segments.append(Segment(text, last))
                    text = ""
                last = style
                text += span.text
            if last is not None and text:
                segments.append(Segment(text, last))
        return Strip(segments).adjust_cell_length(width, blank)

    def action_cursor(self, by: int) -> None:
        """Move the cursor row."""
        if not self._rows:
            return
        start = self._cursor if self._cursor is not None else self._focus_row or 0
        self._cursor = max(0, min(len(self._rows) - 1, start + by))
        self._keep_in_sight(self._cursor, self.content_size.height)
        self.refresh()

    def go_to(self, place: int) -> None:
        """Put the cursor on a row."""
        self._cursor = 0
        self.action_cursor(place)

    def action_choose(self) -> None:
        """Open what the cursor stands on."""
        found = self.row
        if found is not None:
            self.post_message(self.Chosen(self, found))

    def on_click(self, event: events.Click) -> None:
        """Put the cursor there; a double click opens."""
        offset = event.get_content_offset(self)
        if offset is None:
            return
        place = self._top + offset.y
        if place < len(self._rows):
            self._cursor = place
            self.refresh()
            if event.chain == 2:
                self.action_choose()

    def on_mouse_scroll_down(self, _event: events.MouseScrollDown) -> None:
        """The wheel moves the window, not the cursor."""
        self._scroll(3)

    def on_mouse_scroll_up(self, _event: events.MouseScrollUp) -> None:
        """See `on_mouse_scroll_down`."""
        self._scroll(-3)

    def _scroll(self, by: int) -> None:
        top = max(0, min(self._top + by, len(self._rows) - self.content_size.height))
        if top != self._top:
            self._top = top
            self.refresh()

    def on_blur(self) -> None:
        """Without the focus there is no cursor."""
        self._cursor = None
        self.refresh()

    def on_resize(self) -> None:
        """The window changed: keep the place in sight."""
        top = self._top
        self._keep_in_sight(self._focus_row if self._cursor is None else self._cursor, self.content_size.height)
        if self._top != top:
            self.refresh()  # lines that were drawn before are kept otherwise, where the width is the same
        self.post_message(self.Resized(self))


def _at(rows: tuple[Row, ...], place: int | None) -> Row | None:
    return rows[place] if place is not None and 0 <= place < len(rows) else None
