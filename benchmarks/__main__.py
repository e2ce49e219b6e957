"""All the figures: `make bench`."""

from __future__ import annotations

from benchmarks import screen, steps

steps.report()
screen.report()
