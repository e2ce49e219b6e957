"""Sessions on the shipped scenarios, and a way to read panels as text."""

from idtviz.debugger.inputs import Poke
from idtviz.debugger.session import Session
from idtviz.debugger.view import View
from idtviz.lab.session import LabSession
from idtviz.view.row import Panel, Role


def at(name: str, place: str) -> LabSession:
    session = LabSession.open(name)
    session.seek(place)
    return session


def step_of(session: Session, rule: str) -> View:
    """On to the moment behind the next step of the delivery whose rule is `rule`."""
    for _ in range(200):
        session.micro_step()
        procedure = session.view.procedure
        if procedure is not None and procedure.current is not None and procedure.current.rule.id == rule:
            return session.view
    raise AssertionError(f"no step {rule}")


def poke(session: Session, address: int, data: bytes) -> View:
    session.give(Poke(address, data))
    return session.view


def text(panel: Panel) -> str:
    return "\n".join(row.text for row in panel.rows)


def lit(panel: Panel) -> list[tuple[Role, str]]:
    return [(row.lit, row.text) for row in panel.rows if row.lit is not None]
