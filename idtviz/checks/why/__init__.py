"""Why a run came to its end, and why an interrupt does not arrive: explanations as values, for every face to show."""

from idtviz.checks.why.arriving import arrival, lines_of_interest
from idtviz.checks.why.chain import explain
from idtviz.checks.why.loops import looping
from idtviz.checks.why.values import Arrival, Chain, Condition, Ending, Entry, Failure, Link, Part, Place

__all__ = [
    "Arrival",
    "Chain",
    "Condition",
    "Ending",
    "Entry",
    "Failure",
    "Link",
    "Part",
    "Place",
    "arrival",
    "explain",
    "lines_of_interest",
    "looping",
]
