"""All the figures: `make bench`."""

from __future__ import annotations

from benchmarks import grading, others, running, screen, steps, travel

running.report()
steps.report()
travel.report()
others.report()
screen.report()
grading.report()
