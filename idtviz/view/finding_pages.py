"""What the rules have found, as sheets: the list of all, and the page of one."""

from __future__ import annotations

from collections.abc import Sequence

from idtviz.checks.finding import Finding
from idtviz.checks.rules import BY_ID
from idtviz.debugger.moment import Moment
from idtviz.debugger.view import View
from idtviz.view.branches import instructions
from idtviz.view.findings import ROLES, place, sign, title, up_to, when
from idtviz.view.fitting import fitted, told
from idtviz.view.layout import printable
from idtviz.view.row import Panel, Role, Row, Rows, Span, row
from idtviz.view.sheet import Goal, Sheet

_HEADS = 9  # columns in front of the paragraphs of a page
LONGEST = 100  # columns of a line of prose that is still easy to read


def listed(findings: Sequence[Finding], branch: int, moment: Moment, width: int) -> Sheet:
    """One row for each, in order of time; those that lie ahead are dim. Enter goes to the moment."""
    if not findings:
        text = "Nothing was found so far. x runs on until something is."
        return Sheet(Panel("Findings", (row((text, Role.DIM)),)))
    stamps = [instructions(when(each)) for each in findings]
    pad = max(map(len, stamps))
    rows = []
    for key, (each, stamp) in enumerate(zip(findings, stamps, strict=True)):
        ahead = when(each) > moment
        rows.append(
            fitted(
                row(
                    ("▶ " if when(each) == moment else "  ", Role.CURRENT),
                    (f"{stamp:>{pad}}  ", Role.DIM if ahead else Role.ADDRESS),
                    sign(each),
                    (f" {each.rule}  ", Role.DIM if ahead else Role.LABEL),
                    (printable(each.message), Role.DIM if ahead else Role.TEXT),
                    key=key,
                ),
                width,
            )
        )
    goals = tuple(Goal(branch, when(each)) for each in findings)
    so_far = len(up_to(findings, moment))
    note = "enter goes there · :explain RULE"
    return Sheet(
        Panel(f"Findings  {so_far} so far, {len(findings)} known", tuple(rows), note, max(0, so_far - 1)), goals
    )


def page(finding: Finding, view: View, branch: int, width: int) -> Sheet:
    """All about one: the whole message, what led there, why it matters, what to change. Enter goes to its moment."""
    width = min(width, LONGEST)
    where = "" if finding.address is None else f"  {place(view, finding.address)}"
    rows = [
        row(sign(finding), (f" {finding.severity.value}", ROLES[finding.severity]), (where, Role.SYMBOL)),
        *told((), Span(printable(finding.message)), width),
    ]
    for note in finding.notes:
        where = "" if note.address is None else f": {place(view, note.address)}"
        rows += told((Span("· ", Role.LABEL),), Span(f"{printable(note.text)}{where}", Role.SOURCE), width)
    rows += [Row(), *of_rule(finding.rule, width)]
    stamp = "" if finding.moment is None else f"  at {instructions(finding.moment)}"
    goals: tuple[Goal, ...] = ()
    below = "esc closes"
    if finding.moment is not None and finding.moment != view.moment:
        goals, below = (Goal(branch, finding.moment),), f"enter goes to {instructions(finding.moment)} · esc closes"
    heading = f"{finding.rule}  {title(finding.rule)}".rstrip()
    shown = tuple(fitted(Row(each.spans, each.lit, 0 if goals else None), width) for each in rows)
    return Sheet(Panel(f"{heading}{stamp}", shown, below, 0), goals)


def of_rule(rule: str, width: int) -> Rows:
    """Why it matters, what to change, and where the manual says so; nothing for a rule that is not known here."""
    if rule not in BY_ID:
        return ()
    found, width = BY_ID[rule], min(width, LONGEST)
    parts = (("why", found.why), ("fix", found.fix), ("source", found.source))
    rows: list[Row] = []
    for name, text in parts:
        rows += told((Span(f"{name:<{_HEADS}}", Role.LABEL),), Span(text), width)
    return tuple(rows)
