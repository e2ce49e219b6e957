"""What went wrong in a run, in words, and the moment at which it is best seen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from idtviz.checks.finding import Finding
from idtviz.checks.why import Chain, explain, looping
from idtviz.debugger.moment import Moment
from idtviz.lab import scenario_file, toml_lines
from idtviz.lab.expectations import Outcome
from idtviz.lab.problems import ScenarioError, printable
from idtviz.lab.reaching import HANGS
from idtviz.lab.session import LabSession
from idtviz.view import why

_WIDTH = 100
_UNMODELLED = "unsupported"


class Ran(Protocol):
    """A run that has ended, as far as one has to know it to tell of it."""

    @property
    def file(self) -> str: ...
    @property
    def session(self) -> LabSession: ...
    @property
    def outcomes(self) -> Sequence[Outcome]: ...
    @property
    def end(self) -> str: ...
    @property
    def text(self) -> str: ...
    @property
    def instructions(self) -> int: ...
    @property
    def findings(self) -> Sequence[Finding]: ...
    @property
    def ok(self) -> bool: ...


def account(run: Ran) -> str:
    """What did not hold, and how the run came to its end."""
    missed = [f"{place(run, outcome.index)}: {printable(outcome.detail)}" for outcome in run.outcomes if not outcome.ok]
    return "\n".join((*missed, *ending(run)))


def place(run: Ran, index: int) -> str:
    """Where an expectation stands: `kernel.idtviz.toml:12: expect[0]`."""
    line = line_of(run, index)
    return f"{run.file}: expect[{index}]" if line is None else f"{run.file}:{line}: expect[{index}]"


def line_of(run: Ran, index: int) -> int | None:
    """The line of an expectation in the scenario; None for one that was given beside it."""
    try:
        _, text = scenario_file.load(run.session.path, run.file)
    except ScenarioError:
        return None
    path = ("expect", index)
    return toml_lines.line_of(text.lines, path) if path in text.lines else None


def ending(run: Ran) -> Iterable[str]:
    """How the run came to its end, and what the rules found, in lines."""
    yield f"the run ended: {run.end}, after {run.instructions:,} instructions" + (f"; {run.text}" if run.text else "")
    chain = _chain(run)
    if chain is not None:
        yield ""
        yield from (row.text.rstrip() for row in why.chain(chain, _WIDTH))
    elif run.findings:
        yield from findings(run, run.findings)


def findings(run: Ran, found: Iterable[Finding]) -> Iterable[str]:
    """One line for each, with its place."""
    for each in found:
        line = None if each.address is None else run.session.symbols.line(each.address)
        name = None if each.address is None else run.session.symbols.name(each.address)
        where = ", ".join(part for part in (f"{line.file}:{line.number}" if line else "", name or "") if part)
        yield f"{each.rule} {each.severity.value}: {each.message}" + (f" ({where})" if where else "")


def telling(run: Ran) -> Moment:
    """The moment at which it went wrong: where a chain of faults begins, where a rule found something, or the end.

    Where all that was expected held it is where the session was left: what is wrong is something that a test has seen.
    """
    if run.ok:
        return run.session.moment
    chain = _chain(run)
    moments = [link.moment for link in chain.links] if chain is not None else []
    found = [moment for moment in (*moments, *(each.moment for each in run.findings)) if moment is not None]
    return found[0] if found else run.session.frontier


def _chain(run: Ran) -> Chain | None:
    """How it came to a bad end; None where it did not."""
    if run.end in (_UNMODELLED, "expectations"):
        return None
    hang = next((each for each in run.findings if each.rule in HANGS), None)
    loop = tuple(looping(run.session)) if run.end == "limit" else ()
    chain = explain(run.session, run.session.findings, hang=hang, loop=loop)
    return chain if chain.ending.bad else None
