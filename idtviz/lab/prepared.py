"""What a session is opened with, however its file was given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from idtviz.checks.examination import Examination
from idtviz.debugger.inputs import ScriptedInput
from idtviz.debugger.observing import Observations
from idtviz.debugger.session import Setup
from idtviz.debugger.symbols import Symbols
from idtviz.lab.machine_files import Origin
from idtviz.lab.scenario import MachineSection, Scenario
from idtviz.lab.teaching.lessons import Lesson
from idtviz.machine.boot.bootable import Bootable
from idtviz.machine.pc import Machine

HARD_DISKS = range(0x80, 0x84)
"""The numbers of the hard disks for the BIOS: two ATA channels, two devices each."""


Examine = Callable[[Observations, Symbols], Examination]


@dataclass(frozen=True, slots=True)
class Program:
    """What is booted, and what goes with it: names, inputs beside those of a scenario, and how the rules see a run."""

    bootable: Bootable
    symbols: Symbols
    inputs: tuple[ScriptedInput, ...] = ()
    examine: Examine = Examination


@dataclass(frozen=True, slots=True)
class Prepared:
    """A file that can be run. `sources` holds the lines of each source file, by the file's name."""

    path: Path
    scenario: Scenario
    boot: str
    """What the image is: `elf64`, `flat`, `multiboot`..."""
    setup: Setup
    sources: dict[str, tuple[str, ...]]
    lessons: tuple[Lesson, ...]
    origin: Origin
    folders: tuple[Path, ...] = ()
    """Where other source files may be read from: the folder of a bare image, and those that the user named."""
    examine: Examine = Examination
    """How the rules see what is observed."""


def disk_problem(bootable: Bootable, disks: int) -> str | None:
    """Why `disks` hard disks cannot be attached beside what is booted; None: they can."""
    free = len(_free(bootable))
    return None if disks <= free else f"no place for {disks} more hard disks; expected at most {free}"


def _free(bootable: Bootable) -> list[int]:
    return [number for number in HARD_DISKS if number not in bootable.drives]


def builder(section: MachineSection, bootable: Bootable, disks: Sequence[bytes]) -> Callable[[], Machine]:
    """Makes the machine anew, with the image in it: each time the same. The disks take the first free places."""
    drives = {**bootable.drives, **dict(zip(_free(bootable), disks, strict=False))}

    def build() -> Machine:
        apic = section.controller == "apic"
        machine = Machine(section.memory, section.instructions_per_second, apic=apic, drives=drives)
        bootable.boot(machine)
        return machine

    return build
