"""What is wrong with a saved session, or with saving one."""

from __future__ import annotations

from idtviz.lab.problems import Problem, ScenarioError


class SavedSessionError(ScenarioError):
    """A session that cannot be saved or opened; the message says which file, what is wrong, what was expected."""

    def __init__(self, file: str, message: str) -> None:
        super().__init__([Problem(file, None, message)])
