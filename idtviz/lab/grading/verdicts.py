"""What a hand-in came to, as values that go through pipes and into reports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from enum import Enum
from typing import Any, Self


class Word(Enum):
    """The verdict in a word. Only the first two score points: of the others nothing is known to the end."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_BUILT = "does not build"
    EMPTY = "empty"
    LOOPING = "looping"
    OUT_OF_TIME = "out of time"
    OUT_OF_MEMORY = "out of memory"
    CRASHED = "crashed"
    REFUSED = "refused"


class Kind(Enum):
    """What a check looks at."""

    BUILD = "build"
    EXPECT = "expect"
    RULES = "rules"
    CASE = "case"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at. `weight`: what it is worth beside the others; `detail` says what was seen."""

    kind: Kind
    title: str
    ok: bool
    weight: float
    detail: str

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self) | {"kind": self.kind.value}

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> Self:
        """The other way round."""
        return cls(**(raw | {"kind": Kind(raw["kind"])}))


@dataclass(frozen=True, slots=True)
class Verdict:
    """How one hand-in fared. `score` is out of 100, `why` is one sentence.

    `where` names the moment that `picture`, an SVG, shows: of which run, and when. `output` is what compilers, or what
    has crashed, said.
    """

    student: str
    word: Word
    score: int
    why: str
    checks: tuple[Check, ...] = ()
    where: str = ""
    picture: str | None = None
    output: str = ""

    @property
    def passed(self) -> bool:
        """Whether nothing is wrong with it."""
        return self.word is Word.PASSED

    def of(self, student: str) -> Verdict:
        """The same of a hand-in by this name."""
        return replace(self, student=student)

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        plain = {name: getattr(self, name) for name in ("student", "score", "why", "where", "picture", "output")}
        return plain | {"word": self.word.value, "checks": [check.to_json() for check in self.checks]}

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> Self:
        """The other way round."""
        checks = tuple(Check.from_json(check) for check in raw["checks"])
        return cls(**(raw | {"word": Word(raw["word"]), "checks": checks}))


def earned(checks: Sequence[Check]) -> tuple[float, ...]:
    """What each check has brought. That no rule finds anything counts where the rest holds: code that does nothing has
    no bugs either.
    """
    works = all(check.ok for check in checks if check.kind is Kind.EXPECT)
    return tuple(check.weight if check.ok and (works or check.kind is not Kind.RULES) else 0.0 for check in checks)


def score(checks: Sequence[Check]) -> int:
    """The points of 100 for what holds, rounded down: 100 is for all of it."""
    if all(check.ok for check in checks):
        return 100
    total = sum(check.weight for check in checks)
    return min(99, int(100 * sum(earned(checks)) / total)) if total else 0
