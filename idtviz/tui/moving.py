"""Moving through time: the commands of the session, at once or in a worker, and the drawing of where they led."""

from __future__ import annotations

from collections.abc import Callable

from textual import work
from textual.message import Message
from textual.timer import Timer
from textual.worker import Worker, WorkerState

from idtviz.checks.finding import Finding
from idtviz.debugger.procedures import ProcedureView
from idtviz.debugger.session import Phase, SessionError
from idtviz.lab.session import LabSession
from idtviz.lab.teaching.progress import progress
from idtviz.lab.teaching.tutor import Tutor
from idtviz.lab.teaching.workshop import name_of
from idtviz.tui.branch_commands import gone_to
from idtviz.tui.commands import interpret
from idtviz.tui.dialogs import GoalSheet, Sheet
from idtviz.tui.panel import RowsPanel
from idtviz.tui.picture import Picture
from idtviz.tui.problem import CommandError
from idtviz.tui.prompt import Prompt
from idtviz.view.findings import in_order
from idtviz.view.row import Panel
from idtviz.view.sheet import Goal

_PLAY_SECONDS = 0.25
_LOOK_SECONDS = 0.1
_ROWS_TO_READ = (3, 9)


class MovingScreen(Prompt):
    """A screen on a session: whatever moves that session goes through `move`.

    Keys for one matter (the timeline, editing) are a class of their own on top of this one.
    """

    class Finished(Message):
        """A move in the worker has come to its end; `findings` are those known by then."""

        def __init__(self, answer: object, findings: tuple[Finding, ...]) -> None:
            super().__init__()
            self.answer = answer
            self.findings = findings

    def __init__(self, session: LabSession, tutor: Tutor | None = None) -> None:
        """`tutor`: None is one that goes by what the student has done so far."""
        super().__init__(session.symbols)
        self.session = session
        self.tutor = tutor or Tutor(session, progress(name_of(session.path)))
        """What the session's scenario asks and wants done, and how far the student has come."""
        self.tutor.look()
        self.picture = Picture(session, session.view, self.tutor, findings=in_order(session.findings))
        self.supposed_vector: int | None = None
        """The vector that the person asked about with `v`."""
        self.working = False
        """A move goes on in the worker."""
        self.opens = False
        """Keys wait: a sheet, or the input line, is about to be there."""
        self._playing: Timer | None = None
        self._watching: Timer | None = None

    # Drawing

    def draw(self) -> None:
        """Give every panel that is on the screen its rows."""
        with self.app.batch_update():
            self._fit_story()
            for panel in self.query(RowsPanel):
                if panel.id is not None and all(node.display for node in panel.ancestors_with_self):
                    panel.show(self.picture.rows(panel.id, panel.columns))

    def _fit_story(self) -> None:
        """What is to be read at this moment is there as a whole; it takes the room for that only while it is."""
        story = self.query_one("#story", RowsPanel)
        if self.tutor.present is None:
            story.styles.clear_rule("height")
        else:
            least, most = _ROWS_TO_READ
            rows = len(self.picture.rows("story", story.columns).rows)
            story.styles.height = max(least, min(rows, most))

    def draw_one(self, name: str) -> None:
        """Give one panel its rows."""
        panel = self.query_one(f"#{name}", RowsPanel)
        panel.show(self.picture.rows(name, panel.columns))

    def say(self, text: str) -> None:
        """Put a sentence into the story line."""
        self.picture.message = text
        self.draw()

    def look_again(self) -> None:
        """The session has moved: draw where it is now, and mark what differs from what was drawn before."""
        self._look(in_order(self.session.findings))
        self.draw()

    def _look(self, findings: tuple[Finding, ...]) -> None:
        picture = self.picture
        picture.look(self.session.view, findings)
        picture.supposed = self.suppose(self.supposed_vector)
        picture.follow()

    def suppose(self, vector: int | None) -> ProcedureView | None:
        """What would happen if `vector` came now; None where something is under way already."""
        if vector is None or self.picture.view.procedure is not None or self.session.machine.shut_down:
            return None
        return self.session.suppose(vector)

    @property
    def panel(self) -> RowsPanel | None:
        """The panel that has the focus."""
        return self.focused if isinstance(self.focused, RowsPanel) else None

    # Moves

    @property
    def is_busy(self) -> bool:
        """Whether a move goes on: then no other one begins."""
        return self.working or self.session.phase is Phase.RUNNING

    def move(self, move: Callable[[], object], *, long: bool = False) -> None:
        """Carry out a command: at once, or in the worker if it may take time. What comes while one goes on is dropped.

        What `move` returns is for the story line if it is a text, and for a sheet if it is a panel, or makes for a
        width one whose rows lead somewhere.
        """
        if self.is_busy:
            return
        self.picture.message = ""
        if long:
            self.working = True
            self.picture.rate.start()
            self._watching = self.set_interval(_LOOK_SECONDS, self._look_in)
            self._run(move)
            return
        self.arrived(_answer(move), in_order(self.session.findings))

    def submit(self, text: str, *, opens: bool = False) -> None:
        """Carry out a command line; `opens`: its answer is a sheet."""
        try:
            move = interpret(text, self.session)
        except CommandError as error:
            self.say(str(error))
            return
        self.opens = opens and not self.is_busy
        self.move(move, long=True)

    @work(thread=True, exclusive=True, exit_on_error=False)
    def _run(self, move: Callable[[], object]) -> None:
        answer = _answer(move)
        self.post_message(self.Finished(answer, in_order(self.session.findings)))

    def on_moving_screen_finished(self, message: Finished) -> None:
        """The worker is done."""
        self.working = False
        if self._watching is not None:
            self._watching.stop()
            self._watching = None
        self.arrived(message.answer, message.findings)

    def on_worker_state_changed(self, message: Worker.StateChanged) -> None:
        """A fault of ours ends the move, not the session."""
        if message.state is WorkerState.ERROR and self.working:
            said = f"This is a mistake in idtviz: {message.worker.error!r}"
            self.on_moving_screen_finished(self.Finished(said, self.picture.findings))

    def _look_in(self) -> None:
        """While the worker runs only the status line moves."""
        self.draw_one("head")

    def arrived(self, answer: object, findings: tuple[Finding, ...]) -> None:
        """A move has ended; `answer` is what it has to say for itself, if that is a text or a sheet.

        `findings`: what the rules have found by now. What is new among them is told beside the answer.
        """
        self._look(findings)
        waits = "The guest waits in HLT. k types on its keyboard, i raises an interrupt, c goes on to the next tick."
        idle = waits if self.session.idle and self.session.phase is Phase.STOPPED else ""
        stopped = self.session.stop.text or ("" if self.picture.fresh else idle)
        done = self.tutor.look()
        self.say(answer if isinstance(answer, str) and answer else done or stopped)
        if self.picture.fresh or self.tutor.question is not None:
            self._stop_playing()
        if isinstance(answer, Panel):
            self.app.push_screen(Sheet(answer))
        elif callable(answer):
            sheet = GoalSheet(answer)
            self.app.push_screen(sheet, lambda _: self._go_to(sheet.chosen))
        self.opens = False

    def _go_to(self, goal: Goal | None) -> None:
        if goal is not None:
            self.move(lambda: gone_to(self.session, goal), long=True)

    # Keys: forward, back, on its own

    def action_step(self) -> None:
        self.move(self.session.step)

    def action_micro_step(self) -> None:
        self.move(self.session.micro_step)

    def action_next(self) -> None:
        self.move(self.session.next, long=True)

    def action_finish(self) -> None:
        self.move(self.session.finish, long=True)

    def action_run(self) -> None:
        self.move(lambda: self.session.run(stop_when=lambda: self.session.idle), long=True)

    def action_back(self) -> None:
        self.move(self.session.back)

    def action_micro_back(self) -> None:
        self.move(self.session.micro_back)

    def action_back_over(self) -> None:
        self.move(self.session.back_over, long=True)

    def action_handler_back(self) -> None:
        self.move(self.session.handler_back, long=True)

    def action_run_back(self) -> None:
        self.move(self.session.run_back, long=True)

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
            self.move(self.session.micro_step)

    def _stop_playing(self) -> None:
        if self._playing is not None:
            self._playing.stop()
            self._playing = None


def _answer(move: Callable[[], object]) -> object:
    """Make a move: what it returns, or why it could not be made."""
    try:
        return move()
    except (SessionError, CommandError) as problem:
        return str(problem)
