"""All the figures: `make bench`."""

from __future__ import annotations

from benchmarks import others, running, screen, steps, travel

running.report()
steps.report()
travel.report()
others.report()
screen.report()
