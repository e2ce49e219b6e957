"""Bugs in the GDT and the TSS."""

from __future__ import annotations

from idtviz.checks.rule import Rule

RULES: tuple[type[Rule], ...] = ()
