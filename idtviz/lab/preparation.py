"""From a path to everything that a session needs: image, symbols, sources, inputs and lessons, all checked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from idtviz.debugger import inputs
from idtviz.debugger.places import Place, PlaceError, PlaceKind, parse
from idtviz.debugger.session import Setup
from idtviz.debugger.symbols import Symbols, from_elf
from idtviz.lab import library, scenario_file
from idtviz.lab.image_file import LARGEST_FILE, FileProblem, inside, read
from idtviz.lab.lessons import Lesson
from idtviz.lab.problems import Problem, ScenarioError, printable
from idtviz.lab.scenario import LARGEST_MEMORY, MIB, ImageSection, InputEntry, LessonEntry, MachineSection, Scenario
from idtviz.lab.scenario_file import ScenarioText
from idtviz.machine import boot
from idtviz.machine.pc import Machine

_LARGEST_SOURCE = 4 << 20
_ELF = b"\x7fELF"


@dataclass(frozen=True, slots=True)
class Prepared:
    """A file that can be run. `sources` holds the lines of each source file, by the file's name."""

    path: Path
    scenario: Scenario
    boot: str
    setup: Setup
    sources: dict[str, tuple[str, ...]]
    lessons: tuple[Lesson, ...]


def prepare(path: str | Path) -> Prepared:
    """Read a scenario, a bare kernel, or a shipped scenario by its name. Raises ScenarioError."""
    name = str(path)
    found = _find(name)
    try:
        raw = read(found, printable(name))
    except FileProblem as problem:
        raise ScenarioError([Problem(name, None, str(problem))]) from problem
    if raw.startswith(_ELF):
        return _bare_kernel(found, name, raw)
    if found.suffix == ".toml":
        return _from_scenario(found, name)
    if not raw:
        raise _refuse(name, "the file is empty; expected a scenario (.toml) or an ELF kernel")
    raise _refuse(name, "neither a scenario (.toml) nor an ELF kernel; other images are not supported yet")


def _refuse(file: str, message: str) -> ScenarioError:
    return ScenarioError([Problem(file, None, message)])


def _find(name: str) -> Path:
    if not name or "\0" in name:
        raise _refuse(name, "no file name")
    path = Path(name)
    try:
        if path.is_file():
            return path
        shipped = library.find(name)
        if shipped is not None:
            return shipped
        if path.is_dir():
            raise _refuse(name, "is a folder; expected a scenario (.toml) or an ELF kernel")
        if not path.exists():
            raise _refuse(name, "does not exist, and no scenario that comes with idtviz has this name")
    except OSError as error:
        raise _refuse(name, f"cannot be opened: {error.strerror}") from error
    return path


# A bare kernel


