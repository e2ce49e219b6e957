"""Our machine's answer to a case, with the procedures that it went through: deliveries, returns, transfers."""

from __future__ import annotations

from dataclasses import dataclass
from unittest.mock import patch

from idtviz.machine.delivery.delivery import Delivery
from idtviz.machine.delivery.procedure import Procedure
from idtviz.machine.delivery.returns import Return
from tests.oracle import ours
from tests.oracle.case import Answer, Case

DELIVERED, RETURNED, TRANSFERRED, NOTHING = "delivered", "returned", "transferred", "nothing happened"


@dataclass(frozen=True, slots=True)
class Walk:
    """What our machine answers, and the procedures that led there, the first to the last."""

    answer: Answer
    procedures: tuple[Procedure, ...] = ()

    @property
    def row(self) -> str:
        """The rule of the check that failed first; what came of it where none did."""
        if not self.procedures:
            return NOTHING
        for procedure in self.procedures:
            if procedure.fault is not None:
                return procedure.steps[-1].rule.id
        last = self.procedures[-1]
        return DELIVERED if isinstance(last, Delivery) else RETURNED if isinstance(last, Return) else TRANSFERRED

    @property
    def deliveries(self) -> tuple[Delivery, ...]:
        return tuple(procedure for procedure in self.procedures if isinstance(procedure, Delivery))


def walk(case: Case) -> Walk:
    """Run `case` on our machine, noting every procedure as it ends. An exception of ours is an answer with `error`."""
    machine, _ = ours._machine()
    found: list[Procedure] = []
    step = machine.micro_step

    def noting_step() -> None:
        step()
        ended = machine.finished
        if ended is not None and (not found or found[-1] is not ended):
            found.append(ended)

    with patch.object(machine, "micro_step", noting_step):
        try:
            answer = ours.answer(case)
        except Exception as problem:  # noqa: BLE001 -- whatever it is, it is a disagreement
            answer = Answer(case.name, error=f"{type(problem).__name__}: {problem}")
    return Walk(answer, tuple(found))
