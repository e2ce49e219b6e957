"""What an image is made for: the width of its code, and where it begins."""

from __future__ import annotations

from dataclasses import dataclass

from idtviz.lab.building.complaints import refusal
from idtviz.lab.image_kinds import Kind
from idtviz.lab.scenario import Scenario

AT_1_MIB, AT_REAL, AT_BOOT_SECTOR = 0x100000, 0x8000, 0x7C00
"""Where images are loaded: above the memory of the VGA and the firmware; where a segment of 0 reaches; by a BIOS."""


@dataclass(frozen=True, slots=True)
class Target:
    """`bits`: of the first instruction, 64, 32 or 16. `at`: the physical address of the first byte.

    `plain`: the image is its bytes alone, in the order of their addresses. `linked`: it is more than the object file
    that an assembler writes. `red_zone`: C code may use it.
    """

    file: str
    bits: int
    at: int
    plain: bool
    linked: bool
    red_zone: bool

    @property
    def machine(self) -> int:
        """The width that the object file is marked with: code of 16 bits lies in one of 32."""
        return 64 if self.bits == 64 else 32


def target(scenario: Scenario, file: str) -> Target:
    """What the image of the scenario `file` is made for. Raises BuildError for one that is not made here."""
    image, mode = scenario.image, scenario.machine.mode
    bits = {"long": 64, "protected": 32, "real": 16}[mode]
    red_zone = scenario.build is not None and scenario.build.red_zone
    named = image.elf or image.multiboot or image.boot_sector or ""
    match image.kind:
        case Kind.ELF:
            at = AT_REAL if bits == 16 else AT_1_MIB
            return Target(named, bits, at, plain=False, linked=True, red_zone=red_zone)
        case Kind.MULTIBOOT:
            return Target(named, 32, AT_1_MIB, plain=False, linked=True, red_zone=red_zone)
        case Kind.BOOT_SECTOR:
            return Target(named, 16, AT_BOOT_SECTOR, plain=True, linked=True, red_zone=red_zone)
        case Kind.FLAT if image.flat is not None:
            return Target(image.flat.file, bits, image.flat.at, plain=True, linked=True, red_zone=red_zone)
        case Kind.OBJECT if image.object is not None:
            return Target(image.object.file, bits, 0, plain=False, linked=False, red_zone=red_zone)
        case kind:
            expected = "expected elf, flat, boot_sector, multiboot or object"
            raise refusal(file, f"image.{kind.value}: {kind.shown} is not made from its sources here; {expected}")
