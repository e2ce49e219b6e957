"""The schemas for editors: what idtviz takes they take, and what they refuse idtviz refuses as well."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import ValidationError
from typer.testing import CliRunner

from idtviz.cli.main import app
from idtviz.lab.grading.grade_file import GradeFile
from idtviz.lab.scenario import Scenario
from idtviz.lab.schema import grade_schema, scenario_schema
from tests.lab.folders import SCENARIOS

SHIPPED = sorted(path for path in SCENARIOS.rglob("*.toml") if not path.name.endswith(".grade.toml"))
BEGIN = 'title = "x"\n'
IMAGE = BEGIN + '[image]\nelf = "k.elf"\n'


def lines(*entries: str) -> list[str]:
    return [IMAGE + entry + "\n" for entry in entries]


GOOD = [
    IMAGE,
    *lines(
        '[machine]\nmemory = "16 MiB"',
        '[machine]\nmemory = "64KIB"',
        "[machine]\nmemory = 65536",
        "[build]\nred_zone = true",
        "[[input]]\nat = 812\nnmi = true",
        '[[input]]\nat = "812+3"\npoke = { address = "0xffff_8000_0000_0000", bytes = "90 cc" }',
        '[[input]]\nat = "end"\npoke = { address = 4096, bytes = [0, 255] }',
        '[[lesson]]\nat = 0\nsay = "x"',
        '[[lesson]]\nat = 0\nask = "x"\nanswer = "1"\nhint = "y"\ncover = "stack"',
        '[[lesson]]\nat = 0\nask = "x"\nvalue = "idt[14].dpl"\nhint = ["y", "z"]\ncover = ["stack", "idt"]',
        '[[lesson]]\nat = 0\ntask = "x"\ntodo = "h.S"\nhint = ["y"]',
        '[[expect]]\nevent = { vector = "0xe", cr2 = "0x1000", count = 0 }',
        '[[expect]]\nevent = { result = "#NP" }',
        '[[expect]]\nregister = { rax = "0x1122334455667788", cs = 8 }',
        "[[expect]]\nfindings = []",
        '[[expect]]\nfindings = ["STK001"]',
    ),
    BEGIN + '[image]\nflat = { file = "k.bin", at = "0x8000" }\n',
    BEGIN + '[image]\nobject = "h.o"\n',
    BEGIN + '[image]\nobject = { file = "h.o", vector = "#PF", ring = 3 }\n',
    BEGIN + '[image]\nboot_sector = "b.bin"\ndisk = "d.img"\n',
    BEGIN + '[image]\ndisk = "d.img"\ndisks = ["e.img"]\n',
    BEGIN + '[image]\nmultiboot = "k.elf"\nmodules = ["m a"]\ncommand_line = ""\nloader = "grub"\n',
]
BROKEN = [
    "",
    'title = ""\n[image]\nelf = "k.elf"\n',
    "title = 1\n",
    BEGIN,
    BEGIN + "[image]\n",
    BEGIN + '[image]\nelf = ""\n',
    BEGIN + '[image]\nelf = "k.elf"\nrom = "r.bin"\n',
    BEGIN + '[image]\nelf = "k.elf"\ninitrd = "i"\n',
    BEGIN + '[image]\nelf = "k.elf"\nloader = "grub"\n',
    BEGIN + '[image]\nmultiboot = "k.elf"\nloader = "lilo"\n',
    BEGIN + '[image]\nobject = "h.o"\ndisk = "d.img"\n',
    BEGIN + '[image]\nobject = { file = "h.o", ring = 1 }\n',
    BEGIN + '[image]\nobject = { file = "h.o", vector = 256 }\n',
    BEGIN + '[image]\nflat = { file = "k.bin" }\n',
    BEGIN + '[image]\nflat = { file = "k.bin", at = -1 }\n',
    BEGIN + '[image]\nflat = { file = "k.bin", at = "here" }\n',
    *lines(
        "[machine]\nmemory = 1",
        "[machine]\nmemory = 65537",
        '[machine]\nmemory = "16 MB"',
        "[machine]\nmemory = true",
        '[machine]\nmode = "virtual"',
        '[machine]\nmode = "long"\nspeed = 3',
        "[machine]\ninstructions_per_second = 1",
        "[build]\nred_zone = 1",
        '[build]\ncommand = "make"',
        "[[input]]\nnmi = true",
        "[[input]]\nat = -1\nnmi = true",
        '[[input]]\nat = ""\nnmi = true',
        "[[input]]\nat = 0",
        "[[input]]\nat = 0\nnmi = false",
        "[[input]]\nat = 0\nirq = 2",
        "[[input]]\nat = 0\nirq = 16",
        '[[input]]\nat = 0\nirq = 1\nkeys = "a"',
        "[[input]]\nat = 0\npoke = { address = 0, bytes = [] }",
        "[[input]]\nat = 0\npoke = { address = 0, bytes = [256] }",
        '[[input]]\nat = 0\npoke = { address = 0, bytes = "9" }',
        "[[lesson]]\nat = 0",
        '[[lesson]]\nat = 0\nsay = "x"\nask = "y"\nanswer = "z"',
        '[[lesson]]\nat = 0\nsay = "x"\nhint = "y"',
        '[[lesson]]\nat = 0\nask = "x"',
        '[[lesson]]\nat = 0\nask = "x"\nanswer = "y"\nvalue = "frame.rip"',
        '[[lesson]]\nat = 0\nask = "x"\nanswer = "y"\nchoices = ["y"]',
        '[[lesson]]\nat = 0\nask = "x"\nanswer = "y"\ncover = ["kitchen"]',
        '[[lesson]]\nat = 0\nask = "x"\nanswer = "y"\nhint = []',
        '[[lesson]]\nat = 0\ntask = "x"\nanswer = "y"',
        "[[expect]]",
        '[[expect]]\nscreen = ""',
        '[[expect]]\nscreen = "x"\nserial = "y"',
        '[[expect]]\nend = "never"',
        "[[expect]]\nevent = {}",
        "[[expect]]\nevent = { count = 1 }",
        "[[expect]]\nevent = { vector = 256 }",
        '[[expect]]\nevent = { vector = "#PF" }',
        '[[expect]]\nevent = { result = "lost" }',
        "[[expect]]\nregister = {}",
        "[[expect]]\nregister = { rxx = 1 }",
        '[[expect]]\nfindings = ["STK999"]',
        '[[expect]]\nfindings = "STK001"',
        "[other]",
    ),
]
GOOD_GRADES = [
    "",
    'solution = "s.S"\nvariations = 3\nseed = 7\n[limits]\nmemory = "1 GiB"\n[points]\nrules = 10\n',
    'solution = ["a.S", "b.S"]\nvary = ["rbx"]\nallow = ["STK001"]\nspeed = [1, 1.5]\n',
    '[[case]]\ntitle = "x"\npoints = 0.5\nregisters = { at = 8, set = { rbx = "0x1" } }\n',
    '[[case]]\ntitle = "x"\n[[case.expect]]\nend = "halted"\n',
]
BROKEN_GRADES = [
    "variations = -1\n",
    'vary = ["rxx"]\n',
    'allow = ["STK999"]\n',
    "speed = [1]\n",
    "[limits]\nseconds = 0\n",
    "[[case]]\npoints = 1\n",
    '[[case]]\ntitle = "x"\nexpect = []\n',
    '[[case]]\ntitle = "x"\n[[case.expect]]\nscreen = "x"\nend = "halted"\n',
    '[[case]]\ntitle = "x"\nregisters = { set = { rxx = 1 } }\n',
]
SCENARIO = Draft202012Validator(scenario_schema())
GRADE = Draft202012Validator(grade_schema())


def complaints(validator: Draft202012Validator, text: str) -> list[str]:
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(tomllib.loads(text))]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: str(path.relative_to(SCENARIOS)))
def test_every_scenario_that_comes_with_idtviz_holds_against_the_schema(path: Path):
    assert complaints(SCENARIO, path.read_text()) == []


def test_a_whole_grade_file_holds_against_the_schema():
    path = SCENARIOS.parent / "tests/lab/grading/lab/memory.grade.toml"
    assert complaints(GRADE, path.read_text()) == []


@pytest.mark.parametrize("text", GOOD)
def test_what_idtviz_takes_the_schema_takes(text):
    Scenario.model_validate(tomllib.loads(text))
    assert complaints(SCENARIO, text) == []


@pytest.mark.parametrize("text", BROKEN)
def test_what_the_schema_refuses_idtviz_refuses_as_well(text):
    assert complaints(SCENARIO, text)
    with pytest.raises(ValidationError):
        Scenario.model_validate(tomllib.loads(text))


@pytest.mark.parametrize("text", GOOD_GRADES)
def test_a_grade_file_that_is_taken_holds_against_its_schema(text):
    GradeFile.model_validate(tomllib.loads(text))
    assert complaints(GRADE, text) == []


@pytest.mark.parametrize("text", BROKEN_GRADES)
def test_a_grade_file_that_is_broken_is_refused_by_both(text):
    assert complaints(GRADE, text)
    with pytest.raises(ValidationError):
        GradeFile.model_validate(tomllib.loads(text))


def nodes(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from nodes(each)


@pytest.mark.parametrize("schema", [scenario_schema(), grade_schema()], ids=["scenario", "grade"])
def test_a_schema_is_one_of_its_dialect_and_says_something_of_every_key(schema):
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["title"]
    for part in (schema, *schema["$defs"].values()):
        assert part["description"]
        assert part["additionalProperties"] is False
        assert [key for key, node in part["properties"].items() if not node.get("description")] == []
    known = {"ge", "le", "gt", "lt"}
    assert not [node for node in nodes(schema) if known & set(node) and "type" in node]


@pytest.mark.parametrize("schema", [scenario_schema(), grade_schema()], ids=["scenario", "grade"])
def test_every_example_in_a_schema_holds_against_the_key_that_it_is_for(schema):
    seen = 0
    for node in nodes(schema):
        for example in node.get("examples", ()) if isinstance(node.get("description"), str) else ():
            Draft202012Validator({**node, "$defs": schema["$defs"]}).validate(example)
            seen += 1
    assert seen > 10


def test_the_schema_goes_to_a_file_or_to_the_output(tmp_path):
    file = tmp_path / "scenario.schema.json"
    printed = CliRunner().invoke(app, ["schema"])
    written = CliRunner().invoke(app, ["schema", "-o", str(file)])
    assert (printed.exit_code, written.exit_code, written.stdout) == (0, 0, "")
    assert file.read_text() == printed.stdout
    assert json.loads(printed.stdout) == scenario_schema()
    assert json.loads(CliRunner().invoke(app, ["schema", "--grade"]).stdout) == grade_schema()


def test_a_file_that_cannot_be_written_is_said(tmp_path):
    done = CliRunner().invoke(app, ["schema", "-o", str(tmp_path / "no" / "x.json")])
    assert done.exit_code == 2
    assert "cannot be written" in done.stderr
