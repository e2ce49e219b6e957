"""Trying one hand-in, in a process of its own: it is built and run, and what is seen is told as it is seen."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from idtviz.checks.finding import Finding, Severity
from idtviz.checks.why import explain
from idtviz.debugger.inputs import ScriptedInput, SetRegister
from idtviz.debugger.moment import Moment
from idtviz.debugger.places import PlaceError, parse
from idtviz.debugger.stops import Reason
from idtviz.lab import scenario_preparation
from idtviz.lab.building import BuildError, Limits, build
from idtviz.lab.grading.bundle import Files, write
from idtviz.lab.grading.plan import Case, Plan
from idtviz.lab.grading.verdicts import Check, Kind, Word
from idtviz.lab.machine_files import MachineFiles
from idtviz.lab.overrides import NONE
from idtviz.lab.problems import ScenarioError
from idtviz.lab.reaching import HANGS
from idtviz.lab.run import End, run
from idtviz.lab.session import LabSession
from idtviz.machine.events import Delivered, ShutDown

Draw = Callable[[LabSession, Moment], str]
"""Makes an SVG of the debugger at a moment of the session."""
Tell = Callable[[dict[str, Any]], None]
"""Passes on a record: `stage`, `check`, `why` with `where`, `looping`, `word`, `graded`, `picture`."""

_MOST_OUTPUT = 20_000
_TOOL = 10.0
"""Seconds that an assembler, a compiler or a linker may take; they take less than one."""


class NotTriedError(Exception):
    """The case cannot be run on what was built; the message says why."""


@dataclass(frozen=True, slots=True)
class _Ran:
    """A run that has come to its end, with the errors that the rules found and that are not allowed."""

    case: Case
    session: LabSession
    end: End
    errors: tuple[Finding, ...]

    @property
    def wrong(self) -> bool:
        return not self.end.ok or bool(self.errors)

    @property
    def looping(self) -> bool:
        """Whether it was stopped at the limit, and that is not what was expected."""
        return self.end.reason == "limit" and not self.end.ok


def try_out(plan: Plan, files: Files, folder: Path, cache: Path, tell: Tell, draw: Draw | None) -> None:
    """Build `files` in `folder`, a copy of the lab, and run every case. The records told are in order of time.

    `cache`: see `build`.
    """
    write(files, folder)
    path = folder / plan.path.name
    tell({"stage": "building"})
    try:
        limits = Limits(seconds=min(_TOOL, plan.spec.limits.seconds / 2))
        build(path, limits=limits, trusted=False, cache=cache)
    except BuildError as error:
        first = next(iter(error.complaints), None)
        tell({"check": _check(Kind.BUILD, "builds", ok=False, detail=str(first or error))})
        tell({"word": Word.NOT_BUILT.value, "why": str(first or error), "output": error.message[:_MOST_OUTPUT]})
        return
    tell({"check": _check(Kind.BUILD, "builds", ok=True, detail="")})
    wrong = _run_all(plan, path, tell)
    tell({"graded": True})
    if wrong is not None and draw is not None:
        tell({"picture": draw(wrong.session, _moment(wrong))})


def _run_all(plan: Plan, path: Path, tell: Tell) -> _Ran | None:
    """Run every case; returns the first run in which something went wrong. One that loops is the last."""
    wrong: _Ran | None = None
    errors: dict[str, Finding] = {}
    told = False
    for case in plan.cases:
        tell({"stage": case.title})
        try:
            ran = _run(plan, path, case)
        except NotTriedError as error:
            tell({"check": _check(case.kind, case.title, ok=False, detail=str(error), weight=case.weight)})
            if not told:
                tell({"why": f"{case.title}: {error}", "where": ""})
                told = True
            continue
        for check in _checks(ran):
            tell({"check": check})
        errors |= {finding.rule: finding for finding in ran.errors if finding.rule not in errors}
        if ran.wrong and not told:
            tell({"why": _sentence(ran), "where": f"{case.title}, at {_moment(ran)}"})
            wrong, told = ran, True
        if ran.looping and case.kind is Kind.EXPECT:
            tell({"looping": _loop(ran)})
            break
        del ran
        gc.collect()  # an engine reserves a GiB of address space
    said = "; ".join(f"{finding.rule}: {finding.message}" for finding in errors.values())
    tell({"check": _check(Kind.RULES, "nothing is found by the rules", ok=not errors, detail=said)})
    return wrong


def _run(plan: Plan, path: Path, case: Case) -> _Ran:
    try:
        prepared = scenario_preparation.prepare(path, path.name, NONE, MachineFiles(), case.change)
        if case.registers:
            place = parse(case.at, prepared.setup.symbols)
            edits = (ScriptedInput(place, SetRegister(name, value)) for name, value in case.registers)
            inputs = (*edits, *prepared.setup.inputs)
            prepared = replace(prepared, setup=replace(prepared.setup, inputs=inputs))
    except ScenarioError as error:
        raise NotTriedError("; ".join(problem.message for problem in error.problems)) from error
    except PlaceError as error:
        raise NotTriedError(str(error)) from error
    session = LabSession(prepared, narrated=False)
    limits, allowed = plan.spec.limits, plan.allowed
    end = run(session, limit=limits.instructions, stop_when=lambda: _endless(session, allowed, limits.deliveries))
    return _Ran(case, session, end, tuple(_errors(session, allowed)))


def _errors(session: LabSession, allowed: frozenset[str]) -> Iterator[Finding]:
    for finding in session.findings:
        if finding.severity is Severity.ERROR and finding.rule not in allowed:
            yield finding


def _endless(session: LabSession, allowed: frozenset[str], deliveries: int) -> str:
    """Why it is of no use to run on."""
    hang = next((finding for finding in _errors(session, allowed) if finding.rule in HANGS), None)
    if hang is not None:
        return f"{hang.rule}: {hang.message}"
    if len(session.recognised) > deliveries:
        return f"{deliveries:,} interrupts and exceptions have been delivered"
    return ""


def _checks(ran: _Ran) -> Iterator[dict[str, Any]]:
    """An entry for each expectation of the lab itself; one for a whole case."""
    case, end = ran.case, ran.end
    if case.kind is Kind.EXPECT and end.outcomes:
        for outcome in end.outcomes:
            ok = outcome.ok and end.reason != "unsupported"
            yield _check(case.kind, f"expect[{outcome.index}]", ok=ok, detail=outcome.detail)
        return
    failed = next((outcome.detail for outcome in end.outcomes if not outcome.ok), end.text)
    yield _check(case.kind, case.title, ok=end.ok, detail="" if end.ok else failed, weight=case.weight)


def _check(kind: Kind, title: str, *, ok: bool, detail: str, weight: float = 1.0) -> dict[str, Any]:
    return Check(kind, title, ok, weight, detail[:_MOST_OUTPUT]).to_json()


def _sentence(ran: _Ran) -> str:
    """Why a run is wrong, in terms of the machine."""
    return _said(ran) if ran.case.kind is Kind.EXPECT else f"{ran.case.title}: {_said(ran)}"


def _said(ran: _Ran) -> str:
    session, end = ran.session, ran.end
    failed = next((outcome.detail for outcome in end.outcomes if not outcome.ok), "")
    if ran.errors:
        return f"{_place(session, ran.errors[0])}{ran.errors[0].rule}: {ran.errors[0].message}"
    if end.reason == "shutdown" and not end.ok:
        return explain(session, session.findings).verdict
    if end.reason == "unsupported" or session.stop.reason is Reason.ENDLESS_FAULT:
        return end.text
    at = _line(session, session.machine.cpu.linear_rip)
    return f"{failed}; it ended at {at}: {end.text}" if at and end.reason == "halted" else failed


def _loop(ran: _Ran) -> str:
    """Where it goes round and round."""
    session = ran.session
    if any(finding.rule in HANGS for finding in ran.errors):
        return ""
    at = _line(session, session.machine.cpu.linear_rip)
    return f"still running{f' at {at}' if at else ''}: {ran.end.text}"


def _line(session: LabSession, address: int | None) -> str:
    line = None if address is None else session.symbols.line(address)
    return "" if line is None else f"{Path(line.path).name}:{line.number}"


def _place(session: LabSession, finding: Finding) -> str:
    at = _line(session, finding.address)
    return f"{at}: " if at else ""


def _moment(ran: _Ran) -> Moment:
    """Where it went wrong: where a rule has seen it, where the chain to a shutdown begins, else where it ended."""
    session = ran.session
    shown = [finding.moment for finding in ran.errors if finding.moment is not None]
    if shown:
        return shown[0]
    last = session.events[-1] if session.events else None
    if isinstance(last, ShutDown) and last.cause:
        first = next((each for each in session.events if _is_delivery(each, last.cause[0])), last)
        return Moment(first.instruction, first.step)
    return session.frontier


def _is_delivery(event: object, index: int) -> bool:
    return isinstance(event, Delivered) and event.index == index
