"""What a session is opened with, however its file was given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from idtviz.debugger.session import Setup
from idtviz.lab.lessons import Lesson
from idtviz.lab.scenario import MachineSection, Scenario
from idtviz.machine.boot.bootable import Bootable
from idtviz.machine.pc import Machine

FIRST_HARD_DISK = 0x80
"""The number of a hard disk for the BIOS."""


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


def disk_problem(bootable: Bootable) -> str | None:
    """Why no hard disk can be attached beside what is booted; None: it can."""
    return "the image is the hard disk itself" if FIRST_HARD_DISK in bootable.drives else None


def builder(section: MachineSection, bootable: Bootable, disk: bytes | None) -> Callable[[], Machine]:
    """Makes the machine anew, with the image in it: each time the same."""
    drives = {**bootable.drives} if disk is None else {**bootable.drives, FIRST_HARD_DISK: disk}

    def build() -> Machine:
        apic = section.controller == "apic"
        machine = Machine(section.memory, section.instructions_per_second, apic=apic, drives=drives)
        bootable.boot(machine)
        return machine

    return build
