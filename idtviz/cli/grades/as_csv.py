"""Verdicts as a table for a spreadsheet: one line each."""

from __future__ import annotations

import csv
import io

from idtviz.cli.grades.outcome import Outcome
from idtviz.lab.problems import printable

_COLUMNS = ("student", "verdict", "score", "checks held", "checks", "why")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What makes a spreadsheet take a text for a formula, and carry it out."""


def report(outcome: Outcome) -> str:
    """The whole table, with a line of titles."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(_COLUMNS)
    for each in outcome.verdicts:
        held = sum(check.ok for check in each.checks)
        table.writerow([_plain(each.student), each.word.value, each.score, held, len(each.checks), _plain(each.why)])
    return text.getvalue()


def _plain(text: str) -> str:
    """A text that stays one; a spreadsheet shows it without the apostrophe."""
    shown = printable(text)
    return f"'{shown}" if shown.startswith(_FORMULA) else shown
