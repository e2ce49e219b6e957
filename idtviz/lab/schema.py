"""The JSON Schema of a scenario file and of a grade file, made of the models that read them.

What a schema cannot tell (whether a file is there, a symbol known, a key on the keyboard) is left to `idtviz`; what it
refuses, `idtviz` refuses as well.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from idtviz.checks.rules import BY_ID
from idtviz.lab.grading.grade_file import GradeFile
from idtviz.lab.image_kinds import Kind
from idtviz.lab.registers import REGISTER_NAMES
from idtviz.lab.scenario import Scenario
from idtviz.lab.schema_texts import GRADE, SCENARIO, Text
from idtviz.lab.teaching.lessons import PANELS
from idtviz.machine.edits.registers import NAMES
from idtviz.x86 import vectors

DIALECT = "https://json-schema.org/draft/2020-12/schema"

Node = dict[str, Any]

_HEX = {"type": "string", "pattern": "^0[xX][0-9a-fA-F_]{1,40}$"}
_TEXT = {"type": "string", "minLength": 1}
_ALSO: Mapping[str, tuple[Node, ...]] = {
    "_number": (_HEX,),
    "size": ({"type": "string", "pattern": r"^\s*[0-9]{1,12}\s*([KkMmGg][Ii][Bb]|[Bb])\s*$"},),
    "_hex_digits": ({"type": "string", "pattern": r"^\s*([0-9a-fA-F]{2}\s*)+$"},),
    "_moment": ({"type": "integer", "minimum": 0, "exclusiveMaximum": 1 << 62},),
    "_vector": (_TEXT,),
    "_file_alone": (_TEXT,),
    "_alone": (_TEXT,),
    "_a_number": (),
    "_whole": (),
}
"""What may be written instead, by the function of the model that makes the value of it."""


class _Generator(GenerateJsonSchema):
    """A value may be written in every form that the models take."""

    def function_before_schema(self, schema: core_schema.BeforeValidatorFunctionSchema) -> JsonSchemaValue:
        """The value, or what the function makes one of."""
        plain = super().function_before_schema(schema)
        others = _ALSO[schema["function"]["function"].__name__]
        return {"anyOf": [plain, *(dict(other) for other in others)]} if others else plain


def scenario_schema() -> Node:
    """Of a scenario file."""
    schema = _schema(Scenario, "An idtviz scenario", SCENARIO)
    _narrow_scenario(schema["$defs"])
    return schema


def grade_schema() -> Node:
    """Of `LAB.grade.toml`, which a teacher keeps beside a lab."""
    schema = _schema(GradeFile, "An idtviz grade file", {**SCENARIO, **GRADE})
    parts = schema["$defs"]
    _narrow_entries(parts)
    parts["RegistersPart"]["properties"]["set"]["propertyNames"] = {"enum": list(NAMES)}
    schema["properties"]["vary"]["items"] = {"enum": list(NAMES)}
    schema["properties"]["allow"]["items"] = {"enum": list(BY_ID)}
    return schema


def text(schema: Node) -> str:
    """The schema as a file."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _schema(model: type[BaseModel], title: str, texts: Mapping[str, Mapping[str, Text]]) -> Node:
    schema = model.model_json_schema(by_alias=True, schema_generator=_Generator)
    for name, part in [(model.__name__, schema), *schema.get("$defs", {}).items()]:
        part.pop("title", None)
        part["description"] = " ".join(part.get("description", "").split())
        for key, node in part["properties"].items():
            part["properties"][key] = _tidy(node) | _said(texts.get(name, {}).get(key))
    return {"$schema": DIALECT, "title": title} | schema


def _said(text: Text | None) -> Node:
    if text is None:
        return {}
    return {"description": text.says} | ({"examples": list(text.examples)} if text.examples else {})


