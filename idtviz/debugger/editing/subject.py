"""What is edited: a session, as far as editing has to know it."""

from __future__ import annotations

from typing import Protocol

from idtviz.debugger.symbols import Symbols
from idtviz.debugger.view import View
from idtviz.machine.pc import Machine
from idtviz.machine.registers import Registers


class Subject(Protocol):
    """A machine at a moment, the names of its addresses, and what there is to see of it."""

    machine: Machine
    symbols: Symbols

    @property
    def view(self) -> View:
        """Everything there is to see at the present moment."""


def registers_of(session: Subject) -> Registers:
    """The registers as they are."""
    return session.machine.cpu.registers()
