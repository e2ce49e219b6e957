"""Putting object files together."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from idtviz.lab.building import layout, messages
from idtviz.lab.building.complaints import BuildError, Complaint, Severity
from idtviz.lab.building.running import Outcome, run
from idtviz.lab.building.target import Target
from idtviz.lab.building.tools import Tool
from idtviz.lab.building.workplace import Workplace

_COMMON = ("--build-id=none", "-z", "max-page-size=4096", "-z", "noexecstack", "-nostdlib", "-static")
_UNDEFINED = re.compile(r"undefined (?:reference to|symbol:) [`'\"]?([^`'\"\s]+)['\"]?")
_TWICE = re.compile(r"(?:multiple definition of|duplicate symbol:) [`'\"]?([^`'\";\s]+)['\"]?")
_PLACE = re.compile(r"(?:^|[\s:])(?P<file>[^\s:()>]+):(?P<line>\d+)(?=[:\s]|$)")
_NO_ENTRY = re.compile(r"cannot find entry symbol (\S+?)[;,]")
_SAID = re.compile(r"(?:\S*ld(?:\.lld)?: )(?:(?P<kind>error|warning): )?(?P<text>.+)")
_PUBLIC = {".S": ".globl {name}", ".s": ".globl {name}", ".asm": "global {name}", ".nasm": "global {name}"}
"""What makes a label known to other files, by the ending of its own."""
_IDLE = (
    "RWX permissions",
    ".note.GNU-stack",
    "NOTE: This behaviour is deprecated",
    "in function",
    "first defined here",
)


def link(
    place: Workplace, linker: Tool, objects: Sequence[Path], target: Target, script: str | None, todo: Sequence[str]
) -> tuple[Path, tuple[Complaint, ...]]:
    """The ELF file of the objects, and warnings. `todo`: the files that the student writes. Raises BuildError."""
    room = place.room()
    result = room / "linked.elf"
    laid_out: str | Path = script or room / "plain.ld"
    if script is None:
        (room / "plain.ld").write_text(layout.script(target), encoding="ascii")
    command: list[str | Path] = [
        *(*linker.command, "-m", "elf_x86_64" if target.machine == 64 else "elf_i386", *_COMMON),
        *("-z", "noseparate-code" if target.bits == 16 else "separate-code"),
        *("-T", laid_out, "-o", result, *objects),
    ]
    outcome = run(command, place.sources, place.scratch, place.limits)
    found = _complaints(place, target, outcome, todo)
    if not outcome.done or any(each.severity == "error" for each in found):
        raise BuildError(messages.most(found, place.limits.complaints))
    return result, tuple(found)


def _complaints(place: Workplace, target: Target, outcome: Outcome, todo: Sequence[str]) -> list[Complaint]:
    if outcome.stopped is not None:
        return [Complaint(target.file, None, f"the linker was stopped: {outcome.stopped}")]
    lines = outcome.output.splitlines()
    found = list(_read(place, target, lines, todo))
    if not outcome.done and all(each.severity == "warning" for each in found):
        rest = [line for line in lines if line.strip() and not any(words in line for words in _IDLE)]
        said = messages.clean(place, rest[-1]) if rest else "it says nothing about why"
        found.append(Complaint(target.file, None, f"the linker failed: {said}"))
    return found


def _read(place: Workplace, target: Target, lines: list[str], todo: Sequence[str]) -> list[Complaint]:
    found: dict[tuple[str, str], Complaint] = {}
    for index, line in enumerate(lines):
        behind = lines[index + 1] if index + 1 < len(lines) and lines[index + 1].startswith(">>>") else ""
        file, number = _at(place, f"{line} {behind}") or (target.file, None)
        undefined, twice, entry = _UNDEFINED.search(line), _TWICE.search(line), _NO_ENTRY.search(line)
        if undefined is not None:
            name = undefined[1]
            text = f"{name!r} is defined nowhere: {_expected(place, name, todo)}"
            found.setdefault(("undefined", name), Complaint(file, number, text))
        elif twice is not None:
            found.setdefault(("twice", twice[1]), Complaint(file, number, f"{twice[1]!r} is defined a second time"))
        elif entry is not None:
            if not target.plain:
                text = f"no {entry[1]!r} in it, where it is entered: expected `{entry[1]}:` and `.globl {entry[1]}`"
                found.setdefault(("entry", ""), Complaint(target.file, None, text))
        elif not any(words in line for words in _IDLE) and (match := _SAID.match(line)) is not None:
            text = messages.clean(place, match["text"])
            severity: Severity = "warning" if match["kind"] == "warning" else "error"
            found.setdefault(("said", text), Complaint(file, number, text, severity))
    return list(found.values())


def _at(place: Workplace, text: str) -> tuple[str, int] | None:
    """The first place in a source that a message names."""
    for match in _PLACE.finditer(text):
        name = place.named(match["file"])
        if name is not None:
            return name, int(match["line"])
    return None


def _expected(place: Workplace, name: str, todo: Sequence[str]) -> str:
    """What would define the symbol `name`: in the files that the student writes, if there are any."""
    label = re.compile(rf"^[ \t]*{re.escape(name)}[ \t]*:".encode(), re.MULTILINE)
    for file in todo:
        said = _PUBLIC.get(PurePosixPath(file).suffix, "").format(name=name)
        if said and label.search(place.files.get(file, b"")):
            return f"{file} has it, but not for other files: expected `{said}` beside it"
    endings = {PurePosixPath(file).suffix for file in todo}
    where = f"in {' or '.join(todo)}" if todo else "in one of the sources"
    if endings == {".c"}:
        return f"expected a function or variable of this name {where}"
    public = _PUBLIC.get(endings.pop() if len(endings) == 1 else "", ".globl {name}").format(name=name)
    return f"expected `{name}:` and `{public}` {where}"
