"""What several trials of one handler come to: the findings of all, and what it did, in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from idtviz.checks.finding import Finding, Note
from idtviz.checks.rules.handlers import EndsWithoutIret, RaisesException
from idtviz.lab.harness import saying
from idtviz.lab.harness.claims import OF_ERROR_CODE, Claims
from idtviz.lab.harness.endings import finding_of
from idtviz.lab.harness.handler import Handler
from idtviz.lab.harness.trial import Trial
from idtviz.machine.objects import LoadedObject

_OF_DECLARATION = OF_ERROR_CODE | {RaisesException.id, EndsWithoutIret.id}


@dataclass(frozen=True, slots=True)
class Verdict:
    """About one handler: what was found, and what it did, in sentences."""

    handler: Handler
    findings: tuple[Finding, ...]
    said: tuple[str, ...]
    """One thing in each."""
    brief: str
    """All of it in a line, for one handler among others."""


def verdict(handler: Handler, trials: Sequence[Trial], loaded: LoadedObject, claims: Claims) -> Verdict:
    """Put `trials` together, and hold them against what the functions declare to take."""
    found = tuple(claims.findings(handler, trials))
    declared_wrongly = any(finding.address == handler.address for finding in found)
    findings: dict[tuple[str, int | None], list[tuple[Trial, Finding]]] = {}
    for trial in trials:
        for finding in (*trial.findings, *finding_of(trial, handler, loaded)):
            if declared_wrongly and finding.rule in _OF_DECLARATION:
                continue
            findings.setdefault((finding.rule, finding.address), []).append((trial, replace(finding, moment=None)))
    merged = [_merged(seen, trials) for seen in findings.values()]
    told = tuple(saying.told(handler, trials, loaded, claims))
    return Verdict(handler, (*found, *merged), told, saying.brief(handler, trials, loaded))


def _merged(seen: list[tuple[Trial, Finding]], trials: Sequence[Trial]) -> Finding:
    """One finding of several trials, with a note where it does not show in all of them."""
    finding = seen[0][1]
    rings = {trial.ring for trial, _ in seen}
    notes = []
    if rings != {trial.ring for trial in trials}:
        notes.append(Note(f"only where the handler interrupts ring {rings.pop()}"))
    elif all(trial.nested for trial, _ in seen):
        notes.append(Note("only where another interrupt comes while the handler runs with IF=1"))
    return replace(finding, notes=(*finding.notes, *notes))
