"""What SARIF 2.1.0 (OASIS standard, errata 01) asks of the objects that idtviz writes: properties, types, values.

A property that is not listed here is refused, though the standard may know it: whoever writes it looks it up first.
"""

from __future__ import annotations

import re
from typing import Any

_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s]+")
_REFERENCE = re.compile(
    r"(?:[A-Za-z0-9._~!$&'()*+,;=@/-]|%[0-9A-Fa-f]{2})+|file:///(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-F]{2})+"
)
LEVELS = ("none", "note", "warning", "error")

# A property with "!" is required. A list is an array of what is in it, a tuple an enumeration.
OBJECTS: dict[str, dict[str, Any]] = {
    "log": {"$schema": "uri", "version!": ("2.1.0",), "runs!": ["run"]},
    "run": {
        "tool!": "tool",
        "invocations": ["invocation"],
        "artifacts": {"artifact"},
        "columnKind": ("utf16CodeUnits", "unicodeCodePoints"),
        "results": ["result"],
    },
    "tool": {"driver!": "toolComponent"},
    "toolComponent": {"name!": "string", "version": "string", "rules": {"reportingDescriptor"}},
    "reportingDescriptor": {
        "id!": "string",
        "name": "string",
        "shortDescription": "multiformatMessageString",
        "fullDescription": "multiformatMessageString",
        "help": "multiformatMessageString",
        "defaultConfiguration": "reportingConfiguration",
        "properties": "propertyBag",
    },
    "reportingConfiguration": {"level": LEVELS},
    "multiformatMessageString": {"text!": "string"},
    "message": {"text!": "string"},
    "invocation": {"executionSuccessful!": "boolean", "toolExecutionNotifications": ["notification"]},
    "notification": {"level": LEVELS, "message!": "message", "locations": {"location"}},
    "artifact": {"location": "artifactLocation", "roles": {("analysisTarget",)}},
    "artifactLocation": {"uri": "uri-reference"},
    "result": {
        "ruleId": "string",
        "ruleIndex": "index",
        "level": LEVELS,
        "message!": "message",
        "analysisTarget": "artifactLocation",
        "locations": ["location"],
        "relatedLocations": {"location"},
        "properties": "propertyBag",
    },
    "location": {
        "id": "index",
        "physicalLocation": "physicalLocation",
        "logicalLocations": {"logicalLocation"},
        "message": "message",
        "properties": "propertyBag",
    },
    "physicalLocation": {"artifactLocation!": "artifactLocation", "region": "region"},
    "logicalLocation": {"fullyQualifiedName": "string", "kind": "string"},
    "region": {"startLine!": "line", "snippet": "artifactContent"},
    "artifactContent": {"text": "string"},
}
_SCALARS = {
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "index": lambda value: type(value) is int and value >= 0,
    "line": lambda value: type(value) is int and value >= 1,
    "uri": lambda value: isinstance(value, str) and bool(_URI.fullmatch(value)),
    "uri-reference": lambda value: isinstance(value, str) and bool(_REFERENCE.fullmatch(value)),
    "propertyBag": lambda value: isinstance(value, dict),
}


def problems(value: Any, kind: Any = "log", place: str = "log") -> list[str]:
    """Everything in which `value` is not an object of that kind."""
    if isinstance(kind, tuple):
        return [] if value in kind else [f"{place}: {value!r} is none of {kind}"]
    if isinstance(kind, list | set):
        return _array(value, kind, place)
    if kind in _SCALARS:
        return [] if _SCALARS[kind](value) else [f"{place}: {value!r} is no {kind}"]
    return _object(value, kind, place)


def _array(value: Any, kind: list[Any] | set[Any], place: str) -> list[str]:
    """A set stands for an array whose items differ from each other."""
    if not isinstance(value, list):
        return [f"{place}: {value!r} is no array"]
    (item,) = kind
    found = [each for number, one in enumerate(value) for each in problems(one, item, f"{place}[{number}]")]
    if isinstance(kind, set) and any(one in value[:number] for number, one in enumerate(value)):
        found.append(f"{place}: an item comes twice")
    return found


def _object(value: Any, kind: str, place: str) -> list[str]:
    if not isinstance(value, dict):
        return [f"{place}: {value!r} is no {kind}"]
    known = {name.rstrip("!"): item for name, item in OBJECTS[kind].items()}
    found = [f"{place}: {name} is missing" for name in OBJECTS[kind] if name[-1] == "!" and name[:-1] not in value]
    found += [f"{place}: {name} is not known" for name in value if name not in known]
    for name, each in value.items():
        found += problems(each, known[name], f"{place}.{name}") if name in known else []
    return found
