"""Bugs in what a handler does to the registers of the interrupted program."""

from __future__ import annotations

from idtviz.checks.rule import Rule

RULES: tuple[type[Rule], ...] = ()
