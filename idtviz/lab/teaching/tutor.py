"""A tutor: holds a session at the questions of its scenario, judges answers, gives hints, and sees what works."""

from __future__ import annotations

from dataclasses import dataclass

from idtviz.debugger.moment import Moment
from idtviz.debugger.places import PlaceKind
from idtviz.debugger.session import Phase
from idtviz.lab.prepared_session import PreparedSession
from idtviz.lab.teaching.lessons import Lesson
from idtviz.lab.teaching.narration import accepts, answer_of, chosen, narration, passed_lessons, reached
from idtviz.lab.teaching.progress import Progress
from idtviz.lab.teaching.standing import is_done, standing

_PATIENCE = 2
"""Wrong answers after which a hint is offered."""
_KEPT = 200
"""Characters of an answer that are kept."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What is said of an answer."""

    right: bool
    text: str


class Tutor:
    """One student before one session: what has been answered is kept in `progress`.

    While it is there the session does not go beyond a question that has been reached and not been answered. Where
    there is a task, a run stops at what is said as well, the first time that it gets there.
    """

    def __init__(self, session: PreparedSession, progress: Progress) -> None:
        self._session = session
        self.progress = progress
        """How far the student has come."""
        self._hints: dict[str, int] = {}
        self._wrong: dict[str, int] = {}
        self._read: set[str] = set()
        self.questions = tuple(lesson for lesson in session.lessons if lesson.is_question)
        self.tasks = tuple(lesson for lesson in session.lessons if lesson.is_task)
        self._known: tuple[object, list[tuple[Moment, Lesson]]] = (None, [])
        progress.of = len(self.questions)
        session.barrier = self._barrier

    @property
    def _passed(self) -> list[tuple[Moment, Lesson]]:
        """The lessons that were reached, found once for each moment: every panel of a screen asks for them."""
        session = self._session
        here = (session.moment, session.frontier, session.branch.number, len(session.inputs), session.phase)
        if self._known[0] != here:
            self._known = (here, passed_lessons(session))
        return self._known[1]

    @property
    def is_lesson(self) -> bool:
        """Whether there is anything for a student to do."""
        return bool(self.questions or self.tasks)

    def answered(self, lesson: Lesson) -> str | None:
        """What the student answered, if that was right."""
        return self.progress.answered.get(lesson.key)

    @property
    def question(self) -> Lesson | None:
        """The question that holds the session at this moment."""
        return next((lesson for _, lesson in self._passed if self._is_open(lesson)), None)

    @property
    def lesson(self) -> Lesson | None:
        """What there is to read now: the question that waits, else the latest lesson that was reached."""
        return self.question or narration(self._session)

    @property
    def present(self) -> Lesson | None:
        """What is said, asked or set at this very moment, and is to be read as a whole."""
        now = self._session.moment
        here = [lesson for at, lesson in self._passed if at == now and not lesson.is_question]
        return self.question or (here[-1] if here else None)

    @property
    def tells(self) -> bool:
        """Whether there is something for the student to do now, or in the end."""
        return bool(self.tasks) or self.question is not None

    @property
    def covered(self) -> tuple[str, ...]:
        """The panels that are not to be seen before the question is answered."""
        question = self.question
        return question.cover if question is not None else ()

    def answer(self, text: str) -> Judged:
        """The student's answer to the question that waits."""
        question = self.question
        if question is None:
            return Judged(right=False, text="There is no question to be answered at this moment.")
        if not text.strip():
            return Judged(right=False, text="An empty answer answers nothing.")
        if accepts(question, text, self._session):
            return Judged(right=True, text=f"Right. {self._settle(question, chosen(question, text))}".strip())
        if answer_of(question, self._session) is None:
            text = "The machine has no such value at this moment, so no answer is right. Hints lead on from here."
            return Judged(right=False, text=text)
        self._wrong[question.key] = self._wrong.get(question.key, 0) + 1
        text = "No, that is not it. Look again."
        if self._wrong[question.key] >= _PATIENCE and self._has_hint(question):
            text += " There is a hint that you have not seen."
        return Judged(right=False, text=text)

    def hint(self) -> str:
        """The next hint on what is to be done now; behind the last one of a question, its answer."""
        lesson = self.question or self._open_task()
        if lesson is None:
            return "There is nothing to be answered or to be written at this moment."
        given = self._hints.get(lesson.key, 0)
        self._hints[lesson.key] = given + 1
        if given < len(lesson.hints):
            return f"Hint {given + 1} of {len(lesson.hints)}: {' '.join(lesson.hints[given].split())}"
        if lesson.is_task:
            return "That was the last hint." if lesson.hints else "There is no hint on this."
        if given == len(lesson.hints):
            return "There is no further hint. To ask once more shows the answer."
        wanted = answer_of(lesson, self._session)
        told = (
            f"The answer is {wanted}." if wanted is not None else "The machine has no such value here: go on without."
        )
        return f"{told} {self._settle(lesson, '')}".strip()

    def look(self) -> str:
        """To be asked behind each move: what is to be said if what the student was to make work works now."""
        self._read |= {lesson.key for _, lesson in self._passed}
        progress = self.progress
        if progress.done or not self.is_lesson or self.question is not None:
            return ""
        if self.tasks and not is_done(self._session):
            return ""
        if not self.tasks and any(self._is_open(lesson) for lesson in self.questions):
            return ""
        progress.done = True
        progress.save()
        return (
            "It works: all that was expected has come to pass. The lesson is done."
            if self.tasks
            else ("All questions are answered. The lesson is done.")
        )

    def missing(self) -> str:
        """To be asked behind each move: what is missing where the run has ended and the task is not done."""
        if self.progress.done or not self.tasks or self._session.phase is not Phase.ENDED:
            return ""
        unmet = next((outcome.detail for outcome in standing(self._session) if not outcome.ok), "")
        return f"Not done yet (l shows all that is expected): {unmet}" if unmet else ""

    def pass_by(self, moment: Moment) -> None:
        """Let what was said and asked before `moment` be as if it had been read and answered; nothing of it is kept."""
        for lesson in self._session.lessons:
            at = reached(lesson, self._session)
            if at is not None and at < moment:
                self._read.add(lesson.key)
                if lesson.is_question:
                    self.progress.answered.setdefault(lesson.key, "")

    def begin_again(self) -> None:
        """Forget what was answered and done."""
        self.progress.answered.clear()
        self.progress.done = False
        self.progress.save()
        self._hints.clear()
        self._wrong.clear()

    def _settle(self, question: Lesson, given: str) -> str:
        self.progress.answered[question.key] = given[:_KEPT]
        self.progress.save()
        return question.explain

    def _has_hint(self, lesson: Lesson) -> bool:
        return self._hints.get(lesson.key, 0) < len(lesson.hints)

    def _is_open(self, lesson: Lesson) -> bool:
        return lesson.is_question and lesson.key not in self.progress.answered

    def _open_task(self) -> Lesson | None:
        passed = [lesson for _, lesson in self._passed if lesson.is_task]
        return passed[-1] if passed and not self.progress.done else None

    def _barrier(self) -> Moment | None:
        """The moment of the first lesson that was reached and holds the session. Behind the end there is nothing."""
        among = self._session.lessons if self.tasks else self.questions
        holding = [lesson for lesson in among if lesson.place.kind is not PlaceKind.END and self._holds(lesson)]
        found = [at for lesson in holding if (at := reached(lesson, self._session)) is not None]
        return min(found, default=None)

    def _holds(self, lesson: Lesson) -> bool:
        if lesson.is_question:
            return self._is_open(lesson)
        return bool(self.tasks) and lesson.key not in self._read
