"""`idtviz test`: whether what scenarios expect comes to pass."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import Annotated
from xml.etree import ElementTree as ET

import typer

from idtviz.cli.problems import FAILED, REFUSED, complain, refuse
from idtviz.lab import scenario_file, toml_lines
from idtviz.lab.building import BuildError, Complaint, build
from idtviz.lab.problems import Problem, ScenarioError, printable
from idtviz.lab.run import DEFAULT_LIMIT, End, run
from idtviz.lab.session import LabSession

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class _Tested:
    """One scenario: how its run ended, or why there was none. `lines`: where in the file each expectation stands."""

    file: str
    end: End | None = None
    error: ScenarioError | BuildError | None = None
    built: bool = False
    lines: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class _Case:
    """One line of the report: `wrong` is `failure`, `error` or nothing; `seen` says what was seen, `place` where."""

    name: str
    wrong: str = ""
    seen: str = ""
    place: str = ""


def command(
    scenarios: Annotated[list[str], typer.Argument(metavar="SCENARIO...", help="Scenario files, or their names.")],
    junit: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the outcome as JUnit XML, too.")] = None,
    limit: Annotated[int, typer.Option(min=0, max=1 << 50, help="Stop after so many instructions.")] = DEFAULT_LIMIT,
    *,
    make: Annotated[bool, typer.Option("--build", help="Make each image of its sources first, in place.")] = False,
) -> None:
    """Run each SCENARIO and check its expectations: one line each."""
    tested = [_test(file, limit, make=make) for file in scenarios]
    if junit is not None:
        try:
            junit.write_bytes(_junit(tested))
        except OSError as error:
            refuse(f"{junit}: cannot be written: {error.strerror}")
    if any(item.error is not None for item in tested):
        raise typer.Exit(REFUSED)
    if not all(item.end is not None and item.end.ok for item in tested):
        raise typer.Exit(FAILED)


def _test(file: str, limit: int, *, make: bool) -> _Tested:
    built = False
    try:
        if make:
            _build(file)
            built = True
        session, given = LabSession.open_run(file)
    except ScenarioError as error:
        complain(error)
        return _Tested(file, error=error, built=built)
    except BuildError as error:
        for complaint in error.complaints:
            complain(str(complaint))
        return _Tested(file, error=error)
    end = run(session, limit=limit, given=given)
    shown = printable(file)
    for outcome in end.outcomes:
        mark = "ok  " if outcome.ok else "FAIL"
        print(f"{mark}  {shown} [{outcome.index}]  {printable(outcome.detail)}")
    if end.reason == "unsupported":
        print(f"FAIL  {shown}  {printable(end.text)}")
    elif not end.outcomes:
        print(f"ok    {shown}  nothing is expected; the run ended: {end.reason}")
    return _Tested(file, end, built=built, lines=_lines(session, end))


def _build(file: str) -> None:
    """Make the image anew, beside its scenario; what comes with idtviz stays as it is. Raises as `build`."""
    path = Path(file)
    if path.suffix != ".toml" or not path.is_file():
        raise ScenarioError([Problem(file, None, "cannot be built; expected the path of a scenario, a .toml")])
    try:
        warnings = build(path).warnings
    except BuildError as error:
        raise BuildError(_from_here(path, error.complaints)) from error
    for warning in _from_here(path, warnings):
        complain(str(warning))


def _from_here(scenario: Path, complaints: Iterable[Complaint]) -> list[Complaint]:
    """A build names files as the scenario does; a reader looks for them from the current folder."""
    return [replace(each, file=str(scenario.parent / each.file)) for each in complaints]


def _lines(session: LabSession, end: End) -> tuple[int, ...]:
    if not end.outcomes or session.path.suffix != ".toml":
        return ()
    _, text = scenario_file.load(session.path, session.path.name)
    return tuple(toml_lines.line_of(text.lines, ("expect", outcome.index)) for outcome in end.outcomes)


def _junit(tested: list[_Tested]) -> bytes:
    """As Ant's JUnit task began it and Jenkins, GitLab and the readers on GitHub take it."""
    root = ET.Element("testsuites", name="idtviz")
    every: list[_Case] = []
    for item in tested:
        cases = _cases(item)
        every += cases
        suite = ET.SubElement(root, "testsuite", {"name": _clean(item.file), **_counts(cases)})
        for each in cases:
            where = {"classname": _clean(_class(item.file)), "name": _clean(each.name), "file": _clean(item.file)}
            case = ET.SubElement(suite, "testcase", where)
            if each.wrong:
                said = ET.SubElement(case, each.wrong, message=_clean(each.seen), type=each.name.partition("[")[0])
                said.text = _clean(f"{each.place}: {each.seen}" if each.place else each.seen)
    for name, count in _counts(every).items():
        root.set(name, count)
    ET.indent(root)
    text: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return text + b"\n"


def _counts(cases: list[_Case]) -> dict[str, str]:
    wrong = [case.wrong for case in cases]
    counts = {"tests": len(cases), "failures": wrong.count("failure"), "errors": wrong.count("error"), "skipped": 0}
    return {name: str(count) for name, count in counts.items()}


def _class(file: str) -> str:
    """The file as readers want a class: what stands before the last dot is taken for its package."""
    path = PurePath(os.path.relpath(file)) if PurePath(file).is_absolute() else PurePath(file)
    return ".".join(part.replace(".", "_") for part in path.with_suffix("").parts if part not in ("..", "/"))


def _cases(item: _Tested) -> list[_Case]:
    if item.end is None:
        wrong = "builds" if isinstance(item.error, BuildError) else "opens"
        return [*([_Case("builds")] if item.built else []), _Case(wrong, "error", str(item.error))]
    cases = [_Case("builds")] if item.built else []
    for outcome, line in zip(item.end.outcomes, item.lines or (0,) * len(item.end.outcomes), strict=True):
        place = f"{item.file}:{line}" if line else item.file
        cases.append(_Case(f"expect[{outcome.index}]", "" if outcome.ok else "failure", outcome.detail, place))
    if item.end.reason == "unsupported":
        cases.append(_Case("runs", "error", item.end.text))
    return cases or [_Case("runs", "", item.end.reason)]


def _clean(text: str) -> str:
    """Without the characters that XML 1.0 cannot hold."""
    return _NOT_XML.sub("\ufffd", text)
