"""Commands at random, by one who remembers the digest of each moment of each branch that he has been to."""

from __future__ import annotations

import random
from collections.abc import Callable

from idtviz.debugger.editing import GROUPS, EditError, slots
from idtviz.debugger.inputs import Input, Irq, Keys, Nmi, Poke
from idtviz.debugger.moment import START, Moment
from idtviz.debugger.session import Session, SessionError
from idtviz.machine.watch import Bytes
from tests.debugger.breaking import set_at

_MOST_BRANCHES = 5
_STOPS = ("iret", "port 0x20", "write 0xb8000 4000", "ring", "delivery", "any exception", "port 0x60 read")


class Wanderer:
    """Gives commands to `session`; `look` says whether a moment that is seen again has changed."""

    def __init__(self, session: Session, seed: int | str, far: int = 6000) -> None:
        """`far`: the instruction count behind which nothing is typed or edited any more."""
        self.session = session
        self.random = random.Random(seed)
        self.far = far
        self.again = 0
        """How often a moment was seen that had been seen before."""
        self.moments = self.begun = 0
        """How many moments were seen for the first time, and how many branches have begun."""
        self._seen: dict[int, dict[Moment, str]] = {1: {}}
        self.look()

    @property
    def seen(self) -> dict[Moment, str]:
        """The digests of the moments of the present branch."""
        return self._seen[self.session.branch.number]

    def look(self) -> None:
        """Compare the present with what is remembered of it."""
        here, digest = self.session.moment, self.session.digest()
        self.again += here in self.seen
        self.moments += here not in self.seen
        assert self.seen.setdefault(here, digest) == digest, (self.session.branch.name, here)

    def go(self) -> None:
        """One command, whatever it be."""
        session = self.session
        forward: list[Callable[[], object]] = [session.step, session.micro_step, session.next, session.micro_step]
        forward += [self.finish, self.some_steps, self.run_a_little, self.run_to_a_breakpoint, session.event_forward]
        back = [session.back, session.micro_back, session.run_back, session.back_over, session.event_back]
        others = [self.seek, self.seek, self.seek, self.give, self.edit, self.undo, self.switch, self.ask, self.caller]
        moves = forward + others + (back if session.moment > START else [])
        self.random.choice(moves)()
        self.look()

    def finish(self) -> None:
        if self.session.machine.live and not self.session.machine.stuck:
            self.session.finish()

    def caller(self) -> None:
        if self.session.machine.live:
            self.session.handler_back()

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

    def seek(self) -> None:
        self.session.seek(self.random.choice(sorted(self.seen)))

    def ask(self) -> None:
        registers = self.session.view.registers
        address = self.random.choice([registers.rsp, self.session.view.stack.linear + 8, 0xB8000, registers.idtr.base])
        self.session.who_wrote(self.random.choice(["rax", "rsp", "rflags", Bytes(address, 8)]))

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
        here, known, before = self.session.moment, self.seen, self.session.branch
        self.session.give(given)
        self.begun += self.session.branch is not before
        self._seen[self.session.branch.number] = {at: digest for at, digest in known.items() if at < here}

    def undo(self) -> None:
        branch, own = self.session.branch, self.session.branch.own
        try:
            self.session.undo()
        except SessionError:
            return
        at, kept = own[-1].moment, self._seen[branch.number]
        if branch.number not in [each.number for each in self.session.branches]:
            del self._seen[branch.number]
        else:
            self._seen[branch.number] = {moment: digest for moment, digest in kept.items() if moment < at}

    def drop(self) -> None:
        number = self.random.choice(self.session.branches).number
        try:
            self.session.delete_branch(number)
        except SessionError:
            return
        del self._seen[number]

    def switch(self) -> None:
        self.session.switch(self.random.choice(self.session.branches).number)