def _tidy(node: Node) -> Node:
    """TOML has no null, and a key that is left out needs no default of many lines; bounds by their names in JSON."""
    found = {key: value for key, value in node.items() if key not in ("title", "ge", "le")}
    if "ge" in node or "le" in node:
        bounds = {name: node[key] for key, name in (("ge", "minimum"), ("le", "maximum")) if key in node}
        whole = next((each for each in found.get("anyOf", ()) if each.get("type") == "integer"), found)
        whole.update(bounds)
    if found.get("default", 0) is None or isinstance(found.get("default"), dict):
        del found["default"]
    for key in ("items", "additionalProperties"):
        if isinstance(found.get(key), dict):
            found[key] = _tidy(found[key])
    forms = [_tidy(each) for each in found.pop("anyOf", ()) if each != {"type": "null"}]
    if len(forms) == 1:
        return {**forms[0], **found}
    return {**found, "anyOf": [each for form in forms for each in _flat(form)]} if forms else found


def _flat(form: Node) -> Iterator[Node]:
    if set(form) == {"anyOf"}:
        yield from form["anyOf"]
    else:
        yield form


def _narrow_scenario(parts: Node) -> None:
    """What the models check beside the types, where a schema can say it."""
    _narrow_entries(parts)
    _only_if(parts["MachineSection"]["properties"]["memory"], "integer", multipleOf=4096)
    parts["ImageSection"]["oneOf"] = list(_images())
    parts["LessonEntry"]["oneOf"] = list(_lessons())
    lesson = parts["LessonEntry"]["properties"]
    lesson["choices"]["minItems"] = 2
    lesson["cover"] = {
        **{key: value for key, value in lesson["cover"].items() if key != "anyOf"},
        "anyOf": [{"enum": list(PANELS)}, {"type": "array", "minItems": 1, "items": {"enum": list(PANELS)}}],
    }


def _narrow_entries(parts: Node) -> None:
    parts["InputEntry"] |= _exactly_one("keys", "irq", "nmi", "serial", "poke")
    parts["InputEntry"]["properties"]["irq"]["not"] = {"const": 2}
    _only_if(parts["PokeEntry"]["properties"]["bytes"], "array", minItems=1, maxItems=65536)
    expect = parts["ExpectEntry"]
    expect |= _exactly_one("event", "screen", "serial", "note", "end", "register", "findings")
    expect["properties"]["register"] |= {"minProperties": 1, "propertyNames": {"enum": list(REGISTER_NAMES)}}
    expect["properties"]["findings"]["items"] = {"enum": list(BY_ID)}
    event = parts["EventPattern"]
    event["anyOf"] = [{"required": [name]} for name in event["properties"] if name != "count"]
    exceptions = dict.fromkeys(vector.mnemonic for vector in vectors.VECTORS[:32])
    event["properties"]["result"]["enum"] = ["delivered", *exceptions]


def _only_if(node: Node, kind: str, **more: int) -> None:
    """Ask more of a value where it is written in the form `kind`."""
    next(each for each in node["anyOf"] if each.get("type") == kind).update(more)


def _exactly_one(*names: str) -> Node:
    return {"oneOf": [{"required": [name]} for name in names]}


def _without(names: Iterable[str]) -> Node:
    return dict.fromkeys(sorted(names), False)


def _images() -> Iterator[Node]:
    """One image, and beside it what goes with its kind; a disk may be the image, or beside it."""
    beside = frozenset(name for kind in Kind for name in kind.takes)
    keys = beside | {kind.value for kind in Kind}
    options = {"symbol", "vector", "ring"}
    for kind in Kind:
        yield {
            "required": [kind.value],
            "properties": _without(keys - options - kind.takes - {kind.value}),
        }


def _lessons() -> Iterator[Node]:
    """Something to say, a question with one answer, or something to do."""
    about = ("answer", "choices", "value", "cover", "explain")
    yield {"required": ["say"], "properties": _without(("ask", "task", "hint", *about))}
    yield {
        "required": ["ask"],
        "properties": _without(("say", "task", "todo")),
        **_exactly_one("answer", "value"),
    }
    yield {"required": ["task"], "properties": _without(("say", "ask", *about))}
