"""All the figures: `make bench`."""

from __future__ import annotations

from benchmarks import others, running, screen, steps

running.report()
steps.report()
others.report()
screen.report()
