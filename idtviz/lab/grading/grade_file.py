"""`LAB.grade.toml`, which the teacher keeps beside a lab: hidden cases, variations, limits and points."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from idtviz.checks.rules import BY_ID
from idtviz.lab.problems import Problem, ScenarioError
from idtviz.lab.scenario import ExpectEntry, InputEntry, Scenario
from idtviz.lab.scenario_file import load_as
from idtviz.lab.scenario_values import FileName, MomentText, Number, size
from idtviz.machine.edits.registers import NAMES
from idtviz.machine.registers import GENERAL_NAMES

MIB = 1 << 20
SUFFIX = ".grade.toml"
VARIED = (*(name for name in GENERAL_NAMES if name != "rsp"), "cr2")
"""Registers that can be given any value."""

Speed = Annotated[int, Field(ge=1000, le=10_000_000_000)]
Points = Annotated[float, Field(ge=0, le=1_000_000)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def _whole(value: Any) -> Any:
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _alone(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Weight = Annotated[Points, BeforeValidator(_whole)]
Register = Annotated[str, Field(min_length=1, max_length=20)]


class LimitsSection(_Part):
    """`[limits]`: of each run in instructions and deliveries; of a hand-in in seconds of the processor and bytes."""

    instructions: Annotated[int, Field(ge=1000, le=1 << 40)] = 10_000_000
    deliveries: Annotated[int, Field(ge=100, le=1 << 40)] = 5_000
    seconds: Annotated[int, Field(ge=1, le=3600)] = 60
    memory: Annotated[int, BeforeValidator(size), Field(ge=64 * MIB, le=1 << 40)] = 1024 * MIB


class PointsSection(_Part):
    """`[points]`: what the parts are worth beside each other; the score is out of 100 whatever they add up to."""

    expect: Weight = 50.0
    rules: Weight = 20.0
    cases: Weight = 30.0


class RegistersPart(_Part):
    """Registers that are given values at a moment."""

    at: MomentText = "0"
    set: dict[Register, Number]

    @field_validator("set")
    @classmethod
    def _registers(cls, value: dict[str, int]) -> dict[str, int]:
        unknown = [name for name in value if name not in NAMES]
        if unknown:
            raise ValueError(f"expected registers such as rbx or cr2, found {unknown[0][:60]!r}")
        return value


class CaseEntry(_Part):
    """`[[case]]`: a run that the students do not see beforehand; what is not said is as the lab has it."""

    title: Annotated[str, Field(min_length=1, max_length=200)]
    points: Weight = 1.0
    instructions_per_second: Speed | None = None
    registers: RegistersPart | None = None
    input: Annotated[list[InputEntry], Field(max_length=10_000)] | None = None
    expect: Annotated[list[ExpectEntry], Field(min_length=1, max_length=10_000)] | None = None


class GradeFile(_Part):
    """The whole file."""

    seed: int = 1
    variations: Annotated[int, Field(ge=0, le=1000)] | None = None
    """None: 4 where there is a solution that they can be tried on, else none."""
    vary: Annotated[list[Register], Field(max_length=100)] | None = None
    """None: those that hold nothing that a kernel was promised when it is entered."""
    at: MomentText = "0"
    speed: Annotated[list[Weight], Field(min_length=2, max_length=2)] = [0.75, 1.5]
    shift: Annotated[int, Field(ge=0, le=1 << 30)] = 1000
    """Instructions by which an input at an instruction count comes later, at most."""
    solution: Annotated[list[FileName], BeforeValidator(_alone)] | None = None
    allow: list[str] = []
    """Rules that may find something."""
    limits: LimitsSection = LimitsSection()
    points: PointsSection = PointsSection()
    case: Annotated[list[CaseEntry], Field(max_length=1000)] = []

    @field_validator("vary")
    @classmethod
    def _registers(cls, value: list[str] | None) -> list[str] | None:
        unknown = [name for name in value or () if name not in VARIED]
        if unknown:
            raise ValueError(f"expected registers such as rbx or r12, found {unknown[0][:60]!r}")
        return value

    @field_validator("allow")
    @classmethod
    def _rules(cls, value: list[str]) -> list[str]:
        unknown = [name for name in value if name not in BY_ID]
        if unknown:
            raise ValueError(f"expected ids of rules such as {next(iter(BY_ID))}, found {unknown[0][:60]!r}")
        return value

    @model_validator(mode="after")
    def _range(self) -> Self:
        low, high = self.speed
        if not 0.01 <= low <= high <= 100:
            raise ValueError("expected speed to be two factors from 0.01 to 100, the smaller one first")
        return self


def beside(lab: Path) -> Path:
    """Where the teacher's file for a lab is, if there is one."""
    return lab.with_name(lab.stem + SUFFIX)


def load(path: Path, name: str) -> GradeFile:
    """Read the file, called `name` in messages; one that is not there says nothing. Raises ScenarioError."""
    return load_as(GradeFile, path, name) if path.exists() else GradeFile()


def solution(lab: Path, scenario: Scenario, spec: GradeFile) -> dict[str, str]:
    """Where the teacher's own solution of each file that is to be written is; nothing where there is none.

    By default it is looked for in the folder `solutions` beside the lab. Raises ScenarioError.
    """
    todo = scenario.todo
    if spec.solution is None:
        found = {name: f"solutions/{name}" for name in todo}
        return found if all((lab.parent / each).is_file() for each in found.values()) else {}
    if len(spec.solution) != len(todo):
        message = f"solution: expected one file for each of {', '.join(todo)}; found {len(spec.solution)}"
        raise ScenarioError([Problem(beside(lab).name, None, message)])
    return dict(zip(todo, spec.solution, strict=True))
