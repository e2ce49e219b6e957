"""Who drives the debugger in these tests has answered the questions of the scenarios before: nothing holds them."""

from pathlib import Path

import pytest

from idtviz.lab import recent
from idtviz.lab.library import shipped
from idtviz.lab.premises import Premises
from idtviz.lab.session import LabSession
from idtviz.lab.teaching import progress
from idtviz.lab.teaching.progress import Progress
from idtviz.lab.teaching.tutor import Tutor


@pytest.fixture(scope="session", autouse=True)
def _answered() -> None:
    for item in shipped():
        questions = Tutor(LabSession.open(item.path), Progress("")).questions
        if questions:
            Progress(item.name, {question.key: "" for question in questions}, len(questions), done=True).save()


@pytest.fixture
def nothing_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Premises:
    """A person who has done nothing yet, with a folder of their own."""
    own = Premises(tmp_path / "data", trusted=True)
    for module in (progress, recent):
        monkeypatch.setattr(module, "premises", lambda: own)
    return own
