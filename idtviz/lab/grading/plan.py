"""What each hand-in is tried with: the lab as it was handed out, seeded variations, and the teacher's own cases."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from idtviz.lab import scenario_file
from idtviz.lab.building.made import UNITS
from idtviz.lab.grading import grade_file
from idtviz.lab.grading.grade_file import VARIED, GradeFile
from idtviz.lab.grading.verdicts import Kind
from idtviz.lab.image_kinds import Kind as ImageKind
from idtviz.lab.problems import Problem, ScenarioError
from idtviz.lab.scenario import ExpectEntry, InputEntry, Scenario

_DEFAULT_VARIATIONS = 4
_SPEEDS = (1000, 10_000_000_000)
_PROMISED = ("rax", "rbx", "rdx", "rsi", "cr2")
"""Registers in which a boot loader passes something on."""


@dataclass(frozen=True, slots=True)
class Case:
    """One run. `registers` are given their values at the moment `at`; what else is changed stands in the fields.

    `weight`: what it is worth beside the others of its kind.
    """

    kind: Kind
    title: str
    weight: float
    speed: int
    input: tuple[InputEntry, ...]
    expect: tuple[ExpectEntry, ...]
    at: str = "0"
    registers: tuple[tuple[str, int], ...] = ()

    def change(self, scenario: Scenario) -> Scenario:
        """The scenario for this run: nothing is told."""
        machine = scenario.machine.model_copy(update={"instructions_per_second": self.speed})
        changed = {"machine": machine, "input": list(self.input), "expect": list(self.expect), "lesson": []}
        return scenario.model_copy(update=changed)


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that is to be done with a hand-in. `solution`: the teacher's files, by what they are solutions of."""

    path: Path
    title: str
    todo: tuple[str, ...]
    sources: tuple[str, ...]
    """All of which the image is made."""
    spec: GradeFile
    cases: tuple[Case, ...]
    solution: dict[str, Path]

    @property
    def teachers(self) -> frozenset[str]:
        """The names of the files that are the teacher's alone, in the lab's folder."""
        folder = self.path.parent
        solution = (path.relative_to(folder).as_posix() for path in self.solution.values())
        return frozenset((*solution, grade_file.beside(self.path).name))

    @property
    def allowed(self) -> frozenset[str]:
        """The rules that may find something."""
        expected = (name for case in self.cases for entry in case.expect for name in entry.findings or ())
        return frozenset((*self.spec.allow, *expected))


def plan(path: Path, name: str) -> Plan:
    """What to do with the hand-ins to the lab at `path`, called `name` in messages. Raises ScenarioError."""
    scenario, _ = scenario_file.load(path, name)
    teachers = grade_file.beside(path)
    spec = grade_file.load(teachers, str(Path(name).with_name(teachers.name)))
    if not scenario.todo:
        raise ScenarioError([Problem(name, None, "nothing is to be written in it (todo): there is nothing to grade")])
    if not scenario.expect and not spec.case:
        message = f"expects nothing, and {teachers.name} has no case: there is nothing to grade"
        raise ScenarioError([Problem(name, None, message)])
    strange = [each for each in scenario.todo if each not in scenario.image.source]
    if strange:
        message = f"todo: {strange[0]!r} is no part of the image; expected one of the files of image.source"
        raise ScenarioError([Problem(name, None, message)])
    solution = {each: path.parent / file for each, file in grade_file.solution(path, scenario, spec).items()}
    cases = tuple(_cases(scenario, spec, tried=bool(solution)))
    sources = tuple(each for each in scenario.image.source if PurePosixPath(each).suffix in UNITS)
    return Plan(path, scenario.title, scenario.todo, sources, spec, cases, solution)


def _cases(scenario: Scenario, spec: GradeFile, *, tried: bool) -> Iterator[Case]:
    given, wanted, speed = tuple(scenario.input), tuple(scenario.expect), scenario.machine.instructions_per_second
    if wanted:
        yield Case(Kind.EXPECT, "as handed out", 1.0, speed, given, wanted)
    count = spec.variations if spec.variations is not None else _DEFAULT_VARIATIONS if tried else 0
    if wanted:
        for number in range(1, count + 1):
            yield _variation(number, scenario, spec)
    for entry in spec.case:
        registers = entry.registers
        yield Case(
            Kind.CASE,
            entry.title,
            entry.points,
            entry.instructions_per_second or speed,
            given if entry.input is None else tuple(entry.input),
            wanted if entry.expect is None else tuple(entry.expect),
            "0" if registers is None else registers.at,
            () if registers is None else tuple(registers.set.items()),
        )


def _variation(number: int, scenario: Scenario, spec: GradeFile) -> Case:
    chance = random.Random(f"{spec.seed}:{number}")
    speed = int(scenario.machine.instructions_per_second * chance.uniform(*spec.speed))
    bits = 64 if scenario.image.kind in (ImageKind.ELF, ImageKind.FLAT) and scenario.machine.mode == "long" else 32
    return Case(
        Kind.CASE,
        f"variation {number}",
        1.0,
        max(_SPEEDS[0], min(speed, _SPEEDS[1])),
        tuple(_shifted(entry, chance, spec.shift) for entry in scenario.input),
        tuple(scenario.expect),
        spec.at,
        tuple((name, chance.getrandbits(bits)) for name in _varied(scenario, spec)),
    )


def _varied(scenario: Scenario, spec: GradeFile) -> tuple[str, ...]:
    if spec.vary is not None:
        return tuple(spec.vary)
    if scenario.image.kind in (ImageKind.ELF, ImageKind.FLAT):
        return VARIED
    return tuple(name for name in VARIED if name not in _PROMISED)


def _shifted(entry: InputEntry, chance: random.Random, most: int) -> InputEntry:
    later = chance.randint(0, most)
    return entry.model_copy(update={"at": str(int(entry.at) + later)}) if entry.at.isdecimal() else entry
