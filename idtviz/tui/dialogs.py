"""Small screens over the debugger: help, a structure bit by bit, an error."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen

from idtviz.tui.panel import RowsPanel
from idtviz.view import sheet
from idtviz.view.fitting import clip
from idtviz.view.row import Panel, Role, Row, row

_NARROW = 100  # columns


class Sheet(ModalScreen[None]):
    """Rows in a box; any of the closing keys, or a click outside, closes it."""

    BINDINGS = [Binding("escape,q,enter,question_mark", "dismiss", "close", show=False)]
    DEFAULT_CSS = """
    Sheet { align: center middle; background: black 40%; }
    Sheet > Vertical { width: 90%; max-width: 110; height: auto; max-height: 90%; }
    Sheet.wide > Vertical { max-width: 160; }
    Sheet.narrow > Vertical { width: 100%; max-height: 100%; }
    Sheet RowsPanel { height: auto; }
    """

    opens = True
    """Keys wait: the rows are not there yet."""

    def __init__(self, content: Panel | Callable[[int], Panel]) -> None:
        """`content` may be made for the width that there is: so many columns."""
        super().__init__(classes="" if isinstance(content, Panel) else "wide")
        self.is_narrow = False
        """There is no room to spare."""
        self._content = content if isinstance(content, Panel) else Panel("", ())
        self._made = None if isinstance(content, Panel) else content

    def compose(self) -> ComposeResult:
        with Vertical():
            yield RowsPanel("sheet")

    def on_mount(self) -> None:
        self.set_focus(self.query_one(RowsPanel))
        self.is_narrow = self.app.size.width < _NARROW
        self.set_class(self.is_narrow, "narrow")
        if self._made is None:
            self._show()
        else:
            self.call_after_refresh(self._make)

    def _make(self) -> None:
        """The width is known now."""
        if self._made is not None:
            self._content = self._made(self.query_one(RowsPanel).columns)
        self._show()

    def _show(self) -> None:
        panel = self.query_one(RowsPanel)
        panel.styles.height = min(len(self._content.rows) + 2, self.app.size.height - (2 if self.is_narrow else 4))
        self.call_after_refresh(self._fill)

    def _fill(self) -> None:
        panel = self.query_one(RowsPanel)
        if len(self._content.rows) > panel.content_size.height:
            self._content = replace(self._content, note=f"↑ ↓ more · {self._content.note}".removesuffix(" · "))
        panel.show(self._content)
        self.opens = False

    def on_rows_panel_chosen(self, message: RowsPanel.Chosen) -> None:
        """Enter on a row, or a second click."""
        message.stop()
        self.choose(message.row)

    def choose(self, _row: Row) -> None:
        """A row was chosen."""
        self.dismiss()


class GoalSheet(Sheet):
    """A sheet whose rows lead somewhere: Enter on one closes it and goes there. Where none does, Enter closes it."""

    BINDINGS = [Binding("escape,q,question_mark,equals_sign", "dismiss", "close", show=False)]

    def __init__(self, made: Callable[[int], sheet.Sheet]) -> None:
        super().__init__(self._panel)
        self._goals: tuple[sheet.Goal, ...] = ()
        self._sheet = made
        self.chosen: sheet.Goal | None = None
        """Where the row leads that was chosen, when the sheet has closed."""

    def _panel(self, width: int) -> Panel:
        made = self._sheet(width)
        self._goals = made.goals
        return made.panel

    def choose(self, row: Row) -> None:
        """Where one row leads nowhere, but others do, the sheet stays."""
        if row.key is not None:
            self.chosen = self._goals[row.key]
        elif self._goals:
            return
        self.dismiss()


def paragraphs(title: str, text: str, width: int, *, role: Role = Role.TEXT) -> tuple[Row, ...]:
    """A title and a text broken into lines."""
    rows = [row((title, Role.TITLE))] if title else []
    line = ""
    for word in text.split():
        if line and len(line) + len(word) + 1 > width:
            rows.append(row((line, role)))
            line = ""
        line = f"{line} {word}".strip()
    if line:
        rows.append(row((line, role)))
    return tuple(rows)


def shortened(rows: tuple[Row, ...], most: int, width: int) -> tuple[Row, ...]:
    """At most `most` rows of a paragraph; an ellipsis at the end stands for the others."""
    if len(rows) <= most:
        return rows
    last = rows[most - 1]
    return (*rows[: most - 1], row((clip(f"{last.text} {rows[most].text}", width), last.spans[-1].role)))
