"""Pages that explain a word: a rule of the checks, a rule that deliveries follow, a vector."""

from __future__ import annotations

from idtviz.checks.rules import BY_ID
from idtviz.machine.delivery.rules import RULES
from idtviz.view.finding_pages import LONGEST, of_rule
from idtviz.view.findings import ROLES, SIGNS
from idtviz.view.fitting import told
from idtviz.view.row import Panel, Role, Row, Span, row
from idtviz.view.sheet import Sheet
from idtviz.x86.vectors import VECTORS, Vector, by_name

WORDS = (*BY_ID, *RULES, *(vector.mnemonic for vector in VECTORS[:32]))
"""What there is a page for; and every vector by its number."""


def explained(word: str, width: int) -> Sheet:
    """The page about a word of `WORDS`. Raises ValueError with a sentence for the person who asked."""
    wanted = word.strip()
    if wanted.upper() in BY_ID:
        return _check(wanted.upper(), width)
    if wanted.lower() in RULES:
        rule = RULES[wanted.lower()]
        return _page(f"{rule.id}  {rule.title}", rule.why, rule.source, width)
    try:
        vector = by_name(wanted)
    except ValueError as error:
        text = f"{wanted!r} is neither a rule (STK001, idt.limit) nor a vector (#PF, 14, 0xe)"
        raise ValueError(text) from error
    return _vector(vector, width)


def _check(name: str, width: int) -> Sheet:
    rule = BY_ID[name]
    head = row((f"{SIGNS[rule.severity]} {rule.severity.value}", ROLES[rule.severity]))
    return Sheet(Panel(f"{rule.id}  {rule.title}", (head, *of_rule(name, width)), "esc closes", 0))


def _vector(vector: Vector, width: int) -> Sheet:
    code = "pushes an error code" if vector.error_code else "no error code"
    head = f"vector {vector.number} ({vector.number:#04x}) · {vector.kind.value} · {code}"
    return _page(f"{vector.mnemonic}  {vector.title}", vector.explanation, vector.source, width, head)


def _page(title: str, text: str, source: str, width: int, head: str = "") -> Sheet:
    width = min(width, LONGEST)
    rows = [row((head, Role.LABEL)), Row()] if head else []
    rows += [*told((), Span(text), width), *told((Span("source  ", Role.LABEL),), Span(source), width)]
    return Sheet(Panel(title, tuple(rows), "esc closes", 0))
