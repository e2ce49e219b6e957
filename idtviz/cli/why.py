"""`idtviz why`: how a run came to its shutdown or hang, or why an interrupt does not arrive."""

from __future__ import annotations

import json
from enum import Enum
from typing import Annotated, Any

import typer

from idtviz.checks.why import Arrival, Chain, Entry, Failure, Link, Place, arrival, explain
from idtviz.cli.machine_options import FILE_HELP, on_a_machine
from idtviz.cli.opening import opened, opened_run
from idtviz.cli.problems import FAILED, complain, refuse
from idtviz.cli.trace_json import finding as finding_object
from idtviz.debugger.places import PlaceError, parse
from idtviz.debugger.session import SessionError
from idtviz.debugger.stops import Reason
from idtviz.lab.overrides import Overrides
from idtviz.lab.reaching import Reached, reach_end
from idtviz.lab.run import DEFAULT_LIMIT
from idtviz.lab.session import LabSession
from idtviz.view import why
from idtviz.view.row import Rows

_WIDTH = 110
_SCHEMA = 1


class Format(Enum):
    """How the explanation is printed."""

    TEXT = "text"
    JSON = "json"


@on_a_machine
def command(
    file: Annotated[str, typer.Argument(metavar="FILE", help=FILE_HELP)],
    irq: Annotated[
        int | None, typer.Option("--irq", metavar="N", help="Why does this interrupt line (0-15) not arrive?")
    ] = None,
    vector: Annotated[
        str | None, typer.Option("--vector", metavar="N", help="The same for a vector (0-255): 33, or 0x21.")
    ] = None,
    at: Annotated[
        str | None,
        typer.Option("--at", metavar="MOMENT", help="Explain this moment: 812, #PF:2+5, irq1, a symbol, or end."),
    ] = None,
    form: Annotated[Format, typer.Option("--format", help="For people, or one JSON object.")] = Format.TEXT,
    limit: Annotated[int, typer.Option(min=0, max=1 << 50, help="Stop after so many instructions.")] = DEFAULT_LIMIT,
    *,
    overrides: Overrides,
) -> None:
    """Run FILE to the first shutdown, hang or endless fault, and explain the chain that led there.

    With --irq or --vector: tell which conditions keep that interrupt from arriving, at the end or at MOMENT.
    """
    number = None if vector is None else _vector(vector)
    if irq is not None and number is not None:
        refuse("--irq and --vector: expected one of the two")
    if irq is not None and (not 0 <= irq <= 15 or irq == 2):
        refuse(f"--irq: expected a line from 0 to 15, without 2, which is the cascade; not {irq}")
    session, reached = _gone_to(file, at, limit, overrides)
    if irq is not None or number is not None:
        told = arrival(session, irq=irq, vector=number)
        _print(form, why.arrival(told, _WIDTH), _arrival(session, told))
    else:
        found = explain(session, session.findings, hang=reached.hang, loop=reached.loop)
        _print(form, why.chain(found, _WIDTH), _chain(session, found))
    if reached.reason is Reason.UNSUPPORTED:
        complain(f"{file}: {reached.text}")
        raise typer.Exit(FAILED)


def _vector(text: str) -> int:
    try:
        number = int(text, 0)
    except ValueError:
        number = -1
    if not 0 <= number <= 255:
        refuse(f"--vector: expected a number from 0 to 255, such as 33 or 0x21, not {text[:60]!r}")
    return number


def _gone_to(file: str, at: str | None, limit: int, overrides: Overrides) -> tuple[LabSession, Reached]:
    """The session on `file` at the moment that is to be explained."""
    if at is None:
        session, given = opened_run(file, overrides)
        return session, reach_end(session, limit=limit, given=given)
    session = opened(file, overrides)
    try:
        parse(at, session.symbols)
    except PlaceError as error:
        refuse(f"--at: {error}")
    except ValueError:
        refuse(f"--at: the number in {at[:60]!r} is too large")
    try:
        stop = session.seek(at)
    except SessionError as error:
        complain(f"{file}: {error}")
        raise typer.Exit(FAILED) from error
    return session, Reached(stop.reason, text=stop.text)


def _print(form: Format, rows: Rows, content: dict[str, Any]) -> None:
    if form is Format.JSON:
        print(json.dumps(content, separators=(",", ":")))
        return
    for row in rows:
        print(row.text.rstrip())


# JSON


def _chain(session: LabSession, found: Chain) -> dict[str, Any]:
    return {
        "type": "why",
        "schema": _SCHEMA,
        "file": session.path.name,
        "instruction": session.moment.instruction,
        "ending": found.ending.value,
        "verdict": found.verdict,
        "links": [_link(link) for link in found.links],
    }


def _link(link: Link) -> dict[str, Any]:
    return {
        "title": link.title,
        "prose": [sentence for sentence in link.prose if sentence],
        "instruction": None if link.moment is None else link.moment.instruction,
        "step": None if link.moment is None else link.moment.step,
        "place": None if link.place is None else _place(link.place),
        "code": link.instruction or None,
        "returning": None if link.returning is None else _failure(link.returning),
        "failure": None if link.failure is None else _failure(link.failure),
        "entries": [_entry(entry) for entry in link.entries],
        "findings": [finding_object(finding) for finding in link.findings],
    }


def _place(place: Place) -> dict[str, Any]:
    return {"address": hex(place.address), "symbol": place.name, "file": place.file, "line": place.line}


def _failure(failure: Failure) -> dict[str, Any]:
    return {
        "rule": failure.rule,
        "title": failure.title,
        "asked": failure.asked,
        "value": failure.value,
        "fault": failure.fault,
    }


def _entry(entry: Entry) -> dict[str, Any]:
    return {
        "name": entry.name,
        "address": hex(entry.address),
        "physical": entry.physical,
        "bytes": entry.raw.hex(),
        "fields": [
            {"name": part.name, "bits": part.bits, "value": hex(part.value), "meaning": part.meaning}
            for part in entry.parts
        ],
    }


def _arrival(session: LabSession, told: Arrival) -> dict[str, Any]:
    blocked = told.blocked
    return {
        "type": "arrival",
        "schema": _SCHEMA,
        "file": session.path.name,
        "instruction": session.moment.instruction,
        "subject": told.subject,
        "way": told.way,
        "verdict": told.verdict,
        "blocked": None if blocked is None else blocked.name,
        "change": None if blocked is None else blocked.change or None,
        "conditions": [
            {"name": each.name, "holds": each.holds, "found": each.found, "change": each.change or None}
            for each in told.conditions
        ],
    }
