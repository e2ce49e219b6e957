"""A file that is no session, or no longer one, is refused in one sentence; and it makes idtviz do nothing else."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from idtviz.debugger.inputs import Keys
from idtviz.lab.problems import ScenarioError
from idtviz.lab.saving import SavedSessionError, text
from idtviz.lab.saving.text import decode, encode
from idtviz.lab.session import LabSession
from tests.lab.folders import GOOD, LOOP, SCENARIOS, write
from tests.lab.sessions import with_a_history

Change = Callable[[dict], object]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bytes of a session."""
    return with_a_history().save(tmp_path_factory.mktemp("whole") / "x").read_bytes()


@pytest.fixture
def typed(tmp_path: Path) -> Path:
    """A session on two bytes of code, with a key on branch 1 and another on branch 2."""
    session = LabSession.open(write(tmp_path, GOOD, b"\x90" * 64 + LOOP))
    session.seek("20")
    session.give(Keys("a"))
    session.seek("40")
    session.note("here")
    session.seek("10")
    session.give(Keys("b"))
    session.seek("30")
    return session.save(tmp_path / "typed")


def signed(content: dict) -> bytes:
    """A document that says anything, with the right checksum."""
    content = content | {"checksum": "0" * 64}
    raw = ("{\n  " + ",\n  ".join(f'"{key}": {json.dumps(value)}' for key, value in content.items()) + "\n}\n").encode()
    return raw.replace(b"0" * 64, hashlib.sha256(raw).hexdigest().encode(), 1)


def forged(path: Path, change: Change) -> Path:
    """The session at `path`, with a change that its checksum knows of."""
    content = json.loads(path.read_text())
    change(content)
    path.write_bytes(signed(content))
    return path


def refusal(path: Path) -> str:
    """Why it cannot be opened: one line, that names the file."""
    with pytest.raises(ScenarioError) as refused:
        LabSession.open(path)
    said = str(refused.value)
    assert said.startswith(f"{path}: "), said
    assert "\n" not in said
    return said.removeprefix(f"{path}: ")


def test_a_whole_one_is_read(whole: bytes) -> None:
    assert encode(decode(whole)) == whole


def test_a_session_cut_off_anywhere_is_refused(whole: bytes) -> None:
    for length in range(len(whole)):
        with pytest.raises(ValueError, match=r"empty|is no saved session|damaged"):
            decode(whole[:length])


