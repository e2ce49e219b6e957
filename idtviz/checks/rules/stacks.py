"""Bugs in how a handler uses the stack."""

from __future__ import annotations

from idtviz.checks.rule import Rule

RULES: tuple[type[Rule], ...] = ()
