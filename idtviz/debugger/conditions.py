"""What must hold of a delivery for a breakpoint to stop it: `error & 4 and cr2 in 0xb8000..0xb8fff`."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from idtviz.debugger.symbols import Symbols
from idtviz.machine.delivery.event import Event
from idtviz.machine.registers import Registers
from idtviz.x86.addresses import MASK64

QUANTITIES = ("error", "cr2", "rip", "cpl")
"""The error code; the address of a page fault; the linear address of the instruction; the ring that it comes from."""


class ConditionError(ValueError):
    """A text that is no condition."""


@dataclass(frozen=True, slots=True)
class Term:
    """One comparison. For `in` the value goes from `low` to `high`, both included; else `low` is what is compared."""

    quantity: str
    relation: str
    low: int
    high: int
    text: str

    def holds(self, values: Mapping[str, int | None]) -> bool:
        """Whether it holds; of a quantity that there is not, nothing does."""
        value = values[self.quantity]
        if value is None:
            return False
        if self.relation == "in":
            return self.low <= value <= self.high
        return bool(_RELATIONS[self.relation](value, self.low))


@dataclass(frozen=True, slots=True)
class Condition:
    """Every one of `terms` must hold."""

    terms: tuple[Term, ...] = ()

    def holds(self, event: Event, at: Registers) -> bool:
        """Whether it holds of a delivery that begins in the state `at`."""
        if not self.terms:
            return True
        linear = (at.linear_rip - at.rip + event.instruction_rip) & MASK64
        values = {"error": event.error_code, "cr2": event.cr2, "rip": linear, "cpl": at.cpl}
        return all(term.holds(values) for term in self.terms)

    def __str__(self) -> str:
        return " and ".join(term.text for term in self.terms)


ALWAYS = Condition()

_RELATIONS: dict[str, Callable[[int, int], object]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
    "&": operator.and_,
}
_TERM = re.compile(r"(?P<quantity>\w+)\s*(?P<relation>==|!=|<=|>=|<|>|&|\bin\b)\s*(?P<value>\S.*)")
_BEHIND = re.compile(r"(?P<symbol>.+)\+(?P<offset>0x[0-9a-f]{1,16})", re.IGNORECASE)
_NUMBER = re.compile(r"0x[0-9a-f]+(_[0-9a-f]+)*|\d+(_\d+)*", re.IGNORECASE)


def parse_condition(text: str, symbols: Symbols) -> Condition:
    """Read what stands behind `if`. Raises ConditionError, saying what would have been understood."""
    return Condition(tuple(_term(part.strip(), symbols) for part in re.split(r"\band\b", text)))


def _term(text: str, symbols: Symbols) -> Term:
    match = _TERM.fullmatch(text)
    if match is None:
        raise ConditionError(
            f"{text!r} is no condition: expected {', '.join(QUANTITIES)}, then == != < <= > >= & and a value, "
            "or in and a range such as 0xb8000..0xb8fff or a symbol"
        )
    quantity, relation, value = match["quantity"], match["relation"], match["value"].strip()
    if quantity not in QUANTITIES:
        raise ConditionError(f"{quantity!r} cannot be asked for: there are {', '.join(QUANTITIES)}")
    if relation == "in":
        low, high = _range(value, symbols)
    else:
        low = high = number(value, symbols)
    return Term(quantity, relation, low, high, f"{quantity} {relation} {value}")


def _range(text: str, symbols: Symbols) -> tuple[int, int]:
    """`A..B`, or all the bytes of a symbol."""
    first, dots, last = text.partition("..")
    if dots:
        low, high = number(first.strip(), symbols), number(last.strip(), symbols)
        if high < low:
            raise ConditionError(f"{text!r} is empty: the lower end comes first")
        return low, high
    address = symbols.address_of(text)
    found = symbols.at(address) if address is not None else None
    if address is None or found is None:
        raise ConditionError(f"{text!r} is no range: expected A..B, or a symbol of the image")
    return address, address + max(found.size, 1) - 1


def number(text: str, symbols: Symbols) -> int:
    """A number, in decimal or in hex with 0x, or the address of a symbol. Raises ConditionError."""
    if _NUMBER.fullmatch(text):
        return int(text, 0 if text[:2].lower() == "0x" else 10)
    address = address_of(text, symbols)
    if address is None:
        raise ConditionError(f"{text!r} is neither a number nor a symbol of the image")
    return address


def address_of(text: str, symbols: Symbols) -> int | None:
    """The address of a symbol, or of a byte behind its start: `counter+0x8`; None where there is no such symbol."""
    behind = _BEHIND.fullmatch(text)
    base = None if behind is None else symbols.address_of(behind["symbol"])
    return symbols.address_of(text) if behind is None or base is None else base + int(behind["offset"], 16)
