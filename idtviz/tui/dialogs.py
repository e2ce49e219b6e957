"""Small screens over the debugger: help, a structure bit by bit, an error."""

from __future__ import annotations

from collections.abc import Callable

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen

from idtviz.tui.panel import RowsPanel
from idtviz.view.fitting import clip
from idtviz.view.row import Panel, Role, Row, row


class Sheet(ModalScreen[None]):
    """Rows in a box; any of the closing keys, or a click outside, closes it."""

    BINDINGS = [Binding("escape,q,enter,question_mark", "dismiss", "close", show=False)]
    DEFAULT_CSS = """
    Sheet { align: center middle; background: black 40%; }
    Sheet > Vertical { width: 90%; max-width: 110; height: auto; max-height: 90%; }
    Sheet.wide > Vertical { max-width: 100%; }
    Sheet RowsPanel { height: auto; }
    """

    def __init__(self, content: Panel | Callable[[int], Panel]) -> None:
        """`content` may be made for the width that there is: so many columns."""
        super().__init__(classes="" if isinstance(content, Panel) else "wide")
        self._content = content if isinstance(content, Panel) else Panel("", ())
        self._made = None if isinstance(content, Panel) else content

    def compose(self) -> ComposeResult:
        with Vertical():
            yield RowsPanel("sheet")

    def on_mount(self) -> None:
        panel = self.query_one(RowsPanel)
        panel.focus()
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
        panel.styles.height = min(len(self._content.rows) + 2, self.app.size.height - 4)
        self.call_after_refresh(panel.show, self._content)

    def on_rows_panel_chosen(self) -> None:
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
