"""The file that keeps progress: damage to it, and those who write to it at once, cost nobody their lesson."""

from __future__ import annotations

import json
import multiprocessing
from pathlib import Path

import pytest

from idtviz.lab import premises
from idtviz.lab.premises import Premises
from idtviz.lab.teaching import progress as subject
from idtviz.lab.teaching.progress import Progress, all_progress, progress


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = Premises(tmp_path / "data", trusted=True)
    monkeypatch.setattr(subject, "premises", lambda: own)


def file_of(tmp_path: Path) -> Path:
    return tmp_path / "data" / "progress.json"


def test_nothing_is_known_before_anything_was_kept() -> None:
    assert all_progress() == {}
    assert progress("x").answered == {}


def test_what_is_kept_is_found_again(tmp_path: Path) -> None:
    Progress("course/02_frame", {"#PF: Which?": "1"}, 4).save()
    assert progress("course/02_frame") == Progress("course/02_frame", {"#PF: Which?": "1"}, 4)
    assert str(progress("course/02_frame")) == "1/4"


@pytest.mark.parametrize(
    "damage",
    [b"", b"\x00\xff", b"[]", b'{"scenarios": 3}', b'{"scenarios": {"a": 7, "b": {"done": "yes"}}}', b"[" * 100_000],
    ids=["empty", "binary", "a list", "no table", "wrong types", "deep"],
)
def test_a_damaged_file_is_as_good_as_none(tmp_path: Path, damage: bytes) -> None:
    file_of(tmp_path).parent.mkdir()
    file_of(tmp_path).write_bytes(damage)
    assert progress("a").answered == {}
    Progress("c", {"q": "1"}, 1).save()
    assert progress("c").answered == {"q": "1"}


def test_a_folder_that_cannot_be_written_to_is_no_reason_to_stop(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("not a folder")
    Progress("c", {"q": "1"}, 1).save()
    assert progress("c").answered == {}


def test_a_scenario_with_a_great_deal_to_keep_costs_no_other_one_its_progress(tmp_path: Path) -> None:
    for number in range(12):
        Progress(f"large {number}", {f"{key}{'x' * 400}": "1" for key in range(1000)}, 1000).save()
        Progress("small", {"q": "1"}, 1).save()
    Progress("too large", {f"{key}": "x" * 1000 for key in range(10_000)}, 10_000).save()
    assert file_of(tmp_path).stat().st_size <= 4 << 20
    assert progress("small").answered == {"q": "1"}
    assert len(progress("large 11").answered) == 1000
    assert progress("large 0").answered == progress("too large").answered == {}


def _work(data: str, name: str) -> None:
    subject.premises = lambda: Premises(Path(data), trusted=True)
    for number in range(20):
        Progress(name, {"q": str(number)}, 1).save()


def test_two_debuggers_at_once_keep_what_both_have_done(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    workers = [spawn.Process(target=_work, args=(str(tmp_path / "data"), name)) for name in ("one", "two")]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    kept = json.loads(file_of(tmp_path).read_bytes())["scenarios"]
    assert {name: found["answered"]["q"] for name, found in kept.items()} == {"one": "19", "two": "19"}


def test_the_folder_is_the_one_that_the_environment_names() -> None:
    assert premises.premises().data.name.startswith("idtviz-tests-")
