"""Bugs around the interrupt controllers and the devices behind them."""

from __future__ import annotations

from idtviz.checks.rule import Rule

RULES: tuple[type[Rule], ...] = ()
