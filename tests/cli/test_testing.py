"""`idtviz test`: images made anew before they are run, and reports that servers read."""

from __future__ import annotations

import shutil
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from typer.testing import CliRunner, Result

from idtviz.cli.main import app
from tests.lab.folders import FIVE_LEVELS, GOOD, write


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def idtviz(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, list(map(str, arguments)))


def report(*arguments: str | Path) -> ET.Element:
    idtviz("test", *arguments, "--junit", "report.xml")
    return ET.parse("report.xml").getroot()


def counts(element: ET.Element) -> tuple[int, ...]:
    return tuple(int(element.get(name, "-1")) for name in ("tests", "failures", "errors", "skipped"))


def a_lab(name: str = "lab") -> Path:
    assert idtviz("new", name, "--lab").exit_code == 0
    return Path(name)


def test_a_lab_is_built_of_what_has_been_written_before_it_is_run():
    folder = a_lab()
    shutil.copy(folder / "solution/handler.S", folder / "handler.S")
    assert idtviz("test", "lab/lab.toml").exit_code == 1
    assert idtviz("test", "--build", "lab/lab.toml").exit_code == 0
    assert idtviz("test", "lab/lab.toml").exit_code == 0


def test_sources_that_cannot_be_built_are_wrong_input_said_with_file_and_line():
    folder = a_lab()
    (folder / "handler.S").write_text(".intel_syntax noprefix\nfrobnicate rax\n")
    image = (folder / "kernel.elf").read_bytes()
    done = idtviz("test", "--build", "lab/lab.toml")
    assert done.exit_code == 2
    assert done.stdout == ""
    assert done.stderr.startswith("idtviz: lab/handler.S:2: ")
    assert (folder / "kernel.elf").read_bytes() == image
    (case,) = report("--build", "lab/lab.toml").iter("testcase")
    assert case.get("name") == "builds"
    assert case.find("error").get("message").startswith("lab/handler.S:2: ")


def test_what_comes_with_idtviz_is_not_built_in_its_place():
    done = idtviz("test", "--build", "page_fault")
    assert done.exit_code == 2
    assert "expected the path of a scenario" in done.stderr


def test_a_report_has_its_totals_at_the_top_and_in_each_suite(tmp_path):
    write(tmp_path, GOOD + '[[expect]]\nscreen = "never"\n[[expect]]\nend = "halted"\n')
    (tmp_path / "wrong.toml").write_text("x = 1\n")
    root = report("small.toml", "wrong.toml", "page_fault")
    suites = root.findall("testsuite")
    assert [counts(suite) for suite in suites][:2] == [(2, 1, 0, 0), (1, 0, 1, 0)]
    assert counts(root) == tuple(map(sum, zip(*map(counts, suites), strict=True)))
    assert [len(suite.findall("testcase")) for suite in suites] == [counts(suite)[0] for suite in suites]


def test_a_failure_says_what_was_seen_and_in_which_line_it_was_expected(tmp_path):
    write(tmp_path, GOOD + '[[expect]]\nend = "halted"\n[[expect]]\nscreen = "never"\n')
    (failure,) = report("small.toml").iter("failure")
    assert failure.get("type") == "expect"
    assert failure.get("message") == "'never' is not on the screen, which is blank"
    assert failure.text == "small.toml:9: 'never' is not on the screen, which is blank"


@pytest.mark.parametrize(
    ("path", "name"),
    [("small.toml", "small"), ("labs/week.3/small.toml", "labs.week_3.small"), ("./small.toml", "small")],
)
def test_a_class_is_the_file_with_its_folders_as_packages(tmp_path, path, name):
    (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
    write((tmp_path / path).parent, GOOD + '[[expect]]\nend = "halted"\n')
    for given in (path, tmp_path / path):
        (case,) = report(given).iter("testcase")
        assert (case.get("classname"), case.get("name"), case.get("file")) == (name, "expect[0]", str(given))


def test_a_report_of_the_same_runs_has_the_same_bytes(tmp_path):
    write(tmp_path, GOOD + '[[expect]]\nend = "halted"\n', FIVE_LEVELS)
    report("small.toml")
    once = Path("report.xml").read_bytes()
    assert [case.get("name") for case in report("small.toml").iter("testcase")] == ["expect[0]", "runs"]
    assert Path("report.xml").read_bytes() == once
