"""`idtviz test`: whether what scenarios expect comes to pass."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
from xml.etree import ElementTree as ET

import typer

from idtviz.cli.problems import FAILED, REFUSED, complain, refuse
from idtviz.lab.problems import ScenarioError, printable
from idtviz.lab.run import DEFAULT_LIMIT, End, run
from idtviz.lab.session import LabSession

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class _Tested:
    """One scenario: how its run ended, or why it could not begin."""

    file: str
    end: End | None
    error: ScenarioError | None


def command(
    scenarios: Annotated[list[str], typer.Argument(metavar="SCENARIO...", help="Scenario files, or their names.")],
    junit: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the outcome as JUnit XML, too.")] = None,
    limit: Annotated[int, typer.Option(min=0, max=1 << 50, help="Stop after so many instructions.")] = DEFAULT_LIMIT,
) -> None:
    """Run each SCENARIO and check its expectations: one line each."""
    tested = [_test(file, limit) for file in scenarios]
    if junit is not None:
        try:
            junit.write_bytes(_junit(tested))
        except OSError as error:
            refuse(f"{junit}: cannot be written: {error.strerror}")
    if any(item.error is not None for item in tested):
        raise typer.Exit(REFUSED)
    if not all(item.end is not None and item.end.ok for item in tested):
        raise typer.Exit(FAILED)


def _test(file: str, limit: int) -> _Tested:
    try:
        session, given = LabSession.open_run(file)
    except ScenarioError as error:
        complain(error)
        return _Tested(file, None, error)
    end = run(session, limit=limit, given=given)
    shown = printable(file)
    for outcome in end.outcomes:
        mark = "ok  " if outcome.ok else "FAIL"
        print(f"{mark}  {shown} [{outcome.index}]  {printable(outcome.detail)}")
    if end.reason == "unsupported":
        print(f"FAIL  {shown}  {printable(end.text)}")
    elif not end.outcomes:
        print(f"ok    {shown}  nothing is expected; the run ended: {end.reason}")
    return _Tested(file, end, None)


def _junit(tested: list[_Tested]) -> bytes:
    root = ET.Element("testsuites", name="idtviz")
    for item in tested:
        suite = ET.SubElement(root, "testsuite", name=_clean(item.file))
        failures = errors = cases = 0
        for name, kind, message in _cases(item):
            case = ET.SubElement(suite, "testcase", classname=_clean(item.file), name=_clean(name))
            cases += 1
            failures += kind == "failure"
            errors += kind == "error"
            if kind:
                ET.SubElement(case, kind, message=_clean(message))
        suite.set("tests", str(cases))
        suite.set("failures", str(failures))
        suite.set("errors", str(errors))
    ET.indent(root)
    text: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return text + b"\n"


def _cases(item: _Tested) -> list[tuple[str, str, str]]:
    """Name, `failure`, `error` or nothing, and what was seen."""
    if item.end is None:
        return [("opens", "error", str(item.error))]
    cases = [
        (f"expect[{outcome.index}]", "" if outcome.ok else "failure", outcome.detail) for outcome in item.end.outcomes
    ]
    if item.end.reason == "unsupported":
        cases.append(("runs", "error", item.end.text))
    return cases or [("runs", "", item.end.reason)]


def _clean(text: str) -> str:
    """Without the characters that XML 1.0 cannot hold."""
    return _NOT_XML.sub("\ufffd", text)
