"""Findings as a compiler prints errors: the fault, the line with a mark under it, what led there, what to change."""

from __future__ import annotations

import re
import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len

from idtviz.checks.finding import Severity
from idtviz.checks.rules import BY_ID
from idtviz.cli.reports.paths import near
from idtviz.debugger.symbols.readable import brief
from idtviz.lab.checking import Checked
from idtviz.lab.places import Place, Reported
from idtviz.lab.problems import printable

_WIDTH = 100
_LONGEST = 160
_TAB = 8
_MOST_NAMED = 8
_STATEMENT = re.compile(r"^\s*(?:[\w.$@]+:(?!:)\s*)?(?P<code>\S.*?)\s*(?:(?://|/\*|;|\s#|--).*)?$")
"""What there is to be marked in a line: no label in front of it, no comment behind it."""


@dataclass(frozen=True, slots=True)
class Paint:
    """Colours of a terminal; without `on`, none."""

    on: bool

    def __call__(self, style: str, text: str) -> str:
        """`text` in the style that is called `style`."""
        return f"\x1b[{_STYLES[style]}m{text}\x1b[0m" if self.on and text else text


_STYLES = {"error": "1;31", "warning": "1;33", "note": "1;32", "head": "1", "frame": "1;34"}


def file(checked: Checked, paint: Paint) -> str:
    """All that there is to say about one file."""
    parts: list[str] = []
    told: set[str] = set()
    for reported in checked.reported:
        parts.append(_finding(checked, reported, paint, advised=reported.finding.rule in told))
        told.add(reported.finding.rule)
    return "\n\n".join([*parts, _conclusion(checked, paint)])


def _conclusion(checked: Checked, paint: Paint) -> str:
    worst = next((severity.value for severity in Severity if _has(checked, severity)), "head")
    name, counted = printable(f"{near(checked.file)} ({checked.what})"), counts([checked])
    head, said = paint(worst, f"{name}:") + f" {counted}", [printable(line) for line in checked.said]
    if len(said) == 1 and len(f"{name}: {counted}; {said[0]}") <= _LONGEST:
        return f"{head}; {said[0]}"
    wrapped = (textwrap.wrap(line, _WIDTH, initial_indent="  ", subsequent_indent="    ") for line in said)
    return "\n".join([head, *(line for lines in wrapped for line in lines)])


def summary(files: Sequence[Checked], refused: int = 0) -> str:
    """What closes the report; empty where there is nothing more to say. `refused`: files that could not be checked."""
    rules = sorted({reported.finding.rule for checked in files for reported in checked.reported})
    lines = [f"{len(files)} files: {counts(files)}"] if len(files) > 1 else []
    if refused and files:
        lines.append(f"{refused} file{'' if refused == 1 else 's'} could not be checked")
    if rules:
        others = ", ".join(rules[1:_MOST_NAMED]) + (", …" if len(rules) > _MOST_NAMED else "")
        lines.append(f"What is behind it: idtviz explain {rules[0]}" + (f" (or {others})" if others else ""))
    return "\n".join(lines)


def counts(files: Sequence[Checked]) -> str:
    """`1 error, 2 warnings`."""
    found = Counter(reported.finding.severity for checked in files for reported in checked.reported)
    said = [f"{found[each]} {each.value}{'' if found[each] == 1 else 's'}" for each in Severity if found[each]]
    return ", ".join(said) or "nothing found"


def _has(checked: Checked, severity: Severity) -> bool:
    return any(reported.finding.severity is severity for reported in checked.reported)


def _finding(checked: Checked, reported: Reported, paint: Paint, *, advised: bool) -> str:
    """`advised`: what to change has been said before, of another place."""
    finding, place = reported.finding, reported.place
    rule = BY_ID[finding.rule]
    places = [place, *(place for _, place in reported.notes)]
    gutter = _Gutter(max(len(str(each.line or 1)) for each in places), paint)
    level = finding.severity.value
    lines = [paint(level, f"{level}[{rule.id}]") + paint("head", f": {printable(finding.message)}")]
    lines += gutter.shown(place, checked.file, level, "^")
    for text, where in reported.notes:
        if where.address is None or where.address == place.address:
            lines += gutter.said("note", text)
        else:
            lines.append(paint("note", "note") + f": {printable(text)}")
            lines += gutter.shown(where, checked.file, "frame", "-")
    if finding.moment is not None:
        lines += gutter.said("when", f"moment {finding.moment} of the run")
    if not advised:
        lines += gutter.said("help", rule.fix)
        lines += gutter.said("see", rule.source)
    return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class _Gutter:
    """The margin with the numbers of lines: `width` columns."""

    width: int
    paint: Paint

    def shown(self, place: Place, file: str, style: str, mark: str) -> Iterator[str]:
        """Where it is, and the line with a mark under it; without sources, the instruction."""
        margin = " " * self.width
        yield self.paint("frame", f"{margin}--> ") + _where(place, file)
        text, number = (place.source, str(place.line)) if place.source is not None else (place.instruction, "")
        if text is None:
            return
        text = printable(text.expandtabs(_TAB).rstrip())
        before, marked = _marked(text)
        bar = self.paint("frame", f"{margin} |")
        yield bar
        yield (self.paint("frame", f"{number:>{self.width}} |") + f" {text}").rstrip()
        label = "" if _is_written(place) else f" {printable(place.instruction or '')}"
        yield f"{bar} {' ' * before}{self.paint(style, mark * marked + label)}"
        yield bar

    def said(self, what: str, text: str) -> Iterator[str]:
        """`= help: …`, over several lines where it is long."""
        head = f"{' ' * self.width} = {what}: "
        first, *others = textwrap.wrap(printable(text), _WIDTH - len(head), break_on_hyphens=False) or [""]
        yield self.paint("frame", f"{' ' * self.width} = ") + self.paint("head", what) + f": {first}"
        for line in others:
            yield " " * len(head) + line


def _where(place: Place, file: str) -> str:
    at = near(place.file or file) if place.line is None else f"{near(place.file or file)}:{place.line}"
    symbol = None if place.symbol is None else brief(place.symbol) + (f"+{place.offset:#x}" if place.offset else "")
    known = [each for each in (symbol, None if place.address is None else f"{place.address:#x}") if each is not None]
    return printable(f"{at} ({', '.join(known)})" if known else at)


def _is_written(place: Place) -> bool:
    """Whether the source line itself names the instruction, as assembly does where there is no macro."""
    if place.source is None or place.instruction is None:
        return True
    mnemonic = place.instruction.split(maxsplit=1)[0]
    words = re.findall(r"\w+", place.source.lower())
    return any(len(word) > 1 and (word.startswith(mnemonic) or mnemonic.startswith(word)) for word in words)


def _marked(line: str) -> tuple[int, int]:
    """How many cells of the terminal come before the statement in a line, and how many it takes."""
    found = _STATEMENT.match(line)
    if found is None:
        return 0, 1
    return cell_len(line[: found.start("code")]), max(1, cell_len(found["code"]))
