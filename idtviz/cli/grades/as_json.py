"""Verdicts as one JSON object."""

from __future__ import annotations

import json
from typing import Any

from idtviz.cli.grades.outcome import Outcome
from idtviz.lab.grading.verdicts import Check, Verdict, earned
from idtviz.lab.problems import printable

SCHEMA = 1


def report(outcome: Outcome) -> str:
    """The object: the same bytes whenever the same is graded."""
    found = {
        "schema": SCHEMA,
        "lab": outcome.lab,
        "title": outcome.title,
        "submissions": outcome.expected,
        "graded": len(outcome.verdicts),
        "verdicts": {word.value: count for word, count in outcome.counts.items()},
        "students": [_student(verdict) for verdict in outcome.verdicts],
    }
    return json.dumps(found, indent=2) + "\n"


def _student(verdict: Verdict) -> dict[str, Any]:
    return {
        "student": printable(verdict.student),
        "verdict": verdict.word.value,
        "score": verdict.score,
        "why": verdict.why,
        "where": verdict.where,
        "checks": [_check(*each) for each in zip(verdict.checks, earned(verdict.checks), strict=True)],
        "output": verdict.output,
    }


def _check(check: Check, got: float) -> dict[str, Any]:
    return {
        "kind": check.kind.value,
        "title": check.title,
        "ok": check.ok,
        "points": round(got, 3),
        "of": round(check.weight, 3),
        "detail": check.detail,
    }
