"""Who drives the debugger in these tests has answered the questions of the scenarios before: nothing holds them."""

import pytest

from idtviz.lab.library import shipped
from idtviz.lab.session import LabSession
from idtviz.lab.teaching.progress import Progress
from idtviz.lab.teaching.tutor import Tutor


@pytest.fixture(scope="session", autouse=True)
def _answered() -> None:
    for item in shipped():
        questions = Tutor(LabSession.open(item.path), Progress("")).questions
        if questions:
            Progress(item.name, {question.key: "" for question in questions}, len(questions), done=True).save()
