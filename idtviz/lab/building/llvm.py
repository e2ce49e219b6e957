"""LLVM's compiler with the assembler inside it. It does not say what the assembler has read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from idtviz.lab.building import messages
from idtviz.lab.building.complaints import BuildError
from idtviz.lab.building.gnu import C_FLAGS
from idtviz.lab.building.made import Made
from idtviz.lab.building.running import run
from idtviz.lab.building.target import Target
from idtviz.lab.building.tools import Tool
from idtviz.lab.building.workplace import Workplace

_ZIG = {64: "x86_64-freestanding-none", 32: "x86-freestanding-none", 16: "x86-freestanding-none"}
_CLANG = {64: "x86_64-unknown-none-elf", 32: "i386-unknown-none-elf", 16: "i386-unknown-none-elf"}


@dataclass(frozen=True, slots=True)
class Llvm:
    """clang, or zig's."""

    compiler: Tool

    @property
    def tools(self) -> tuple[str, ...]:
        """What the program is called."""
        return (self.compiler.name,)

    @property
    def identity(self) -> str:
        """Of the program."""
        return self.compiler.identity

    def make(self, place: Workplace, source: str, target: Target) -> Made:
        """The object file of the source `source` of the workplace."""
        suffix = Path(source).suffix
        result = place.room() / f"{Path(source).stem}.o"
        triples, library = (_ZIG, ()) if self.compiler.name == "zig" else (_CLANG, ("-nostdlibinc",))
        language = {".S": "assembler-with-cpp", ".s": "assembler", ".c": "c"}[suffix]
        flags: tuple[str, ...] = ()
        if suffix == ".c":
            flags = (*C_FLAGS, *(() if target.red_zone or target.bits != 64 else ("-mno-red-zone",)))
            flags += ("-m16",) if target.bits == 16 else ()
        command: list[str | Path] = [
            *(*self.compiler.command, "-target", triples[target.bits], "-c", "-x", language),
            *("-gdwarf-4", f"-ffile-prefix-map={place.sources}=.", *flags, "-fno-caret-diagnostics", *library),
            *("-I.", "-o", result, source),
        ]
        outcome = run(command, place.sources, place.scratch, place.limits)
        found = messages.complaints(place, source, outcome, self.compiler.name)
        if not outcome.done:
            raise BuildError(found)
        return Made(result, None, found)
