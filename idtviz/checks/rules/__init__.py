"""Every rule there is, in the order of their ids."""

from __future__ import annotations

from idtviz.checks.rule import Rule
from idtviz.checks.rules import (
    controllers,
    frames,
    gates,
    handlers,
    registers,
    running,
    segments,
    stacks,
)

_ROOMS = (gates, segments, handlers, frames, stacks, registers, controllers, running)

RULES: tuple[type[Rule], ...] = tuple(
    sorted((rule for room in _ROOMS for rule in room.RULES), key=lambda rule: rule.id)
)
BY_ID: dict[str, type[Rule]] = {rule.id: rule for rule in RULES}
