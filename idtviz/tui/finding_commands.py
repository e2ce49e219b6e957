"""The commands about what was found: the list, the page of a rule or a vector, the way to the next one."""

from __future__ import annotations

from collections.abc import Callable

from idtviz.checks.finding import Finding
from idtviz.debugger.session import Session
from idtviz.lab.prepared_session import PreparedSession
from idtviz.tui.problem import CommandError
from idtviz.view import explanations, finding_pages
from idtviz.view.findings import in_order, up_to, when
from idtviz.view.sheet import Sheet

WORDS = ("findings", "explain")
Leading = Callable[[int], Sheet]
"""Makes a sheet for so many columns, whose rows lead somewhere."""


def command(word: str, rest: str, session: Session) -> Callable[[], object] | None:
    """What a command line about findings does; None if it is about something else. Raises CommandError."""
    if word not in WORDS or not isinstance(session, PreparedSession):
        return None
    if word == "findings":
        return lambda: _listed(session)
    if not rest:
        return lambda: explained_last(session)
    try:
        explanations.explained(rest, 80)
    except ValueError as error:
        raise CommandError(str(error)) from error
    return lambda: lambda width: explanations.explained(rest, width)


def _listed(session: PreparedSession) -> Leading:
    findings, branch, moment = in_order(session.findings), session.branch.number, session.moment
    return lambda width: finding_pages.listed(findings, branch, moment, width)


def explained_last(session: PreparedSession) -> Leading | str:
    """The page of what was found last, up to this moment."""
    found = up_to(in_order(session.findings), session.moment)
    return page(session, found[-1]) if found else "nothing was found up to here; explain STK001 tells of a rule"


def page(session: PreparedSession, finding: Finding) -> Leading:
    """All about a finding."""
    view, branch = session.view, session.branch.number
    return lambda width: finding_pages.page(finding, view, branch, width)


def gone_to(session: PreparedSession, finding: Finding) -> Leading:
    """Go to the moment of a finding, and tell all about it."""
    session.seek(when(finding))
    return page(session, finding)


def gone_on(session: PreparedSession) -> str:
    """To the next moment at which something was found; beyond the frontier by running there. Returns what to say."""
    known = in_order(session.findings)
    found = next((finding for finding in known if when(finding) > session.moment), None)
    if found is None:
        session.seek(session.frontier)
        stop = session.run(stop_when=lambda: len(session.findings) > len(known) or session.idle)
        found = next((finding for finding in in_order(session.findings) if finding not in known), None)
        if found is None:
            return f"nothing more was found up to here · {stop.text}".removesuffix(" · ")
    session.seek(when(found))
    return ""


def gone_back(session: PreparedSession) -> str:
    """To the last moment before this one at which something was found. Returns what to say."""
    found = [finding for finding in in_order(session.findings) if when(finding) < session.moment]
    if not found:
        raise CommandError("nothing was found before this moment")
    session.seek(when(found[-1]))
    return ""
