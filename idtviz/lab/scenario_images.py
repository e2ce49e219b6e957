"""The image of a scenario, with the files beside it: read, checked, and made ready to boot."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from idtviz.lab import image_handler, images
from idtviz.lab.image_file import LARGEST_DISK, LARGEST_FILE, FileProblem, inside, read
from idtviz.lab.image_kinds import Kind
from idtviz.lab.image_symbols import symbols_of
from idtviz.lab.images import Beside
from idtviz.lab.machine_files import MachineFiles
from idtviz.lab.prepared import Program, disk_problem
from idtviz.lab.problems import dotted
from idtviz.lab.scenario import FlatImage, ImageSection, MachineSection, ObjectImage, Scenario
from idtviz.machine.boot import bare
from idtviz.machine.boot.bootable import Bootable
from idtviz.machine.boot.module import Extras, Module
from idtviz.machine.boot.problem import ImageError

Place = tuple[str | int, ...]
Complain = Callable[[Place, str], None]
"""Says what is wrong with what stands at a place of the scenario."""


class ScenarioImages:
    """Reads what `[image]` names from the scenario's folder, and complains of what is wrong."""

    def __init__(self, folder: Path, scenario: Scenario, files: MachineFiles, complain: Complain) -> None:
        self._folder = folder
        self._image: ImageSection = scenario.image
        self._machine: MachineSection = scenario.machine
        self._files = files
        self._complain = complain

    def file(self, place: Place, name: str, limit: int = LARGEST_FILE) -> bytes | None:
        """The bytes of a file of the scenario's folder; None, with a complaint, where it cannot be had."""
        return self._read(place, name, lambda path: self._files.read(dotted(place), path, name, limit, beside=True))

    def source(self, place: Place, name: str, limit: int) -> bytes | None:
        """The same of a file that has no part in the machine."""
        return self._read(place, name, lambda path: read(path, name, limit))

    def _read(self, place: Place, name: str, read_from: Callable[[Path], bytes]) -> bytes | None:
        try:
            return read_from(inside(self._folder, name))
        except FileProblem as problem:
            self._complain(place, f"{dotted(place)}: {problem}")
            return None

    def program(self) -> Program | None:
        """The image and its symbols; None, with a complaint, where it cannot be used: no name in it can be checked."""
        kind, section = self._image.kind, self._image
        named: str | FlatImage | ObjectImage = getattr(section, kind.value)
        name = named if isinstance(named, str) else named.file
        place: Place = ("image", kind.value, "file") if isinstance(named, FlatImage) else ("image", kind.value)
        if kind is Kind.OBJECT and self._machine.controller != "pic":
            self._complain(("machine", "controller"), f'machine.controller: {image_handler.ONLY_PIC}; expected "pic"')
        raw = self.file(place, name, LARGEST_DISK if kind in (Kind.DISK, Kind.BOOT_SECTOR) else LARGEST_FILE)
        beside = self._beside()
        files = [self.file(("image", "symbols", index), each) for index, each in enumerate(section.symbols)]
        if raw is None or beside is None:
            return None
        try:
            found = self._parsed(kind, raw, beside, [each for each in files if each is not None])
        except ImageError as error:
            self._complain(place, f"{dotted(place)}: {name!r}: {error}")
            return None
        self._check(found.bootable, place)
        attached = self._attached()
        problem = disk_problem(found.bootable, len(attached))
        if problem is not None:
            self._complain(attached[-1][0], f"{dotted(attached[-1][0])}: {problem}")
        return found

    def _parsed(self, kind: Kind, raw: bytes, beside: Beside, symbols: list[bytes]) -> Program:
        given = self._machine.mode if "mode" in self._machine.model_fields_set else None
        if self._image.object is not None:
            return self._handler(raw, self._image.object, given, symbols)
        names = symbols_of(kind, raw, symbols)
        if self._image.flat is not None:
            return Program(bare.flat(raw, self._image.flat.at, self._machine.mode), names)
        self._check_mode(kind.shown, kind.mode, given)
        return Program(images.parse(kind, raw, beside, given), names)

    def _handler(self, raw: bytes, named: ObjectImage, given: str | None, symbols: list[bytes]) -> Program:
        found, memory = image_handler.parse(raw, named, symbols, options=False)
        mode = found.bootable.mode
        self._check_mode(f"a bare handler of {64 if mode == 'long' else 32} bits", mode, given)
        self._machine = image_handler.machine(self._machine, found, memory)
        return found

    def _check_mode(self, what: str, mode: str | None, given: str | None) -> None:
        if mode is not None and given not in (None, mode):
            self._complain(
                ("machine", "mode"),
                f'machine.mode: {what} is entered in {mode} mode; expected "{mode}", or no mode at all',
            )

    def machine(self, program: Program) -> MachineSection:
        """The machine for the image: with what is left to it."""
        return self._machine.model_copy(update={"mode": program.bootable.mode})

    def _beside(self) -> Beside | None:
        section = self._image
        initrd = None if section.initrd is None else self.file(("image", "initrd"), section.initrd)
        modules = [self._module(index, said) for index, said in enumerate(section.modules or ())]
        if None in modules or (section.initrd is not None and initrd is None):
            return None
        extras = Extras(
            section.multiboot or "", section.command_line or "", tuple(each for each in modules if each is not None)
        )
        return Beside(extras, initrd, section.loader)

    def _module(self, index: int, said: str) -> Module | None:
        name, _, arguments = said.partition(" ")
        raw = self.file(("image", "modules", index), name)
        return None if raw is None else Module(raw, Path(name).name, arguments)

    def _check(self, found: Bootable, place: Place) -> None:
        memory = self._machine.memory
        if found.room > memory:
            self._complain(
                place,
                f"{dotted(place)}: the image needs memory up to {found.room:#x}, outside memory; "
                f"expected at most {memory:#x} (machine.memory)",
            )

    def disks(self) -> list[bytes]:
        """The disks that are attached beside the image."""
        found = [self.file(place, name, LARGEST_DISK) for place, name in self._attached()]
        return [each for each in found if each is not None]

    def _attached(self) -> list[tuple[Place, str]]:
        """Where the scenario names a disk that is not booted from, and the name."""
        section = self._image
        first = section.disk if section.kind is not Kind.DISK else None
        others: list[tuple[Place, str]] = [
            (("image", "disks", index), name) for index, name in enumerate(section.disks or ())
        ]
        return others if first is None else [(("image", "disk"), first), *others]
