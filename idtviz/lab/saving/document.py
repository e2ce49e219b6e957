"""What stands in the file of a saved session."""

from __future__ import annotations

import os
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from idtviz.debugger.moment import Moment
from idtviz.lab.overrides import Overrides
from idtviz.lab.saving.given import Entry
from idtviz.lab.scenario_values import LARGEST_MEMORY, SMALLEST_MEMORY

FORMAT, SCHEMA = "idtviz session", 1

_MOST_BRANCHES = 4096
_MOST = 100_000  # inputs or notes of one branch
_MOST_FILES = 256
_BYTES = "bytes:"

At = Annotated[str, Field(pattern=r"^[0-9]{1,15}(\+[0-9]{1,6})?$")]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{1,128}$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Name = Annotated[str, Field(max_length=16384)]
Words = Annotated[str, Field(max_length=1 << 16)]
Number = Annotated[int, Field(ge=1, le=1 << 31)]
Count = Annotated[int, Field(ge=0, le=1 << 50)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class SavedFile(_Part):
    """A file that makes the machine. `relative` is from the folder of the session; both paths only where the user
    named the file, and not a scenario.
    """

    role: Name
    name: Name
    size: Count
    sha256: Sha256
    relative: Name | None = None
    absolute: Name | None = None


class Folder(_Part):
    """A folder with sources."""

    relative: Name
    absolute: Name


class Said(_Part):
    """What was said on the command line; see `Overrides`."""

    command_line: Words | None = None
    initrd: Name | None = None
    modules: Annotated[list[Words], Field(max_length=_MOST_FILES)] = []
    loader: Annotated[str, Field(pattern="^(qemu|grub)$")] | None = None
    disks: Annotated[list[Name], Field(max_length=_MOST_FILES)] = []
    rom: bool = False
    memory: Annotated[int, Field(ge=SMALLEST_MEMORY, le=LARGEST_MEMORY, multiple_of=4096)] | None = None
    apic: bool | None = None
    speed: Annotated[int, Field(ge=1000, le=10_000_000_000)] | None = None
    symbols: Annotated[list[Name], Field(max_length=_MOST_FILES)] = []
    symbol: Name | None = None
    vector: Annotated[int, Field(ge=0, le=255)] | None = None
    ring: Literal[0, 3] | None = None


class Opened(_Part):
    """What the session was opened from. The first of `files` is the scenario or image itself."""

    given: Name
    said: Said
    sources: Annotated[list[Folder], Field(max_length=_MOST_FILES)] = []
    files: Annotated[list[SavedFile], Field(min_length=1, max_length=_MOST_FILES)]


class SavedNote(_Part):
    """What was noted about a moment."""

    at: At
    text: Annotated[str, Field(min_length=1, max_length=1 << 16)]


class SavedBranch(_Part):
    """One run. It parted from its `parent` at `fork`, when that had `shared` inputs of its own."""

    number: Number
    parent: Number | None = None
    fork: At
    shared: Count
    inputs: Annotated[list[Entry], Field(max_length=_MOST)]
    notes: Annotated[list[SavedNote], Field(max_length=_MOST)]
    frontier: At
    digest: Digest


class SavedBreakpoint(_Part):
    """An entry of the list of breakpoints; `text` as one would write it."""

    number: Number
    text: Words
    enabled: bool
    hits: Count


class SavedBreakpoints(_Part):
    """The list, and the highest number that was used."""

    last: Count
    listed: Annotated[list[SavedBreakpoint], Field(max_length=10_000)]


class Present(_Part):
    """Where one stands."""

    branch: Number
    at: At
    digest: Digest


class Document(_Part):
    """All of it."""

    form: Annotated[Literal["idtviz session"], Field(alias="format")] = "idtviz session"
    edition: Annotated[Literal[1], Field(alias="schema")] = 1
    checksum: Sha256 = "0" * 64
    idtviz: Name
    note: Words
    opened: Opened
    branches: Annotated[list[SavedBranch], Field(min_length=1, max_length=_MOST_BRANCHES)]
    breakpoints: SavedBreakpoints
    present: Present


def moment_of(text: str) -> Moment:
    """`812` or `812+3`."""
    instruction, _, step = text.partition("+")
    return Moment(int(instruction), int(step or 0))


def saved_name(name: str) -> str:
    """A path or an argument, which the system takes for bytes, as text; what is not UTF-8 becomes `bytes:` and hex."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return _BYTES + os.fsencode(name).hex()
    return _BYTES + name.encode().hex() if name.startswith(_BYTES) else name


def name_of(saved: str) -> str:
    """The opposite. Raises ValueError."""
    return os.fsdecode(bytes.fromhex(saved.removeprefix(_BYTES))) if saved.startswith(_BYTES) else saved


def said_of(overrides: Overrides) -> Said:
    """What was said, without the folders with sources."""
    return Said(
        command_line=None if overrides.command_line is None else saved_name(overrides.command_line),
        initrd=None if overrides.initrd is None else saved_name(overrides.initrd),
        modules=[saved_name(module) for module in overrides.modules],
        loader=overrides.loader,
        disks=[saved_name(disk) for disk in overrides.disks],
        rom=overrides.rom,
        memory=overrides.memory,
        apic=overrides.apic,
        speed=overrides.speed,
        symbols=[saved_name(name) for name in overrides.symbols],
        symbol=None if overrides.symbol is None else saved_name(overrides.symbol),
        vector=overrides.vector,
        ring=overrides.ring,
    )


def overrides_of(said: Said, sources: tuple[str, ...]) -> Overrides:
    """The opposite. Raises ValueError."""
    return Overrides(
        command_line=None if said.command_line is None else name_of(said.command_line),
        initrd=None if said.initrd is None else name_of(said.initrd),
        modules=tuple(map(name_of, said.modules)),
        loader=said.loader,
        disks=tuple(map(name_of, said.disks)),
        rom=said.rom,
        memory=said.memory,
        apic=said.apic,
        speed=said.speed,
        symbols=tuple(map(name_of, said.symbols)),
        symbol=None if said.symbol is None else name_of(said.symbol),
        vector=said.vector,
        ring=said.ring,
        sources=sources,
    )
