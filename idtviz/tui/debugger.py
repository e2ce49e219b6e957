"""The debugger's screen: panels, keys, and the worker that runs the machine."""

from __future__ import annotations

from collections.abc import Callable

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.timer import Timer

from idtviz.debugger.inputs import Keys
from idtviz.debugger.moment import Moment
from idtviz.debugger.procedures import ProcedureView
from idtviz.debugger.session import Phase, SessionError
from idtviz.lab.session import LabSession
from idtviz.machine.chips import scancodes
from idtviz.tui.actions import ACTIONS, PANEL_HELP, PANELS
from idtviz.tui.commands import interpret
from idtviz.tui.cursor import sheet_of, toggle_breakpoint
from idtviz.tui.dialogs import Sheet, paragraphs
from idtviz.tui.panel import RowsPanel
from idtviz.tui.picture import Picture
from idtviz.tui.problem import CommandError
from idtviz.tui.prompt import Prompt
from idtviz.tui.questions import Question
from idtviz.view import status
from idtviz.view.row import Panel
from idtviz.x86.vectors import by_name

WIDE = (150, 40)
"""From this size on all panels stand side by side; below it they share a place, one at a time."""
_PLAY_SECONDS = 0.25


class DebuggerScreen(Prompt):
    """One session on the screen."""

    BINDINGS = [
        *(Binding(action.keys, action.id, action.label, show=False) for action in ACTIONS if action.id != "quit"),
        *(Binding(str((number + 1) % 10), f"panel('{name}')", name, show=False) for number, name in enumerate(PANELS)),
        Binding("q", "app.quit", "quit", show=False),
    ]
    AUTO_FOCUS = ""

    class Finished(Message):
        """A move in the worker has come to its end."""

        def __init__(self, answer: object) -> None:
            super().__init__()
            self.answer = answer

    def __init__(self, session: LabSession) -> None:
        super().__init__(session.symbols)
        self.session = session
        self.picture = Picture(session, session.view)
        self._supposed_vector: int | None = None
        self._playing: Timer | None = None
        self._watching: Timer | None = None
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
            yield RowsPanel("timeline")
            yield RowsPanel("events", "0")
        yield RowsPanel("story")
        yield self.line()
        yield RowsPanel("foot")

    def on_mount(self) -> None:
        for name in ("head", "tabs", "story", "foot", "timeline"):
            self.query_one(f"#{name}", RowsPanel).can_focus = False

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

    # Drawing

    def draw(self) -> None:
        """Give every panel that is on the screen its rows."""
        with self.app.batch_update():
            for panel in self.query(RowsPanel):
                if panel.id is not None and all(node.display for node in panel.ancestors_with_self):
                    panel.show(self.picture.rows(panel.id, panel.columns))

    def on_rows_panel_resized(self, message: RowsPanel.Resized) -> None:
        """A panel that has just been shown knows its width only now."""
        panel = message.panel
        if panel.id is not None:
            panel.show(self.picture.rows(panel.id, panel.columns))

    # Moving

    def _move(self, move: Callable[[], object], *, long: bool = False) -> None:
        """Carry out a command: at once, or in the worker if it may take time."""
        if self.session.phase is Phase.RUNNING:
            return
        self.picture.message = ""
        if long:
            self.picture.rate.start()
            self._watching = self.set_interval(0.1, self._look_in)
            self._run(move)
            return
        self._arrived(_answer(move))

    @work(thread=True, exclusive=True, exit_on_error=False)
    def _run(self, move: Callable[[], object]) -> None:
        self.post_message(self.Finished(_answer(move)))

    def on_debugger_screen_finished(self, message: Finished) -> None:
        """The worker is done."""
        if self._watching is not None:
            self._watching.stop()
            self._watching = None
        self._arrived(message.answer)

    def _look_in(self) -> None:
        """While the worker runs only the status line moves."""
        head = self.query_one("#head", RowsPanel)
        head.show(self.picture.rows("head", head.columns))

    def _arrived(self, answer: object) -> None:
        """A move has ended; `answer` is what it has to say for itself, if that is a text or a sheet."""
        waits = "The guest waits in HLT. k types on its keyboard, i raises an interrupt, c goes on to the next tick."
        idle = waits if self.session.idle and self.session.phase is Phase.STOPPED else ""
        self.picture.message = answer if isinstance(answer, str) else self.session.stop.text or idle
        self.look_again()
        if isinstance(answer, Panel):
            self.app.push_screen(Sheet(answer))

    def look_again(self) -> None:
        """The session has moved: draw where it is now, and mark what differs from what was drawn before."""
        picture = self.picture
        picture.before, picture.view = picture.view, self.session.view
        picture.supposed = self._suppose(self._supposed_vector)
        self.draw()

    def action_step(self) -> None:
        self._move(self.session.step)

    def action_micro_step(self) -> None:
        self._move(self.session.micro_step)

    def action_next(self) -> None:
        self._move(self.session.next, long=True)

    def action_finish(self) -> None:
        self._move(self.session.finish, long=True)

    def action_run(self) -> None:
        self._move(lambda: self.session.run(stop_when=lambda: self.session.idle), long=True)

    def action_back(self) -> None:
        self._move(self.session.back)

    def action_micro_back(self) -> None:
        self._move(self.session.micro_back)

    def action_back_over(self) -> None:
        self._move(self.session.back_over)

    def action_run_back(self) -> None:
        self._move(self.session.run_back, long=True)

    def action_pause(self) -> None:
        self.close_line()
        self._stop_playing()
        self.session.pause()

    def action_play(self) -> None:
        if self._playing is None:
            self._playing = self.set_interval(_PLAY_SECONDS, self._play)
        else:
            self._stop_playing()

    def _play(self) -> None:
        if self.session.phase is Phase.ENDED:
            self._stop_playing()
        else:
            self._move(self.session.micro_step)

    def _stop_playing(self) -> None:
        if self._playing is not None:
            self._playing.stop()
            self._playing = None

    # At the cursor

    def _focused(self) -> RowsPanel | None:
        return self.focused if isinstance(self.focused, RowsPanel) else None

    def action_breakpoint(self) -> None:
        panel = self._focused() or self.query_one("#code", RowsPanel)
        found = panel.row
        self.picture.message = toggle_breakpoint(self.session, panel.id, None if found is None else found.key)
        self.draw()

    def action_breakpoints(self) -> None:
        self._submit("breakpoints")

    def action_run_to_cursor(self) -> None:
        panel = self._focused()
        found = panel.row if panel is not None and panel.id == "code" else None
        if found is None or found.key is None:
            self.picture.message = "Put the cursor on an instruction in the code panel first."
            self.draw()
            return
        address = self.session.view.code.linear(found.key)
        self._move(lambda: self.session.run(f"{address:#x}"), long=True)

    def on_rows_panel_chosen(self, message: RowsPanel.Chosen) -> None:
        """Enter on a row: a structure bit by bit, or the moment of an event."""
        key, panel = message.row.key, message.panel.id
        if panel == "events" and key is not None:
            self._go_to_event(key)
            return
        sheet = sheet_of(self.picture.view, panel, key)
        if sheet is not None:
            self.app.push_screen(Sheet(sheet))

    def _go_to_event(self, index: int) -> None:
        if 0 <= index < len(self.session.events):
            event = self.session.events[index]
            self._move(lambda: self.session.seek(Moment(event.instruction, event.step)), long=True)

    def _suppose(self, vector: int | None) -> ProcedureView | None:
        if vector is None or self.picture.view.procedure is not None or self.session.machine.shut_down:
            return None
        return self.session.suppose(vector)

    # Panels

    def action_panel(self, name: str) -> None:
        if not self.picture.wide and name != "delivery":
            self.picture.tab = name
            self._arrange()
        self.query_one(f"#{name}", RowsPanel).focus()

    def action_next_tab(self) -> None:
        focused = self._focused()
        here = focused.id if focused is not None and focused.id in PANELS else PANELS[-1]
        assert here is not None
        self.action_panel(PANELS[(PANELS.index(here) + 1) % len(PANELS)])

    def action_zoom(self) -> None:
        if self.maximized is not None:
            self.minimize()
        else:
            self.maximize(self._focused() or self.query_one("#delivery", RowsPanel))
        self.call_after_refresh(self.draw)

    def action_copy(self) -> None:
        panel = self._focused()
        if panel is not None and panel.row is not None:
            self.app.copy_to_clipboard(panel.row.text.strip())
            self.picture.message = "copied"
            self.draw()

    def action_light(self) -> None:
        self.app.theme = "textual-light" if self.app.current_theme.dark else "textual-dark"
        self.refresh(recompose=False)
        for panel in self.query(RowsPanel):
            panel.refresh()

    def action_help(self) -> None:
        panel = self._focused()
        name = panel.id if panel is not None and panel.id in PANEL_HELP else "delivery"
        assert name is not None
        width = min(100, self.app.size.width - 12)
        rows = [*paragraphs(name.capitalize(), PANEL_HELP[name], width), *status.keys(ACTIONS)]
        self.app.push_screen(Sheet(Panel("Help", tuple(rows))))

    # What is asked on the input line

    def action_suppose(self) -> None:
        panel = self._focused()
        found = panel.row if panel is not None and panel.id == "idt" else None
        if found is not None and found.key is not None:
            self._look_ahead(found.key)
        else:
            self.ask("suppose")

    def _look_ahead(self, vector: int) -> None:
        self._supposed_vector = vector
        self.picture.supposed = self._suppose(vector)
        self.picture.message = (
            "" if self.picture.supposed else "Something is under way here already: look at the delivery panel."
        )
        self.draw()

    def answered(self, question: Question, text: str) -> None:
        """A line was entered."""
        if question.prefix == "suppose ":
            self._submit_vector(text)
        elif question.prefix == "keys ":
            self._submit_keys(text)
        elif text.strip() in ("quit", "q") and not question.prefix:
            self.app.exit()
        else:
            self._submit(question.prefix + text)

    def _submit(self, text: str) -> None:
        try:
            move = interpret(text, self.session)
        except CommandError as error:
            self.picture.message = str(error)
            self.draw()
            return
        self._move(move, long=True)

    def _submit_vector(self, text: str) -> None:
        try:
            self._look_ahead(by_name(text.strip()).number)
        except ValueError as error:
            self.picture.message = str(error)
            self.draw()

    def _submit_keys(self, text: str) -> None:
        keys = text.replace("\\n", "\n").replace("\\t", "\t")
        try:
            scancodes.encode(keys)
        except ValueError as error:
            self.picture.message = str(error)
            self.draw()
            return
        self._move(lambda: self.session.give(Keys(keys)))


def _answer(move: Callable[[], object]) -> object:
    """Make a move: what it returns, or why it could not be made."""
    try:
        return move()
    except (SessionError, CommandError) as problem:
        return str(problem)
