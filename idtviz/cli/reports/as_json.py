"""Findings as the JSON of `idtviz check --format json`, keys in the order of the contract."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from idtviz.checks.rules import BY_ID
from idtviz.cli.reports.paths import near
from idtviz.lab.checking import Checked
from idtviz.lab.places import Reported

SCHEMA = 1


def report(files: Sequence[Checked]) -> str:
    """One object for all files, in the order in which they were given."""
    findings = [_finding(checked, reported) for checked in files for reported in checked.reported]
    return json.dumps({"schema": SCHEMA, "findings": findings}, indent=2)


def _finding(checked: Checked, reported: Reported) -> dict[str, Any]:
    finding, place = reported.finding, reported.place
    rule = BY_ID[finding.rule]
    return {
        "rule": rule.id,
        "class": rule.bug_class,
        "severity": finding.severity.value,
        "message": finding.message,
        "file": near(place.file or checked.file),
        "line": place.line,
        "symbol": place.symbol,
        "address": None if place.address is None else hex(place.address),
        "help": rule.fix,
    }
