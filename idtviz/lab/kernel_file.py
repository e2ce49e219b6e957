"""A file that is no scenario: a kernel, a disk or a ROM, booted on a plain PC as the command line says."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from idtviz.debugger.session import Setup
from idtviz.lab import image_handler, images
from idtviz.lab.image_file import LARGEST_DISK, LARGEST_FILE, FileProblem
from idtviz.lab.image_kinds import Kind
from idtviz.lab.image_symbols import symbols_of
from idtviz.lab.images import Beside
from idtviz.lab.machine_files import MachineFiles
from idtviz.lab.overrides import OPTIONS, Overrides
from idtviz.lab.prepared import Prepared, Program, builder, disk_problem
from idtviz.lab.problems import Problem, ScenarioError
from idtviz.lab.scenario import ImageSection, MachineSection, ObjectImage, Scenario
from idtviz.lab.scenario_values import LARGEST_MEMORY, MIB
from idtviz.machine.boot.bootable import Bootable
from idtviz.machine.boot.module import Extras, Module
from idtviz.machine.boot.problem import ImageError

_BARE_MEMORY = 16 * MIB
_Found = tuple[Program, MachineSection, ImageSection]
_MEMORY = 128 * MIB
"""Of a machine for a kernel that expects a PC, unless it needs more: as QEMU has it."""


def prepare(path: Path, name: str, raw: bytes, overrides: Overrides, files: MachineFiles) -> Prepared:
    """The file `path`, called `name` in messages, whose bytes are `raw`. Raises ScenarioError."""
    kind = Kind.ROM if overrides.rom else images.recognise(raw)
    if kind is None:
        raise refused(name, f"not a file that can be run; expected {images.EXPECTED}")
    extra = sorted(overrides.said() & OPTIONS.keys() - kind.takes)
    if extra:
        raise ScenarioError([Problem(OPTIONS[each], None, f"{kind.shown} takes none: {name}") for each in extra])
    symbols = files_of(files, "--symbols", overrides.symbols)
    if kind is Kind.OBJECT:
        program, section, image = _handler(path, name, raw, overrides, symbols)
    else:
        found = _bootable(kind, name, raw, _beside(path, overrides, files))
        program = Program(found, symbols_of(kind, raw, symbols))
        section, image = _machine(name, kind, found, overrides), _image_section(kind, path)
    bootable = program.bootable
    scenario = Scenario(title=path.name[:200], machine=section, image=image)
    problem = disk_problem(bootable, len(overrides.disks))
    if problem is not None:
        raise refused("--disk", problem)
    disks = files_of(files, "--disk", overrides.disks, LARGEST_DISK)
    setup = Setup(path.name, builder(section, bootable, disks), program.symbols, program.inputs)
    folders, origin = (path.parent, *map(Path, overrides.sources)), files.origin(name, overrides)
    return Prepared(path, scenario, bootable.kind, setup, {}, (), origin, folders, program.examine)


def _handler(path: Path, name: str, raw: bytes, overrides: Overrides, symbols: list[bytes]) -> _Found:
    if overrides.apic:
        raise refused("--apic", image_handler.ONLY_PIC)
    image = ObjectImage(file=path.name, symbol=overrides.symbol, vector=overrides.vector, ring=overrides.ring)
    try:
        program, memory = image_handler.parse(raw, image, symbols, options=True)
    except ImageError as error:
        raise refused(name, str(error)) from error
    section = _section(name, program.bootable, overrides, memory, apic=False)
    return program, section, ImageSection(object=image)


def refused(file: str, message: str) -> ScenarioError:
    """One problem of a whole file."""
    return ScenarioError([Problem(file, None, message)])


def files_of(files: MachineFiles, option: str, names: Iterable[str], limit: int = LARGEST_FILE) -> list[bytes]:
    """The files that an option names, which may be given again. Raises ScenarioError."""
    return [_file_of(files, f"{option}[{index}]", option, name, limit) for index, name in enumerate(names)]


def _file_of(files: MachineFiles, role: str, option: str, name: str, limit: int = LARGEST_FILE) -> bytes:
    try:
        return files.read(role, Path(name), name, limit)
    except FileProblem as problem:
        raise refused(option, str(problem)) from problem


def _beside(path: Path, overrides: Overrides, files: MachineFiles) -> Beside:
    said = [module.partition(" ") for module in overrides.modules]
    raw = files_of(files, "--module", [file for file, _, _ in said])
    modules = [Module(each, Path(file).name, arguments) for each, (file, _, arguments) in zip(raw, said, strict=True)]
    initrd = None if overrides.initrd is None else _file_of(files, "--initrd", "--initrd", overrides.initrd)
    return Beside(Extras(path.name, overrides.command_line or "", tuple(modules)), initrd, overrides.loader)


def _bootable(kind: Kind, name: str, raw: bytes, beside: Beside) -> Bootable:
    try:
        return images.parse(kind, raw, beside)
    except ImageError as error:
        raise refused(name, str(error)) from error


def _machine(name: str, kind: Kind, bootable: Bootable, overrides: Overrides) -> MachineSection:
    """A PC as the user wants it, else one with both interrupt controllers; for a bare kernel, one as in a scenario."""
    bare = kind is Kind.ELF
    room = -(-bootable.room // MIB) * MIB
    apic = not bare if overrides.apic is None else overrides.apic
    return _section(name, bootable, overrides, max(_BARE_MEMORY if bare else _MEMORY, room), apic=apic)


def _section(name: str, bootable: Bootable, overrides: Overrides, memory: int, *, apic: bool) -> MachineSection:
    """The machine as the user wants it; with so much `memory` where nothing is said of that."""
    memory = overrides.memory or memory
    if memory > LARGEST_MEMORY or bootable.room > memory:
        most = overrides.memory or LARGEST_MEMORY
        raise refused(name, f"the image needs memory up to {bootable.room:#x}; expected at most {most:#x}")
    said = {"memory": memory, "mode": bootable.mode, "controller": "apic" if apic else "pic"}
    speed = {} if overrides.speed is None else {"instructions_per_second": overrides.speed}
    return MachineSection.model_validate(said | speed)


def _image_section(kind: Kind, path: Path) -> ImageSection:
    return ImageSection.model_validate({kind.value: path.name})
