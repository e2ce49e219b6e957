"""The options that say on what machine an image runs, and what is loaded beside it: declared here for every command."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Any, Literal, get_type_hints

import typer

from idtviz.cli.problems import refuse
from idtviz.lab.overrides import Overrides
from idtviz.lab.scenario_values import LARGEST_MEMORY, SMALLEST_MEMORY, size
from idtviz.x86.vectors import by_name

FILE_HELP = (
    "A scenario (.toml) or its name, an ELF or Multiboot kernel, a bzImage, a boot sector, floppy or disk, "
    "an object file (.o) with a handler, or a saved session (.idtviz)."
)


class Loader(Enum):
    """Whose way of loading a Multiboot kernel."""

    QEMU = "qemu"
    GRUB = "grub"


@dataclass(frozen=True)
class _Options:
    """One field for each option; its annotation is Typer's."""

    cmdline: Annotated[
        str | None, typer.Option("--cmdline", metavar="TEXT", help="The kernel's command line (Multiboot, bzImage).")
    ] = None
    initrd: Annotated[str | None, typer.Option("--initrd", metavar="FILE", help="The initial RAM disk (bzImage).")] = (
        None
    )
    module: Annotated[
        list[str] | None,
        typer.Option("--module", metavar="'FILE ARGS'", help="A boot module (Multiboot); may be given again."),
    ] = None
    loader: Annotated[
        Loader | None, typer.Option("--loader", help="Enter a Multiboot kernel as this loader does; qemu otherwise.")
    ] = None
    disk: Annotated[
        list[str] | None,
        typer.Option("--disk", metavar="FILE", help="Attach this hard disk; may be given again."),
    ] = None
    rom: Annotated[bool, typer.Option("--rom", help="FILE is a ROM image.")] = False
    memory: Annotated[str | None, typer.Option("--memory", metavar="SIZE", help="RAM, such as '64 MiB'.")] = None
    apic: Annotated[
        bool | None, typer.Option("--apic/--pic", help="With a local APIC and an I/O APIC, or with the 8259s alone.")
    ] = None
    speed: Annotated[
        int | None, typer.Option("--speed", min=1000, max=10_000_000_000, help="Instructions a second.")
    ] = None
    symbols: Annotated[
        list[str] | None,
        typer.Option("--symbols", metavar="FILE", help="An ELF or a text file with symbols; may be given again."),
    ] = None
    sources: Annotated[
        list[str] | None,
        typer.Option("--sources", metavar="FOLDER", help="Where source files are; may be given again."),
    ] = None
    symbol: Annotated[str | None, typer.Option("--symbol", metavar="NAME", help="Of an object file: this handler.")] = (
        None
    )
    vector: Annotated[
        str | None, typer.Option("--vector", metavar="VECTOR", help="Of which vector (14, 0xe, #PF) the handler is.")
    ] = None
    ring: Annotated[
        int | None, typer.Option("--ring", metavar="0|3", help="Which ring the handler interrupts; 0 otherwise.")
    ] = None

    def overrides(self) -> Overrides:
        """What the user said. Ends the program where it makes no sense."""
        return Overrides(
            command_line=self.cmdline,
            initrd=self.initrd,
            modules=tuple(self.module or ()),
            loader=self.loader.value if self.loader else None,
            disks=tuple(self.disk or ()),
            rom=self.rom,
            memory=None if self.memory is None else _memory(self.memory),
            apic=self.apic,
            speed=self.speed,
            symbols=tuple(self.symbols or ()),
            sources=tuple(self.sources or ()),
            symbol=self.symbol,
            vector=None if self.vector is None else vector_of(self.vector),
            ring=None if self.ring is None else _ring(self.ring),
        )


def _memory(text: str) -> int:
    try:
        found = int(size(text))
    except ValueError as error:
        refuse(f"--memory: {error}")
    if found % 4096 or not SMALLEST_MEMORY <= found <= LARGEST_MEMORY:
        refuse(f"--memory: expected a multiple of 4 KiB from {SMALLEST_MEMORY} to {LARGEST_MEMORY} bytes, not {text!r}")
    return found


def vector_of(text: str) -> int:
    """The vector that `--vector` names. Ends the program where it names none."""
    try:
        return by_name(text).number
    except ValueError as error:
        refuse(f"--vector: {error}")


_RINGS: dict[int, Literal[0, 3]] = {0: 0, 3: 3}


def _ring(number: int) -> Literal[0, 3]:
    if number not in _RINGS:
        refuse(f"--ring: expected 0 or 3, not {number}")
    return _RINGS[number]


def on_a_machine(command: Callable[..., None]) -> Callable[..., None]:
    """Gives a command these options, but those that it has itself; it takes them together as `overrides`."""
    own = inspect.signature(command, eval_str=True)
    hints = get_type_hints(_Options, include_extras=True)
    hints = {name: hint for name, hint in hints.items() if name not in own.parameters}
    options = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=getattr(_Options, name), annotation=hint)
        for name, hint in hints.items()
    ]

    @functools.wraps(command)
    def with_options(**given: Any) -> None:
        said = _Options(**{name: given.pop(name) for name in hints})
        command(**given, overrides=said.overrides())

    kept = [parameter for parameter in own.parameters.values() if parameter.name != "overrides"]
    parameters = [*kept, *options]
    with_options.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
    with_options.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return with_options
