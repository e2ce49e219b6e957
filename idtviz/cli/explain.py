"""`idtviz explain`: a vector, or a rule that a delivery or return follows, in prose."""

from __future__ import annotations

import difflib
import textwrap
from typing import Annotated

import typer

from idtviz.cli.problems import refuse
from idtviz.machine.delivery.rules import RULES, Rule
from idtviz.x86.vectors import VECTORS, Vector, by_name

_WIDTH = 100


def command(
    word: Annotated[str, typer.Argument(metavar="WORD", help="A vector (#PF, 14, 0xe) or a rule (idt.limit).")],
) -> None:
    """Explain a vector, or a rule that deliveries and returns follow."""
    rule = RULES.get(word.strip().lower())
    if rule is not None:
        typer.echo(_rule_text(rule))
        return
    try:
        vector = by_name(word)
    except ValueError:
        near = _near(word)
        refuse(
            f"{word!r} is neither a vector (#PF, 14, 0xe) nor a rule (idt.limit)"
            + (f"; did you mean {', '.join(near)}?" if near else f"; the rules are {', '.join(RULES)}")
        )
    typer.echo(_vector_text(vector))


def _near(word: str) -> list[str]:
    names = {name.casefold(): name for name in (*RULES, *(vector.mnemonic for vector in VECTORS[:32]))}
    names |= {vector.mnemonic.lstrip("#").casefold(): vector.mnemonic for vector in VECTORS[:32]}
    wanted = word.strip().casefold()
    found = [names[name] for name in difflib.get_close_matches(wanted, names, n=5, cutoff=0.5)]
    found += [name for name in RULES if len(wanted) > 1 and wanted in name]
    found += [vector.mnemonic for vector in VECTORS[:32] if len(wanted) > 2 and wanted in vector.title.casefold()]
    return list(dict.fromkeys(found))[:8]


def _vector_text(vector: Vector) -> str:
    code = "pushes an error code" if vector.error_code else "no error code"
    number = f"vector {vector.number} ({vector.number:#04x})"
    head = f"{vector.mnemonic}  {number}, {vector.title}: {vector.kind.value}, {code}"
    return _paragraphs(head, vector.explanation, vector.source)


def _rule_text(rule: Rule) -> str:
    return _paragraphs(f"{rule.id}  {rule.title}", rule.why, rule.source)


def _paragraphs(head: str, prose: str, source: str) -> str:
    return "\n".join([head, "", *textwrap.wrap(prose, _WIDTH), "", f"Source: {source}"])
