"""From a scenario file to everything that a session needs, with every problem at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from idtviz.debugger import inputs
from idtviz.debugger.places import Place, PlaceError, PlaceKind, parse
from idtviz.debugger.session import Setup
from idtviz.debugger.symbols import Symbols, from_file
from idtviz.lab import scenario_file
from idtviz.lab.image_kinds import Kind
from idtviz.lab.kernel_file import files_of
from idtviz.lab.machine_files import MachineFiles
from idtviz.lab.overrides import OPTIONS, Overrides
from idtviz.lab.prepared import Prepared, builder
from idtviz.lab.problems import Problem, ScenarioError, dotted
from idtviz.lab.scenario import InputEntry, Scenario
from idtviz.lab.scenario_file import ScenarioText
from idtviz.lab.scenario_images import ScenarioImages
from idtviz.lab.scenario_lessons import LessonEntry
from idtviz.lab.source_files import LARGEST_SOURCE
from idtviz.lab.teaching.lessons import Lesson

_FIXED = frozenset(("initrd", "modules", "disks", "rom"))
"""The options that name files: a scenario has its own, from its folder."""


def prepare(
    path: Path,
    name: str,
    overrides: Overrides,
    files: MachineFiles,
    change: Callable[[Scenario], Scenario] | None = None,
) -> Prepared:
    """The scenario at `path`, called `name` in messages, as `change` wants it. Raises ScenarioError."""
    problems: list[Problem] = []
    try:
        scenario, text = scenario_file.load(path, name, files)
    except scenario_file.MalformedError as error:
        if error.rest is None:
            raise
        scenario, text, problems = error.rest, error.text, list(error.problems)
    scenario = _overridden(scenario, name, overrides)
    if change is not None:
        scenario = change(scenario)
    check = _Check(path.parent, scenario, text, files)
    program = check.images.program()
    symbols = None if program is None else program.symbols
    disks = check.images.disks()
    sources = check.sources()
    check.script()
    for each in files_of(files, "--symbols", overrides.symbols):
        found = from_file(each)
        symbols = found if symbols is None else found.merged(symbols)
    scripted = check.inputs(symbols)
    lessons = check.lessons(symbols)
    if problems:
        raise ScenarioError(problems + check.problems)
    if check.problems or program is None or symbols is None:
        raise ScenarioError(check.problems)
    section, bootable = check.images.machine(program), program.bootable
    scenario = scenario.model_copy(update={"machine": section})
    setup = Setup(path.name, builder(section, bootable, disks), symbols, (*scripted, *program.inputs))
    folders, origin = tuple(map(Path, overrides.sources)), files.origin(name, overrides)
    return Prepared(path, scenario, bootable.kind, setup, sources, lessons, origin, folders, program.examine)


def _overridden(scenario: Scenario, name: str, overrides: Overrides) -> Scenario:
    """The scenario on the machine, and with the words for its kernel, that the user wants instead."""
    kind = scenario.image.kind
    extra = sorted(overrides.said() & OPTIONS.keys() - (kind.takes - _FIXED))
    if extra:
        why = {
            each: "a scenario names its own files" if each in _FIXED else f"{kind.shown} takes none" for each in extra
        }
        raise ScenarioError([Problem(OPTIONS[each], None, f"{why[each]}: {name}") for each in extra])
    machine = {
        "memory": overrides.memory,
        "instructions_per_second": overrides.speed,
        "controller": None if overrides.apic is None else "apic" if overrides.apic else "pic",
    }
    image = {"command_line": overrides.command_line, "loader": overrides.loader, "object": scenario.image.object}
    if scenario.image.object is not None:
        said = {each: getattr(overrides, each) for each in Kind.OBJECT.takes}
        image["object"] = scenario.image.object.model_copy(update=_said(said))
    return scenario.model_copy(
        update={
            "machine": scenario.machine.model_copy(update=_said(machine)),
            "image": scenario.image.model_copy(update=_said(image)),
        }
    )


def _said(values: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in values.items() if value is not None}


class _Check:
    """Reads what a scenario names, and collects what is wrong with it."""

    def __init__(self, folder: Path, scenario: Scenario, text: ScenarioText, files: MachineFiles) -> None:
        self.problems: list[Problem] = []
        self._scenario = scenario
        self._text = text
        self.images = ScenarioImages(folder, scenario, files, self._complain)

    def _complain(self, path: tuple[str | int, ...], message: str) -> None:
        self.problems.append(self._text.problem(path, message))

    def sources(self) -> dict[str, tuple[str, ...]]:
        """The lines of the source files, by the file's name without folders, as debugging information has it."""
        found: dict[str, tuple[str, ...]] = {}
        for index, name in enumerate(self._scenario.image.source):
            raw = self.images.source(("image", "source", index), name, LARGEST_SOURCE)
            if raw is not None:
                lines = tuple(raw.decode("utf-8", errors="replace").expandtabs(8).split("\n"))
                found.setdefault(Path(name).name, lines)
        return found

    def script(self) -> None:
        """The linker script, if one is named, has to be there."""
        build = self._scenario.build
        if build is not None and build.script is not None:
            self.images.source(("build", "script"), build.script, LARGEST_SOURCE)

    def inputs(self, symbols: Symbols | None) -> tuple[inputs.ScriptedInput, ...]:
        """The scripted inputs with their places."""
        found = []
        for index, entry in enumerate(self._scenario.input):
            place = self._place(("input", index, "at"), entry.at, symbols)
            if place is not None and place.kind is PlaceKind.END:
                self._complain(("input", index, "at"), f"input[{index}].at: nothing can be given at the end of the run")
            elif place is not None:
                found.append(inputs.ScriptedInput(place, input_of(entry)))
        return tuple(found)

    def lessons(self, symbols: Symbols | None) -> tuple[Lesson, ...]:
        """The lessons with their places."""
        found = []
        for index, entry in enumerate(self._scenario.lesson):
            place = self._place(("lesson", index, "at"), entry.at, symbols)
            if place is not None:
                found.append(_lesson(place, entry))
            if entry.todo is not None and entry.todo not in self._scenario.image.source:
                self._complain(
                    ("lesson", index, "todo"),
                    f"lesson[{index}].todo: {entry.todo[:60]!r} is no part of the image; "
                    "expected one of the files of image.source",
                )
        return tuple(found)

    def _place(self, path: tuple[str | int, ...], text: str, symbols: Symbols | None) -> Place | None:
        try:
            return parse(text, symbols or Symbols())
        except PlaceError as error:
            if symbols is not None:
                self._complain(path, f"{dotted(path)}: {error}")
            return None
        except ValueError:
            self._complain(path, f"{dotted(path)}: the number in {text[:60]!r} is too large")
            return None


def input_of(entry: InputEntry) -> inputs.Input:
    if entry.keys is not None:
        return inputs.Keys(entry.keys)
    if entry.irq is not None:
        return inputs.Irq(entry.irq)
    if entry.serial is not None:
        return inputs.Serial(entry.serial.encode())
    if entry.poke is not None:
        return inputs.Poke(entry.poke.address, bytes(entry.poke.data))
    return inputs.Nmi()


def _lesson(place: Place, entry: LessonEntry) -> Lesson:
    return Lesson(
        place=place,
        say=entry.say,
        ask=entry.ask,
        task=entry.task,
        answer=entry.answer,
        choices=tuple(entry.choices or ()),
        value=entry.value,
        hints=tuple(entry.hint or ()),
        cover=tuple(entry.cover or ()),
        explain=" ".join((entry.explain or "").split()),
        todo=entry.todo,
    )
