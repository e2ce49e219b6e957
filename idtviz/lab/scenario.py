"""The scenario file: its shape, as models that refuse what they do not know, and every complaint with its line."""

from __future__ import annotations

import difflib
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from idtviz.checks.rules import BY_ID
from idtviz.lab.image_kinds import Kind
from idtviz.lab.registers import REGISTER_NAMES
from idtviz.lab.scenario_lessons import LessonEntry
from idtviz.lab.scenario_values import (
    LARGEST_MEMORY,
    MIB,
    SMALLEST_MEMORY,
    Bytes,
    Count,
    FileName,
    MomentText,
    Number,
    Part,
    SmallNumber,
    exactly_one,
    size,
)
from idtviz.machine.chips import scancodes
from idtviz.x86 import vectors
from idtviz.x86.addresses import is_canonical


class MachineSection(Part):
    """`[machine]`: memory in bytes, the mode in which the image is entered, and the speed of time."""

    memory: Annotated[int, BeforeValidator(size), Field(ge=SMALLEST_MEMORY, le=LARGEST_MEMORY)] = 16 * MIB
    mode: Literal["real", "protected", "long"] = "long"
    controller: Literal["pic", "apic"] = "pic"
    instructions_per_second: Annotated[int, Field(ge=1000, le=10_000_000_000)] = 10_000_000

    @field_validator("memory")
    @classmethod
    def _whole_pages(cls, value: int) -> int:
        if value % 4096:
            raise ValueError(f"expected a multiple of 4096 bytes, not {value}")
        return value


class FlatImage(Part):
    """Bytes that are loaded at physical address `at` and entered there."""

    file: Annotated[str, Field(min_length=1)]
    at: Number


def _vector(value: Any) -> Any:
    return vectors.by_name(value).number if isinstance(value, str) else value


class ObjectImage(Part):
    """A bare handler of an object file, of `vector`, and the ring that it interrupts; None: what names tell, ring 0."""

    file: FileName
    symbol: str | None = None
    vector: Annotated[int, BeforeValidator(_vector), Field(ge=0, le=255)] | None = None
    ring: Literal[0, 3] | None = None

    @field_validator("ring", mode="before")
    @classmethod
    def _a_number(cls, value: Any) -> Any:
        if isinstance(value, bool):
            raise ValueError(f"expected 0 or 3, not {str(value).lower()}")
        return value


def _file_alone(value: Any) -> Any:
    if value is not None and not isinstance(value, str | dict | ObjectImage):
        raise ValueError('expected the name of a file, or a table such as { file = "handler.o", vector = 14 }')
    return {"file": value} if isinstance(value, str) else value


class ImageSection(Part):
    """`[image]`: what is loaded and entered, what is loaded beside it, and the sources and symbols to show."""

    elf: FileName | None = None
    flat: FlatImage | None = None
    multiboot: FileName | None = None
    bzimage: FileName | None = None
    boot_sector: FileName | None = None
    rom: FileName | None = None
    disk: FileName | None = None
    object: Annotated[ObjectImage | None, BeforeValidator(_file_alone)] = None
    disks: Annotated[list[FileName], Field(max_length=4)] | None = None
    modules: Annotated[list[FileName], Field(max_length=1000)] | None = None
    command_line: str | None = None
    loader: Literal["qemu", "grub"] | None = None
    initrd: FileName | None = None
    source: list[FileName] = []
    symbols: list[FileName] = []

    @model_validator(mode="after")
    def _one_image(self) -> Self:
        kinds = [kind for kind in Kind if getattr(self, kind.value) is not None]
        if len(kinds) > 1 and Kind.DISK in kinds:
            kinds.remove(Kind.DISK)
        if len(kinds) != 1:
            found = " and ".join(kind.value for kind in kinds) or "none of them"
            raise ValueError(f"expected exactly one of {', '.join(kind.value for kind in Kind)}; found {found}")
        for name in _BESIDE:
            if getattr(self, name) is not None and name not in kinds[0].takes and name != kinds[0].value:
                raise ValueError(f"{name} does not go with {kinds[0].value}")
        return self

    @property
    def kind(self) -> Kind:
        """What is booted: the disk only where there is nothing else."""
        return next(kind for kind in Kind if getattr(self, kind.value) is not None)


class BuildSection(Part):
    """`[build]`: how the image is made of `image.source` when a part of it has been written anew."""

    script: FileName | None = None
    """The linker script; None: a plain one."""
    red_zone: bool = False
    """Whether C code may use the red zone below RSP."""


_BESIDE = ("modules", "command_line", "loader", "initrd", "disk", "disks")


class PokeEntry(Part):
    """Bytes for memory: a list of numbers, or a string of hex digits."""

    address: Number
    data: Annotated[Bytes, Field(alias="bytes")]

    @field_validator("address")
    @classmethod
    def _canonical(cls, value: int) -> int:
        if not is_canonical(value):
            raise ValueError(f"expected a canonical linear address, not {value:#x}")
        return value

    @field_validator("data")
    @classmethod
    def _some_bytes(cls, value: list[int]) -> list[int]:
        if not 0 < len(value) <= 65536:
            raise ValueError(f"expected 1 to 65536 bytes, not {len(value)}")
        return value


