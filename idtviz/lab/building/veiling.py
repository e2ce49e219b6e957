"""The messages of a tool that failed before it said what it had read: without what may come from elsewhere.

GNU as names the files that it has read only if it succeeds. A source that has `/etc/passwd` included fails, and the
messages quote its lines. So nothing is repeated here but the tool's own words, and what the lab's sources say.
"""

from __future__ import annotations

import re

from idtviz.lab.building import dependencies, messages
from idtviz.lab.building.complaints import Complaint
from idtviz.lab.building.running import Outcome
from idtviz.lab.building.workplace import Workplace

_AT = re.compile(r"(?P<file>[^:\n]+):(?:\d+:)? (?:Error|Warning|Fatal error|Info): ", re.IGNORECASE)
_WORD = re.compile(r"[^\W\d_][\w-]*|\d\w*")
_VOCABULARY = """
a after already alignment ambiguous an and are argument arguments as at bad base be before but by can cannot can't
character characters colon comma conditional constant currently declared deeply defined describe direct directive
displacement division does doesn duplicate encountered end ending ends error evaluate exceeds expected expecting
expression few field file first for form found frame from garbage has ignored illegal immediate in inappropriate include
inconsistently incorrect index information input instance instruction integer invalid is it junk label large level limit
line local macro macros malformed many masking match mismatch missing mnemonic mode must name near negative nested
nesting no non-constant not number of offset open opening operand operands operation operator or out outside overflow
parameter parameters parenthesis parser prefix preprocessor previous processing program pseudo-op quote quoted range
reading redefined redefinition reference references register registers relocation repeat rept requires right same
section seen should shortened since single single-line size space specified stack statement string subtraction such
suffix supported symbol syntax terminated t that the there this to token too truncated type unable unbalanced undefined
unexpected unknown unmatched unrecognized unresolved unsupported unterminated use used using value was were width with
within without zero No such or directory
"""
"""What GNU as and nasm themselves say about a line of x86 code."""
_WORDS = frozenset(_VOCABULARY.split())


def veiled(place: Workplace, source: str, outcome: Outcome, tool: str) -> tuple[Complaint, ...]:
    """What `tool` said of `source`, or the refusal of a file that is none of the lab's. Never nothing."""
    for line in outcome.output.splitlines():
        match = _AT.match(line)
        if match is not None and place.named(match["file"]) is None and not _generated(place, match["file"]):
            return dependencies.outside(place, source, match["file"]).complaints
    found = messages.complaints(place, source, outcome, tool)
    if outcome.stopped is not None:
        return found
    known = _words(b" ".join(place.files.values()).decode("utf-8", errors="replace")) | _WORDS | {tool}
    return tuple(Complaint(each.file, each.line, _veil(each.text, known), each.severity) for each in found)


def _generated(place: Workplace, path: str) -> bool:
    return any((place.sources / path).is_relative_to(folder) for folder in (place.made, place.scratch))


def _veil(text: str, known: frozenset[str]) -> str:
    """`text` with a sign in place of each word that is neither the tool's nor of the sources."""
    return _WORD.sub(lambda match: match[0] if match[0] in known else "…", text)


def _words(text: str) -> frozenset[str]:
    return frozenset(_WORD.findall(text))
