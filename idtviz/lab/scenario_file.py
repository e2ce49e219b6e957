"""A scenario file from disk: text to TOML to model, with every problem in its line."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from idtviz.lab import toml_lines
from idtviz.lab.image_file import FileProblem
from idtviz.lab.machine_files import SCENARIO, MachineFiles
from idtviz.lab.problems import Problem, ScenarioError
from idtviz.lab.scenario import Scenario

LARGEST_TEXT = 4 << 20
"""Bytes of the largest scenario file."""

_M = TypeVar("_M", bound=BaseModel)

_AT_LINE = re.compile(r"\(at line (\d+), column \d+\)")
_EXPECTED = {
    "string_type": "expected a text",
    "int_type": "expected a whole number",
    "bool_type": "expected true or false",
    "list_type": "expected a list",
    "dict_type": "expected a table",
    "model_type": "expected a table",
    "model_attributes_type": "expected a table",
    "missing": "is missing",
    "string_too_short": "expected a text that is not empty",
}


_STAND_INS: dict[str, dict[str, Any]] = {
    "input": {"at": "0", "nmi": True},
    "lesson": {"at": "0", "say": "-"},
    "expect": {"screen": "-"},
}


class ScenarioText:
    """The text of a scenario file, and in which line what stands."""

    def __init__(self, file: str, text: str) -> None:
        self.file = file
        self.text = text
        self.lines: dict[toml_lines.Path, int] = {}

    def problem(self, path: toml_lines.Path, message: str) -> Problem:
        """A complaint about what stands at `path`."""
        return Problem(self.file, toml_lines.line_of(self.lines, path), message)


class MalformedError(ScenarioError):
    """A scenario that breaks its format. `rest` is what is left of it without that, for further checks, if anything."""

    def __init__(self, problems: list[Problem], rest: Scenario | None, text: ScenarioText) -> None:
        super().__init__(problems)
        self.rest = rest
        self.text = text


def load(path: Path, file: str, files: MachineFiles | None = None) -> tuple[Scenario, ScenarioText]:
    """Read the scenario at `path`, called `file` in messages. Raises ScenarioError with all that is wrong."""
    text, content = _read(path, file, files or MachineFiles())
    try:
        return Scenario.model_validate(content), text
    except ValidationError as error:
        details = _details(error)
        raise MalformedError([_problem(text, detail) for detail in details], _rest(content, details), text) from error


def load_as(model: type[_M], path: Path, file: str) -> _M:
    """Read another TOML file at `path`, of the shape of `model`. Raises ScenarioError with all that is wrong."""
    text, content = _read(path, file, MachineFiles())
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise ScenarioError([_problem(text, detail) for detail in _details(error)]) from error


def _read(path: Path, file: str, files: MachineFiles) -> tuple[ScenarioText, dict[str, Any]]:
    try:
        raw = files.read(SCENARIO, path, path.name, LARGEST_TEXT)
    except FileProblem as problem:
        raise ScenarioError([Problem(file, None, str(problem))]) from problem
    try:
        text = ScenarioText(file, raw.decode("utf-8"))
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ScenarioError([Problem(file, line, "not UTF-8 text; expected a TOML file")]) from error
    content = _parse(text)
    text.lines = toml_lines.key_lines(text.text)
    return text, content


def _details(error: ValidationError) -> list[ErrorDetails]:
    return error.errors(include_url=False, include_context=True, include_input=True)


def _rest(content: dict[str, Any], details: list[ErrorDetails]) -> Scenario | None:
    """The scenario without what is malformed: keys left out, entries of lists replaced so that the others keep their
    places. None where too little is left.
    """
    for detail in details:
        location = detail["loc"]
        if len(location) > 1 and location[0] in _STAND_INS and isinstance(location[1], int):
            entries = content[str(location[0])]
            entry = entries[location[1]]
            at = entry.get("at") if isinstance(entry, dict) else None
            stand_in = _STAND_INS[str(location[0])]
            entries[location[1]] = stand_in | ({"at": at} if isinstance(at, str) and "at" in stand_in else {})
        else:
            _leave_out(content, location)
    content.setdefault("title", "untitled")
    try:
        return Scenario.model_validate(content)
    except ValidationError:
        return None


def _leave_out(content: Any, location: tuple[int | str, ...]) -> None:
    for part in location[:-1]:
        if not isinstance(content, dict) or part not in content:
            return
        content = content[part]
    if isinstance(content, dict) and location:
        content.pop(location[-1], None)


def _parse(text: ScenarioText) -> dict[str, Any]:
    try:
        return tomllib.loads(text.text)
    except tomllib.TOMLDecodeError as error:
        message = str(error)
        found = _AT_LINE.search(message)
        last = text.text.count("\n") + 1
        line = int(found[1]) if found else last
        said = _AT_LINE.sub("", message).replace("(at end of document)", "at the end of the file").strip()
        raise ScenarioError([Problem(text.file, line, f"not valid TOML: {said}")]) from error
    except RecursionError:
        raise ScenarioError([Problem(text.file, None, "not usable: tables or lists are nested too deeply")]) from None
    except ValueError as error:
        raise ScenarioError([Problem(text.file, None, f"not usable: {error}")]) from error


def _problem(text: ScenarioText, detail: ErrorDetails) -> Problem:
    path = _path(text, detail["loc"])
    name = _name(detail["loc"])
    kind = detail["type"]
    if kind == "extra_forbidden":
        return text.problem(path, f"unknown key {name}")
    if kind == "missing":
        return text.problem(path, f"{name} is missing")
    if kind == "value_error":
        said = str(detail.get("ctx", {}).get("error", detail["msg"]))
    else:
        said = _EXPECTED.get(kind) or _lower(detail["msg"]).replace("input should be", "expected")
        said += f", not {_shown(detail['input'])}"
    return text.problem(path, f"{name}: {said}" if name else said)


def _path(text: ScenarioText, location: tuple[int | str, ...]) -> toml_lines.Path:
    """The part of pydantic's location that stands in the file: the names of union members do not."""
    path: toml_lines.Path = ()
    for part in location:
        if (*path, part) in text.lines:
            path = (*path, part)
    return path


def _name(location: tuple[int | str, ...]) -> str:
    name = ""
    for part in location:
        if isinstance(part, int):
            name += f"[{part}]"
        elif "[" not in part:
            name += f".{part}" if name else part
    return name


def _shown(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value) if abs(value) < 1 << 64 else "a number of more than 64 bits"
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value)[:80]


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