def _bare_kernel(path: Path, name: str, raw: bytes) -> Prepared:
    try:
        image = boot.parse_elf(raw)
    except boot.ImageError as error:
        raise _refuse(name, str(error)) from error
    needed = max(part.address + part.size for part in image.parts) + boot.TABLE_BYTES
    memory = max(16 * MIB, -(-needed // MIB) * MIB)
    if memory > LARGEST_MEMORY:
        raise _refuse(name, f"the image needs memory up to {needed:#x}; expected at most {LARGEST_MEMORY:#x}")
    scenario = Scenario(
        title=path.name[:200],
        machine=MachineSection(memory=memory, mode="long" if image.bits == 64 else "protected"),
        image=ImageSection(elf=path.name),
    )
    setup = Setup(path.name, _builder(scenario.machine, image), from_elf(raw))
    return Prepared(path, scenario, _elf_name(image), setup, {}, ())


def _elf_name(image: boot.Image) -> str:
    return f"elf{image.bits}"


def _builder(section: MachineSection, image: boot.Image) -> Callable[[], Machine]:
    def build() -> Machine:
        machine = Machine(section.memory, section.instructions_per_second)
        boot.load(machine, image, section.mode)
        boot.enter(machine, section.mode, image.entry)
        return machine

    return build


# A scenario


def _from_scenario(path: Path, name: str) -> Prepared:
    problems: list[Problem] = []
    try:
        scenario, text = scenario_file.load(path, name)
    except scenario_file.MalformedError as error:
        if error.rest is None:
            raise
        scenario, text, problems = error.rest, error.text, list(error.problems)
    check = _Check(path.parent, scenario, text)
    image, symbols = check.image()
    sources = check.sources()
    scripted = check.inputs(symbols)
    lessons = check.lessons(symbols)
    if problems:
        raise ScenarioError(problems + check.problems)
    if check.problems or image is None or symbols is None:
        raise ScenarioError(check.problems)
    setup = Setup(path.name, _builder(scenario.machine, image), symbols, scripted)
    return Prepared(path, scenario, _elf_name(image) if scenario.image.elf else "flat", setup, sources, lessons)


class _Check:
    """Reads what a scenario names, and collects what is wrong with it."""

    def __init__(self, folder: Path, scenario: Scenario, text: ScenarioText) -> None:
        self.problems: list[Problem] = []
        self._folder = folder
        self._scenario = scenario
        self._text = text

    def _complain(self, path: tuple[str | int, ...], message: str) -> None:
        self.problems.append(self._text.problem(path, message))

    def _read(self, path: tuple[str | int, ...], name: str, limit: int) -> bytes | None:
        try:
            return read(inside(self._folder, name), name, limit)
        except FileProblem as problem:
            self._complain(path, f"{_dotted(path)}: {problem}")
            return None

    def image(self) -> tuple[boot.Image | None, Symbols | None]:
        """The image and its symbols; no symbols where it cannot be read, so that no name in it can be checked."""
        section = self._scenario.image
        if section.flat is not None:
            place: tuple[str | int, ...] = ("image", "flat")
            raw = self._read((*place, "file"), section.flat.file, LARGEST_FILE)
            if raw is None:
                return None, None
            if not raw:
                self._complain((*place, "file"), f"image.flat.file: {section.flat.file!r} is empty")
            image = boot.Image((boot.Part(section.flat.at, raw, len(raw)),), section.flat.at)
            self._fits(image, (*place, "at"))
            return image, Symbols()
        place = ("image", "elf")
        raw = self._read(place, section.elf or "", LARGEST_FILE)
        if raw is None:
            return None, None
        try:
            image = boot.parse_elf(raw, self._scenario.machine.mode)
        except boot.ImageError as error:
            self._complain(place, f"image.elf: {section.elf!r}: {error}")
            return None, None
        self._fits(image, place)
        return image, from_elf(raw)

    def _fits(self, image: boot.Image, place: tuple[str | int, ...]) -> None:
        machine = self._scenario.machine
        top = boot.room(machine.memory, machine.mode)
        for part in image.parts:
            if part.address + part.size > top:
                where = f"from {part.address:#x} to {part.address + part.size:#x}"
                less = " less the first page tables" if machine.mode == "long" else ""
                expected = f"expected it below {top:#x} (machine.memory{less})"
                self._complain(place, f"{_dotted(place)}: the image reaches {where}, outside memory; {expected}")
        problem = boot.entry_problem(image.entry, machine.mode)
        if problem is not None:
            self._complain(place, f"{_dotted(place)}: {problem}")

    def sources(self) -> dict[str, tuple[str, ...]]:
        """The lines of the source files, by the file's name without folders, as debugging information has it."""
        found: dict[str, tuple[str, ...]] = {}
        for index, name in enumerate(self._scenario.image.source):
            raw = self._read(("image", "source", index), name, _LARGEST_SOURCE)
            if raw is not None:
                lines = tuple(raw.decode("utf-8", errors="replace").expandtabs(8).splitlines())
                found.setdefault(Path(name).name, lines)
        return found

    def inputs(self, symbols: Symbols | None) -> tuple[inputs.ScriptedInput, ...]:
        """The scripted inputs with their places."""
        found = []
        for index, entry in enumerate(self._scenario.input):
            place = self._place(("input", index, "at"), entry.at, symbols)
            if place is not None and place.kind is PlaceKind.END:
                self._complain(("input", index, "at"), f"input[{index}].at: nothing can be given at the end of the run")
            elif place is not None:
                found.append(inputs.ScriptedInput(place, _input(entry)))
        return tuple(found)

    def lessons(self, symbols: Symbols | None) -> tuple[Lesson, ...]:
        """The lessons with their places."""
        found = []
        for index, entry in enumerate(self._scenario.lesson):
            place = self._place(("lesson", index, "at"), entry.at, symbols)
            if place is not None:
                found.append(_lesson(place, entry))
        return tuple(found)

    def _place(self, path: tuple[str | int, ...], text: str, symbols: Symbols | None) -> Place | None:
        try:
            return parse(text, symbols or Symbols())
        except PlaceError as error:
            if symbols is not None:
                self._complain(path, f"{_dotted(path)}: {error}")
            return None
        except ValueError:
            self._complain(path, f"{_dotted(path)}: the number in {text[:60]!r} is too large")
            return None


def _dotted(path: tuple[str | int, ...]) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")


def _input(entry: InputEntry) -> inputs.Input:
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
        answer=entry.answer,
        choices=tuple(entry.choices or ()),
        value=entry.value,
        hint=entry.hint,
    )
