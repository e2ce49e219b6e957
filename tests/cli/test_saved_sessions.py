"""Saved sessions, as a shell sees them."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

from idtviz.lab.session import LabSession
from tests.cli.test_commands import ROOT, idtviz, refused
from tests.lab.folders import GOOD, LOOP, SCENARIOS, write
from tests.lab.sessions import with_a_history


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A session with three runs; it stands in the middle of a delivery of the second one."""
    return with_a_history().save(tmp_path_factory.mktemp("saved") / "lecture")


def trace(path: Path, *options: str) -> list[dict]:
    done = idtviz("trace", path, "--format", "json", *options)
    assert done.stderr == ""
    assert done.returncode in (0, 1)  # what the scenario expects need not come to pass on another branch
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_trace_runs_the_present_branch_with_what_was_given(saved: Path) -> None:
    lines = trace(saved)
    assert [line["name"] for line in lines if line["type"] == "delivery"][:2] == ["#PF", "NMI"]
    session = LabSession.open(saved)
    session.breakpoints.clear()
    session.run()
    assert lines[-1]["digest"] == session.digest()
    with_instructions = trace(saved, "--instructions")
    assert [line for line in with_instructions if line["type"] != "instruction"] == lines


def test_a_session_on_the_original_run_has_the_trace_of_its_scenario(tmp_path: Path) -> None:
    session = LabSession.open(SCENARIOS / "page_fault.toml")
    session.seek("#PF")
    assert trace(session.save(tmp_path / "x")) == trace(SCENARIOS / "page_fault.toml")


def test_what_a_scenario_expects_is_tested_on_the_saved_branch(saved: Path) -> None:
    done = idtviz("test", saved)
    assert done.returncode in (0, 1)
    assert len(done.stdout.splitlines()) == len(idtviz("test", "page_fault").stdout.splitlines())


def test_shot_draws_where_the_session_stands_or_another_moment(saved: Path, tmp_path: Path) -> None:
    for options, moment in (((), "77+5"), (("--at", "12"), "12")):
        done = idtviz("shot", saved, "-o", tmp_path / "x.svg", *options)
        assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)
        assert f"page_fault.toml&#160;·&#160;{moment}" in (tmp_path / "x.svg").read_text().replace(" ", "&#160;")


def test_shot_of_anything_else_needs_a_moment(tmp_path: Path) -> None:
    said = refused("shot", "page_fault", "-o", tmp_path / "x.svg")
    assert said == "idtviz: --at: expected a moment; only a saved session stands at one\n"


@pytest.mark.parametrize("command", ["run", "trace", "test", "shot"])
def test_a_damaged_session_is_refused_with_exit_code_2(command: str, saved: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.idtviz"
    raw = bytearray(saved.read_bytes())
    raw[len(raw) // 2] ^= 4
    path.write_bytes(raw)
    options = ("-o", tmp_path / "x.svg") if command == "shot" else ()
    assert refused(command, path, *options) == (
        f"idtviz: {path}: is damaged, or was edited: its content does not fit its checksum; expected a session that "
        "idtviz has saved, unchanged\n"
    )


def test_a_session_whose_kernel_was_built_anew_is_refused_by_name(tmp_path: Path) -> None:
    path = LabSession.open(write(tmp_path, GOOD)).save(tmp_path / "x")
    write(tmp_path, GOOD, LOOP)
    said = refused("run", path)
    assert re.fullmatch(
        rf"idtviz: {path}: {tmp_path}/small.bin has changed since: its SHA-256 is \w{{12}}…, expected \w{{12}}…\n", said
    )


def test_options_beside_a_session_are_refused(saved: Path) -> None:
    for options in (("--memory", "16 MiB"), ("--pic",), ("--disk", "x")):
        assert "a saved session has its machine" in refused("run", saved, *options)


def test_a_session_that_is_not_there_is_refused() -> None:
    assert refused("run", "nothing.idtviz") == "idtviz: nothing.idtviz: 'nothing.idtviz' does not exist\n"


def _until(terminal: int, wanted: str, seconds: float = 60) -> str:
    """What the program prints, up to `wanted`."""
    text, end = "", time.monotonic() + seconds
    while wanted not in text and time.monotonic() < end:
        if select.select([terminal], [], [], 0.1)[0]:
            try:
                text += os.read(terminal, 1 << 16).decode(errors="replace")
            except OSError:
                break
    return text


def test_a_terminal_shows_how_far_a_long_replay_has_come(tmp_path: Path) -> None:
    session = LabSession.open(write(tmp_path, GOOD, LOOP))
    session.run(limit=60_000_000)
    path = session.save(tmp_path / "long")
    ours, theirs = pty.openpty()
    running = subprocess.Popen(
        [sys.executable, "-m", "idtviz", "trace", str(path), "--limit", "1000"],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=theirs,
    )
    os.close(theirs)
    said = _until(ours, "\r \r")
    assert running.wait(60) == 0
    os.close(ours)
    assert re.search(r"\ridtviz: replaying branch 1: [\d,]+ of 60,000,000 instructions", said)
