"""The debugger's screen: panels, keys, and the worker that runs the machine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.screen import Screen
from textual.timer import Timer
from textual.widgets import Input

from idtviz.debugger.inputs import Keys
from idtviz.debugger.moment import Moment
from idtviz.debugger.procedures import ProcedureView
from idtviz.debugger.session import Phase, SessionError
from idtviz.debugger.stops import AddressBreakpoint, EventBreakpoint, Reason
from idtviz.debugger.view import View
from idtviz.lab.lessons import narration
from idtviz.lab.session import LabSession
from idtviz.machine.chips import scancodes
from idtviz.tui.actions import ACTIONS, PANEL_HELP, PANELS, TABS
from idtviz.tui.commands import CommandError, interpret, toggle
from idtviz.tui.dialogs import Sheet, paragraphs
from idtviz.tui.panel import RowsPanel
from idtviz.view import code, controllers, delivery, display, events, gdt, idt, registers, stack, status, timeline, tss
from idtviz.view.row import Panel, Role, Rows
from idtviz.x86.vectors import VECTORS, by_name

WIDE = (150, 40)
"""From this size on all panels stand side by side; below it they share a place, one at a time."""
_PLAY_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the input line at the bottom is for."""

    prompt: str
    prefix: str


_QUESTIONS = {
    "command": _Asked("command", ""),
    "goto": _Asked("go to", "goto "),
    "type_keys": _Asked("type on the keyboard (enter sends; \\n is the Enter key)", "keys "),
    "raise_irq": _Asked("interrupt line 0-15, or nmi", "irq "),
    "suppose": _Asked("what if this vector came now", "suppose "),
}


