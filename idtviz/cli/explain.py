"""`idtviz explain`: a vector, a rule that a delivery or return follows, or a rule of `idtviz check`, in prose."""

from __future__ import annotations

import difflib
import textwrap
from typing import Annotated

import typer

from idtviz.checks.rule import Rule as Check
from idtviz.checks.rules import BY_ID
from idtviz.checks.rules import RULES as CHECKS
from idtviz.cli.problems import refuse
from idtviz.machine.delivery.rules import RULES, Rule
from idtviz.x86.vectors import VECTORS, Vector, by_name

_WIDTH = 100
_ALL = "rules"
_HELP = "A vector (#PF, 14, 0xe), a rule of deliveries (idt.limit) or of idtviz check (STK001), or 'rules' for all."


def command(word: Annotated[str, typer.Argument(metavar="WORD", help=_HELP)]) -> None:
    """Explain a vector, a rule that deliveries and returns follow, or a bug that idtviz check finds."""
    typer.echo(_explained(word))


def _explained(word: str) -> str:
    name = word.strip()
    if name.lower() == _ALL:
        return _list()
    check = BY_ID.get(name.upper())
    if check is not None:
        return _check_text(check)
    rule = RULES.get(name.lower())
    if rule is not None:
        return _paragraphs(f"{rule.id}  {rule.title}", rule.why, f"Source: {rule.source}")
    try:
        return _vector_text(by_name(word))
    except ValueError:
        near = _near(name)
        refuse(
            f"{word!r} is neither a vector (#PF, 14, 0xe) nor a rule (idt.limit, STK001)"
            + (f"; did you mean {', '.join(near)}?" if near else "; idtviz explain rules lists the rules")
        )


def _near(word: str) -> list[str]:
    names = {name.casefold(): name for name in (*RULES, *BY_ID, *(vector.mnemonic for vector in VECTORS[:32]))}
    names |= {vector.mnemonic.lstrip("#").casefold(): vector.mnemonic for vector in VECTORS[:32]}
    wanted = word.casefold()
    found = [names[name] for name in difflib.get_close_matches(wanted, names, n=5, cutoff=0.5)]
    found += [name for name in (*RULES, *BY_ID) if len(wanted) > 1 and wanted in name.casefold()]
    found += [vector.mnemonic for vector in VECTORS[:32] if len(wanted) > 2 and wanted in vector.title.casefold()]
    found += [check.id for check in CHECKS if len(wanted) > 2 and wanted in check.title.casefold()]
    return list(dict.fromkeys(found))[:8]


def _vector_text(vector: Vector) -> str:
    code = "pushes an error code" if vector.error_code else "no error code"
    number = f"vector {vector.number} ({vector.number:#04x})"
    head = f"{vector.mnemonic}  {number}, {vector.title}: {vector.kind.value}, {code}"
    return _paragraphs(head, vector.explanation, f"Source: {vector.source}")


def _check_text(check: type[Check]) -> str:
    row = "" if check.bug_class is None else f", class {check.bug_class} of the bugs that people write"
    head = f"{check.id}  {check.title}: {check.severity.value}{row}"
    return _paragraphs(head, check.why, f"What to change: {check.fix}", f"Source: {check.source}")


def _list() -> str:
    """Every rule by its id, those of deliveries first."""
    rules: list[Rule | type[Check]] = [*RULES.values(), *CHECKS]
    width = max(len(rule.id) for rule in rules)
    return "\n".join(f"{rule.id:<{width}}  {rule.title}" for rule in rules)


def _paragraphs(head: str, *paragraphs: str) -> str:
    return "\n\n".join([head, *(textwrap.fill(prose, _WIDTH, break_on_hyphens=False) for prose in paragraphs)])