class InputEntry(Part):
    """`[[input]]`: what reaches the machine from outside, and when."""

    at: MomentText
    keys: Annotated[str, Field(min_length=1, max_length=4096)] | None = None
    irq: Annotated[int, Field(ge=0, le=15)] | None = None
    nmi: Literal[True] | None = None
    serial: Annotated[str, Field(min_length=1, max_length=4096)] | None = None
    poke: PokeEntry | None = None

    @field_validator("keys")
    @classmethod
    def _on_the_keyboard(cls, value: str | None) -> str | None:
        if value is not None:
            scancodes.encode(value)
        return value

    @field_validator("irq")
    @classmethod
    def _not_the_cascade(cls, value: int | None) -> int | None:
        if value == 2:
            raise ValueError("expected an interrupt line of a device; line 2 carries the second controller's requests")
        return value

    @model_validator(mode="after")
    def _one_input(self) -> Self:
        exactly_one(self, ("keys", "irq", "nmi", "serial", "poke"))
        return self


class EventPattern(Part):
    """A delivery whose named fields have these values; `count` of them exactly, or at least one."""

    vector: SmallNumber | None = None
    error_code: Number | None = None
    irq: Annotated[int, Field(ge=0, le=15)] | None = None
    source: Literal["exception", "software", "external", "nmi"] | None = None
    cr2: Number | None = None
    result: str | None = None
    count: Count | None = None

    @field_validator("result")
    @classmethod
    def _a_result(cls, value: str | None) -> str | None:
        known = value is None or value == "delivered" or value in {vector.mnemonic for vector in vectors.VECTORS[:32]}
        if not known:
            raise ValueError(f"expected 'delivered' or an exception such as '#GP', not {str(value)[:60]!r}")
        return value

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        names = ("vector", "error_code", "irq", "source", "cr2", "result")
        if all(getattr(self, name) is None for name in names):
            raise ValueError(f"expected at least one of {', '.join(names)}")
        return self


class ExpectEntry(Part):
    """`[[expect]]`: what has to hold at the end of a run."""

    event: EventPattern | None = None
    screen: Annotated[str, Field(min_length=1)] | None = None
    serial: Annotated[str, Field(min_length=1)] | None = None
    note: Annotated[str, Field(min_length=1)] | None = None
    end: Literal["halted", "shutdown", "limit", "expectations", "unsupported"] | None = None
    register_: Annotated[dict[str, Number] | None, Field(alias="register")] = None
    findings: Annotated[list[str] | None, Field(max_length=1000)] = None
    """The ids of exactly the rules that find something by the end: `["STK001"]`, or none: `[]`."""

    @field_validator("register_")
    @classmethod
    def _known_registers(cls, value: dict[str, int] | None) -> dict[str, int] | None:
        if value is not None:
            unknown = [name for name in value if name not in REGISTER_NAMES]
            if unknown or not value:
                found = ", ".join(map(repr, unknown)) or "nothing"
                raise ValueError(f"expected registers such as rax or cr2, found {found}")
        return value

    @field_validator("findings")
    @classmethod
    def _known_rules(cls, value: list[str] | None) -> list[str] | None:
        unknown = [name for name in value or () if name not in BY_ID]
        if unknown:
            near = difflib.get_close_matches(unknown[0].upper(), BY_ID, n=3) or list(BY_ID)[:3]
            raise ValueError(f"expected ids of rules such as {', '.join(near)}, found {unknown[0][:60]!r}")
        return value

    @model_validator(mode="after")
    def _one_expectation(self) -> Self:
        given = [self.event, self.screen, self.serial, self.note, self.end, self.register_, self.findings]
        if sum(item is not None for item in given) != 1:
            raise ValueError("expected exactly one of event, screen, serial, note, end, register, findings")
        return self


class Scenario(Part):
    """A whole scenario file."""

    title: Annotated[str, Field(min_length=1, max_length=200)]
    summary: Annotated[str, Field(max_length=2000)] = ""
    machine: MachineSection = MachineSection()
    image: ImageSection
    build: BuildSection | None = None
    input: Annotated[list[InputEntry], Field(max_length=10_000)] = []
    lesson: Annotated[list[LessonEntry], Field(max_length=10_000)] = []
    expect: Annotated[list[ExpectEntry], Field(max_length=10_000)] = []

    @property
    def todo(self) -> tuple[str, ...]:
        """The files that are left to be written, in the order in which lessons name them."""
        return tuple(dict.fromkeys(entry.todo for entry in self.lesson if entry.todo is not None))

    @property
    def files(self) -> tuple[str, ...]:
        """Every file that it names, the image first: with these beside it a copy of it is whole."""
        image = self.image
        booted: str | FlatImage | ObjectImage = getattr(image, image.kind.value)
        named = [
            booted if isinstance(booted, str) else booted.file,
            *image.source,
            *image.symbols,
            *(said.partition(" ")[0] for said in image.modules or ()),
            *(image.disks or ()),
            *(name for name in (image.initrd, image.disk, self.build and self.build.script) if name is not None),
        ]
        return tuple(dict.fromkeys(named))
