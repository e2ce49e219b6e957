"""Whatever happens while a session is saved: the file is the one of before, or the one of now."""

from __future__ import annotations

import errno
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from idtviz.lab.problems import ScenarioError
from idtviz.lab.saving import SavedSessionError, atomic
from idtviz.lab.session import LabSession
from tests.lab.folders import GOOD, SCENARIOS, write
from tests.lab.sessions import with_a_history

ROOT = SCENARIOS.parent
KILLS = 60
CALLS = ("open", "write", "fsync", "replace", "close", "fstat", "fchmod")

LOADING = """
import importlib.util, os, sys
from pathlib import Path
spec = importlib.util.spec_from_file_location("atomic", sys.argv[1])
atomic = importlib.util.module_from_spec(spec)
spec.loader.exec_module(atomic)
"""
"""By itself, without idtviz: that is much to load."""
SAVING = """
target, content = Path(sys.argv[2]), Path(sys.argv[3]).read_bytes()
while True:
    atomic.write(target, content)
"""
DYING = """
target, source, call, number, when = sys.argv[2:]
content, left, real = Path(source).read_bytes(), [int(number)], getattr(os, call)

def dying(*arguments, **named):
    left[0] -= 1
    if left[0]:
        return real(*arguments, **named)
    if when == "half" and call == "write":
        real(arguments[0], bytes(arguments[1])[: len(arguments[1]) // 2])
    if when == "behind":
        real(*arguments, **named)
    os._exit(9)

setattr(os, call, dying)
atomic.write(Path(target), content)
"""


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two sessions, a small and a larger one."""
    folder = tmp_path_factory.mktemp("two")
    larger = with_a_history()
    larger.remark = "x" * 60_000
    return LabSession.open("page_fault").save(folder / "small"), larger.save(folder / "larger")


def python(program: str, *arguments: str | Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-I", "-S", "-c", LOADING + program, atomic.__file__, *map(str, arguments)]
    return subprocess.Popen(command)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_killed_at_any_instant_while_saving_the_previous_file_or_the_new_one_opens(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.lab.killed_while_saving", str(tmp_path), str(KILLS)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["opened"] == ["larger", "small"]
    assert told["left"] > 0  # that is what a later save has cleared away
    assert told["names"] == ["x.idtviz"]


@pytest.mark.parametrize("when", ["before", "half", "behind"])
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("is_there", [True, False])
def test_a_process_that_dies_at_any_call_to_the_system_leaves_the_one_file_or_the_other(
    two: tuple[Path, Path], tmp_path: Path, call: str, when: str, *, is_there: bool
) -> None:
    old, new = (path.read_bytes() for path in two)
    target, number, died = tmp_path / "x.idtviz", 0, True
    while died:
        number += 1
        target.unlink(missing_ok=True)
        if is_there:
            target.write_bytes(old)
        died = python(DYING, target, two[1], call, str(number), when).wait() == 9
        if target.exists() or is_there:
            assert target.read_bytes() in (old, new)
    assert target.read_bytes() == new
    assert names(tmp_path) == ["x.idtviz"]
    assert number > 1 or call == "fchmod"


@contextmanager
def failing(call: str, number: int, code: int) -> Iterator[list[int]]:
    """The `number`-th such call to the system fails; how many there were comes back."""
    real, calls = getattr(os, call), [0]

    def fails(*arguments: object, **named: object) -> object:
        calls[0] += 1
        if calls[0] == number:
            raise OSError(code, os.strerror(code))
        return real(*arguments, **named)

    setattr(os, call, fails)
    try:
        yield calls
    finally:
        setattr(os, call, real)


@pytest.mark.parametrize("call", ["open", "write", "fsync", "replace", "fstat", "fchmod"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EACCES, errno.EINTR], ids=errno.errorcode.get)
def test_a_call_to_the_system_that_fails_leaves_the_one_file_or_the_other_and_no_litter(
    two: tuple[Path, Path], tmp_path: Path, call: str, code: int
) -> None:
    old, new = (path.read_bytes() for path in two)
    target, number = tmp_path / "x.idtviz", 0
    while True:
        number += 1
        target.write_bytes(old)
        with failing(call, number, code) as calls:
            try:
                atomic.write(target, new)
            except atomic.NotSyncedError:
                assert target.read_bytes() == new
            except OSError as error:
                assert error.errno == code
                assert target.read_bytes() == old
            else:
                assert target.read_bytes() == new
        assert names(tmp_path) == ["x.idtviz"]
        if calls[0] < number:
            break


def test_a_full_disk_is_told_and_the_session_of_before_is_still_there(two: tuple[Path, Path], tmp_path: Path) -> None:
    target = tmp_path / "x.idtviz"
    target.write_bytes(old := two[0].read_bytes())
    session = LabSession.open("page_fault")
    session.remark = "x" * 60_000
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    try:
        with pytest.raises(SavedSessionError) as refused:
            session.save(target)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert str(refused.value) == f"{target}: cannot be saved: file too large; the file is as it was"
    assert target.read_bytes() == old
    assert names(tmp_path) == ["x.idtviz"]
    assert session.saved_as is None


def test_a_folder_that_may_not_be_written_to_is_told(tmp_path: Path) -> None:
    session = LabSession.open("page_fault")
    with failing("open", 1, errno.EROFS), pytest.raises(SavedSessionError, match="read-only file system"):
        session.save(tmp_path / "x")
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is a file of another kind; expected a new name, or a session to write over"),
        (b"\x7fELF", "is a file of another kind"),
        (b'{"format": "idtviz session", "schema": 2}', "is a session of format 2, of a later idtviz"),
    ],
)
def test_a_file_that_is_no_session_is_not_written_over(content: bytes, said: str, tmp_path: Path) -> None:
    target = tmp_path / "x.idtviz"
    target.write_bytes(content)
    with pytest.raises(SavedSessionError, match=said):
        LabSession.open("page_fault").save(target)
    assert target.read_bytes() == content
    assert names(tmp_path) == ["x.idtviz"]


def test_the_scenario_itself_is_not_written_over(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    with pytest.raises(SavedSessionError, match="is a file of another kind"):
        LabSession.open(path).save(path)
    assert path.read_text() == GOOD


def test_a_folder_a_pipe_and_a_folder_that_is_not_there_are_refused(tmp_path: Path) -> None:
    session = LabSession.open("page_fault")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe.idtviz")
    for name, said in (
        ("folder", "is a folder"),
        ("folder/", "is a folder"),
        ("..", "is a folder"),
        ("pipe", "is not a regular file"),
        ("nix/x", "does not exist"),
        ("x" * 300, "file name too long"),
        ("a\0b", "is no name of a file"),
        ("", "is a folder"),
    ):
        with pytest.raises(ScenarioError, match=said):
            session.save(f"{tmp_path}/{name}")
    assert names(tmp_path) == ["folder", "pipe.idtviz"]


def test_a_link_is_followed_and_stays_a_link(tmp_path: Path) -> None:
    session = LabSession.open("page_fault")
    (tmp_path / "there").mkdir()
    link = tmp_path / "x.idtviz"
    link.symlink_to("there/real.idtviz")
    assert session.save(link) == tmp_path / "there/real.idtviz"
    session.step()
    session.save(link)
    assert link.is_symlink()
    assert LabSession.open(link).moment == session.moment
    assert names(tmp_path / "there") == ["real.idtviz"]
    link.unlink()
    link.symlink_to("x.idtviz")
    with pytest.raises(SavedSessionError, match="too many levels of symbolic links"):
        session.save(link)


def test_permissions_are_those_of_the_file_before_or_of_any_new_file(tmp_path: Path) -> None:
    session, before = LabSession.open("page_fault"), os.umask(0o027)
    try:
        path = session.save(tmp_path / "x")
        assert path.stat().st_mode & 0o7777 == 0o640
        path.chmod(0o606)
        session.save(path)
        assert path.stat().st_mode & 0o7777 == 0o606
    finally:
        os.umask(before)


def test_a_session_cut_off_by_something_else_may_be_written_over(two: tuple[Path, Path], tmp_path: Path) -> None:
    target = tmp_path / "x.idtviz"
    target.write_bytes(two[1].read_bytes()[:500])
    assert LabSession.open(LabSession.open("page_fault").save(target)).moment == (0, 0)


def test_what_another_process_is_just_writing_is_left_alone(two: tuple[Path, Path], tmp_path: Path) -> None:
    handle, temporary = atomic._begin(tmp_path)
    (tmp_path / ".idtviz-0123456789abcdef.saving").write_bytes(b"left by one that has died")
    (tmp_path / ".idtviz-0123456789abcdee.saving").mkdir()
    (tmp_path / ".idtviz-0123456789abcded.saving").symlink_to("nothing")
    (tmp_path / ".idtviz-other.saving").write_bytes(b"someone else's")
    try:
        atomic.write(tmp_path / "x.idtviz", b"content")
        assert names(tmp_path) == sorted(
            [
                *(".idtviz-0123456789abcded.saving", ".idtviz-0123456789abcdee.saving", ".idtviz-other.saving"),
                *(temporary.name, "x.idtviz"),
            ]
        )
    finally:
        os.close(handle)


def test_two_processes_that_save_to_one_file_do_not_disturb_each_other(two: tuple[Path, Path], tmp_path: Path) -> None:
    target = tmp_path / "x.idtviz"
    both = [python(SAVING, target, path) for path in two]
    contents = {path.read_bytes() for path in two}
    until = time.monotonic() + 1.5
    while not target.exists() and time.monotonic() < until + 10:
        time.sleep(0.01)
    while time.monotonic() < until:
        assert target.read_bytes() in contents
    for each in both:
        assert each.poll() is None
        each.kill()
        each.wait()