@settings(max_examples=2000, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_session_with_any_bits_flipped_is_refused(whole: bytes, data: st.DataObject) -> None:
    raw = bytearray(whole)
    for bit in data.draw(st.lists(st.integers(0, 8 * len(raw) - 1), min_size=1, max_size=4, unique=True)):
        raw[bit // 8] ^= 1 << bit % 8
    with pytest.raises(ValueError, match=r"is no saved session|damaged|format \d+"):
        decode(bytes(raw))


@pytest.mark.parametrize("more", [b"\0", b"\n", b" ", b"{}", b"x" * 5000])
def test_a_session_with_more_behind_it_or_before_it_is_refused(whole: bytes, more: bytes) -> None:
    for raw in (whole + more, more + whole):
        with pytest.raises(ValueError, match=r"is no saved session|damaged"):
            decode(raw)


def test_a_session_whose_lines_were_ended_in_another_way_is_refused(whole: bytes) -> None:
    with pytest.raises(ValueError, match="damaged, or was edited"):
        decode(whole.replace(b"\n", b"\r\n"))


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=400))
def test_any_other_bytes_are_refused(raw: bytes) -> None:
    with pytest.raises(ValueError, match="expected"):
        decode(raw)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "the file is empty; expected a session that idtviz has saved"),
        (bytes(range(256)) * 20, "is no saved session"),
        ((SCENARIOS / "page_fault.elf").read_bytes(), "is no saved session"),
        ((SCENARIOS / "page_fault.toml").read_bytes(), "is no saved session"),
        (b"{}", "is no saved session"),
        (b'{"format": "another", "schema": 1}', "is no saved session"),
        (b'{"schema": 1, "format": "idtviz session"}', "is no saved session"),
        (b"[" * 100_000, "is no saved session"),
        (b'{"format": "idtviz session", "schema": 1}', "is damaged"),
        (b'{"format": "idtviz session", "schema": 2}', "is of format 2, which idtviz 0.1.0 does not know"),
    ],
    ids=range(10),
)
def test_a_file_of_another_kind_is_refused(raw: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "x.idtviz"
    path.write_bytes(raw)
    assert said in refusal(path)


def head(schema: int = 1) -> dict:
    return {"format": "idtviz session", "schema": schema, "checksum": ""}


def bomb(inner: str) -> bytes:
    """JSON with a right checksum and `inner` as the value of a key."""
    raw = signed(head() | {"note": "INNER"})
    raw = raw.replace(b'"INNER"', inner.encode())
    blank = re.sub(rb'"checksum": "[0-9a-f]{64}"', b'"checksum": "' + b"0" * 64 + b'"', raw, count=1)
    return blank.replace(b"0" * 64, hashlib.sha256(blank).hexdigest().encode(), 1)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (signed(head(7) | {"anything": []}), "is of format 7"),
        (bomb("[" * 1_500_000), "Invalid JSON: recursion limit"),
        (bomb('{"a":' * 900_000), "Invalid JSON: recursion limit"),
        (bomb("[" + "{}," * 1_500_000 + "{}]"), "holds too much"),
        (bomb("9" * 1_000_000), "Invalid JSON: number out of range"),
        (bomb("-1e999999"), "idtviz is missing"),
        (bomb('"\\ud800"'), "Invalid JSON"),
        (bomb('"' + "x" * 100_000 + '"'), "idtviz is missing"),
        (bomb("NaN"), "idtviz is missing"),
        (bomb('"\x00"'), "Invalid JSON"),
    ],
    ids=range(10),
)
def test_what_would_eat_memory_or_time_is_refused_at_once(raw: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "x.idtviz"
    path.write_bytes(raw)
    begun = time.monotonic()
    assert said in refusal(path)
    assert time.monotonic() - begun < 10


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "x.idtviz"
    with path.open("wb") as file:
        file.truncate(text.LARGEST + 1)
    assert f"expected at most {text.LARGEST}" in refusal(path)


def test_a_folder_a_pipe_and_a_device_are_not_opened(tmp_path: Path) -> None:
    (tmp_path / "folder.idtviz").mkdir()
    os.mkfifo(tmp_path / "pipe.idtviz")
    (tmp_path / "device.idtviz").symlink_to("/dev/zero")
    (tmp_path / "nowhere.idtviz").symlink_to("nothing")
    assert "is a folder" in refusal(tmp_path / "folder.idtviz")
    assert "is not a regular file" in refusal(tmp_path / "pipe.idtviz")
    assert "is not a regular file" in refusal(tmp_path / "device.idtviz")
    assert "does not exist" in refusal(tmp_path / "nowhere.idtviz")


def test_a_session_is_known_by_its_content_whatever_its_name(typed: Path) -> None:
    digest = LabSession.open(typed).digest()
    assert LabSession.open(typed.rename(typed.with_name("kernel.elf"))).digest() == digest


# With a right checksum, and wrong all the same


def branch(number: int, key: str, value: object) -> Change:
    return lambda content: content["branches"][number - 1].update({key: value})


def put(*path: str | int, value: object) -> Change:
    def change(content: dict) -> None:
        at = content
        for key in path[:-1]:
            at = at[key]
        at[path[-1]] = value

    return change


KEY = {"at": "10", "kind": "keys", "text": "b"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (put("note", value="x" * 65537), "note: String should have at most 65536 characters"),
        (put("note", value=5), "note: should be a valid string"),
        (put("more", value=1), "more: Extra inputs are not permitted"),
        (put("present", "branch", value=5), "branch 5 does not reach"),
        (put("present", "at", value="31"), "present: branch 2 does not reach 31"),
        (put("present", "at", value="+1"), "present.at: String should match pattern"),
        (put("present", "at", value=30), "present.at: should be a valid string"),
        (
            put("present", "digest", value="0" * 32),
            "the replay of branch 2 came to another state at 30: its digest is ",
        ),
        (branch(2, "digest", "0" * 32), "the replay of branch 2 came to another state at 30"),
        (branch(1, "digest", "0" * 32), "the replay of branch 1 came to another state at 40"),
        (branch(2, "inputs", [KEY | {"text": "c"}]), "the replay of branch 2 came to another state at 30"),
        (branch(2, "inputs", [KEY | {"text": "<nokey>"}]), "branch 2 cannot be given keys '<nokey>' at 10: no key"),
        (branch(2, "inputs", [KEY | {"kind": "reset"}]), "branch 2, inputs[0]: no input is of the kind 'reset'"),
        (branch(2, "inputs", [KEY | {"at": "11"}]), "branch 2: nothing is given where it parts"),
        (branch(2, "inputs", [KEY, KEY | {"at": "9"}]), "not in the order of time"),
        (branch(2, "inputs", [KEY | {"at": "x"}]), "expected a moment such as '812+3'"),
        (branch(2, "inputs", [KEY | {"at": 10}]), "expected a moment such as '812+3'"),
        (branch(2, "inputs", []), "nothing is given where it parts"),
        (branch(2, "inputs", [{"at": "10", "kind": "irq", "line": 60000}]), "branch 2 cannot be given IRQ60000"),
        (branch(2, "fork", "50"), "branch 1 does not reach 50"),
        (branch(2, "parent", 2), "a parent among these"),
        (branch(2, "parent", 7), "a parent among these"),
        (branch(2, "number", 1), "expected a higher number"),
        (branch(2, "shared", 1), "expected 0 to 0 for shared, not 1"),
        (branch(2, "notes", [{"at": "99", "text": "x"}]), "its notes are not in the order of time"),
        (branch(2, "frontier", "5"), "not in the order of time"),
        (branch(1, "fork", "1"), "only the first branch begins at 0"),
        (
            branch(1, "inputs", [{"at": "20", "kind": "poke", "address": "0x1", "data": "00", "name": ""}]),
            "branch 1, inputs[0]: an edit stands behind",
        ),
        (
            put("breakpoints", "listed", value=[{"number": 1, "text": "?", "enabled": True, "hits": 0}]),
            "breakpoint 1: ",
        ),
        (
            put("breakpoints", "listed", value=[{"number": 1, "text": "9" * 5000, "enabled": True, "hits": 0}]),
            "breakpoint 1: ",
        ),
        (put("opened", "said", value={"memory": 1 << 40}), "opened.said.memory: should be less than"),
        (put("opened", "said", value={"modules": ["x"]}), "--module"),
        (put("opened", "files", value=[]), "opened.files: List should have at least 1 item"),
        (put("opened", "files", 0, "sha256", value="x" * 64), "opened.files[0].sha256: String should match"),
        (put("opened", "files", 0, "sha256", value="0" * 64), "small.toml has changed since: its SHA-256 is "),
        (put("opened", "files", 1, "sha256", value="0" * 64), "small.bin has changed since: its SHA-256 is "),
        (put("opened", "files", 0, "size", value=1 << 40), "opened.files: expected at most"),
        (put("opened", "files", 1, "role", value="image.elf"), "does not say what image.flat.file (small.bin) was"),
        (put("opened", "files", 1, "role", value="scenario"), "a role stands there twice"),
        (put("opened", "given", value="bytes:xyz"), "opened: non-hexadecimal number"),
        (put("opened", "files", 0, "name", value="bytes:0"), "scenario: non-hexadecimal number"),
    ],
)
def test_a_session_that_no_one_can_have_had_is_refused(change: Change, said: str, typed: Path) -> None:
    path = forged(typed, change)
    with pytest.raises(ScenarioError) as refused:
        LabSession.open(path)
    assert said in str(refused.value)


