"""From the first cause to the end of a run: what happened, step by failed step, with the bytes that were read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from idtviz.checks.finding import Finding, Severity
from idtviz.checks.interrupted import Interrupted, interrupted
from idtviz.checks.rules import BY_ID
from idtviz.checks.why.arriving import arrival, lines_of_interest
from idtviz.checks.why.causes import cause_of
from idtviz.checks.why.ends import Judged, judge, verdict
from idtviz.checks.why.entries import entries_read, last_of_walk, named_by
from idtviz.checks.why.values import Chain, Ending, Entry, Failure, Link, Place
from idtviz.debugger.moment import START, Moment
from idtviz.debugger.observing import Instant, Situation
from idtviz.debugger.session import Session
from idtviz.machine.delivery.event import DOUBLE_FAULT, Fault, Source
from idtviz.machine.delivery.procedure import Step
from idtviz.machine.events import Delivered
from idtviz.x86.flags import IF

_MOST_LINKS = 9
_MOST_FINDINGS = 8
_SELECTOR_FAULTS = (10, 11, 12, 13)


def explain(
    session: Session, findings: Sequence[Finding], *, hang: Finding | None = None, loop: Sequence[Instant] = ()
) -> Chain:
    """The chain that led to the present moment of `session`, which is where it stands again afterwards.

    `findings`: what the rules found up to here; `hang`: the one among them because of which the run was ended;
    `loop`: what `looping` has found.
    """
    here = session.moment
    judged = judge(session, hang, loop)
    try:
        return _Chain(session, findings, judged, here).chain()
    finally:
        if session.moment != here:
            session.seek(here)


def place_of(session: Session, address: int) -> Place:
    """A linear address, with its symbol and source line."""
    line = session.symbols.line(address)
    name = session.symbols.name(address)
    return Place(address, name, None if line is None else line.file, None if line is None else line.number)


class _Chain:
    def __init__(self, session: Session, findings: Sequence[Finding], judged: Judged, here: Moment) -> None:
        self.session = session
        self.judged = judged
        self.here = here
        self.findings = [it for it in findings if it.moment is None or it.moment <= here]
        self.events = session.events[: session.seen]
        self.deliveries = {it.index: (at, it) for at, it in enumerate(self.events) if isinstance(it, Delivered)}

    def chain(self) -> Chain:
        said = verdict(self.judged, self.here, self._deliveries())
        if not self.judged.ending.bad and any(it.severity is not Severity.NOTE for it in self.findings):
            said += " But something was found on the way."
        end = self._end()
        links = [self._link(index) for index in self._wanted() if index in self.deliveries]
        links = self._with_findings(_without_repetitions(links))
        return Chain(self.judged.ending, said, (*links, *end))

    def _deliveries(self) -> list[Delivered]:
        return [self.deliveries[index][1] for index in self._wanted() if index in self.deliveries]

    def _wanted(self) -> list[int]:
        """The deliveries that led here: those of the handlers that are running, and those that failed."""
        wanted: set[int] = set()
        if self.judged.ending is not Ending.DONE:
            for index in (*self.judged.live, *self.judged.cause):
                wanted |= set(self._ancestors(index))
        return sorted(wanted)

    def _ancestors(self, index: int) -> list[int]:
        found = [index]
        while found[-1] in self.deliveries:
            cause = self.deliveries[found[-1]][1].event.caused_by
            if cause is None or len(found) > _MOST_LINKS:
                break
            found.append(cause)
        return found

    # One link

    def _link(self, index: int) -> Link:
        at, delivered = self.deliveries[index]
        situations = self.session.observations.situations
        if at >= len(situations):
            return Link(f"{delivered.event.name}", (_outcome(self.session, delivered),), _begins(delivered))
        behind = situations[at]
        found = interrupted(delivered, behind)
        place = place_of(self.session, found.address)
        cause = delivered.event.caused_by
        former = None if cause is None or cause not in self.deliveries else self.deliveries[cause][1]
        returning, steps = self._returning(delivered, found, former)
        said = cause_of(delivered, found, behind, former)
        if returning is not None:
            popped = _popped(steps)
            said = f"`{found.text}` fails where this has to hold: {returning.title[0].lower()}{returning.title[1:]}"
            said += f". From the stack it has taken {popped}" if popped else ""
        elif delivered.step and former is None and found.text.startswith("iret"):
            said = f"`{found.text}` raises it"
        return Link(
            title=_title(delivered, place, former),
            prose=(f"{said}.", _outcome(self.session, delivered)),
            moment=_begins(delivered),
            place=place,
            instruction=found.text if former is None else "",
            returning=returning,
            failure=_failure(delivered.steps[-1]) if delivered.fault is not None and delivered.steps else None,
            entries=self._entries(delivered, behind, steps),
        )

    def _entries(self, delivered: Delivered, behind: Situation, steps: Sequence[Step]) -> tuple[Entry, ...]:
        event, entries = delivered.event, entries_read(steps, behind.tables)
        if not steps and event.error_code and event.vector in _SELECTOR_FAULTS and event.caused_by is None:
            named = named_by(event.error_code, behind.tables)
            entries = () if named is None else (named,)
        if delivered.fault is not None:
            more = entries_read(delivered.steps, behind.tables)
            entries = (*entries, *(it for it in more if it not in entries))
        for address in (event.cr2, delivered.fault.cr2 if delivered.fault else None):
            walked = None if address is None else self._walked(delivered, address)
            if walked is not None and walked not in entries:
                entries = (*entries, walked)
        return entries

    def _walked(self, delivered: Delivered, address: int) -> Entry | None:
        """The page-table entry that refused `address`, as it stood behind the delivery."""
        self.session.seek(min(Moment(delivered.instruction, delivered.step + len(delivered.steps)), self.here))
        walk = next((it for it in self.session.view.paging if it.linear == address), None)
        return None if walk is None else last_of_walk(walk)

    def _returning(
        self, delivered: Delivered, found: Interrupted, former: Delivered | None
    ) -> tuple[Failure | None, Sequence[Step]]:
        """The step of an IRET or far transfer that raised the event, and the steps up to it."""
        if not delivered.step or former is not None or delivered.event.source is not Source.EXCEPTION:
            return None, ()
        self.session.seek(Moment(delivered.instruction))
        procedure = self.session.view.procedure
        if procedure is None or procedure.event is not None or procedure.fault is None:
            return None, ()
        if self.session.view.registers.linear_rip != found.address:
            return None, ()
        failed = next((at for at, step in enumerate(procedure.steps) if not step.ok), None)
        if failed is None:
            return None, ()
        return _failure(procedure.steps[failed]), procedure.steps[: failed + 1]

    # What was found

    def _with_findings(self, links: Sequence[Link]) -> list[Link]:
        """Each finding belongs to what it led to; one that led to nothing here is a link of its own."""
        found = list(links)
        loose: list[Link] = []
        for finding in self.findings:
            at = _belongs_to(finding, links)
            if at is None:
                loose.append(self._finding(finding))
            else:
                found[at] = replace(found[at], findings=(*found[at].findings, finding))
        if len(loose) > _MOST_FINDINGS:
            more = Link(f"and {len(loose) - _MOST_FINDINGS} findings more", (), loose[-1].moment)
            loose = [*loose[:_MOST_FINDINGS], more]
        return sorted([*loose, *found], key=lambda link: link.moment or START)

    def _finding(self, finding: Finding) -> Link:
        rule = BY_ID.get(finding.rule)
        title = finding.rule if rule is None else rule.title
        place = None if finding.address is None else place_of(self.session, finding.address)
        return Link(title, (), finding.moment, place, findings=(finding,))

    # The end

    def _end(self) -> list[Link]:
        judged, session = self.judged, self.session
        place = place_of(session, judged.address)
        links = []
        enabled = session.view.registers.rflags & IF
        if judged.ending in (Ending.SPIN, Ending.HANG) and enabled:
            for irq in lines_of_interest(session.view):
                found = arrival(session, irq=irq)
                blocked = found.blocked
                if blocked is not None:
                    change = (f"{blocked.change}.",) if blocked.change else ()
                    links.append(Link(f"IRQ{irq} is held back", (f"{found.verdict}.", *change), self.here))
        return [*links, Link(judged.title, judged.prose, self.here, place)]


def _title(delivered: Delivered, place: Place, former: Delivered | None) -> str:
    where = place.name or f"{place.address:#x}"
    event = delivered.event
    if former is not None:
        return f"{event.name} instead of {former.event.name}"
    if event.source in (Source.EXTERNAL, Source.NMI):
        return f"{event.name} comes in front of {where}"
    return f"{event.name} at {where}"


def _outcome(session: Session, delivered: Delivered) -> str:
    """What became of the delivery."""
    if delivered.fault is not None:
        rule = f" at {delivered.steps[-1].rule.id} ({delivered.steps[-1].rule.title})" if delivered.steps else ""
        then = " Nothing is tried behind that." if delivered.event.vector == DOUBLE_FAULT else ""
        return f"Its delivery fails{rule}: {_code(delivered.fault)}.{then}"
    to = delivered.to
    if to is None:
        return ""
    address = to.rip if to.mode not in ("real", "vm86") else (to.cs << 4) + to.rip
    name = session.symbols.name(address) or f"{address:#x}"
    stack = "the same stack" if delivered.stack == "same" else f"the stack of {delivered.stack}"
    return f"Its handler {name} is entered, on {stack}, and has not returned."


def _popped(steps: Sequence[Step]) -> str:
    """The words that an IRET or RET has taken: `RIP 0x8, CS 0x10`."""
    taken = [
        (step.text.removeprefix("pop "), step.value.partition(" ")[0]) for step in steps if step.text.startswith("pop ")
    ]
    return ", ".join(f"{name} {value}" for name, value in taken)


def _failure(step: Step) -> Failure:
    rule, fault = step.rule, step.fault
    return Failure(rule.id, rule.title, rule.why, step.text, step.value, "" if fault is None else _code(fault))


def _code(fault: Fault) -> str:
    return fault.name if fault.error_code is None else f"{fault.name}({fault.error_code:#x})"


def _begins(delivered: Delivered) -> Moment:
    return Moment(delivered.instruction, delivered.step)


def _without_repetitions(links: Sequence[Link]) -> list[Link]:
    """The same event at the same place many times over is told twice, and how often it came."""
    if len(links) <= _MOST_LINKS:
        return list(links)
    kept, left = [*links[:3]], len(links) - 6
    kept.append(Link(f"and {left} more of that kind", (), links[3].moment))
    return [*kept, *links[-3:]]


def _belongs_to(finding: Finding, links: Sequence[Link]) -> int | None:
    """The first link of the same instruction that the finding does not come behind; else the last of them."""
    if finding.moment is None:
        return None
    same = [
        at for at, link in enumerate(links) if link.moment and link.moment.instruction == finding.moment.instruction
    ]
    later = [at for at in same if (links[at].moment or START) >= finding.moment]
    return later[0] if later else same[-1] if same else None
