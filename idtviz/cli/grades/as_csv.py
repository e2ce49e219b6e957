"""Verdicts as a table for a spreadsheet: one line each."""

from __future__ import annotations

import csv
import io
import re

from idtviz.cli.grades.outcome import Outcome
from idtviz.lab.problems import printable

_COLUMNS = ("student", "verdict", "score", "checks held", "checks", "why")
_FORMULA = re.compile('(^|[;,\t"|])(?=[=+@\uff1d\uff0b\uff0d\uff20-])')
"""In front of what a spreadsheet takes for a formula, and carries out. In many countries a `;` begins a cell."""


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
    return _FORMULA.sub(r"\1'", printable(text))
