"""A run without a screen: from the start to one of the ends that a trace can have."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from idtviz.checks.finding import Finding
from idtviz.debugger.arriving import ENDLESS
from idtviz.debugger.disassembly import disassemble
from idtviz.debugger.inputs import Recorded
from idtviz.debugger.moment import Moment
from idtviz.debugger.stops import Reason, Stop
from idtviz.lab.expectations import Expectations, Outcome
from idtviz.lab.prepared_session import PreparedSession
from idtviz.machine.decoding import code_bits
from idtviz.machine.delivery.event import Source
from idtviz.machine.events import Happened
from idtviz.machine.instructions import fetch

DEFAULT_LIMIT = 100_000_000
"""Instructions after which a run stops anyway. Time spent in HLT has the same limit, so that every run ends."""

_ENDS = {
    Reason.HALTED: "halted",
    Reason.SHUTDOWN: "shutdown",
    Reason.LIMIT: "limit",
    Reason.ENDLESS_FAULT: "limit",
    Reason.UNSUPPORTED: "unsupported",
    Reason.BREAKPOINT: "breakpoint",
}


@dataclass(frozen=True, slots=True)
class Begun:
    """The instruction at `rip` is about to be executed."""

    instruction: int
    rip: int
    text: str


@dataclass(frozen=True, slots=True)
class End:
    """How a run ended: the reason, a sentence where there is more to say, and how the expectations stand."""

    reason: str
    text: str
    outcomes: list[Outcome]

    @property
    def ok(self) -> bool:
        """Whether all that was expected held, and the machine met nothing that it does not model."""
        return all(outcome.ok for outcome in self.outcomes) and self.reason != "unsupported"


def run(
    session: PreparedSession,
    *,
    limit: int = DEFAULT_LIMIT,
    on_event: Callable[[Happened], None] | None = None,
    on_instruction: Callable[[Begun], None] | None = None,
    on_finding: Callable[[Finding], None] | None = None,
    given: Sequence[Recorded] = (),
    stop_when: Callable[[], str] | None = None,
) -> End:
    """Run to the end: HLT for ever, shutdown, all expectations met, or `limit` instructions.

    `given`: inputs beside those of the scenario, in order, and when each is given.

    `on_event` is told each event as it happens; `on_instruction` each instruction before it, which makes single steps
    of the run. `on_finding` is told what the rules find, behind the event with which it showed or at the end.
    `stop_when` is asked now and then, and around every delivery: a text that is not empty says why the run ends there,
    as one at a limit. Single steps do not ask.
    """
    return _Run(session, limit, on_event, on_instruction, on_finding, given, stop_when or _on).go()


def _on() -> str:
    """Nothing ends the run."""
    return ""


class _Run:
    def __init__(
        self,
        session: PreparedSession,
        limit: int,
        on_event: Callable[[Happened], None] | None,
        on_instruction: Callable[[Begun], None] | None,
        on_finding: Callable[[Finding], None] | None,
        given: Sequence[Recorded],
        stop_when: Callable[[], str],
    ) -> None:
        self.session = session
        self.stop_when = stop_when
        self.limit = limit
        self.ticks = max(limit, DEFAULT_LIMIT)
        self.on_event = on_event
        self.on_instruction = on_instruction
        self.on_finding = on_finding
        self.found = 0
        self.expectations = Expectations(session.scenario)
        self.held: list[Happened | Finding] | None = None
        self.given = list(given)
        session.on_event = self._tell

    def _tell(self, event: Happened) -> None:
        self._say(event)
        self._examine()

    def _examine(self) -> None:
        """Tell what has been found by now that has not been told."""
        if self.on_finding is None:
            return
        findings = self.session.findings
        while self.found < len(findings):
            self._say(findings[self.found])
            self.found += 1

    def _say(self, said: Happened | Finding) -> None:
        if self.held is not None:
            self.held.append(said)
        elif isinstance(said, Finding):
            if self.on_finding is not None:
                self.on_finding(said)
        else:
            self.expectations.note(said)
            if self.on_event is not None:
                self.on_event(said)

    def go(self) -> End:
        reason, text = self._run() if self.on_instruction is None else self._step_through(self.on_instruction)
        self._examine()
        found = {finding.rule for finding in self.session.findings}
        return End(reason, text, self.expectations.outcomes(self.session.machine, reason, found))

    def _satisfied(self) -> bool:
        machine = self.session.machine
        if self.given or not self.session.idle or machine.stuck:
            return False
        return self.expectations.hold(machine)

    def _out_of_time(self) -> bool:
        clock = self.session.machine.clock
        return clock.instructions >= self.limit or clock.now >= self.ticks

    def _run(self) -> tuple[str, str]:
        session = self.session
        clock = session.machine.clock
        while not self._out_of_time():
            # The session's limit counts the time spent in HLT as well; what that took is given back here.
            ticks = min(self.limit + clock.idle, self.ticks)
            self._give()
            until = self.given[0].moment if self.given else None
            stop = session.run(until, limit=ticks, stop_when=lambda: self._satisfied() or bool(self.stop_when()))
            if self._is_awaited():
                continue
            if stop.reason is Reason.MOMENT:
                stopped = "" if self._satisfied() else self.stop_when()
                return ("limit", stopped) if stopped else ("expectations", "")
            if stop.reason is not Reason.LIMIT:
                return _ENDS[stop.reason], stop.text
        return "limit", self._limit_text()

    def _give(self) -> None:
        """Give what is to be given now."""
        while self._is_awaited():
            self.session.give(self.given.pop(0).input)

    def _is_awaited(self) -> bool:
        """Whether something is to be given at this very moment."""
        return bool(self.given) and self.given[0].moment == self.session.moment

    def _limit_text(self) -> str:
        clock = self.session.machine.clock
        if clock.instructions >= self.limit:
            return f"{clock.instructions} instructions have been executed"
        return f"{clock.now} ticks of virtual time have passed"

    # Instruction by instruction

    def _step_through(self, told: Callable[[Begun], None]) -> tuple[str, str]:
        session, machine = self.session, self.session.machine
        while not self._out_of_time():
            self._give()
            if machine.step >= ENDLESS:
                stop = session.run(stop_when=lambda: True)
                if stop.reason in _ENDS:
                    return _ENDS[stop.reason], stop.text
            stop = self._one(told)
            if self._is_awaited():
                continue
            if stop.reason in _ENDS:
                return _ENDS[stop.reason], stop.text
            if self._satisfied():
                return "expectations", ""
        return "limit", self._limit_text()

    def _one(self, told: Callable[[Begun], None]) -> Stop:
        session, machine = self.session, self.session.machine
        at = session.moment
        if machine.activity is not None or machine.halted:
            return session.micro_step()
        begun = self._next()
        self.held = []
        stop = session.micro_step()
        said, self.held = self.held, None
        if not self._interrupted(at) and stop.reason is not Reason.UNSUPPORTED:
            told(begun)
        for each in said:
            self._say(each)
        return stop

    def _next(self) -> Begun:
        machine = self.session.machine
        registers = machine.cpu.registers()
        raw = fetch(registers, machine.linear(registers))
        found = disassemble(raw, registers.rip, code_bits(registers))[0]
        return Begun(machine.instructions, registers.rip, f"{found.mnemonic} {found.operands}".strip())

    def _interrupted(self, at: Moment) -> bool:
        """Whether an interrupt came at the boundary `at`, and the instruction there has to wait."""
        recognised = self.session.recognised
        if not recognised or recognised[-1][0] != at:
            return False
        return recognised[-1][1].source in (Source.EXTERNAL, Source.NMI)
