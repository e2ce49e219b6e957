"""GNU's tools, one after the other: the preprocessor, the compiler, the assembler. Each says what it has read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from idtviz.lab.building import dependencies, messages, veiling
from idtviz.lab.building.complaints import BuildError, Complaint, refusal
from idtviz.lab.building.made import Made
from idtviz.lab.building.running import Outcome, run
from idtviz.lab.building.target import Target
from idtviz.lab.building.tools import Tool
from idtviz.lab.building.workplace import Workplace

_DEBUG = "-gdwarf-4"
_WIDTH = {64: "-m64", 32: "-m32", 16: "-m16"}
C_FLAGS = (
    *("-std=gnu11", "-O1", "-Wall", "-ffreestanding", "-fno-pic", "-fno-stack-protector", "-fcf-protection=none"),
    *("-fno-asynchronous-unwind-tables", "-mgeneral-regs-only"),
)
"""C as a kernel has it: no library, no canary, no registers but the general ones."""
_DIRECTIVE = re.compile(r"[ \t]*#[ \t]*(include|define|undef|if|ifdef|ifndef|elif|else|endif|error|pragma)\b")
_HEADER = re.compile(r"\.+ (.+)")


@dataclass(frozen=True, slots=True)
class Gnu:
    """`compiler`: gcc, if it is at hand. `trusted`: see `build`."""

    assembler: Tool
    compiler: Tool | None
    trusted: bool

    @property
    def tools(self) -> tuple[str, ...]:
        """What the programs are called."""
        return (self.assembler.name,) if self.compiler is None else (self.compiler.name, self.assembler.name)

    @property
    def identity(self) -> str:
        """Of both programs."""
        return f"{self.assembler.identity} {self.compiler.identity if self.compiler else ''} {self.trusted}"

    def make(self, place: Workplace, source: str, target: Target) -> Made:
        """The object file of the source `source` of the workplace."""
        path = PurePosixPath(source)
        room = place.room()
        reads: tuple[str, ...] = (source,)
        text, warnings = Path(source), tuple[Complaint, ...]()
        if path.suffix in (".S", ".c") and self.compiler is not None:
            reads, text, warnings = self._preprocess(place, source, target, room, self.compiler)
            if path.suffix == ".c":
                text, found = self._compile(place, source, target, text, self.compiler)
                warnings += found
        elif path.suffix == ".S":
            _check_plain(place, source)
        made, also, found = self._assemble(place, source, target, text, room / f"{path.stem}.o")
        return Made(made, tuple(dict.fromkeys((*reads, *also))), warnings + found)

    def _preprocess(
        self, place: Workplace, source: str, target: Target, room: Path, gcc: Tool
    ) -> tuple[tuple[str, ...], Path, tuple[Complaint, ...]]:
        c = source.endswith(".c")
        result, rule = room / f"{Path(source).stem}.{'i' if c else 's'}", room / "preprocessed.d"
        included = Path(gcc.answer("-print-file-name=include"))
        command: list[str | Path] = [
            *(*gcc.command, "-E", "-x", "c" if c else "assembler-with-cpp"),
            *(*self._common(place, target), *(self._c_flags(target) if c else ())),
            *("-nostdinc", "-isystem", included, "-I.", "-MD", "-MF", rule, *(() if self.trusted else ("-H",))),
            *("-o", result, source),
        ]
        outcome = run(command, place.sources, place.scratch, place.limits)
        if not self.trusted:
            headers = [match[1] for match in map(_HEADER.fullmatch, outcome.output.splitlines()) if match]
            dependencies.check(place, source, headers, [included])
        found = self._said(place, source, outcome, gcc)
        paths = dependencies.listed(source, rule)
        if not self.trusted:
            dependencies.check(place, source, paths, [included])
            _check_headers(source, result)
        return _own(place, paths), result, found

    def _compile(
        self, place: Workplace, source: str, target: Target, text: Path, gcc: Tool
    ) -> tuple[Path, tuple[Complaint, ...]]:
        result = text.with_suffix(".s")
        command: list[str | Path] = [
            *gcc.command,
            "-S",
            *self._common(place, target),
            *self._c_flags(target),
            "-o",
            result,
            text,
        ]
        return result, self._said(place, source, run(command, place.sources, place.scratch, place.limits), gcc)

    def _assemble(
        self, place: Workplace, source: str, target: Target, text: Path, result: Path
    ) -> tuple[Path, tuple[str, ...], tuple[Complaint, ...]]:
        rule = result.with_suffix(".d")
        command: list[str | Path] = [
            *(*self.assembler.command, "--gdwarf-4", "--debug-prefix-map", f"{place.sources}=."),
            *(f"--{target.machine}", "-I", ".", "--MD", rule, "-o", result, text),
        ]
        outcome = run(command, place.sources, place.scratch, place.limits, quiet=True)
        if not outcome.done and not self.trusted:
            raise BuildError(veiling.veiled(place, source, outcome, self.assembler.name))
        found = self._said(place, source, outcome, self.assembler)
        paths = dependencies.listed(source, rule)
        if not self.trusted:
            dependencies.check(place, source, paths)
        return result, _own(place, paths), found

    @staticmethod
    def _common(place: Workplace, target: Target) -> tuple[str, ...]:
        return (_DEBUG, f"-ffile-prefix-map={place.sources}=.", _WIDTH[target.bits], "-fno-diagnostics-show-caret")

    @staticmethod
    def _c_flags(target: Target) -> tuple[str, ...]:
        return C_FLAGS if target.red_zone or target.bits != 64 else (*C_FLAGS, "-mno-red-zone")

    @staticmethod
    def _said(place: Workplace, source: str, outcome: Outcome, tool: Tool) -> tuple[Complaint, ...]:
        """Its warnings. Raises BuildError if it failed."""
        found = messages.complaints(place, source, outcome, tool.name)
        if not outcome.done:
            raise BuildError(found)
        return found


def _check_headers(source: str, preprocessed: Path) -> None:
    """Raises BuildError for a source that wants a compiled header loaded, which gcc does without a word of it."""
    if b"pch_preprocess" in preprocessed.read_bytes():
        raise refusal(
            source, "loads a compiled header (#pragma GCC pch_preprocess); expected #include of the lab's files"
        )


def _own(place: Workplace, paths: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for name in map(place.named, paths) if name is not None)


def _check_plain(place: Workplace, source: str) -> None:
    """Raises BuildError for a source that an assembler alone would take for something else."""
    for number, line in enumerate(place.files[source].decode("utf-8", errors="replace").split("\n"), 1):
        match = _DIRECTIVE.match(line)
        if match is not None:
            text = f"#{match[1]} is for a preprocessor, and there is only an assembler; expected gcc or clang on PATH"
            raise refusal(source, f"{text} (Debian, Ubuntu: apt-get install gcc)", number)
