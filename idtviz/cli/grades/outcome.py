"""All verdicts on the hand-ins to a lab."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from idtviz.lab.grading.verdicts import Verdict, Word


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of the lab called `title` in the file `lab`, by the students' names. `expected`: how many hand-ins there are."""

    lab: str
    title: str
    verdicts: tuple[Verdict, ...]
    expected: int

    @classmethod
    def of(cls, lab: str, title: str, verdicts: Sequence[Verdict], expected: int) -> Outcome:
        """In an order that does not depend on which was graded first."""
        return cls(lab, title, tuple(sorted(verdicts, key=lambda verdict: verdict.student)), expected)

    @property
    def counts(self) -> dict[Word, int]:
        """How often each verdict was given, those that were not left out."""
        found = Counter(verdict.word for verdict in self.verdicts)
        return {word: found[word] for word in Word if found[word]}

    @property
    def summary(self) -> str:
        """One line."""
        graded = f"{len(self.verdicts):,} graded" + (
            "" if len(self.verdicts) == self.expected else f" of {self.expected:,}"
        )
        return f"{graded}: " + ", ".join(f"{count:,} {word.value}" for word, count in self.counts.items())
