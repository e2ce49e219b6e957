"""From a scenario's sources to the image that it names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from idtviz.lab.building import flattening, linking, messages
from idtviz.lab.building.choosing import linker_of, maker_of
from idtviz.lab.building.complaints import BuildError, Complaint, refusal
from idtviz.lab.building.keeping import Kept
from idtviz.lab.building.limits import Limits
from idtviz.lab.building.made import UNITS, Made, Maker
from idtviz.lab.building.target import Target, target
from idtviz.lab.building.workplace import Workplace, workplace
from idtviz.lab.image_file import FileProblem, inside
from idtviz.lab.saving import atomic
from idtviz.lab.scenario import Scenario
from idtviz.lab.scenario_file import load


@dataclass(frozen=True, slots=True)
class Built:
    """An image that is in place. `tools`: the programs that made it; `warnings`: what they said about the sources."""

    image: Path
    tools: tuple[str, ...]
    warnings: tuple[Complaint, ...] = ()


def todo_files(scenario: Path) -> tuple[str, ...]:
    """The files that the scenario leaves to be written. Raises ScenarioError."""
    return load(scenario, scenario.name)[0].todo


def build(scenario: Path, *, limits: Limits = Limits(), trusted: bool = True, cache: Path | None = None) -> Built:  # noqa: B008 -- a value
    """Make the image of the scenario of its `image.source`, by programs found on PATH, and put it in place.

    Nothing is written but the image, and beside a flat image or a boot sector the first `.elf` of `image.symbols`,
    with its names. `trusted=False` is for sources of others: nothing that lies outside of what `image.source` names
    gets into the image or into a message, and only tools are used that say what they have read. `cache`: a folder that
    nobody else writes to, for object files that many builds have in common.

    Raises BuildError with all that is wrong with the sources, and ScenarioError where the scenario itself is not right.
    """
    read, _ = load(scenario, scenario.name)
    aim = target(read, scenario.name)
    script = None if read.build is None else read.build.script
    names = [*read.image.source, *(() if script is None else (script,))]
    places = [_place(scenario.parent, name) for name in (aim.file, *_symbols(read, aim))]
    given = {scenario.parent.resolve() / name for name in (*names, scenario.name)}
    for path in places:
        if path in given:
            raise refusal(path.name, "is what the image is made of; expected a name of its own for the image")
    if not trusted and script in read.todo:
        raise refusal(script or "", "a linker script can have any file read; expected one that comes with the lab")
    try:
        with workplace(scenario.parent, names, limits) as place:
            contents, tools, warnings = _contents(place, read, aim, scenario.name, Kept(cache), trusted=trusted)
    except OSError as error:
        raise refusal(scenario.name, f"cannot be built: {(error.strerror or str(error)).lower()}") from error
    for path, raw in zip(reversed(places), reversed(contents[: len(places)]), strict=True):
        _put(path, raw)
    return Built(places[0], tools, messages.most(warnings, limits.complaints))


def _contents(
    place: Workplace, scenario: Scenario, aim: Target, file: str, kept: Kept, *, trusted: bool
) -> tuple[list[bytes], tuple[str, ...], tuple[Complaint, ...]]:
    """The bytes of the image, and of the ELF file with its names where it has none; the tools, and their warnings."""
    made, tools = _objects(place, scenario, aim, file, kept, trusted=trusted)
    warnings = tuple(each for part in made for each in part.warnings)
    if not aim.linked:
        return [made[0].object.read_bytes()], tools, warnings
    linker = linker_of(aim.file)
    script = None if scenario.build is None else scenario.build.script
    elf, said = linking.link(place, linker, [part.object for part in made], aim, script, scenario.todo)
    raw = elf.read_bytes()
    contents = [flattening.flatten(raw, aim, place.limits.file), raw] if aim.plain else [raw]
    return contents, tuple(dict.fromkeys((*tools, linker.name))), warnings + said


def _symbols(scenario: Scenario, aim: Target) -> tuple[str, ...]:
    """The file for the names of an image that has none itself."""
    return tuple(name for name in scenario.image.symbols if name.endswith(".elf"))[:1] if aim.plain else ()


def _objects(
    place: Workplace, scenario: Scenario, aim: Target, file: str, kept: Kept, *, trusted: bool
) -> tuple[list[Made], tuple[str, ...]]:
    """An object file of each source that makes one, and the tools. Raises BuildError with what is wrong with all.

    What another source includes is a part of that one, and not put in a second time. What a student writes does not
    take a file of the lab out of the image by that.
    """
    units = list(dict.fromkeys(_units(scenario)))
    if not units:
        raise refusal(file, f"image.source: nothing that an image could be made of; expected {', '.join(UNITS)}")
    if not aim.linked and len(units) > 1:
        raise refusal(
            file, f"image.source: a bare handler is not linked; expected one source, found {', '.join(units)}"
        )
    made: dict[str, Made] = {}
    wrong: dict[str, tuple[Complaint, ...]] = {}
    tools: list[str] = []
    for unit in units:
        try:
            maker = maker_of(unit, trusted=trusted)
            made[unit] = _make(maker, place, unit, aim, kept, scenario.todo)
            tools += maker.tools
        except BuildError as error:
            wrong[unit] = error.complaints
    todo = set(scenario.todo)
    included = {
        name
        for unit, part in made.items()
        for name in part.reads or ()
        if name != unit and (unit not in todo or name in todo)
    }
    complaints = [each for unit, found in wrong.items() if unit not in included for each in found]
    if complaints:
        raise BuildError(messages.most(dict.fromkeys(complaints), place.limits.complaints))
    alone = [part for unit, part in made.items() if unit not in included]
    return alone or list(made.values()), tuple(dict.fromkeys(tools))


def _make(maker: Maker, place: Workplace, unit: str, aim: Target, kept: Kept, todo: Sequence[str]) -> Made:
    """An object file of a source: one that is kept, or a new one, which is kept unless it is the student's."""
    found = kept.find(maker, place, unit, aim)
    if found is None:
        found = maker.make(place, unit, aim)
        if found.reads is not None and not set(todo) & {unit, *found.reads}:
            kept.keep(maker, place, unit, aim, found)
    return found


def _units(scenario: Scenario) -> Iterator[str]:
    for name in scenario.image.source:
        path = PurePosixPath(name)
        if path.suffix in UNITS:
            yield path.as_posix()


def _place(folder: Path, name: str) -> Path:
    """Where the file `name` is put. Raises BuildError for a place outside of the folder, and for a link."""
    try:
        path = inside(folder, name)
        if path != folder.resolve() / PurePosixPath(name):
            raise FileProblem(f"{name!r} is a symbolic link; expected the image itself, or nothing")
    except (FileProblem, OSError) as problem:
        raise refusal(name, str(problem)) from problem
    if path.exists() and not path.is_file():
        raise refusal(name, f"{name!r} is not a regular file; expected the image, or nothing")
    return path


def _put(path: Path, raw: bytes) -> None:
    try:
        atomic.write(path, raw)
    except atomic.NotSyncedError:
        return
    except OSError as error:
        raise refusal(path.name, f"cannot be written: {(error.strerror or str(error)).lower()}") from error
