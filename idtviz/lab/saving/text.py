"""The bytes of a saved session: JSON that a person can read, and a checksum over all of it."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

from pydantic import ValidationError

from idtviz import __version__
from idtviz.lab.image_file import FileProblem, read
from idtviz.lab.problems import dotted, printable
from idtviz.lab.saving.checks import check
from idtviz.lab.saving.document import FORMAT, SCHEMA, Document
from idtviz.lab.saving.problem import SavedSessionError

SUFFIX = ".idtviz"
LARGEST = 64 << 20
"""Bytes of the largest file of a session."""

_MOST_VALUES = 2_000_000
_WIDTH = 116
_UNKNOWN = b"0" * 64  # stands for the checksum while that is computed
_MARK = re.compile(rb'\s*\{\s*"format"\s*:\s*"' + FORMAT.encode() + rb'"(?:\s*,\s*"schema"\s*:\s*(\d{1,9})\b)?')
_HEAD = re.compile(
    rb'\{\n  "format": "' + FORMAT.encode() + rb'",\n  "schema": (?P<schema>\d{1,9}),\n  '
    rb'"checksum": "(?P<checksum>[0-9a-f]{64})",\n'
)
_EXPECTED = "expected a session that idtviz has saved"


def encode(document: Document) -> bytes:
    """The bytes of the file. Raises ValueError where a text in it is none."""
    content = document.model_dump(mode="json", by_alias=True, exclude_none=True)
    content["opened"]["said"] = document.opened.said.model_dump(mode="json", exclude_defaults=True)
    raw = f"{_laid_out(content | {'checksum': _UNKNOWN.decode()}, 0)}\n".encode()
    head = _HEAD.match(raw)
    assert head is not None
    start, end = head.span("checksum")
    return raw[:start] + hashlib.sha256(raw).hexdigest().encode() + raw[end:]


def _laid_out(value: object, indent: int) -> str:
    """JSON with a line for each entry, but for small things that have nothing in them but plain values."""
    short = json.dumps(value, ensure_ascii=False)
    inner = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    if not inner or (_is_plain(inner) and len(short) + indent <= _WIDTH):
        return short
    margin = " " * (indent + 2)
    if isinstance(value, dict):
        parts = [f"{json.dumps(key, ensure_ascii=False)}: {_laid_out(each, indent + 2)}" for key, each in value.items()]
        return "{\n" + ",\n".join(margin + part for part in parts) + "\n" + " " * indent + "}"
    parts = [_laid_out(each, indent + 2) for each in inner]
    return "[\n" + ",\n".join(margin + part for part in parts) + "\n" + " " * indent + "]"


def _is_plain(values: list[object]) -> bool:
    return not any(isinstance(each, dict | list) for each in values)


def is_marked(head: bytes) -> bool:
    """Whether a file that begins so is, or was, a saved session."""
    return _MARK.match(head) is not None


def edition(head: bytes) -> int:
    """The number of the format; 0: cannot be told."""
    found = _MARK.match(head)
    return int(found[1]) if found and found[1] else 0


def load(path: Path, name: str) -> Document:
    """The session in the file `path`, called `name` in messages. Raises SavedSessionError."""
    try:
        raw = read(path, printable(name), LARGEST)
    except FileProblem as problem:
        raise SavedSessionError(name, str(problem)) from problem
    try:
        return decode(raw)
    except ValueError as error:
        raise SavedSessionError(name, str(error)) from error


def decode(raw: bytes) -> Document:
    """The session in these bytes. Raises ValueError, saying what is wrong."""
    if not raw:
        raise ValueError(f"the file is empty; {_EXPECTED}")
    if not is_marked(raw[:1024]):
        raise ValueError(f"is no saved session; {_EXPECTED}")
    if not _is_whole(raw):
        later = edition(raw[:1024])
        if later > SCHEMA:
            raise ValueError(_of_the_future(later))
        raise ValueError(f"is damaged, or was edited: its content does not fit its checksum; {_EXPECTED}, unchanged")
    if edition(raw[:1024]) != SCHEMA:
        raise ValueError(_of_the_future(edition(raw[:1024])))
    if raw.count(b",") + raw.count(b"{") + raw.count(b"[") > _MOST_VALUES:
        raise ValueError(f"holds too much; expected at most {_MOST_VALUES} values")
    try:
        document = Document.model_validate_json(raw)
    except ValidationError as error:
        raise ValueError(first_of(error)) from error
    check(document)
    return document


def _is_whole(raw: bytes) -> bool:
    head = _HEAD.match(raw)
    if head is None:
        return False
    start, end = head.span("checksum")
    digest = hashlib.sha256(raw[:start])
    digest.update(_UNKNOWN)
    digest.update(memoryview(raw)[end:])
    return digest.hexdigest().encode() == head["checksum"]


def _of_the_future(number: int) -> str:
    return f"is of format {number}, which idtviz {__version__} does not know; expected format {SCHEMA}"


def first_of(error: ValidationError) -> str:
    """The first thing that is wrong with a document."""
    detail = error.errors(include_url=False, include_context=False, include_input=False)[0]
    if detail["type"] == "missing":
        return f"{dotted(detail['loc'])} is missing"
    place, said = dotted(detail["loc"]), detail["msg"].removeprefix("Value error, ").replace("Input should", "should")
    return f"{place}: {said}" if place else said
