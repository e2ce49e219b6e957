"""What tools print about a source, as complaints: file, line and text, and no path of the workplace."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from idtviz.lab.building.complaints import Complaint
from idtviz.lab.building.running import Outcome
from idtviz.lab.building.workplace import Workplace
from idtviz.lab.problems import printable

_SAID = re.compile(
    r"(?P<file>[^:\n]+?):(?:(?P<line>\d+):)?(?:\d+:)? (?P<kind>(?:fatal )?error|warning): (?P<text>.+)", re.IGNORECASE
)
_MARK = re.compile(r'# (\d+) "([^"]*)"')
_OPTION = re.compile(r" \[-W[\w=+-]+\]$")


def complaints(place: Workplace, source: str, outcome: Outcome, tool: str) -> tuple[Complaint, ...]:
    """What `tool` said as it made something of `source`; never nothing if it did not."""
    found = list(dict.fromkeys(_read(place, source, outcome.output)))
    if outcome.stopped is not None:
        return (Complaint(source, None, f"{tool} was stopped: {outcome.stopped}"),)
    if not outcome.done and all(each.severity == "warning" for each in found):
        rest = [line for line in outcome.output.splitlines() if line.strip() and not _SAID.fullmatch(line)]
        said = clean(place, rest[-1]) if rest else "it says nothing about why"
        found.append(Complaint(source, None, f"{tool} failed: {said}"))
    return tuple(found)


def most(found: Iterable[Complaint], limit: int) -> tuple[Complaint, ...]:
    """At most so many, errors before warnings, and how many were left out."""
    every = sorted(found, key=lambda each: each.severity == "warning")
    if len(every) <= limit:
        return tuple(every)
    left = len(every) - limit
    return (*every[:limit], Complaint(every[limit].file, None, f"and {left} more", every[limit].severity))


def clean(place: Workplace, text: str) -> str:
    """`text` without the workplace's folders, on one line of bearable length."""
    for folder in (place.sources, place.made, place.scratch, place.sources.parent):
        text = text.replace(f"{folder}{os.sep}", "").replace(str(folder), ".")
    text = re.sub(r"\.\./made/\d+/", "", text)
    return printable(text if len(text) <= 300 else f"{text[:300]}…")


def _read(place: Workplace, source: str, output: str) -> Iterator[Complaint]:
    for printed in output.splitlines():
        match = _SAID.fullmatch(printed.rstrip())
        if match is None:
            continue
        number = None if match["line"] is None else int(match["line"])
        file: str | None = place.named(match["file"])
        line = number
        text = clean(place, _OPTION.sub("", match["text"]))
        if file is None:
            made = place.sources / match["file"]
            if made.is_relative_to(place.made):
                file, line = _origin(place, made, number) or (source, None)
            elif made.is_absolute() and match["file"] != source:
                text, line = f"{match['file']}: {text}", None
        yield Complaint(file or source, line, text, "warning" if match["kind"].lower() == "warning" else "error")


def _origin(place: Workplace, made: Path, number: int | None) -> tuple[str, int] | None:
    """The place in a source that a line of a preprocessor's output came from, as its marks have it."""
    found = None
    try:
        lines = made.read_text(encoding="utf-8", errors="replace").split("\n")[:number]
    except OSError:
        return None
    for line in lines if number is not None else ():
        match = _MARK.match(line)
        if match is not None:
            name = place.named(match[2])
            found = None if name is None else (name, int(match[1]) - 1)
        elif found is not None:
            found = (found[0], found[1] + 1)
    return found
