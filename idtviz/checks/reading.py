"""Judging the handlers of a machine by reading them: also those of gates through which nothing has come."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from idtviz.checks.finding import Finding
from idtviz.checks.rules import RULES
from idtviz.checks.walking import Read, walk_gates
from idtviz.debugger.view import View


def read_handlers(
    view: View, read: Read, interrupts: Collection[int] = (), told: Collection[tuple[str, int | None]] = ()
) -> Iterator[Finding]:
    """What the rules find in the handlers of all gates of `view`, each rule once at an address.

    `interrupts` is as in `walk_gates`. `told`: rules and addresses of what was found while it ran.
    """
    known = set(told)
    rules = [kind() for kind in RULES]
    for stub in walk_gates(view, read, interrupts):
        for finding in (finding for rule in rules for finding in rule.stub(stub)):
            key = finding.rule, finding.address
            if key not in known:
                known.add(key)
                yield finding
