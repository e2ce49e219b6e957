"""A scenario, run to its end for a test, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from idtviz.checks.finding import Finding
from idtviz.debugger.inputs import ScriptedInput
from idtviz.debugger.places import PlaceError, parse
from idtviz.lab.expectations import Outcome, screen_of
from idtviz.lab.overrides import Overrides
from idtviz.lab.preparation import Prepared, prepare
from idtviz.lab.problems import Problem, ScenarioError
from idtviz.lab.run import DEFAULT_LIMIT, End, run
from idtviz.lab.scenario import ExpectEntry, InputEntry
from idtviz.lab.scenario_preparation import input_of
from idtviz.lab.scenario_values import size
from idtviz.lab.session import LabSession
from idtviz.machine.events import Happened

_E = TypeVar("_E", bound=BaseModel)
Table = Mapping[str, Any]
"""An entry as it would stand in a scenario file: `{"at": "kernel_ready", "keys": "hi"}`."""


@dataclass(frozen=True, slots=True, repr=False)
class ScenarioRun:
    """A run that has ended. `session` stands at its end, and goes anywhere in it: `run.session.seek("#PF")`."""

    file: str
    session: LabSession
    outcomes: tuple[Outcome, ...]
    """One for each expectation, with what was seen."""
    end: str
    """How it ended: `halted`, `shutdown`, `limit`, `expectations` or `unsupported`."""
    text: str
    """A sentence on that, where there is more to say."""
    instructions: int
    screen: str
    """The rows of the text screen at the end, without blank ends."""
    serial: str
    """What was sent to COM1."""
    events: tuple[Happened, ...]
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether all that was expected held, and the machine met nothing that it does not model."""
        return all(outcome.ok for outcome in self.outcomes) and self.end != "unsupported"

    def check(self) -> None:
        """Raise AssertionError with all that did not hold, and how the run came to its end."""
        __tracebackhide__ = True
        if not self.ok:
            from idtviz.testing.account import account  # noqa: PLC0415 -- only a failure needs words

            raise AssertionError(account(self))

    def __repr__(self) -> str:
        missed = [outcome for outcome in self.outcomes if not outcome.ok]
        held = f"{len(missed)} of {len(self.outcomes)} expectations missed" if missed else "all held"
        return f"<run of {self.file}: {held}; ended: {self.end}>"


def run_scenario(
    path: str | Path,
    shown: str,
    *,
    limit: int = DEFAULT_LIMIT,
    inputs: Sequence[Table] = (),
    expect: Sequence[Table] = (),
    machine: Table = MappingProxyType({}),
) -> ScenarioRun:
    """Run what is at `path`, called `shown`, with `inputs` and `expect` beside its own. Raises ScenarioError.

    `machine`: what is to be different, by the names of `Overrides`.
    """
    prepared = prepare(path, _overrides(shown, machine))
    scripted = tuple(_scripted(prepared, shown, index, table) for index, table in enumerate(inputs))
    expected = [_entry(ExpectEntry, shown, f"expect[{index}]", table) for index, table in enumerate(expect)]
    scenario = prepared.scenario
    prepared = replace(
        prepared,
        setup=replace(prepared.setup, inputs=(*prepared.setup.inputs, *scripted)),
        scenario=scenario.model_copy(update={"expect": [*scenario.expect, *expected]}),
    )
    session = LabSession(prepared, narrated=False)
    return _ran(shown, session, run(session, limit=limit))


def _ran(shown: str, session: LabSession, end: End) -> ScenarioRun:
    machine = session.machine
    return ScenarioRun(
        file=shown,
        session=session,
        outcomes=tuple(end.outcomes),
        end=end.reason,
        text=end.text,
        instructions=machine.instructions,
        screen="\n".join(line.rstrip() for line in screen_of(machine).lines).rstrip("\n"),
        serial=machine.board.com1.state.output.decode("utf-8", errors="replace"),
        events=tuple(session.events),
        findings=tuple(session.findings),
    )


def _scripted(prepared: Prepared, shown: str, index: int, table: Table) -> ScriptedInput:
    entry = _entry(InputEntry, shown, f"inputs[{index}]", table)
    try:
        return ScriptedInput(parse(entry.at, prepared.setup.symbols), input_of(entry))
    except PlaceError as error:
        raise ScenarioError([Problem(shown, None, f"inputs[{index}].at: {error}")]) from error


def _overrides(shown: str, machine: Table) -> Overrides:
    try:
        return Overrides(**{name: size(value) if name == "memory" else value for name, value in machine.items()})
    except ValueError as error:
        raise ScenarioError([Problem(shown, None, f"memory: {error}")]) from error


def _entry(model: type[_E], shown: str, name: str, table: Table) -> _E:
    try:
        return model.model_validate(dict(table))
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        said = [".".join((name, *map(str, each["loc"]))) + f": {each['msg']}" for each in found]
        raise ScenarioError([Problem(shown, None, each) for each in said]) from error