def test_a_run_that_ends_before_its_frontier_is_refused(tmp_path: Path) -> None:
    path = LabSession.open(write(tmp_path, GOOD)).save(tmp_path / "x")
    forged(path, branch(1, "frontier", "100000"))
    assert "the replay of branch 1 came to its end at 2, and had come to 100000: HLT" in refusal(path)


# What it was opened from


def test_a_scenario_or_an_image_that_has_changed_is_refused_with_both_hashes(typed: Path) -> None:
    (typed.parent / "small.bin").write_bytes(b"\x91" * 64 + LOOP)
    said = refusal(typed)
    assert re.fullmatch(
        r"/\S+/small\.bin has changed since: its SHA-256 is [0-9a-f]{12}…, expected [0-9a-f]{12}…", said
    )
    (typed.parent / "small.toml").write_text("not even TOML")
    assert "/small.toml has changed since: its SHA-256 is " in refusal(typed)


def test_a_scenario_that_is_gone_is_refused_with_the_places_where_it_was_looked_for(typed: Path) -> None:
    there = typed.parent / "there"
    there.mkdir()
    moved = typed.rename(there / "typed.idtviz")
    (typed.parent / "small.toml").unlink()
    said = refusal(moved)
    assert "'small.toml', from which it was saved, is not to be found" in said
    assert str(typed.parent / "small.toml") in said
    assert str(there / "small.toml") in said


@pytest.mark.parametrize(
    "where",
    ["pipe", "/dev/zero", "/dev/stdin", "/proc/kmsg", "/proc/self/mem", "/", "x" * 5000],
    ids=["pipe", "zero", "stdin", "kmsg", "mem", "root", "long"],
)
def test_a_session_that_names_what_is_no_file_is_refused_and_nothing_is_read(where: str, typed: Path) -> None:
    os.mkfifo(typed.parent / "pipe")
    (typed.parent / "small.toml").unlink()

    def change(content: dict) -> None:
        content["opened"]["files"][0].update(relative=where, absolute=where, name=where)

    begun = time.monotonic()
    forged(typed, change)
    with pytest.raises(SavedSessionError, match=r"is not to be found|has changed since"):
        LabSession.open(typed)
    assert time.monotonic() - begun < 5


def test_a_session_cannot_have_a_scenario_read_what_is_not_in_its_folder(tmp_path: Path) -> None:
    shutil.copy(SCENARIOS / "page_fault.elf", tmp_path / "outside.elf")
    inside = tmp_path / "inside"
    inside.mkdir()
    path = LabSession.open(write(inside, GOOD)).save(inside / "x")
    text_of_it = GOOD.replace('flat = { file = "small.bin", at = 0x8000 }', 'elf = "../outside.elf"')
    (inside / "small.toml").write_text(text_of_it)

    def change(content: dict) -> None:
        content["opened"]["files"][0]["sha256"] = hashlib.sha256(text_of_it.encode()).hexdigest()

    forged(path, change)
    with pytest.raises(ScenarioError, match="lies outside the scenario's folder"):
        LabSession.open(path)


def test_folders_with_sources_that_are_gone_do_no_harm(typed: Path) -> None:
    forged(typed, put("opened", "sources", value=[{"relative": "nix", "absolute": "y" * 5000}]))
    assert LabSession.open(typed).source("x.c") is None
