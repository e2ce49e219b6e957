"""What a rule is: a page that explains a bug, and a class that sees it.

A rule overrides the methods for what it wants to see. Each is told of things in the order of time, once. A rule keeps
what it has to remember in itself: each examination has rules of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from idtviz.checks.finding import Finding, Note, Severity
from idtviz.checks.scene import Passage, Scene
from idtviz.checks.stub import Stub
from idtviz.debugger.observing import Instant, Tables
from idtviz.machine.events import Delivered, Happened

Findings = Iterator[Finding]


class Rule:
    """One bug. `bug_class` is its row in the catalogue of bugs, None for one that is not listed there."""

    id: ClassVar[str]
    title: ClassVar[str]
    bug_class: ClassVar[int | None]
    severity: ClassVar[Severity]
    why: ClassVar[str]
    """What the processor or the chip does with it, and what one sees of that."""
    fix: ClassVar[str]
    """What to change."""
    source: ClassVar[str]
    """Where the manual says so: `SDM 3A 6.14.2`."""

    def tables(self, scene: Scene, tables: Tables) -> Findings:  # noqa: ARG002
        """The tables are others than before, in front of an event's first finding."""
        yield from ()

    def happened(self, scene: Scene, event: Happened) -> Findings:  # noqa: ARG002
        """An event; for deliveries and returns there are methods of their own besides."""
        yield from ()

    def entered(self, scene: Scene, delivered: Delivered) -> Findings:  # noqa: ARG002
        """A handler has been entered; its passage is `scene.passages[-1]`."""
        yield from ()

    def failed(self, scene: Scene, delivered: Delivered) -> Findings:  # noqa: ARG002
        """A delivery has met a fault of its own."""
        yield from ()

    def instant(self, scene: Scene, instant: Instant) -> Findings:  # noqa: ARG002
        """An instruction is next that is looked at."""
        yield from ()

    def left(self, scene: Scene, passage: Passage) -> Findings:  # noqa: ARG002
        """A handler has returned."""
        yield from ()

    def stub(self, stub: Stub) -> Findings:  # noqa: ARG002
        """The code behind a gate, read without running it."""
        yield from ()

    def found(
        self, scene: Scene | None, message: str, address: int | None, *notes: Note, severity: Severity | None = None
    ) -> Finding:
        """A finding of this rule, now."""
        moment = None if scene is None else scene.moment
        return Finding(self.id, severity or self.severity, message, address, moment, notes)
