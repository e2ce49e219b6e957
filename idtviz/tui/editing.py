"""Editing by keys: what is under the cursor, on the input line, with a sheet in between where there is a choice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input
from textual.widgets.input import Selection

from idtviz.checks.finding import Finding
from idtviz.debugger.editing import EditError, Slot
from idtviz.tui.dialogs import Sheet
from idtviz.tui.edit_commands import asked
from idtviz.tui.edit_completion import EditSuggester
from idtviz.tui.edit_targets import Target, sheet_slots, target
from idtviz.tui.giving import give
from idtviz.tui.moving import MovingScreen
from idtviz.tui.panel import RowsPanel
from idtviz.view import editing
from idtviz.view.row import Panel, Row


class SlotSheet(ModalScreen[Slot | None]):
    """A choice of slots. Enter or `e` takes the one under the cursor."""

    BINDINGS = [
        Binding("escape,q", "dismiss(None)", "close", show=False),
        Binding("e", "take", "edit", show=False),
    ]
    DEFAULT_CSS = """
    SlotSheet { align: center middle; background: black 40%; }
    SlotSheet > Vertical { width: 90%; max-width: 110; height: auto; max-height: 90%; }
    SlotSheet RowsPanel { height: auto; }
    """

    opens = True
    """Keys wait: the rows are not there yet."""

    def __init__(self, title: str, slots: Sequence[Slot]) -> None:
        super().__init__()
        self._heading = title
        self._slots = slots

    def compose(self) -> ComposeResult:
        with Vertical():
            yield RowsPanel("sheet")

    def on_mount(self) -> None:
        panel = self.query_one(RowsPanel)
        panel.styles.height = min(len(self._slots) + 2, self.app.size.height - 4)
        self.set_focus(panel)
        self.call_after_refresh(self._show)

    def _show(self) -> None:
        panel = self.query_one(RowsPanel)
        panel.show(editing.panel(self._heading, self._slots, panel.columns))
        panel.action_cursor(0)
        self.opens = False

    def action_take(self) -> None:
        self.query_one(RowsPanel).action_choose()

    def on_rows_panel_chosen(self, message: RowsPanel.Chosen) -> None:
        """A slot was taken."""
        key = message.row.key
        self.dismiss(None if key is None else self._slots[key])


class FieldSheet(Sheet):
    """A structure bit by bit, whose fields `e` edits."""

    BINDINGS = [Binding("e", "edit", "edit", show=False)]

    def __init__(self, content: Panel, slots: Sequence[Slot]) -> None:
        super().__init__(replace(content, note="e edits the field · esc closes") if slots else content)
        self._slots = slots
        self.chosen: Slot | None = None
        """The field that `e` was pressed on, when the sheet has closed."""

    def action_edit(self) -> None:
        found = self.query_one(RowsPanel).row
        self.chosen = None if found is None else editing.slot_of(self._content, found, self._slots)
        if self.chosen is not None:
            self.dismiss()


class EditingScreen(MovingScreen):
    """A screen on which everything that it shows can be changed."""

    _came_from: tuple[RowsPanel, int] | None = None
    """The panel and the row that are being edited: there the focus goes when the line closes."""

    def ask(self, what: str, answer: str = "") -> None:
        """Show the line; edits are completed there as all other commands are."""
        super().ask(what, answer)
        self.opens = False
        if what != "set":
            self._came_from = None
        question, line = self._question, self.query_one("#line", Input)
        if question is not None and question.prefix in ("", "set "):
            line.suggester = EditSuggester(self.session, question.prefix)
        # What is typed takes the place of the value, and leaves the path.
        value = answer.rfind("= ") + 2 if question is not None and question.prefix == "set " else 0
        line.select_on_focus = value < 2
        line.selection = Selection(value, len(answer))

    def close_line(self) -> None:
        """Nothing is asked any more: back to the row that was edited."""
        asked = self._question is not None
        super().close_line()
        if asked and self._came_from is not None:
            panel, place = self._came_from
            panel.focus()
            self.call_after_refresh(panel.go_to, place)

    def action_edit(self) -> None:
        """Edit what the row under the cursor shows, or the panel; without a panel, ask for a path."""
        if self.is_busy:
            return
        panel = self.panel
        self._came_from = None
        if panel is None:
            self.ask("set")
            return
        self._remember(panel)
        try:
            self._offer(target(self.session, self.picture.view, panel.id, panel.row or Row()))
        except EditError as error:
            self.say(str(error))

    def arrived(self, answer: object, findings: tuple[Finding, ...]) -> None:
        """A command may end with a choice of what to edit."""
        super().arrived(answer, findings)
        if isinstance(answer, Target):
            self._offer(answer)

    def _remember(self, panel: RowsPanel) -> None:
        found = panel.row
        place = next((place for place, row in enumerate(panel.rows) if row is found), None)
        self._came_from = None if place is None else (panel, place)

    def open_sheet(self, content: Panel, panel: str | None, key: int | None) -> None:
        """Show a structure bit by bit, with its fields to edit."""
        sheet = FieldSheet(content, sheet_slots(self.session, panel, key))
        if self.panel is not None:
            self._remember(self.panel)
        self.app.push_screen(sheet, lambda _: self._ask_value(sheet.chosen))

    def _offer(self, found: Target) -> None:
        if len(found.slots) == 1:
            self._ask_value(found.slots[0], found.text)
        else:
            self.app.push_screen(SlotSheet(found.title, found.slots), self._ask_value)

    def _ask_value(self, slot: Slot | None, text: str = "") -> None:
        """The line opens with the path and the value that stands there."""
        if slot is not None:
            # Behind the closing of a sheet, which gives the focus back to the panel.
            self.opens = True
            self.call_after_refresh(self.ask, "set", f"{slot.path} = {text or slot.text}")

    def submit_edit(self, text: str) -> None:
        """`PATH = VALUE` was entered. What is wrong with it is said, and the line stays for correction."""
        try:
            given = asked(self.session, text)
        except EditError as error:
            self.ask("set", text)
            self.say(str(error))
            return
        if isinstance(given, str):
            self.say(given)
        elif isinstance(given, Target):
            self._offer(given)
        else:
            self.move(lambda: give(self.session, given), long=True)
