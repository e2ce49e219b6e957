"""The debugger's screen: its panels, what keys do at the cursor, and what is asked on the input line."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical

from idtviz.debugger.inputs import Keys
from idtviz.debugger.moment import Moment
from idtviz.lab.session import LabSession
from idtviz.lab.teaching.tutor import Tutor
from idtviz.machine.chips import scancodes
from idtviz.tui.actions import ACTIONS, PANEL_HELP, PANELS
from idtviz.tui.branching import BranchingScreen
from idtviz.tui.cause_commands import registers_in
from idtviz.tui.cursor import bytes_of, sheet_of, toggle_breakpoint
from idtviz.tui.dialogs import Sheet, paragraphs
from idtviz.tui.editing import EditingScreen
from idtviz.tui.finding import FindingScreen
from idtviz.tui.giving import give
from idtviz.tui.panel import RowsPanel
from idtviz.tui.questions import Question
from idtviz.tui.scrubbing import ScrubbingScreen
from idtviz.tui.teaching import TeachingScreen
from idtviz.tui.timeline import TimelinePanel
from idtviz.view import status
from idtviz.view.row import Panel
from idtviz.x86.vectors import by_name

WIDE = (150, 40)
"""From this size on all panels stand side by side; below it they share a place, one at a time."""
_ROUND = (*PANELS[:-1], "timeline", PANELS[-1])
"""The way of the Tab key."""


class DebuggerScreen(ScrubbingScreen, BranchingScreen, EditingScreen, FindingScreen, TeachingScreen):
    """One session on the screen."""

    BINDINGS = [
        *(Binding(action.keys, action.id, action.label, show=False) for action in ACTIONS if action.id != "quit"),
        *(Binding(str((number + 1) % 10), f"panel('{name}')", name, show=False) for number, name in enumerate(PANELS)),
        Binding("q", "leave", "quit", show=False),
    ]
    AUTO_FOCUS = ""

    def __init__(self, session: LabSession, tutor: Tutor | None = None) -> None:
        super().__init__(session, tutor)
        self._arranged: tuple[bool, str] | None = None

    def compose(self) -> ComposeResult:
        yield RowsPanel("head")
        yield RowsPanel("tabs")
        with Horizontal(id="top"):
            with Vertical(id="left"):
                yield RowsPanel("code", "1")
                yield RowsPanel("idt", "5")
            yield RowsPanel("delivery", "2")
            with Vertical(id="right"):
                yield RowsPanel("registers", "3")
                yield RowsPanel("stack", "4")
        with Horizontal(id="bottom"):
            yield RowsPanel("gdt", "6")
            yield RowsPanel("tss", "7")
            yield RowsPanel("pic", "8")
            yield RowsPanel("display", "9")
        with Horizontal(id="time"):
            yield TimelinePanel("timeline")
            yield RowsPanel("events", "0", follows=True)
        yield RowsPanel("story")
        yield self.line()
        yield RowsPanel("foot")

    def on_mount(self) -> None:
        for name in ("head", "tabs", "story", "foot"):
            self.query_one(f"#{name}", RowsPanel).can_focus = False
        self.watch_parts()

    # Layout

    def on_resize(self) -> None:
        self._arrange()

    def _arrange(self) -> None:
        """Show the panels that there is room for."""
        size = self.app.size
        wide = size.width >= WIDE[0] and size.height >= WIDE[1]
        self.call_after_refresh(self.draw)
        if self._arranged == (wide, self.picture.tab):
            return
        self._arranged = (wide, self.picture.tab)
        self.picture.wide = wide
        self.set_class(wide, "wide")
        self.set_class(not wide, "narrow")
        for name in PANELS:
            shown = wide or name in (self.picture.tab, "delivery")
            self.query_one(f"#{name}", RowsPanel).display = shown
        self.query_one("#left").display = wide or self.picture.tab in ("code", "idt")
        self.query_one("#right").display = wide or self.picture.tab in ("registers", "stack")
        self.query_one("#bottom").display = wide or self.picture.tab in ("gdt", "tss", "pic", "display")
        self.set_class(not wide and self.picture.tab == "events", "log")

    def on_rows_panel_resized(self, message: RowsPanel.Resized) -> None:
        """A panel that has just been shown knows its width only now."""
        panel = message.panel
        if panel.id is not None:
            panel.show(self.picture.rows(panel.id, panel.columns))

    def action_leave(self) -> None:
        """Back to the gallery, if that is where one came from."""
        if self.app.screen_stack.index(self) > 1:
            self.app.pop_screen()
        else:
            self.app.exit()

    def replace_session(self, session: LabSession, said: str) -> None:
        """Another screen like this one, in its place."""
        screen = DebuggerScreen(session)
        screen.picture.tab = self.picture.tab
        screen.picture.message = said
        self.app.switch_screen(screen)

    # At the cursor

    def action_breakpoint(self) -> None:
        panel = self.panel or self.query_one("#code", RowsPanel)
        found = panel.row
        self.say(toggle_breakpoint(self.session, self.picture.view, panel.id, None if found is None else found.key))

    def action_who(self) -> None:
        """Who wrote what the row shows; where that may be one thing or another, ask which."""
        panel = self.panel
        found = panel.row if panel is not None else None
        if panel is None or found is None:
            self.ask("who")
        elif panel.id == "registers":
            named = registers_in(found)
            self.ask("who", named[0] if named else "")
            if len(named) > 1:
                self.say(f"Which register: {', '.join(named[:-1])} or {named[-1]}?")
        else:
            place = None if found.key is None else bytes_of(self.picture.view, panel.id, found.key)
            if place is None:
                self.ask("who")
            else:
                self.move(lambda: self.session.who_wrote(place), long=True)

    def action_breakpoints(self) -> None:
        self.submit("breakpoints", opens=True)

    def action_run_to_cursor(self) -> None:
        panel = self.panel
        found = panel.row if panel is not None and panel.id == "code" else None
        if found is None or found.key is None:
            self.say("Put the cursor on an instruction in the code panel first.")
            return
        address = self.picture.view.code.linear(found.key)
        self.move(lambda: self.session.run(f"{address:#x}"), long=True)

    def on_rows_panel_chosen(self, message: RowsPanel.Chosen) -> None:
        """Enter on a row: a structure bit by bit, or the moment of an event."""
        key, panel = message.row.key, message.panel.id
        if panel == "events" and key is not None:
            self._go_to_event(key)
            return
        sheet = sheet_of(self.picture.view, panel, key)
        if sheet is not None:
            self.open_sheet(sheet, panel, key)

    def _go_to_event(self, index: int) -> None:
        if index < 0:
            self.go_to_finding(-1 - index)
        elif index < len(self.session.events):
            event = self.session.events[index]
            self.move(lambda: self.session.seek(Moment(event.instruction, event.step)), long=True)

    # Panels

    def action_panel(self, name: str) -> None:
        if not self.picture.wide and name in PANELS and name != "delivery":
            self.picture.tab = name
            self._arrange()
        self.query_one(f"#{name}", RowsPanel).focus()

    def action_next_tab(self) -> None:
        focused = self.panel
        here = focused.id if focused is not None and focused.id in _ROUND else _ROUND[-1]
        assert here is not None
        self.action_panel(_ROUND[(_ROUND.index(here) + 1) % len(_ROUND)])

    def action_zoom(self) -> None:
        if self.maximized is not None:
            self.minimize()
        else:
            self.maximize(self.panel or self.query_one("#delivery", RowsPanel))
        self.call_after_refresh(self.draw)

    def action_copy(self) -> None:
        panel = self.panel
        if panel is not None and panel.row is not None:
            self.app.copy_to_clipboard(panel.row.text.strip())
            self.say("copied")

    def action_light(self) -> None:
        self.app.theme = "textual-light" if self.app.current_theme.dark else "textual-dark"
        self.refresh(recompose=False)
        for panel in self.query(RowsPanel):
            panel.refresh()

    def action_help(self) -> None:
        panel = self.panel
        name = panel.id if panel is not None and panel.id in PANEL_HELP else "delivery"
        assert name is not None
        width = min(100, self.app.size.width - 12)
        rows = [*paragraphs(name.capitalize(), PANEL_HELP[name], width), *status.keys(ACTIONS, width)]
        self.app.push_screen(Sheet(Panel("Help", tuple(rows))))

    # What is asked on the input line

    def action_suppose(self) -> None:
        panel = self.panel
        found = panel.row if panel is not None and panel.id == "idt" else None
        if found is not None and found.key is not None:
            self._look_ahead(found.key)
        else:
            self.ask("suppose")

    def _look_ahead(self, vector: int) -> None:
        self.supposed_vector = vector
        self.picture.supposed = self.suppose(vector)
        self.say("" if self.picture.supposed else "Something is under way here already: look at the delivery panel.")

    def answered(self, question: Question, text: str) -> None:
        """A line was entered."""
        if question.prefix == "suppose ":
            self._submit_vector(text)
        elif question.prefix == "answer ":
            self.give_answer(text)
        elif question.prefix == "keys ":
            self._submit_keys(text)
        elif question.prefix == "set ":
            self.submit_edit(text)
        elif text.strip() in ("quit", "q") and not question.prefix:
            self.app.exit()
        elif not question.prefix and self.teach(text):
            return
        else:
            self.submit(question.prefix + text)

    def _submit_vector(self, text: str) -> None:
        try:
            self._look_ahead(by_name(text.strip()).number)
        except ValueError as error:
            self.say(str(error))

    def _submit_keys(self, text: str) -> None:
        keys = text.replace("\\n", "\n").replace("\\t", "\t")
        try:
            scancodes.encode(keys)
        except ValueError as error:
            self.say(str(error))
            return
        self.move(lambda: give(self.session, Keys(keys)))
