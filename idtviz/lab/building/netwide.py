"""The Netwide Assembler."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from elftools.elf.elffile import ELFFile
from elftools.elf.sections import Section

from idtviz.lab.building import dependencies, messages, veiling
from idtviz.lab.building.complaints import BuildError, Complaint, refusal
from idtviz.lab.building.made import Made
from idtviz.lab.building.running import run
from idtviz.lab.building.target import Target
from idtviz.lab.building.tools import Tool
from idtviz.lab.building.workplace import Workplace

_EDGE = r"[\w$#@~.?]"
_INCBIN = re.compile(rf"(?<!{_EDGE})incbin(?!{_EDGE})(?:\s+(['\"])([^'\"`]+)\1\s*(?=,|$))?", re.IGNORECASE)
_DEBUG = frozenset(f".debug_{name}" for name in ("aranges", "pubnames", "info", "abbrev", "line", "frame", "loc"))
"""The sections that nasm adds for a debugger."""
_ORG = re.compile(rb"\s*\[?\s*org\b", re.IGNORECASE)
_NO_ORG = (
    "no ORG here: the image is linked to its place, and labels have their addresses; expected the source without it"
)


@dataclass(frozen=True, slots=True)
class Netwide:
    """`trusted`: see `build`."""

    assembler: Tool
    trusted: bool

    @property
    def tools(self) -> tuple[str, ...]:
        """What the program is called."""
        return (self.assembler.name,)

    @property
    def identity(self) -> str:
        """Of the program."""
        return f"{self.assembler.identity} {self.trusted}"

    def make(self, place: Workplace, source: str, target: Target) -> Made:
        """The object file of the source `source` of the workplace."""
        room = place.room()
        result, rule = room / f"{Path(source).stem}.o", room / "read.d"
        command: list[str | Path] = [
            *(*self.assembler.command, "--before", f"[bits {target.bits}]", "-f", f"elf{target.machine}"),
            *("-g", "-F", "dwarf", "-I", "./", "-MD", rule, "-o", result, source),
        ]
        read = () if self.trusted else self._preprocessed(place, source, target, room)
        found = self._run(place, source, command)
        paths = dependencies.listed(source, rule)
        if not self.trusted:
            dependencies.check(place, source, paths)
            _check_same(source, result, room / "preprocessed.o")
        _without_path(result, place.sources)
        own = (name for name in map(place.named, paths) if name is not None)
        return Made(result, tuple(dict.fromkeys((*own, *read))), found)

    def _preprocessed(self, place: Workplace, source: str, target: Target, room: Path) -> tuple[str, ...]:
        """The files that INCBIN names in the text that is left when all macros are. Raises BuildError.

        nasm tells which files it reads, but not those that are named as in `times 1 incbin "file"`. What is assembled
        of that text, if anything is, becomes `preprocessed.o`.
        """
        text, rule = room / "preprocessed.asm", room / "preprocessed.d"
        self._run(place, source, [*self.assembler.command, "-E", "-I", "./", "-MD", rule, "-o", text, source])
        dependencies.check(place, source, dependencies.listed(source, rule))
        found = _included(place, source, text)
        text.write_bytes(f"[bits {target.bits}]\n".encode() + text.read_bytes())
        made = room / "preprocessed.o"
        command: list[str | Path] = [*self.assembler.command, "-a", "-f", f"elf{target.machine}", "-g", "-F", "dwarf"]
        run([*command, "-o", made, text], place.sources, place.scratch, place.limits)
        return found

    def _run(self, place: Workplace, source: str, command: list[str | Path]) -> tuple[Complaint, ...]:
        """Its warnings. Raises BuildError."""
        outcome = run(command, place.sources, place.scratch, place.limits)
        said = messages.complaints if self.trusted else veiling.veiled
        found = said(place, source, outcome, self.assembler.name)
        if not outcome.done:
            raise BuildError(_hinted(place, each) for each in found)
        return found


def _included(place: Workplace, source: str, text: Path) -> tuple[str, ...]:
    """The files that INCBIN names, once no macro is left that could name another. Raises BuildError."""
    lines = text.read_bytes().decode("utf-8", errors="replace").split("\n")
    found = []
    for match in (match for line in lines for match in _INCBIN.finditer(line)):
        if match[2] is None:
            raise refusal(source, "INCBIN without a plain name; expected the name of one of the lab's files in quotes")
        name = place.named(match[2])
        if name is None:
            raise dependencies.outside(place, source, match[2])
        found.append(name)
    return tuple(found)


def _check_same(source: str, made: Path, preprocessed: Path) -> None:
    """Raises BuildError for a source that is another one when it is preprocessed alone: it looks which pass it is."""
    if not preprocessed.is_file() or _contents(made) != _contents(preprocessed):
        raise refusal(source, "assembles to something else once it is preprocessed; expected no test for nasm's pass")


def _contents(made: Path) -> list[tuple[str, bytes]]:
    """The sections by name, in order, with the bytes of those that have their content from the source alone.

    One that the source does not have in memory counts too: a linker puts any `.text.own` where the others are.
    """
    with made.open("rb") as file:
        sections = list(ELFFile(file).iter_sections())
        return [(each.name, b"" if _is_nasms(each, sections) else each.data()) for each in sections]


def _is_nasms(section: Section, sections: list[Section]) -> bool:
    """Whether nasm makes the section: it is none that the source has beside nasm's own of the same name."""
    if section["sh_type"] in ("SHT_RELA", "SHT_REL", "SHT_SYMTAB", "SHT_STRTAB"):
        return True
    return section.name in _DEBUG and sum(each.name == section.name for each in sections) == 1


def _without_path(made: Path, folder: Path) -> None:
    """Have the debugging information say `.` where it has the folder: nasm cannot be told to."""
    path = bytes(folder) + b"/"
    made.write_bytes(made.read_bytes().replace(path, b"./" * (len(path) // 2)))


def _hinted(place: Workplace, complaint: Complaint) -> Complaint:
    lines = place.files.get(complaint.file, b"").split(b"\n")
    if complaint.line is None or complaint.line > len(lines) or not _ORG.match(lines[complaint.line - 1]):
        return complaint
    return Complaint(complaint.file, complaint.line, _NO_ORG, complaint.severity)
