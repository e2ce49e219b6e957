"""A lesson, by keys: answers, hints, the page of the lesson, and the parts that the student writes."""

from __future__ import annotations

from textual import work
from textual.binding import Binding
from textual.message import Message
from textual.worker import Worker, WorkerState

from idtviz.checks.finding import Finding
from idtviz.lab.problems import ScenarioError
from idtviz.lab.reaching import HANGS
from idtviz.lab.session import LabSession
from idtviz.lab.teaching.narration import passed_lessons
from idtviz.lab.teaching.standing import standing
from idtviz.lab.teaching.tutor import Tutor
from idtviz.lab.teaching.workshop import NotBuiltError, Workshop, rebuilt
from idtviz.tui.commands import LESSON_WORDS
from idtviz.tui.dialogs import GoalSheet, Sheet
from idtviz.tui.editor import Editor
from idtviz.tui.moving import MovingScreen
from idtviz.view import lessons
from idtviz.view.fitting import told
from idtviz.view.row import Panel, Role, Row, Span
from idtviz.view.sheet import Sheet as LessonPage

_LOOK_SECONDS = 0.5


class NotBuilt(Sheet):
    """What the assembler complains of; E goes back to what was written."""

    BINDINGS = [Binding("E", "edit", "edit", show=False)]
    edits = False
    """The student goes back to the editor."""

    def action_edit(self) -> None:
        self.edits = True
        self.dismiss()


class TeachingScreen(MovingScreen):
    """A screen on a scenario that may be a lesson."""

    class Rebuilt(Message):
        """A part was written: there is another machine, or the assembler has complained."""

        def __init__(self, session: LabSession | None, said: str) -> None:
            super().__init__()
            self.session = session
            self.said = said

    def __init__(self, session: LabSession, tutor: Tutor | None = None) -> None:
        super().__init__(session, tutor)
        self._workshop = Workshop(session)

    def watch_parts(self) -> None:
        """From now on see when a part is written, here or in any editor."""
        if self._workshop.parts:
            self.set_interval(_LOOK_SECONDS, self._look_at_parts)
            if self._workshop.is_behind:
                self.build()

    def arrived(self, answer: object, findings: tuple[Finding, ...]) -> None:
        """A move has ended; where it led to the end of the run, and no rule says why, what the task lacks is told."""
        super().arrived(answer, findings)
        missing = self.tutor.missing()
        if missing and not isinstance(answer, str) and not self.picture.news:
            self.say(f"{self.picture.message} · {missing}".strip(" ·"))

    def action_run(self) -> None:
        """Where there is a task, a run stops at a fault that comes again for ever, and at a wait without end."""
        if not self.tutor.tasks:
            super().action_run()
            return
        session = self.session
        known = _hangs(session)
        self.move(lambda: session.run(stop_when=lambda: session.idle or _hangs(session) > known), long=True)

    # Questions

    def action_answer(self) -> None:
        if self.tutor.question is None:
            self.say("There is no question at this moment.")
        else:
            self.ask("answer")

    def give_answer(self, text: str) -> None:
        """What the student answers."""
        judged = self.tutor.answer(text)
        self.say(f"{judged.text} · c goes on" if judged.right and self.tutor.present is None else judged.text)
        self._see_if_done()

    def action_hint(self) -> None:
        self.say(self.tutor.hint())
        self._see_if_done()

    def _see_if_done(self) -> None:
        done = self.tutor.look()
        if done:
            self.say(f"{self.picture.message} {done}".strip())

    def teach(self, text: str) -> bool:
        """Whether a command line is about the lesson; then it is carried out."""
        word, _, rest = text.strip().partition(" ")
        if word not in LESSON_WORDS:
            return False
        if word == "lesson" and rest.strip() == "again":
            self.tutor.begin_again()
            self.say("All answers are forgotten. C leads back to the start.")
        elif word == "answer" and rest.strip():
            self.give_answer(rest)
        else:
            self.run_worker(self.run_action(word), exit_on_error=False)
        return True

    # The page of the lesson

    def action_lesson(self) -> None:
        if not self.session.lessons:
            self.say("This scenario has nothing to say. Its events are in panel 0.")
            return
        sheet = GoalSheet(self._page)
        self.app.push_screen(sheet, lambda _: self._go_to(sheet.chosen))

    def _page(self, width: int) -> LessonPage:
        session, tutor = self.session, self.tutor
        passed = [lessons.Told(each, at, tutor.answered(each)) for at, each in passed_lessons(session)]
        outcomes = standing(session) if tutor.tasks else ()
        title = f"{session.scenario.title}  {len(tutor.progress.answered)} of {len(tutor.questions)} questions"
        return lessons.page(
            title if tutor.questions else session.scenario.title,
            passed,
            outcomes,
            self._workshop.parts,
            "✓ done" if tutor.progress.done else "",
            branch=session.branch.number,
            width=width,
        )

    # The parts to write

    def action_write(self) -> None:
        parts = self._workshop.parts
        if self.is_busy:
            return
        if not parts:
            self.say("This scenario leaves nothing to be written. e edits what is under the cursor.")
            return
        try:
            editor = Editor(parts)
        except ScenarioError as error:
            self.say(str(error))
            return
        self.app.push_screen(editor, self._written)

    def _written(self, saved: bool | None) -> None:
        if saved and self._workshop.has_changed():
            self.build()

    def _look_at_parts(self) -> None:
        if not self.is_busy and self.app.screen is self and self._workshop.has_changed():
            self.build()

    def build(self) -> None:
        """Make the image anew of what was written, and go on with it at this moment."""
        if self.is_busy:
            return
        self.say(f"{', '.join(part.name for part in self._workshop.parts)}: building …")
        self.working = True
        self._build()

    @work(thread=True, exclusive=True, group="building", exit_on_error=False)
    def _build(self) -> None:
        try:
            session, said = rebuilt(self.session)
        except NotBuiltError as error:
            self.post_message(self.Rebuilt(None, str(error)))
        else:
            self.post_message(self.Rebuilt(session, said))

    def on_worker_state_changed(self, message: Worker.StateChanged) -> None:
        """A fault of ours ends the building, not the session."""
        if message.worker.group != "building":
            super().on_worker_state_changed(message)
        elif message.state is WorkerState.ERROR:
            self.on_teaching_screen_rebuilt(
                self.Rebuilt(None, f"This is a mistake in idtviz: {message.worker.error!r}")
            )

    def on_teaching_screen_rebuilt(self, message: Rebuilt) -> None:
        """Go on with the new machine; or show what the assembler said."""
        self.working = False
        while self.app.screen is not self and self in self.app.screen_stack:
            self.app.pop_screen()
        if message.session is None:
            self.say("It could not be built; the machine is as it was.")
            sheet = NotBuilt(lambda width: _complaints(message.said, width))
            self.app.push_screen(sheet, lambda _: self.action_write() if sheet.edits else None)
        else:
            done = Tutor(message.session, self.tutor.progress).look()
            self.replace_session(message.session, f"{message.said} {done}".strip())

    def replace_session(self, session: LabSession, said: str) -> None:
        """Go on with another session in place of this one."""
        raise NotImplementedError


def _hangs(session: LabSession) -> int:
    return sum(finding.rule in HANGS for finding in session.findings)


def _complaints(said: str, width: int) -> Panel:
    rows: list[Row] = []
    for line in said.splitlines():
        rows += told((Span("✗ ", Role.BAD),), Span(line, Role.TEXT), width)
    return Panel("Not built", tuple(rows), "esc closes · E goes back to the editor")
