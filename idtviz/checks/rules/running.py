"""Bugs that show in how things go on: endless faults, handlers that wait."""

from __future__ import annotations

from idtviz.checks.rule import Rule

RULES: tuple[type[Rule], ...] = ()
