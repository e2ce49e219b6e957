"""A journal of verdicts: each is written as it comes, so that whatever happens to the computer, no work is lost."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from idtviz import __version__
from idtviz.lab.grading.bundle import Bundle
from idtviz.lab.grading.submissions import Submission
from idtviz.lab.grading.verdicts import Verdict

_MARK = "idtviz grades"
_HEAD = f'{{"{_MARK}":'.encode()


class JournalError(Exception):
    """A file that is no journal, or cannot be written."""


class Journal:
    """Lines of JSON, without pictures. A verdict counts again where lab, hand-in and version are what they were."""

    def __init__(self, path: Path, lab: Bundle) -> None:
        """Raises JournalError."""
        self._path = path
        self._what = f"{__version__} {lab.digest}"
        self._found: dict[str, dict[str, Any]] = {}
        try:
            whole = self._read()
            with path.open("a", encoding="utf-8") as file:
                file.write("" if whole else "\n")
        except OSError as error:
            raise JournalError(f"{path}: cannot be used as a journal: {error.strerror}") from error

    def _read(self) -> bool:
        """What was kept before. False: of the last line only a part is there, the end came while it was written."""
        if not self._path.exists():
            return True
        with self._path.open("rb") as raw:
            head = raw.read(len(_HEAD))
        if head and head != _HEAD:
            raise JournalError(f"{self._path}: is no journal of grades; expected one, or no file")
        line = "\n"
        with self._path.open(encoding="utf-8", errors="replace") as file:
            for line in file:
                try:
                    entry = json.loads(line)
                    self._found[entry[_MARK]] = entry["verdict"]
                except (ValueError, KeyError, TypeError):
                    continue
        return line.endswith("\n")

    def known(self, submissions: Sequence[Submission]) -> dict[str, Verdict]:
        """The verdicts that are there already, by the students' names."""
        known: dict[str, Verdict] = {}
        for each in submissions:
            raw = self._found.get(self._key(each)) if each.refused is None else None
            if raw is not None:
                try:
                    known[each.student] = Verdict.from_json(raw).of(each.student)
                except (KeyError, TypeError, ValueError):
                    continue
        return known

    def keep(self, submission: Submission, verdict: Verdict) -> None:
        """Write one down. Raises JournalError."""
        if submission.refused is not None:
            return
        entry = {_MARK: self._key(submission), "verdict": replace(verdict, student="", picture=None).to_json()}
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(entry, separators=(",", ":")) + "\n")
        except OSError as error:
            raise JournalError(f"{self._path}: cannot be written: {error.strerror}") from error

    def _key(self, submission: Submission) -> str:
        return hashlib.sha256(f"{self._what} {submission.digest}".encode()).hexdigest()
