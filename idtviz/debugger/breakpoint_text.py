"""Breakpoints as a person writes them: `#PF if error & 4`, `port 0x60 read`, `write counter 8`, `write rax`.

address      0x100088 | a symbol | kernel.c:42
delivery     #PF | int 0x80 | irq1 | nmi | vector 0x21 | any exception | interrupt | delivery  [if CONDITION]
what failed  fault in delivery | shutdown
return       iret [to ring N]
port         port N [read|write] | port A..B [read|write]
memory       write ADDRESS [SIZE]
register     write rax | write cr3; of a part (eax, al) it is the whole
processor    mode | ring

A register wins over a symbol of the same name; that is watched by its address, or with a size: `write tr 4`. The name
of a part of a register, such as `flags` or `ch`, is a symbol's where there is one.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from idtviz.debugger.breakpoints import (
    AddressBreakpoint,
    Breakpoint,
    DeliveryBreakpoint,
    FailedDeliveryBreakpoint,
    ModeBreakpoint,
    PortBreakpoint,
    RegisterBreakpoint,
    ReturnBreakpoint,
    RingBreakpoint,
    ShutdownBreakpoint,
    WriteBreakpoint,
)
from idtviz.debugger.conditions import ALWAYS, Condition, ConditionError, address_of, number, parse_condition
from idtviz.debugger.places import PlaceError, PlaceKind, parse
from idtviz.debugger.symbols import Symbols
from idtviz.machine.delivery.event import Source
from idtviz.machine.register_writes import full_name
from idtviz.machine.watch import Bytes, Ports
from idtviz.x86 import vectors

WORDS = (
    *("#", "int ", "irq", "nmi", "vector ", "any exception", "interrupt", "delivery", "fault in delivery", "shutdown"),
    *("iret", "iret to ring ", "port ", "write ", "mode", "ring"),
)
"""How the text of a breakpoint may begin, beside a symbol or an address."""

_MOST_BYTES = 4096
_WORD_BYTES = 8  # watched at an address that is not the start of a symbol of known size
_NUMBER = r"0x[0-9a-f]+|\d+"
_PORTS = re.compile(rf"port\s+(?P<first>{_NUMBER})(?:\s*\.\.\s*(?P<last>{_NUMBER}))?(?:\s+(?P<way>read|write))?", re.I)
_WRITE = re.compile(rf"write\s+(?P<where>\S+)(?:\s+(?P<size>{_NUMBER}))?", re.IGNORECASE)
_INTERRUPTS = frozenset((Source.EXTERNAL, Source.NMI))
_LINE = re.compile(r"(?P<file>.*\.[^:]*):(?P<number>\d+)")


class BreakpointError(ValueError):
    """A text that names nothing to stop at; the message says what would have been understood."""


def parse_breakpoint(text: str, symbols: Symbols) -> Breakpoint:
    """Read the text of a breakpoint. Raises BreakpointError."""
    try:
        return _parsed(text, symbols)
    except BreakpointError:
        raise
    except ValueError as error:  # of int: a leading zero, or thousands of digits
        raise BreakpointError(f"{text[:60]!r} has a number that cannot be read") from error


def _parsed(text: str, symbols: Symbols) -> Breakpoint:
    what, condition, rest = text.strip().partition(" if ")
    what = " ".join(what.split())
    if not what:
        raise BreakpointError("stop at what? An address, #PF, irq1, interrupt, iret, port 0x60, write counter, mode …")
    try:
        found = _delivery(what, parse_condition(rest, symbols) if condition else ALWAYS)
    except ConditionError as error:
        raise BreakpointError(str(error)) from error
    if found is not None:
        return found
    if condition:
        raise BreakpointError(f"{what!r} takes no condition: only a delivery, such as #PF or delivery, does")
    return _elsewhere(what, symbols)


def text_of(item: Breakpoint, symbols: Symbols) -> str:
    """A text that means this breakpoint: what it is called, or the same in numbers. Raises BreakpointError."""
    for text in (str(item), _in_numbers(item)):
        try:
            if text and parse_breakpoint(text, symbols) == item:
                return text
        except BreakpointError:
            continue
    raise BreakpointError(f"there is no text for {str(item)!r}")


def _in_numbers(item: Breakpoint) -> str:
    """With addresses and vectors in place of names; empty where there are none."""
    if isinstance(item, AddressBreakpoint) and len(item.addresses) == 1:
        return f"{item.addresses[0]:#x}"
    if isinstance(item, WriteBreakpoint):
        return f"write {item.place.address:#x} {item.place.size}"
    if isinstance(item, DeliveryBreakpoint) and item.vector is not None:
        condition = f" if {item.condition}" if item.condition.terms else ""
        return f"vector {item.vector:#x}{condition}"
    return ""


def _delivery(what: str, condition: Condition) -> DeliveryBreakpoint | None:
    """A breakpoint on deliveries; None: the text speaks of something else."""
    word, _, rest = what.lower().partition(" ")
    if what.lower() in ("any exception", "exception"):
        return DeliveryBreakpoint("any exception", sources=frozenset((Source.EXCEPTION,)), condition=condition)
    if what.lower() in ("interrupt", "the next interrupt"):
        return DeliveryBreakpoint("interrupt", sources=_INTERRUPTS, condition=condition)
    if what.lower() == "delivery":
        return DeliveryBreakpoint("delivery", condition=condition)
    if what.lower() == "nmi":
        return DeliveryBreakpoint("NMI", sources=frozenset((Source.NMI,)), condition=condition)
    if what.startswith("#"):
        vector = _vector(what)
        return DeliveryBreakpoint(
            vectors.VECTORS[vector].mnemonic, vector, sources=frozenset((Source.EXCEPTION,)), condition=condition
        )
    if word == "int":
        vector = _vector(rest)
        return DeliveryBreakpoint(
            f"int {vector:#x}", vector, sources=frozenset((Source.SOFTWARE,)), condition=condition
        )
    if word == "vector":
        vector = _vector(rest)
        return DeliveryBreakpoint(f"vector {vector:#x}", vector, condition=condition)
    line = re.fullmatch(r"irq ?(\d+)", what, re.IGNORECASE)
    if line is None:
        return None
    if int(line[1]) > 23:
        raise BreakpointError(f"{what!r}: interrupt lines are irq0 to irq15, and with an I/O APIC to irq23")
    return DeliveryBreakpoint(f"IRQ{line[1]}", irq=int(line[1]), condition=condition)


def _vector(text: str) -> int:
    try:
        return vectors.by_name(text).number
    except ValueError as error:
        raise BreakpointError(str(error)) from error


_PLAIN: dict[str, Callable[[], Breakpoint]] = {
    "iret": ReturnBreakpoint,
    "fault in delivery": FailedDeliveryBreakpoint,
    "shutdown": ShutdownBreakpoint,
    "mode": ModeBreakpoint,
    "ring": RingBreakpoint,
}


def _elsewhere(what: str, symbols: Symbols) -> Breakpoint:
    plain = _PLAIN.get(what.lower())
    if plain is not None:
        return plain()
    word = what.split(maxsplit=1)[0].lower()
    if word == "iret":
        match = re.fullmatch(r"iret to ring ([0-3])", what, re.IGNORECASE)
        if match is None:
            raise BreakpointError(f"{what!r}: expected iret, or iret to ring 0, 1, 2 or 3")
        return ReturnBreakpoint(int(match[1]))
    if word == "port":
        return _port(what)
    if word == "write":
        return _write(what, symbols)
    return _address(what, symbols)


def _port(what: str) -> PortBreakpoint:
    match = _PORTS.fullmatch(what)
    if match is None:
        raise BreakpointError(f"{what!r}: expected port 0x60, port 0x60 read, port 0x60 write or port 0x3f8..0x3ff")
    first = int(match["first"], 0)
    last = int(match["last"], 0) if match["last"] else first
    if not first <= last <= 0xFFFF:
        raise BreakpointError(f"{what!r}: ports are 0 to 0xffff, the lower one first")
    way = (match["way"] or "").lower()
    return PortBreakpoint(Ports(first, last, read=way != "write", write=way != "read"))


def _write(what: str, symbols: Symbols) -> WriteBreakpoint | RegisterBreakpoint:
    match = _WRITE.fullmatch(what)
    if match is None:
        raise BreakpointError(f"{what!r}: expected write, then a register; or an address or symbol, and perhaps a size")
    where = match["where"]
    register = full_name(where)
    part = register != where.lower() and symbols.address_of(where) is not None
    if register is not None and not match["size"] and not part:
        return RegisterBreakpoint(register)
    try:
        address = number(match["where"], symbols)
    except ConditionError as error:
        raise BreakpointError(f"{what!r}: {error}") from error
    size = int(match["size"], 0) if match["size"] else _size_at(address, symbols)
    if not 1 <= size <= _MOST_BYTES or address + size > 1 << 64:
        raise BreakpointError(f"{what!r}: a size is 1 to {_MOST_BYTES} bytes, all within the address space")
    return WriteBreakpoint(Bytes(address, size), symbols.name(address) or f"{address:#x}")


def _size_at(address: int, symbols: Symbols) -> int:
    """All of a symbol that begins there; else a word."""
    found = symbols.at(address)
    if found is None or found.address != address or not 1 <= found.size <= _MOST_BYTES:
        return _WORD_BYTES
    return found.size


def _address(what: str, symbols: Symbols) -> AddressBreakpoint:
    behind = address_of(what, symbols) if "+0x" in what.lower() else None
    if behind is not None:
        return AddressBreakpoint((behind,), symbols.name(behind) or f"{behind:#x}")
    try:
        place = parse(what, symbols)
    except PlaceError as error:
        raise BreakpointError(
            f"{what!r} is nothing to stop at: expected an address in hex, a symbol, a source line such as kernel.c:42, "
            "#PF, int 0x80, irq1, nmi, vector 0x21, any exception, interrupt, delivery, fault in delivery, shutdown, "
            "iret, port 0x60, write counter, write rax, mode or ring"
        ) from error
    line = _LINE.fullmatch(what)
    if line is not None and symbols.address_of(line["file"]) is None:
        return AddressBreakpoint(symbols.addresses_of_line(line["file"], int(line["number"])), what)
    if place.kind is not PlaceKind.ADDRESS or place.occurrence > 1 or place.steps:
        raise BreakpointError(f"{what!r} names a moment: a breakpoint stands at an address, and stops there each time")
    return AddressBreakpoint((place.value,), symbols.name(place.value) or f"{place.value:#x}")
