"""Findings as a SARIF log (OASIS SARIF 2.1.0), which code hosts and editors show beside the source."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from idtviz import __version__
from idtviz.checks.rule import Rule
from idtviz.checks.rules import RULES
from idtviz.cli.reports.paths import uri
from idtviz.lab.checking import Checked
from idtviz.lab.places import Place, Reported

VERSION = "2.1.0"
_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"

Object = dict[str, Any]


def report(files: Sequence[Checked], problems: Sequence[str]) -> str:
    """One run over all files. `problems`: what was said of files that could not be checked."""
    index = {rule.id: number for number, rule in enumerate(RULES)}
    found = {
        "tool": {"driver": {"name": "idtviz", "version": __version__, "rules": [_rule(rule) for rule in RULES]}},
        "invocations": [_invocation(files, problems)],
        "artifacts": _targets(files),
        "columnKind": "unicodeCodePoints",
        "results": [_result(checked, reported, index) for checked in files for reported in checked.reported],
    }
    return json.dumps({"$schema": _SCHEMA, "version": VERSION, "runs": [found]}, indent=2)


def _rule(rule: type[Rule]) -> Object:
    return {
        "id": rule.id,
        "name": rule.__name__,
        "shortDescription": _text(rule.title),
        "fullDescription": _text(rule.why),
        "help": _text(f"{rule.fix}\n\nSource: {rule.source}"),
        "defaultConfiguration": {"level": rule.severity.value},
        "properties": {"class": rule.bug_class},
    }


def _invocation(files: Sequence[Checked], problems: Sequence[str]) -> Object:
    told = [
        {
            "level": "note",
            "message": _text(f"{checked.what}: {'. '.join(checked.said)}"),
            "locations": [_location(checked.file)],
        }
        for checked in files
    ]
    refused = [{"level": "error", "message": _text(problem)} for problem in problems]
    return {"executionSuccessful": not problems, "toolExecutionNotifications": [*told, *refused]}


def _targets(files: Sequence[Checked]) -> list[Object]:
    names = dict.fromkeys(uri(checked.file) for checked in files)
    return [{"location": {"uri": name}, "roles": ["analysisTarget"]} for name in names]


def _result(checked: Checked, reported: Reported, index: dict[str, int]) -> Object:
    finding = reported.finding
    result: Object = {
        "ruleId": finding.rule,
        "ruleIndex": index[finding.rule],
        "level": finding.severity.value,
        "message": _text(finding.message),
        "analysisTarget": {"uri": uri(checked.file)},
        "locations": [_location(checked.file, reported.place)],
    }
    if reported.notes:
        result["relatedLocations"] = [
            {"id": number, **_location(checked.file, place), "message": _text(text)}
            for number, (text, place) in enumerate(reported.notes, 1)
        ]
    if finding.moment is not None:
        result["properties"] = {"moment": str(finding.moment)}
    return result


def _location(file: str, place: Place | None = None) -> Object:
    place = place or Place()
    physical: Object = {"artifactLocation": {"uri": uri(place.file or file)}}
    if place.line is not None:
        physical["region"] = {"startLine": place.line}
        if place.source is not None:
            physical["region"]["snippet"] = {"text": place.source}
    location: Object = {"physicalLocation": physical}
    if place.symbol is not None:
        kind = {} if place.instruction is None else {"kind": "function"}
        location["logicalLocations"] = [{"fullyQualifiedName": place.symbol, **kind}]
    if place.address is not None:
        location["properties"] = {"address": hex(place.address)}
    return location


def _text(text: str) -> dict[str, str]:
    """A message: braces are doubled in it, as single ones stand around the number of an argument (3.11.5)."""
    return {"text": text.replace("{", "{{").replace("}", "}}")}
