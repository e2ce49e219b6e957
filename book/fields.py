"""The keys of scenario files and of grade files, from the schemas that editors use."""

from __future__ import annotations

import json
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from typing import Any

from book.tables import anchor, code, escaped, table
from idtviz.lab.schema import grade_schema, scenario_schema

Node = dict[str, Any]


def scenario() -> str:
    """Every key of a scenario file."""
    return _file(scenario_schema(), frozenset())


def grade() -> str:
    """Every key of a grade file but those that a scenario file has too."""
    return _file(grade_schema(), frozenset(("case.input", "case.expect")))


def _file(schema: Node, known: AbstractSet[str]) -> str:
    parts = schema["$defs"]
    plain = {name: node for name, node in schema["properties"].items() if _part(node, parts) is None}
    sections = [table(("key", "holds", "means"), _rows(plain, schema, parts))] if plain else []
    for path, part, note in _parts(schema, parts, "", set(known)):
        heads = table(("key", "holds", "means"), _rows(part["properties"], part, parts))
        sections.append(f"### {path} {{ #key-{anchor(path)} }}\n\n{escaped(note)}\n\n{heads}")
    return "\n\n".join(sections)


def _parts(owner: Node, parts: Node, prefix: str, told: set[str]) -> Iterator[tuple[str, Node, str]]:
    """Each table of the file: how it is written, its keys, and what it is for."""
    for name, node in owner["properties"].items():
        found = _part(node, parts)
        if found is None or f"{prefix}{name}" in told:
            continue
        told.add(f"{prefix}{name}")
        listed = "array" in json.dumps(node) and not prefix
        path = f"[[{name}]]" if listed else f"[{name}]" if not prefix else f"{prefix}{name}"
        yield path, found, node.get("description", "")
        yield from _parts(found, parts, f"{name}.", told)


def _part(node: Node, parts: Node) -> Node | None:
    """The table that a value is, or that it is a list of."""
    for each in (node, *node.get("anyOf", ()), node.get("items", {})):
        if "$ref" in each:
            found: Node = parts[each["$ref"].rpartition("/")[2]]
            return found
    return None


def _rows(properties: Node, owner: Node, parts: Node) -> Iterator[tuple[str, str, str]]:
    for name, node in properties.items():
        text = escaped(node.get("description", ""))
        plain = (*node.get("enum", ()), node.get("default"))
        examples = ", ".join(code(_toml(example)) for example in node.get("examples", ()) if example not in plain)
        if examples:
            text += f" {'Such as' if text.endswith('.') else 'such as'} {examples}."
        if node.get("default") not in (None, [], "", {}):
            text += f" Otherwise {code(_toml(node['default']))}."
        if name in owner.get("required", ()):
            text += " Must be there."
        yield code(name), escaped(_kind(node, parts)), text


def _kind(node: Node, parts: Node) -> str:
    if "enum" in node:
        values = node["enum"]
        return " or ".join(map(_toml, values)) if len(values) <= 5 else "one of many names"
    if "const" in node:
        return _toml(node["const"])
    if "anyOf" in node:
        return " or ".join(dict.fromkeys(_kind(each, parts) for each in node["anyOf"]))
    if _part(node, parts) is not None:
        return "tables" if node.get("type") == "array" else "a table"
    match node.get("type"):
        case "array":
            return "a list"
        case "object":
            return "a table"
        case "string":
            return "a text"
        case "boolean":
            return "true or false"
        case "integer" | "number":
            low, high = node.get("minimum"), node.get("maximum")
            bounds = f" from {low:,} to {high:,}" if low is not None and high is not None and high < 1 << 40 else ""
            return f"a number{bounds}"
    return "a value"


def _toml(value: Any) -> str:
    """A value as it is written in the file."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{name} = {_toml(each)}" for name, each in value.items()) + " }"
    return json.dumps(value, ensure_ascii=False)
