"""`idtviz new`: what it makes runs at once, is what its sources build, and never lies over something else."""

from __future__ import annotations

import json
import shutil
import subprocess
import tomllib
from pathlib import Path

import jsonschema
import pytest
from typer.testing import CliRunner, Result

from idtviz.cli.main import app
from idtviz.lab import library, skeletons
from idtviz.lab.building import build
from idtviz.lab.grading import grade_file
from idtviz.lab.run import run
from idtviz.lab.scenario_file import load
from idtviz.lab.session import LabSession
from idtviz.lab.skeletons import Mode
from idtviz.lab.teaching.narration import passed_lessons

MODES = [mode.value for mode in Mode]
NAMES = ["a/b", "..", ".", "", "a b", "-x", "a.b", "ä", "a\n", "x" * 65, "/tmp", "a\\b", "$HOME"]


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def idtviz(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def made(*arguments: str) -> list[str]:
    done = idtviz("new", *arguments)
    assert (done.exit_code, done.stderr) == (0, "")
    return done.stdout.splitlines()


def refused(*arguments: str) -> str:
    before = sorted(Path().rglob("*"))
    done = idtviz("new", *arguments)
    assert done.exit_code == 2
    assert done.stdout == ""
    assert sorted(Path().rglob("*")) == before
    return done.stderr or str(done.exception)


def missed(path: str) -> list[str]:
    return [outcome.detail for outcome in run(LabSession.open(path)).outcomes if not outcome.ok]


@pytest.mark.parametrize("mode", MODES)
def test_a_new_scenario_runs_at_once_and_all_that_it_expects_holds(mode):
    made("mine", "--mode", mode)
    assert missed("mine/mine.toml") == []
    assert load(Path("mine/mine.toml"), "mine.toml")[0].machine.mode == mode


@pytest.mark.parametrize("mode", MODES)
def test_a_new_lab_runs_at_once_and_holds_as_soon_as_its_handler_is_written(mode):
    made("lab", "--lab", "--mode", mode)
    assert len(missed("lab/lab.toml")) == 1
    build(Path("lab/lab.toml"))
    assert len(missed("lab/lab.toml")) == 1
    shutil.copy("lab/solution/handler.S", "lab/handler.S")
    build(Path("lab/lab.toml"))
    assert missed("lab/lab.toml") == []


def test_a_new_bare_handler_runs_and_is_built_of_its_source():
    made("bare", "--object")
    assert missed("bare/bare.toml") == []
    build(Path("bare/bare.toml"))
    assert missed("bare/bare.toml") == []


@pytest.mark.parametrize("mode", MODES)
def test_a_new_scenario_is_the_same_when_its_sources_are_built(mode):
    made("mine", "--mode", mode)
    build(Path("mine/mine.toml"))
    assert missed("mine/mine.toml") == []


def test_the_images_that_come_along_are_what_their_sources_build():
    folder = Path(skeletons.__file__).parent
    done = subprocess.run(["make", "-C", folder, "check"], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("mode", MODES)
def test_every_lesson_of_what_is_made_is_reached_and_its_source_lines_are_known(mode):
    made("mine", "--mode", mode)
    made("lab", "--lab", "--mode", mode)
    for path in ("mine/mine.toml", "lab/lab.toml"):
        session = LabSession.open(path)
        run(session)
        assert {lesson for _, lesson in passed_lessons(session)} == set(session.lessons)
        for routine, file in (("_start", "kernel.S"), ("breakpoint_handler", "handler.S")):
            line = session.symbols.line(session.symbols.address_of(routine))
            assert line.file == file
            assert session.source(line.path)[line.number - 2].startswith(f"{routine}:")


def test_a_lab_leaves_its_handler_to_be_written_and_keeps_the_teachers_files_apart():
    made("lab", "--lab")
    scenario, _ = load(Path("lab/lab.toml"), "lab.toml")
    assert scenario.todo == ("handler.S",)
    assert not [name for name in scenario.files if "solution" in name or "grade" in name]
    grade = grade_file.load(Path("lab/lab.grade.toml"), "lab.grade.toml")
    assert grade.solution == ["solution/handler.S"]
    assert all(Path("lab", name).is_file() for name in grade.solution)


def test_the_solution_of_a_lab_passes_in_every_variation_and_hidden_case():
    made("lab", "--lab", "--mode", "real")
    Path("handed_in/somebody").mkdir(parents=True)
    shutil.copy("lab/solution/handler.S", "handed_in/somebody/handler.S")
    done = idtviz("grade", "lab/lab.toml", "handed_in")
    assert done.exit_code == 0, done.stderr
    assert "1 graded: 1 passed" in done.stdout


@pytest.mark.parametrize("options", [(), ("--lab",), ("--object",)])
def test_a_new_file_names_its_schema_for_editors_and_holds_against_it(options):
    made("mine", *options)
    for path in Path("mine").glob("*.toml"):
        first, _, text = path.read_text().partition("\n")
        schema = json.loads((path.parent / first.removeprefix("#:schema ./")).read_text())
        jsonschema.validate(tomllib.loads(text), schema, jsonschema.Draft202012Validator)
        assert "@" not in text


def test_what_to_do_next_is_said_in_three_lines_that_work():
    assert made("mine") == [
        "run it    idtviz run mine/mine.toml",
        "edit it   mine/mine.toml",
        "test it   idtviz test --build mine/mine.toml",
    ]
    assert made("lab", "--lab")[1] == "edit it   lab/handler.S"
    assert idtviz("test", "--build", "mine/mine.toml").exit_code == 0
    assert idtviz("test", "--build", "lab/lab.toml").exit_code == 1


@pytest.mark.parametrize("name", ["page_fault", "bugs/error_code_not_popped", "multiboot_hello", "disk_sector"])
def test_a_copy_of_a_shipped_scenario_is_whole_and_runs_the_same(name):
    made("copy", "--from", name)
    there, here = LabSession.open(name, narrated=False), LabSession.open("copy/copy.toml", narrated=False)
    assert run(here) == run(there)
    assert here.digest() == there.digest()
    assert all(here.source(file) == there.source(file) for file in here.scenario.image.source)


def test_a_copy_is_called_like_the_original_where_no_name_is_given():
    assert made("--from", "page_fault")[2] == "test it   idtviz test page_fault/page_fault.toml"
    made("again", "--from", "page_fault/page_fault.toml")
    assert Path("again/again.toml").read_bytes() == Path("page_fault/page_fault.toml").read_bytes()


def test_a_copy_of_a_lab_is_without_the_solution():
    made("lab", "--lab")
    made("handed_out", "--from", "lab/lab.toml")
    assert sorted(path.name for path in Path("handed_out").rglob("*")) == sorted(
        ["handed_out.toml", "handler.S", "kernel.S", "kernel.elf", "kernel.ld", "scenario.schema.json"]
    )


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_is_no_plain_name_is_refused(name):
    assert refused(*(["--", name] if name.startswith("-") else [name]))


@pytest.mark.parametrize("make", [Path.mkdir, Path.touch, lambda path: path.symlink_to("nowhere")])
def test_nothing_is_written_over(make):
    make(Path("mine"))
    assert "there already" in refused("mine")
    assert "there already" in refused("mine", "--from", "page_fault")


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("x", "--lab", "--object"),
        ("x", "--mode", "virtual"),
        ("x", "--object", "--mode", "long"),
        ("x", "--from", "page_fault", "--lab"),
        ("x", "--from", "no_such_scenario"),
        ("x", "--from", "../page_fault"),
        ("x", "--from", ""),
        ("x", "--from", "/etc/passwd"),
    ],
)
def test_what_does_not_go_together_is_refused_and_nothing_is_left_behind(arguments):
    assert refused(*arguments)


def test_a_copy_of_a_scenario_that_is_not_whole_is_refused_with_each_file():
    made("mine")
    for name in ("kernel.elf", "kernel.ld"):
        Path("mine", name).unlink()
    said = refused("copy", "--from", "mine/mine.toml")
    assert "'kernel.elf' does not exist" in said
    assert "'kernel.ld' does not exist" in said


def test_a_copy_takes_no_file_from_outside_of_the_folder():
    made("mine")
    Path("secret").write_text("-")
    Path("mine/kernel.ld").unlink()
    Path("mine/kernel.ld").symlink_to("../secret")
    assert "outside the scenario's folder" in refused("copy", "--from", "mine/mine.toml")


def test_a_folder_that_cannot_be_written_to_is_said(monkeypatch):
    def refuses(*_args: object, **_options: object) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.mkdtemp", refuses)
    assert "cannot be made: Permission denied" in refused("mine")


def test_the_skeletons_lie_in_the_package():
    assert Path(skeletons.__file__).parent.is_relative_to(Path(library.__file__).parents[1])
