"""What the input line at the bottom can be for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Question:
    """What the line says in its border, and the command that is put in front of what is typed."""

    prompt: str
    prefix: str


QUESTIONS = {
    "command": Question("command", ""),
    "goto": Question("go to", "goto "),
    "set": Question("edit: path = value", "set "),
    "type_keys": Question("type on the keyboard (enter sends; \\n is the Enter key)", "keys "),
    "raise_irq": Question("interrupt line 0-15, or nmi", "irq "),
    "who": Question("who wrote this last: a register, a symbol, or an address and a size", "who "),
    "why": Question("why does the interrupt of this line not arrive: 0-15", "why irq "),
    "answer": Question("your answer: a word, a number (0x in hex), or the number of a choice", "answer "),
    "suppose": Question("what if this vector came now", "suppose "),
}
"""By the action that asks."""