class DebuggerScreen(Screen[None]):
    """One session on the screen."""

    BINDINGS = [
        *(Binding(action.keys, action.id, action.label, show=False) for action in ACTIONS if action.id != "quit"),
        *(Binding(str((number + 1) % 10), f"panel('{name}')", name, show=False) for number, name in enumerate(PANELS)),
        Binding("q", "app.quit", "quit", show=False),
    ]
    AUTO_FOCUS = ""

    class Finished(Message):
        """A move in the worker has come to its end."""

        def __init__(self, error: str | None) -> None:
            super().__init__()
            self.error = error

    def __init__(self, session: LabSession) -> None:
        super().__init__()
        self.session = session
        self._before: View | None = None
        self._view: View = session.view
        self._supposed: ProcedureView | None = None
        self._supposed_vector: int | None = None
        self._question: _Asked | None = None
        self._message = ""
        self._playing: Timer | None = None
        self._watching: Timer | None = None
        self._tab = "code"

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
        yield Input(id="line")
        yield RowsPanel("foot")

    def on_mount(self) -> None:
        for name in ("head", "tabs", "story", "foot", "timeline"):
            self.query_one(f"#{name}", RowsPanel).can_focus = False
        self._arrange()

    # Layout

    def on_resize(self) -> None:
        self._arrange()

    def _arrange(self) -> None:
        size = self.app.size
        wide = size.width >= WIDE[0] and size.height >= WIDE[1]
        self.set_class(wide, "wide")
        self.set_class(not wide, "narrow")
        for name in PANELS:
            shown = wide or name in (self._tab, "delivery")
            self.query_one(f"#{name}", RowsPanel).display = shown
        self.query_one("#left").display = wide or self._tab in ("code", "idt")
        self.query_one("#right").display = wide or self._tab in ("registers", "stack")
        self.query_one("#bottom").display = wide or self._tab in ("gdt", "tss", "pic", "display")
        self.set_class(not wide and self._tab == "events", "log")
        self.call_after_refresh(self.draw)

    @property
    def wide(self) -> bool:
        """Whether all panels are on the screen."""
        return self.has_class("wide")

    # Drawing

    def draw(self) -> None:
        """Give every panel that is on the screen its rows."""
        view, before = self._view, self._before
        with self.app.batch_update():
            for panel in self.query(RowsPanel):
                if panel.display and panel.id in _DRAWN and all(parent.display for parent in panel.ancestors_with_self):
                    panel.show(_DRAWN[panel.id](self, view, before, panel.columns))

    def _narration(self, _view: View, _before: View | None, width: int) -> Panel:
        why, source = delivery.why(self._view)
        lesson = narration(self.session)
        rows: Rows = ()
        if self._message:
            rows = paragraphs("", self._message, width, role=Role.WARNING)
        elif lesson is not None and not (self._view.procedure and self._view.procedure.performed):
            rows = paragraphs("", lesson.text, width, role=Role.SOURCE)
        elif why:
            rows = paragraphs("", f"{why} [{source}]", width, role=Role.SOURCE)
        return Panel("", rows)

    def _head(self, view: View, _before: View | None, width: int) -> Panel:
        return status.head(view, self.session.setup.name, self._state(), width)

    def _tabs(self, _view: View, _before: View | None, width: int) -> Panel:
        names = [(str((place + 1) % 10), name) for place, name in enumerate(TABS)]
        return status.tabs(names, TABS[PANELS.index(self._tab)], width)

    def _state(self) -> str:
        session = self.session
        if session.phase is Phase.RUNNING:
            return f"running · {session.progress.moment.instruction:,} instructions · Esc stops"
        if session.stop.reason in (Reason.STEP, Reason.MOMENT, Reason.START):
            return "stopped" if session.phase is Phase.STOPPED else "ended"
        return str(session.stop.reason.value)

    def _foot(self, _view: View, _before: View | None, width: int) -> Panel:
        shown = [(action.keys.split(",")[0], action.label) for action in ACTIONS if action.footer]
        return status.foot(shown, width)

    def _events(self, view: View, before: View | None, width: int) -> Panel:
        return events.panel(view, before, width, self.session.events, self.session.seen)

    def _timeline(self, view: View, _before: View | None, width: int) -> Panel:
        found = timeline.panel(view, width, self.session.frontier, self.session.events, self.session.seen)
        return found if self.wide else Panel("", found.rows[:1])

    def _code(self, view: View, before: View | None, width: int) -> Panel:
        addresses = {item.address for item in self.session.breakpoints if isinstance(item, AddressBreakpoint)}
        return code.panel(view, before, width, self.session.source, addresses)

    def _delivery(self, view: View, before: View | None, width: int) -> Panel:
        return delivery.panel(view, before, width, self._supposed)

    # Moving

    def _move(self, move: Callable[[], object], *, long: bool = False) -> None:
        """Carry out a command: at once, or in the worker if it may take time."""
        if self.session.phase is Phase.RUNNING:
            return
        self._message = ""
        if long:
            self._watching = self.set_interval(0.1, self._look_in)
            self._run(move)
            return
        error = None
        try:
            move()
        except (SessionError, CommandError) as problem:
            error = str(problem)
        self._arrived(error)

    @work(thread=True, exclusive=True, exit_on_error=False)
    def _run(self, move: Callable[[], object]) -> None:
        error = None
        try:
            move()
        except (SessionError, CommandError) as problem:
            error = str(problem)
        self.post_message(self.Finished(error))

    def on_debugger_screen_finished(self, message: Finished) -> None:
        """The worker is done."""
        if self._watching is not None:
            self._watching.stop()
            self._watching = None
        self._arrived(message.error)

    def _look_in(self) -> None:
        """While the worker runs only the status line moves."""
        head = self.query_one("#head", RowsPanel)
        head.show(self._head(self._view, None, head.columns))

    def _arrived(self, error: str | None) -> None:
        self._message = error or self.session.stop.text
        self.look_again()

    def look_again(self) -> None:
        """The session has moved: draw where it is now, and mark what differs from what was drawn before."""
        self._before, self._view = self._view, self.session.view
        self._supposed = self._suppose(self._supposed_vector)
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
        if self._question is not None:
            self._close_line()
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
        if found is None or found.key is None or panel.id not in ("code", "idt"):
            self._message = "Put the cursor on an instruction, or on a gate of the IDT, and press b there."
        elif panel.id == "idt":
            item = EventBreakpoint(VECTORS[found.key].mnemonic, vector=found.key)
            self._message = f"breakpoint on {item} {'set' if toggle(self.session, item) else 'taken away'}"
        else:
            name = self.session.symbols.name(found.key) or f"{found.key:#x}"
            there = AddressBreakpoint(found.key, name)
            self._message = f"breakpoint at {there} {'set' if toggle(self.session, there) else 'taken away'}"
        self.draw()

    def action_run_to_cursor(self) -> None:
        panel = self._focused()
        found = panel.row if panel is not None and panel.id == "code" else None
        if found is None or found.key is None:
            self._message = "Put the cursor on an instruction in the code panel first."
            self.draw()
            return
        address = found.key
        self._move(lambda: self.session.run(f"{address:#x}"), long=True)

    def on_rows_panel_chosen(self, message: RowsPanel.Chosen) -> None:
        """Enter on a row: a structure bit by bit, or the moment of an event."""
        key, panel = message.row.key, message.panel.id
        if panel == "events" and key is not None:
            self._go_to_event(key)
        elif panel == "idt" and key is not None:
            self.app.push_screen(Sheet(idt.detail(self._view, key)))
        elif panel == "gdt" and key is not None:
            self.app.push_screen(Sheet(gdt.detail(self._view, key)))
        elif panel == "tss":
            self.app.push_screen(Sheet(tss.detail(self._view)))

    def _go_to_event(self, index: int) -> None:
        if 0 <= index < len(self.session.events):
            event = self.session.events[index]
            self._move(lambda: self.session.seek(Moment(event.instruction, event.step)), long=True)

    def _suppose(self, vector: int | None) -> ProcedureView | None:
        if vector is None or self._view.procedure is not None or self.session.machine.shut_down:
            return None
        return self.session.suppose(vector)

    # Panels

    def action_panel(self, name: str) -> None:
        if not self.wide and name != "delivery":
            self._tab = name
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
            self._message = "copied"
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

    # The input line

    def _ask(self, what: str) -> None:
        self._question = _QUESTIONS[what]
        line = self.query_one("#line", Input)
        line.value = ""
        line.border_title = self._question.prompt
        line.display = True
        line.focus()

    def action_command(self) -> None:
        self._ask("command")

    def action_goto(self) -> None:
        self._ask("goto")

    def action_type_keys(self) -> None:
        self._ask("type_keys")

    def action_raise_irq(self) -> None:
        self._ask("raise_irq")

    def action_suppose(self) -> None:
        panel = self._focused()
        found = panel.row if panel is not None and panel.id == "idt" else None
        if found is not None and found.key is not None:
            self._look_ahead(found.key)
        else:
            self._ask("suppose")

    def _look_ahead(self, vector: int) -> None:
        self._supposed_vector = vector
        self._supposed = self._suppose(vector)
        self._message = "" if self._supposed else "Something is under way here already: look at the delivery panel."
        self.draw()

    def _close_line(self) -> None:
        self._question = None
        self.query_one("#line", Input).display = False
        self.set_focus(None)

    def on_input_submitted(self, message: Input.Submitted) -> None:
        """A line was entered."""
        asked, text = self._question, message.value
        self._close_line()
        if asked is None or not text.strip():
            return
        if asked.prefix == "suppose ":
            self._submit_vector(text)
        elif asked.prefix == "keys ":
            self._submit_keys(text)
        elif text.strip() in ("quit", "q") and not asked.prefix:
            self.app.exit()
        else:
            self._submit(asked.prefix + text)

    def _submit(self, text: str) -> None:
        try:
            move = interpret(text, self.session)
        except CommandError as error:
            self._message = str(error)
            self.draw()
            return
        self._move(move, long=True)

    def _submit_vector(self, text: str) -> None:
        try:
            self._look_ahead(by_name(text.strip()).number)
        except ValueError as error:
            self._message = str(error)
            self.draw()

    def _submit_keys(self, text: str) -> None:
        keys = text.replace("\\n", "\n").replace("\\t", "\t")
        try:
            scancodes.encode(keys)
        except ValueError as error:
            self._message = str(error)
            self.draw()
            return
        self._move(lambda: self.session.give(Keys(keys)))


_Draw = Callable[[DebuggerScreen, View, View | None, int], Panel]


def _plain(panel: Callable[[View, View | None, int], Panel]) -> _Draw:
    """A panel that needs nothing but the views."""
    return lambda _screen, view, before, width: panel(view, before, width)


_DRAWN: dict[str | None, _Draw] = {
    "head": DebuggerScreen._head,  # noqa: SLF001 -- this module's own
    "tabs": DebuggerScreen._tabs,  # noqa: SLF001
    "code": DebuggerScreen._code,  # noqa: SLF001
    "delivery": DebuggerScreen._delivery,  # noqa: SLF001
    "registers": _plain(registers.panel),
    "stack": _plain(stack.panel),
    "idt": _plain(idt.panel),
    "gdt": _plain(gdt.panel),
    "tss": _plain(tss.panel),
    "pic": _plain(controllers.panel),
    "display": _plain(display.panel),
    "timeline": DebuggerScreen._timeline,  # noqa: SLF001
    "events": DebuggerScreen._events,  # noqa: SLF001
    "story": DebuggerScreen._narration,  # noqa: SLF001
    "foot": DebuggerScreen._foot,  # noqa: SLF001
}
