"""The cases that ever disagreed, each kept whole: a change of the generator does not take them away.

`python -m tests.conformance.disagreed 'what was wrong' long:17` adds one.
"""

from __future__ import annotations

import base64
import json
import sys
import zlib
from dataclasses import dataclass
from pathlib import Path

from tests.oracle.case import Case

from .generator import VERSION, case_of

FILE = Path(__file__).with_name("disagreed.json")


@dataclass(frozen=True, slots=True)
class Disagreed:
    """A case, and what was wrong. `recipe` made it with the generator of `version`."""

    wrong: str
    recipe: str
    version: int
    case: Case

    def to_json(self) -> dict[str, str | int]:
        packed = base64.b85encode(zlib.compress(json.dumps(self.case.to_json()).encode(), 9)).decode()
        return {"wrong": self.wrong, "recipe": self.recipe, "version": self.version, "case": packed}

    @classmethod
    def from_json(cls, value: dict[str, str | int]) -> Disagreed:
        case = Case.from_json(json.loads(zlib.decompress(base64.b85decode(str(value["case"])))))
        return cls(str(value["wrong"]), str(value["recipe"]), int(value["version"]), case)


def disagreed() -> list[Disagreed]:
    """Every one of them, in the order in which they were met."""
    return [Disagreed.from_json(value) for value in json.loads(FILE.read_text())] if FILE.exists() else []


def remember(wrong: str, recipe: str) -> None:
    """Add the case of `recipe`, unless it is there."""
    known = disagreed()
    if any(one.recipe == recipe and one.version == VERSION for one in known):
        return
    known.append(Disagreed(wrong, recipe, VERSION, case_of(recipe)))
    FILE.write_text(json.dumps([one.to_json() for one in known], indent=1) + "\n")


if __name__ == "__main__":
    remember(sys.argv[1], sys.argv[2])
