"""From what a process told, and how it ended, to a verdict."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from idtviz.lab.grading.grade_file import PointsSection
from idtviz.lab.grading.verdicts import Check, Kind, Verdict, Word, score

_MOST_OUTPUT = 20_000


@dataclass(frozen=True, slots=True)
class Death:
    """How a process ended: its exit code, or minus the signal that ended it; `late`: it was ended after `seconds`."""

    code: int
    late: bool
    seconds: int
    output: str


def judge(records: Sequence[dict[str, Any]], death: Death, points: PointsSection) -> Verdict:
    """The verdict on a hand-in; it does not know whose it is."""
    told: dict[str, Any] = {}
    for record in records:
        told |= {name: value for name, value in record.items() if name not in told or name == "stage"}
    checks = _weighed([Check.from_json(record["check"]) for record in records if "check" in record], points)
    why, where = str(told.get("why", "")), str(told.get("where", ""))
    if "word" in told:
        return Verdict("", Word(told["word"]), 0, why, checks, output=str(told.get("output", "")))
    if "looping" in told:
        text = str(told["looping"]) or why
        return Verdict("", Word.LOOPING, 0, text, checks, where, told.get("picture"))
    if "graded" in told:
        word = Word.PASSED if all(check.ok for check in checks) else Word.FAILED
        if word is Word.FAILED and not why:
            why = next(check.detail for check in checks if not check.ok)
        return Verdict("", word, score(checks), why, checks, where, told.get("picture"))
    word, why = _ended(str(told.get("stage", "it was begun")), death)
    return Verdict("", word, 0, why, checks, output=death.output[-_MOST_OUTPUT:])


def _ended(stage: str, death: Death) -> tuple[Word, str]:
    """A process that did not come to its end."""
    if death.late or death.code == -signal.SIGXCPU:
        return Word.OUT_OF_TIME, f"{stage}: it was stopped after {death.seconds} s"
    if death.code == -signal.SIGKILL:
        return Word.OUT_OF_MEMORY, f"{stage}: the system killed it, as it does where memory runs out"
    if death.code < 0:
        try:
            name = signal.Signals(-death.code).name
        except ValueError:
            name = f"signal {-death.code}"
        return Word.CRASHED, f"{stage}: the emulator crashed ({name})"
    return Word.CRASHED, f"{stage}: it ended with exit code {death.code}, and no result"


def _weighed(checks: Sequence[Check], points: PointsSection) -> tuple[Check, ...]:
    """The checks with the points that each is worth: those of its kind, shared out."""
    of = {Kind.BUILD: 0.0, Kind.EXPECT: points.expect, Kind.RULES: points.rules, Kind.CASE: points.cases}
    total = {kind: sum(check.weight for check in checks if check.kind is kind) for kind in Kind}
    return tuple(
        replace(check, weight=of[check.kind] * check.weight / total[check.kind] if total[check.kind] else 0.0)
        for check in checks
    )
