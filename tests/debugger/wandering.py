"""Commands at random, by one who remembers what each moment of each branch was like that he has been to."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from idtviz.debugger.editing import GROUPS, EditError, slots
from idtviz.debugger.inputs import Input, Irq, Keys, Nmi, Poke
from idtviz.debugger.moment import START, Moment
from idtviz.debugger.session import Session, SessionError
from idtviz.lab.session import LabSession
from idtviz.machine.events import Happened
from idtviz.machine.watch import Bytes
from tests.debugger.breaking import set_at

_MOST_BRANCHES = 5
_PATIENCE = 5.0  # seconds
_STOPS = ("iret", "port 0x20", "write 0xb8000 4000", "ring", "delivery", "any exception", "port 0x60 read")


@dataclass
class Story:
    """What is remembered of a branch."""

    moments: dict[Moment, tuple[str, int]] = field(default_factory=dict)
    """The digest of each, and how many events lay before it."""
    events: list[Happened] = field(default_factory=list)
    """Those up to the furthest of these moments."""

    def before(self, end: Moment) -> Story:
        """What is still so where the run takes another way from `end` on."""
        moments = {at: known for at, known in self.moments.items() if at < end}
        return Story(moments, self.events[: max((seen for _, seen in moments.values()), default=0)])


class Wanderer:
    """Gives commands to `session`; `look` says whether a moment that is seen again has changed."""

    def __init__(self, session: Session, chance: random.Random | int | str, far: int = 6000) -> None:
        """`chance`: what decides, or the seed of that. `far`: the instruction count behind which nothing is typed or
        edited any more.
        """
        self.session = session
        self.random = chance if isinstance(chance, random.Random) else random.Random(chance)
        self.far = far
        self.again = 0
        """How often a moment was seen that had been seen before."""
        self.moments = self.begun = 0
        """How many moments were seen for the first time, and how many branches have begun."""
        self.stories = {1: Story()}
        """By the numbers of the branches."""
        self.look()

    @property
    def story(self) -> Story:
        """What is remembered of the present branch."""
        return self.stories[self.session.branch.number]

    def look(self) -> None:
        """Compare the present with what is remembered of it."""
        session, story, here = self.session, self.story, self.session.moment
        known = session.digest(), session.seen
        self.again += here in story.moments
        self.moments += here not in story.moments
        assert story.moments.setdefault(here, known) == known, (session.branch.name, here)
        events = list(session.events[: session.seen])
        both = min(len(events), len(story.events))
        assert events[:both] == story.events[:both], (session.branch.name, here)
        story.events += events[both:]

    def go(self) -> None:
        """One command, whatever it be."""
        commands = COMMANDS if self.session.moment > START else [one for one in COMMANDS if one not in BACK]
        self.random.choice(commands)(self)
        self.look()
        if isinstance(self.session, LabSession):
            self.judge(self.session)

    def judge(self, session: LabSession) -> None:
        """What the rules have found bit by bit is what they find over the whole branch at once."""
        found = list(session.findings)
        if not self.random.randrange(10):
            examination = session._prepared.examine(session.observations, session.symbols)
            assert found == list(examination.go_on()), session.branch.name

    # Forward

    def step(self) -> None:
        self.session.step()

    def micro_step(self) -> None:
        self.session.micro_step()

    def next(self) -> None:
        self._with_patience(self.session.next)

    def event_forward(self) -> None:
        self.session.event_forward()

    def finish(self) -> None:
        if self.session.machine.live and not self.session.machine.stuck:
            self._with_patience(self.session.finish)

    def _with_patience(self, command: Callable[[], object]) -> None:
        """What runs on until a guest returns, which it may never do where it was edited: then it is paused."""
        timer = threading.Timer(_PATIENCE, self.session.pause)
        timer.start()
        try:
            command()
        finally:
            timer.cancel()

    def some_steps(self) -> None:
        for _ in range(self.random.randrange(30)):
            self.session.micro_step()

    def run_a_little(self) -> None:
        self.session.run(Moment(self.session.moment.instruction + self.random.randrange(1, 300)))

    def run_to_a_breakpoint(self) -> None:
        symbols = self.session.symbols
        name = self.random.choice([symbol.name for symbol in symbols.all if symbol.code] or ["_start"])
        self.session.breakpoints.clear()
        set_at(self.session, "irq0", self.random.choice(_STOPS))
        if symbols.address_of(name) is not None:
            set_at(self.session, name)
        self.session.run(limit=self.session.machine.clock.now + 200_000)

    # Back, which nobody can at the start

    def back(self) -> None:
        self.session.back()

    def micro_back(self) -> None:
        self.session.micro_back()

    def back_over(self) -> None:
        self.session.back_over()

    def run_back(self) -> None:
        self.session.run_back()

    def event_back(self) -> None:
        self.session.event_back()

    # To where something came from, or has been before

    def caller(self) -> None:
        if self.session.machine.live:
            self.session.handler_back()

    def ask(self) -> None:
        registers = self.session.view.registers
        address = self.random.choice([registers.rsp, self.session.view.stack.linear + 8, 0xB8000, registers.idtr.base])
        self.session.who_wrote(self.random.choice(["rax", "rsp", "rflags", Bytes(address, 8)]))

    def seek(self) -> None:
        self.session.seek(self.random.choice(sorted(self.story.moments)))

    # What makes another run

    def give(self) -> None:
        """Press a key, or raise a line."""
        chosen: Input = self.random.choice([Keys(self.random.choice("abc\n")), Irq(5), Nmi()])
        self._put_in(chosen, seldom=0.3)

    def edit(self) -> None:
        """Change some bytes of the stack or of the screen, or anything else that can be edited."""
        stack = self.session.view.stack.linear
        where = self.random.choice([stack, stack + 16, 0xB8000 + 2 * self.random.randrange(2000)])
        self._put_in(self._slot() or Poke(where, self.random.randbytes(2)), seldom=0.3)

    def _slot(self) -> Input | None:
        """A random value for a register, a field of a table, a word of a frame, or a chip's register."""
        try:
            found = self.random.choice(slots(self.session, self.random.choice(GROUPS)) or (None,))
            if found is not None and not found.field and self.random.random() < 0.5:
                found = self.random.choice(slots(self.session, found.path) or (found,))
            return None if found is None else found.input(self.random.getrandbits(min(found.width, 64)))
        except EditError:
            return None

    def _put_in(self, given: Input, *, seldom: float) -> None:
        if self.random.random() < seldom or self.session.moment > Moment(self.far):
            return
        if len(self.session.branches) >= _MOST_BRANCHES:
            self.drop()
            return
        here, known, before = self.session.moment, self.story, self.session.branch
        self.session.give(given)
        self.begun += self.session.branch is not before
        self.stories[self.session.branch.number] = known.before(here)

    def undo(self) -> None:
        branch, own = self.session.branch, self.session.branch.own
        try:
            self.session.undo()
        except SessionError:
            return
        known = self.stories.pop(branch.number)
        if branch.number in [each.number for each in self.session.branches]:
            self.stories[branch.number] = known.before(own[-1].moment)

    def drop(self) -> None:
        number = self.random.choice(self.session.branches).number
        try:
            self.session.delete_branch(number)
        except SessionError:
            return
        del self.stories[number]

    def switch(self) -> None:
        self.session.switch(self.random.choice(self.session.branches).number)

    # Another day

    def save_and_reopen(self) -> None:
        """Go on with the session as it comes back from a file."""
        if isinstance(self.session, LabSession):
            with TemporaryDirectory() as folder:
                self.session = LabSession.open(self.session.save(Path(folder, "wandered")))


Command = Callable[[Wanderer], None]
FORWARD: tuple[Command, ...] = (
    *(Wanderer.step, Wanderer.micro_step, Wanderer.next, Wanderer.finish, Wanderer.event_forward),
    *(Wanderer.some_steps, Wanderer.run_a_little, Wanderer.run_to_a_breakpoint),
)
BACK: tuple[Command, ...] = (
    *(Wanderer.back, Wanderer.micro_back, Wanderer.back_over, Wanderer.run_back, Wanderer.event_back),
)
SEARCHES: tuple[Command, ...] = (Wanderer.seek, Wanderer.seek, Wanderer.seek, Wanderer.ask, Wanderer.caller)
CHANGES: tuple[Command, ...] = (Wanderer.give, Wanderer.edit, Wanderer.undo, Wanderer.drop)
COMMANDS = FORWARD + BACK + SEARCHES + CHANGES + (Wanderer.switch, Wanderer.switch, Wanderer.save_and_reopen)
