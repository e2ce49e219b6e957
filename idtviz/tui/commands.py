"""The command line behind `:`."""

from __future__ import annotations

import re
from collections.abc import Callable

from idtviz.debugger.inputs import Input, Irq, Keys, Nmi
from idtviz.debugger.places import PlaceError, PlaceKind, parse
from idtviz.debugger.session import Session
from idtviz.debugger.stops import AddressBreakpoint, Breakpoint, EventBreakpoint
from idtviz.machine.chips import scancodes
from idtviz.x86 import vectors

WORDS = ("step", "check", "over", "finish", "run", "back", "goto", "break", "delete", "keys", "irq", "nmi", "quit")
"""What a command line may begin with."""


class CommandError(Exception):
    """A command line that means nothing; the message says what would."""


Move = Callable[[], object]


def interpret(text: str, session: Session) -> Move:
    """The move that a command line asks for. Raises CommandError."""
    word, _, rest = text.strip().partition(" ")
    rest = rest.strip()
    moves: dict[str, Callable[[], object]] = {
        "step": session.step,
        "check": session.micro_step,
        "over": session.next,
        "back": session.back,
    }
    if word in moves:
        return _repeated(moves[word], rest)
    if word == "finish":
        return session.finish
    if word == "run":
        return lambda: session.run(rest) if rest else session.run()
    if word in ("goto", "g"):
        _place(rest, session)
        return lambda: session.seek(rest)
    if word == "break":
        item = breakpoint_of(rest, session)
        return lambda: toggle(session, item)
    if word == "delete":
        return session.breakpoints.clear
    given = _input(word, rest)
    return lambda: session.give(given)


def _repeated(move: Callable[[], object], rest: str) -> Move:
    if rest and not re.fullmatch(r"\d{1,6}", rest):
        raise CommandError(f"{rest!r} is no count")
    count = int(rest or 1)

    def many() -> None:
        for _ in range(count):
            move()

    return many


def _input(word: str, rest: str) -> Input:
    if word == "keys":
        try:
            scancodes.encode(rest)
        except ValueError as error:
            raise CommandError(str(error)) from error
        return Keys(rest)
    if word == "nmi" or (word == "irq" and rest.lower() == "nmi"):
        return Nmi()
    if word == "irq":
        if not rest.isdigit() or int(rest) > 15 or int(rest) == 2:
            raise CommandError("irq takes a line: 0 to 15, but not 2, the cascade")
        return Irq(int(rest))
    raise CommandError(f"no command {word!r}; there are {', '.join(WORDS)}")


def _place(text: str, session: Session) -> None:
    try:
        parse(text, session.symbols)
    except PlaceError as error:
        raise CommandError(str(error)) from error


def breakpoint_of(text: str, session: Session) -> Breakpoint:
    """`kernel_ready`, `0x100088`, `#PF`, `irq1`, `#PF if error & 4`. Raises CommandError."""
    what, _, condition = text.partition(" if ")
    mask = None
    if condition:
        match = re.fullmatch(r"\s*error\s*&\s*(0x[0-9a-fA-F]+|\d+)\s*", condition)
        if match is None:
            raise CommandError("a condition reads: if error & 4")
        mask = int(match[1], 0)
    try:
        place = parse(what, session.symbols)
    except PlaceError as error:
        raise CommandError(str(error)) from error
    if place.kind is PlaceKind.VECTOR:
        return EventBreakpoint(vectors.VECTORS[place.value].mnemonic, vector=place.value, error_mask=mask)
    if place.kind is PlaceKind.IRQ:
        return EventBreakpoint(f"IRQ{place.value}", irq=place.value)
    if place.kind is PlaceKind.ADDRESS:
        return AddressBreakpoint(place.value, session.symbols.name(place.value) or f"{place.value:#x}")
    raise CommandError(f"{text!r} is no place for a breakpoint: a symbol, an address, a vector such as #PF, or irqN")


def toggle(session: Session, item: Breakpoint) -> bool:
    """Set the breakpoint, or take it away if it is set; returns whether it is set now."""
    if item in session.breakpoints:
        session.breakpoints.remove(item)
        return False
    session.breakpoints.append(item)
    return True
