"""What a rule is, and the register of them all."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rule:
    """A named check or action. `on_stack`: it accesses the stack, where a bad address is #SS instead of #GP."""

    id: str
    title: str
    why: str
    source: str
    on_stack: bool = False


RULES: dict[str, Rule] = {}
"""Every rule by its id, in the order in which they are defined."""


def rule(id_: str, title: str, why: str, source: str, *, on_stack: bool = False) -> Rule:
    """Define a rule."""
    RULES[id_] = found = Rule(id_, title, why, source, on_stack)
    return found
