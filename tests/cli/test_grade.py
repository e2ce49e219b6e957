"""`idtviz grade`, as a shell sees it."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from xml.etree import ElementTree as ET

import pytest

from idtviz.cli.grades import as_csv
from idtviz.cli.grades.outcome import Outcome
from idtviz.lab.grading.verdicts import Verdict, Word
from tests.cli.test_commands import ROOT, idtviz, refused
from tests.lab.grading.classroom import LAB

RIGHT = (LAB.parent / "solutions" / "handler.S").read_text()
NO_EOI = RIGHT.replace("out     0x20, al", "")
HOSTILE = "=<b>&"


@pytest.fixture
def lab(tmp_path):
    """A copy of the lab with no more than one variation."""
    shutil.copytree(LAB.parent, tmp_path / "lab")
    teachers = tmp_path / "lab" / "memory.grade.toml"
    teachers.write_text(teachers.read_text().replace("variations = 2", "variations = 1"))
    return tmp_path / "lab" / LAB.name


@pytest.fixture
def hand_ins(tmp_path):
    folder = tmp_path / "hand-ins"
    folder.mkdir()
    for name, text in (("ada", RIGHT), ("bob", NO_EOI), ("cy", ""), (HOSTILE, "<script>alert(1)</script>\n")):
        (folder / f"{name}.S").write_text(text)
    return folder


def test_a_class_is_graded_and_told_as_table_csv_json_junit_and_pages(lab, hand_ins, tmp_path):
    files = {name: tmp_path / f"out.{name}" for name in ("csv", "json", "junit")}
    options = [text for name, path in files.items() for text in (f"--{name}", path)]
    done = idtviz("grade", lab, hand_ins, *options, "--reports", tmp_path / "pages")
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.splitlines()[-1] == "4 graded: 1 passed, 1 failed, 1 does not build, 1 empty"
    rows = list(csv.DictReader(files["csv"].read_text().splitlines()))
    assert [(row["student"], row["verdict"], row["score"]) for row in rows] == [
        (f"'{HOSTILE}", "does not build", "0"),
        ("ada", "passed", "100"),
        ("bob", "failed", "25"),
        ("cy", "empty", "0"),
    ]
    students = json.loads(files["json"].read_text())["students"]
    assert [check["kind"] for check in students[1]["checks"]] == ["build", *["expect"] * 4, *["case"] * 2, "rules"]
    assert sum(check["of"] for check in students[1]["checks"]) == pytest.approx(100)
    suites = ET.parse(files["junit"]).getroot()
    assert [(suite.get("name"), suite.get("errors")) for suite in suites] == [
        (HOSTILE, "1"),
        ("ada", "0"),
        ("bob", "0"),
        ("cy", "1"),
    ]
    check_pages(tmp_path / "pages")
    alone = idtviz("grade", lab, hand_ins, "--jobs", "1", "--json", tmp_path / "again")
    assert alone.stdout == done.stdout
    assert (tmp_path / "again").read_bytes() == files["json"].read_bytes()


def check_pages(folder):
    pages = {path.name: path.read_text() for path in folder.iterdir()}
    assert len(pages) == 5
    assert 'src="data:image/svg+xml;base64,' in pages["bob.html"]
    assert "handler.S:" in pages["bob.html"]
    assert "PIC001" in pages["bob.html"]
    assert "<script" not in "".join(pages.values())
    assert "<b>" not in "".join(pages.values())
    assert "http:" not in pages["bob.html"]
    assert pages["index.html"].count("<a href=") == 4


def test_where_all_have_passed_the_exit_code_is_0(lab, hand_ins):
    for name in ("bob", "cy", HOSTILE):
        (hand_ins / f"{name}.S").unlink()
    done = idtviz("grade", lab, hand_ins)
    assert (done.returncode, done.stdout) == (0, "passed         100  ada\n1 graded: 1 passed\n")


def test_a_lab_that_its_own_solution_does_not_pass_is_broken(lab, hand_ins):
    (lab.parent / "solutions" / "handler.S").write_text(NO_EOI)
    said = refused("grade", lab, hand_ins)
    assert "its own solution does not pass, so nobody is graded (failed): handler.S:" in said


def test_what_is_wrong_is_said_before_anything_is_graded(lab, hand_ins, tmp_path):
    assert "does not exist" in refused("grade", tmp_path / "nothing.toml", hand_ins)
    assert "nothing is to be written in it" in refused("grade", "page_fault", hand_ins)
    assert "cannot be read as a folder" in refused("grade", lab, tmp_path / "nowhere")
    assert "the folder" in refused("grade", lab, hand_ins, "--csv", tmp_path / "no" / "x.csv")
    assert "is no journal" in refused("grade", lab, hand_ins, "--journal", lab)
    out = tmp_path / "out"
    assert "is to hold two things" in refused("grade", lab, hand_ins, "--csv", out, "--json", tmp_path / "." / "out")
    assert "lies among the hand-ins" in refused("grade", lab, hand_ins, "--csv", hand_ins / "ada.S")
    assert "lies among the hand-ins" in refused("grade", lab, hand_ins, "--reports", hand_ins)
    assert (hand_ins / "ada.S").read_text() == RIGHT
    assert "does not exist" in refused("grade", "x" * 5000, hand_ins)


def test_what_the_journal_knows_is_not_graded_again(lab, hand_ins, tmp_path):
    journal = tmp_path / "journal"
    first = idtviz("grade", lab, hand_ins, "--journal", journal)
    entries = journal.read_text().splitlines(keepends=True)
    assert len(entries) == 3  # an empty file is nothing to be graded
    forged = [entry.replace('"score":25', '"score":26') for entry in entries]
    journal.write_text("".join(forged) + entries[0][:40])
    again = idtviz("grade", lab, hand_ins, "--journal", journal)
    assert again.stdout == first.stdout.replace("failed          25", "failed          26")
    (hand_ins / "bob.S").write_text(NO_EOI + "\n")
    assert idtviz("grade", lab, hand_ins, "--journal", journal).stdout == first.stdout


def test_ctrl_c_leaves_what_is_done(lab, hand_ins, tmp_path):
    (hand_ins / "zoe.S").write_text(RIGHT.replace("push    rcx", "push    rcx\n1: jmp 1b", 1))
    teachers = lab.with_name("memory.grade.toml")
    teachers.write_text(teachers.read_text().replace("200_000", "1_000_000_000_000").replace("= 20", "= 600"))
    heeding = ["env", "--default-signal=INT"]  # whoever runs the tests in the background may have it ignored
    command = [*heeding, sys.executable, "-m", "idtviz", "grade", lab, hand_ins, "--jobs", "1"]
    command += ["--csv", tmp_path / "out.csv", "--journal", tmp_path / "journal"]
    with subprocess.Popen(
        list(map(str, command)), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ
    ) as process:
        while not (tmp_path / "journal").exists() or (tmp_path / "journal").read_text().count("\n") < 3:
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert out.splitlines()[-1] == "4 graded of 5: 1 passed, 1 failed, 1 does not build, 1 empty"
    assert (tmp_path / "out.csv").read_text().count("\n") == 5


def test_without_an_assembler_nobody_is_graded(lab, hand_ins, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "nothing can be built here: kernel.S: no program on PATH" in refused("grade", lab, hand_ins)


def test_without_dask_a_cluster_is_refused_with_the_way_to_get_it(lab, hand_ins, tmp_path):
    (tmp_path / "distributed.py").write_text("raise ImportError\n")
    program = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from idtviz.cli.main import run; run()"
    command = [sys.executable, "-c", program, "grade", str(lab), str(hand_ins), "--dask", "tcp://127.0.0.1:1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "idtviz: a cluster needs Dask: pip install 'idtviz[cluster]'\n"


@pytest.mark.parametrize("said", ["=1", "a;=1", "a;-1", "a\t@x", 'a,"+1', "\uff1d1", "x|=1"])
def test_no_cell_of_a_table_begins_a_formula_wherever_a_spreadsheet_parts_them(said):
    verdict = Verdict(said, Word.FAILED, 0, said)
    (row,) = as_csv.report(Outcome("lab.toml", "Lab", (verdict,), 1)).splitlines()[1:]
    assert not any(cell.startswith(("=", "+", "-", "@", "\uff1d")) for cell in re.split(r'[;,\t"|]', row))
