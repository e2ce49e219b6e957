"""Small kernel projects whose tests idtviz's pytest plugin runs."""

from __future__ import annotations

from pathlib import Path

import pytest

import idtviz.tui.shot  # noqa: F401 -- a run in this process forgets what it has imported: this is here before
from tests.lab.folders import GOOD, HALT, write

TRIPLE_FAULT = bytes.fromhex("0f0b")
"""ud2, and no IDT: neither #UD nor #DF can be delivered."""
SAYS_A = bytes.fromhex("66baf803 b041 ee c60425 00800b00 42 fa f4")
"""'A' to COM1, 'B' to the screen; cli; hlt."""
ASKS_TWICE = '[[expect]]\nend = "halted"\n[[expect]]\nserial = "A"\n'
WITHOUT_OTHERS = ("-p", "idtviz.pytest_plugin", "-p", "no:cacheprovider")


class Project:
    """A folder with tests."""

    def __init__(self, pytester: pytest.Pytester) -> None:
        self._pytester = pytester
        self.folder: Path = pytester.path

    def scenario(self, expect: str = "", code: bytes = HALT, name: str = "small.idtviz.toml") -> Path:
        """A scenario in it."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return write(path.parent, GOOD + expect, code).rename(path)

    def test(self, text: str, name: str = "test_kernel.py") -> Path:
        """A file of tests in it."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def run(self, *options: str) -> pytest.RunResult:
        """Pytest, in this process."""
        return self._pytester.runpytest_inprocess(*WITHOUT_OTHERS, *options)

    def run_apart(self, *options: str) -> pytest.RunResult:
        """Pytest, in a process of its own."""
        return self._pytester.runpytest_subprocess(*WITHOUT_OTHERS, *options, timeout=60)
