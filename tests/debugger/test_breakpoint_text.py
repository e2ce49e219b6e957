"""What a person may write for a breakpoint, and what is said to one who writes something else."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from idtviz.debugger.breakpoint_text import BreakpointError, parse_breakpoint
from idtviz.debugger.breakpoints import (
    AddressBreakpoint,
    DeliveryBreakpoint,
    PortBreakpoint,
    ReturnBreakpoint,
    WriteBreakpoint,
)
from idtviz.debugger.symbols import Symbols
from idtviz.machine.delivery.event import Event, Source
from idtviz.machine.watch import Bytes, Ports
from tests.debugger.sessions import kernel

NAMES = kernel("page_fault").symbols
NONE = Symbols()


def fault(error_code: int | None = 0, cr2: int | None = None, vector: int = 14, rip: int = 0x1000) -> Event:
    return Event(vector, Source.EXCEPTION, rip, rip, error_code, cr2)


def stops(text: str, event: Event) -> bool:
    found = parse_breakpoint(text, NAMES)
    assert isinstance(found, DeliveryBreakpoint)
    return found.matches(event, kernel("page_fault").machine.cpu.registers())


def test_a_symbol_and_its_address_are_the_same_breakpoint() -> None:
    address = NAMES.address_of("page_fault_handler")
    assert address is not None
    named = parse_breakpoint("page_fault_handler", NAMES)
    assert named == parse_breakpoint(f"{address:#x}", NAMES) == AddressBreakpoint((address,), "")
    assert str(named) == "page_fault_handler"


def test_a_source_line_stands_for_every_stretch_of_code_that_it_became() -> None:
    line = next(found for symbol in NAMES.all if symbol.code and (found := NAMES.line(symbol.address)))
    text = f"page_fault.S:{line.number}"
    found = parse_breakpoint(text, NAMES)
    assert isinstance(found, AddressBreakpoint)
    assert found.addresses == NAMES.addresses_of_line("page_fault.S", line.number)
    assert str(found) == text


@pytest.mark.parametrize(
    ("text", "vector", "source", "stopped"),
    [
        ("#PF", 14, Source.EXCEPTION, True),
        ("#PF", 14, Source.SOFTWARE, False),
        ("#BP", 3, Source.SOFTWARE, True),
        ("#DF", 8, Source.EXTERNAL, False),
        ("vector 8", 8, Source.EXTERNAL, True),
        ("int 0x80", 0x80, Source.SOFTWARE, True),
        ("int 0x80", 0x80, Source.EXTERNAL, False),
        ("any exception", 13, Source.EXCEPTION, True),
        ("any exception", 3, Source.SOFTWARE, True),
        ("any exception", 0x80, Source.SOFTWARE, False),
        ("interrupt", 0x20, Source.EXTERNAL, True),
        ("interrupt", 2, Source.NMI, True),
        ("interrupt", 14, Source.EXCEPTION, False),
        ("nmi", 2, Source.NMI, True),
        ("nmi", 2, Source.SOFTWARE, False),
        ("delivery", 0x80, Source.SOFTWARE, True),
    ],
)
def test_a_breakpoint_on_deliveries_goes_by_vector_and_source(
    text: str, vector: int, source: Source, stopped: bool
) -> None:
    assert stops(text, Event(vector, source, 0, 0)) is stopped


def test_an_interrupt_line_is_told_from_its_vector() -> None:
    assert stops("irq1", Event(0x21, Source.EXTERNAL, 0, 0, irq=1))
    assert not stops("irq1", Event(0x21, Source.EXTERNAL, 0, 0, irq=9))


@pytest.mark.parametrize(
    ("condition", "error", "cr2", "holds"),
    [
        ("error & 4", 5, 0, True),
        ("error & 4", 3, 0, False),
        ("error == 0x18", 0x18, None, True),
        ("error != 0x18", 0x18, None, False),
        ("error == 0", None, None, False),
        ("cr2 == 0xdead000", 0, 0xDEAD000, True),
        ("cr2 in 0xb8000..0xb8fff", 0, 0xB8FFF, True),
        ("cr2 in 0xb8000..0xb8fff", 0, 0xB9000, False),
        ("cr2 < 0x1000 and error & 1", 1, 0, True),
        ("cr2 < 0x1000 and error & 1", 0, 0, False),
        ("cr2 >= 10", 0, 10, True),
        ("cr2 > 10", 0, 10, False),
        ("cr2 <= 1_0", 0, 10, True),
        ("cpl == 0", 0, 0, True),
        ("cpl == 3", 0, 0, False),
        ("cr2 == 1", 0, None, False),
    ],
)
def test_every_term_of_a_condition_must_hold(condition: str, error: int | None, cr2: int | None, holds: bool) -> None:
    assert stops(f"#PF if {condition}", fault(error, cr2)) is holds


def test_rip_in_a_symbol_covers_its_bytes_and_no_more() -> None:
    symbol = next(found for found in NAMES.all if found.code and found.size > 4)
    text = f"#PF if rip in {symbol.name}"
    assert stops(text, fault(rip=symbol.address))
    assert stops(text, fault(rip=symbol.address + symbol.size - 1))
    assert not stops(text, fault(rip=symbol.address + symbol.size))


@given(low=st.integers(0, 1 << 32), extent=st.integers(0, 1 << 16), value=st.integers(0, 1 << 33))
def test_a_range_holds_both_of_its_ends(low: int, extent: int, value: int) -> None:
    found = parse_breakpoint(f"#PF if cr2 in {low:#x}..{low + extent}", NONE)
    assert isinstance(found, DeliveryBreakpoint)
    (term,) = found.condition.terms
    for each in (low, low + extent, value):
        assert term.holds({"cr2": each}) is (low <= each <= low + extent)


@given(first=st.integers(0, 0xFFFF), extent=st.integers(0, 0xFFFF), way=st.sampled_from(["", " read", " write"]))
def test_ports_can_be_written_as_they_are_listed(first: int, extent: int, way: str) -> None:
    last = min(first + extent, 0xFFFF)
    found = parse_breakpoint(f"port {first}..{last:#x}{way}", NONE)
    assert found == PortBreakpoint(Ports(first, last, read=way != " write", write=way != " read"))
    assert parse_breakpoint(str(found), NONE) == found


@pytest.mark.parametrize(
    "text",
    [
        *("#PF if error & 4 and cr2 in 0xb8000..0xb8fff", "int 0x80", "IRQ1", "NMI", "vector 0x21", "any exception"),
        *("interrupt", "delivery", "fault in delivery", "shutdown", "iret", "iret to ring 3", "port 0x60", "mode"),
        *("ring", "write 0x9000 4", "0x100088", "port 0x3f8..0x3ff write"),
    ],
)
def test_what_the_list_shows_can_be_written_again(text: str) -> None:
    found = parse_breakpoint(text, NONE)
    assert parse_breakpoint(str(found), NONE) == found


def test_a_write_to_a_symbol_watches_all_of_it_unless_a_size_is_given() -> None:
    symbol = next(found for found in NAMES.all if not found.code and 1 < found.size <= 4096)
    assert parse_breakpoint(f"write {symbol.name}", NAMES) == WriteBreakpoint(Bytes(symbol.address, symbol.size), "")
    assert parse_breakpoint(f"write {symbol.name} 1", NAMES) == WriteBreakpoint(Bytes(symbol.address, 1), "")
    assert parse_breakpoint("write 0x9000", NONE) == WriteBreakpoint(Bytes(0x9000, 8), "")


def test_words_are_understood_in_capitals_and_with_more_blanks() -> None:
    assert parse_breakpoint("  IRET   to ring 0 ", NONE) == ReturnBreakpoint(0)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "stop at what"),
        ("nowhere", "nothing to stop at"),
        ("#XX", "no vector"),
        ("int 256", "do not exist|does not exist"),
        ("irq24", "irq23"),
        ("812", "names a moment"),
        ("end", "names a moment"),
        ("0x1000:2", "names a moment"),
        ("port", "expected port"),
        ("port 0x60 execute", "expected port"),
        ("port 0x10000", "0xffff"),
        ("port 5..4", "lower one first"),
        ("write", "expected write"),
        ("write nowhere", "neither a number nor a symbol"),
        ("write 0x9000 0", "1 to 4096"),
        ("write 0x9000 4097", "1 to 4096"),
        ("write 0xffffffffffffffff 2", "address space"),
        ("iret to ring 4", "ring 0, 1, 2 or 3"),
        ("iret if cpl == 3", "takes no condition"),
        ("#PF if", "nothing to stop at|no vector"),
        ("#PF if error", "no condition"),
        ("#PF if rsp == 3", "cannot be asked for"),
        ("#PF if error = 3", "no condition"),
        ("#PF if error == many", "neither a number nor a symbol"),
        ("#PF if cr2 in 5..4", "empty"),
        ("#PF if cr2 in nowhere", "no range"),
        ("#PF if error & 4 and", "no condition"),
        ("#PF if error & 4 or cpl == 3", "neither a number nor a symbol"),
    ],
)
def test_what_cannot_be_understood_is_answered_with_what_could(text: str, said: str) -> None:
    with pytest.raises(BreakpointError, match=said):
        parse_breakpoint(text, NONE)


@example("_")
@example("0x_")
@example("1__2")
@example("#PF if error & 0x_")
@example("#PF if error == 1__2")
@example("write 0x_ 4")
@example("write 0x1000 010")
@example("port 010")
@example("port " + "9" * 5000)
@given(text=st.text(max_size=30))
def test_no_text_does_anything_but_name_a_breakpoint_or_be_refused(text: str) -> None:
    try:
        found = parse_breakpoint(text, NONE)
    except BreakpointError as error:
        assert str(error)
    else:
        assert str(found)
