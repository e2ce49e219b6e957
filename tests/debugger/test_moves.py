"""Next, finish, breakpoints, pauses: where each command comes to its end."""

from __future__ import annotations

import threading

import pytest

from idtviz.debugger.inputs import Keys
from idtviz.debugger.moment import START, Moment
from idtviz.debugger.session import Phase, SessionError
from idtviz.debugger.stops import Reason
from idtviz.machine.events import Returned
from tests.debugger.breaking import set_at
from tests.debugger.sessions import code, kernel, ticking
from tests.oracle.long_mode import CODE, UNMAPPED, LongModeWorld

CALL_OVER = b"\xe8\x01\x00\x00\x00\xf4\x90\x90\xc3"  # call +1; hlt; nop; nop; ret
PAGE_FAULT = 14


def test_next_steps_over_a_call() -> None:
    session = code(CALL_OVER)
    session.next()
    assert session.view.registers.rip == CODE + 5
    assert session.moment.instruction == 4


def test_next_steps_into_nothing_where_there_is_no_call() -> None:
    session = code(b"\x90\x90")
    session.next()
    assert session.moment == Moment(1)


def test_next_steps_over_an_interrupt_and_its_handler() -> None:
    session = kernel("breakpoint")
    session.run("#BP")
    at = session.view.registers.rip
    session.next()
    assert session.view.registers.rip == at + 1
    assert not session.machine.live
    assert isinstance(session.events[-1], Returned)


def test_back_over_goes_to_where_the_interrupt_came() -> None:
    session = kernel("breakpoint")
    session.run("#BP")
    came = session.moment
    session.next()
    session.back_over()
    assert session.moment == came


def test_finish_ends_behind_the_iret_of_the_innermost_handler() -> None:
    session = kernel("page_fault")
    session.run("page_fault_handler")
    (handler,) = session.machine.live
    session.finish()
    assert session.stop.reason is Reason.RETURNED
    assert handler not in session.machine.live
    returned = session.events[-1]
    assert isinstance(returned, Returned)
    assert session.moment == Moment(returned.instruction + 1)


def test_finish_from_the_middle_of_a_delivery_finishes_its_handler() -> None:
    session = kernel("page_fault")
    session.run("#PF+6")
    session.finish()
    assert isinstance(session.events[-1], Returned)
    assert not session.machine.live


def test_finish_without_a_handler_says_so() -> None:
    with pytest.raises(SessionError, match="no handler"):
        kernel("page_fault").finish()


def test_a_breakpoint_at_an_address_stops_in_front_of_its_instruction_each_time() -> None:
    session = kernel("page_fault")
    address = session.symbols.address_of("page_fault_handler")
    assert address is not None
    set_at(session, "page_fault_handler")
    moments = []
    while session.run().reason is Reason.BREAKPOINT:
        assert session.view.registers.rip == address
        moments.append(session.moment)
    assert len(moments) == len(set(moments)) >= 3


def test_a_breakpoint_on_an_event_stops_before_its_delivery_begins_each_time() -> None:
    session = kernel("page_fault")
    set_at(session, "#PF")
    moments = []
    while session.run().reason is Reason.BREAKPOINT:
        assert session.machine.activity is None
        moments.append(session.moment)
    assert moments == [start for start, event in session.recognised if event.vector == PAGE_FAULT]
    assert len(moments) >= 3


def test_a_condition_on_the_error_code_chooses_among_faults() -> None:
    session = kernel("page_fault")
    set_at(session, "#PF if error & 1")
    session.run()
    event = session.recognised[-1][1]
    assert session.stop.reason is Reason.BREAKPOINT
    assert event.error_code is not None
    assert event.error_code & 1
    first = session.recognised[0][1]
    assert first.error_code is not None
    assert not first.error_code & 1


def test_run_back_finds_the_hits_of_a_run_in_the_other_order() -> None:
    session = kernel("page_fault")
    set_at(session, "page_fault_handler", "#PF")
    hits = []
    while session.run().reason is Reason.BREAKPOINT:
        hits.append((session.moment, session.digest()))
    for moment, digest in reversed(hits):
        session.run_back()
        assert (session.moment, session.digest()) == (moment, digest)
    session.run_back()
    assert session.moment == START


def test_run_back_without_breakpoints_goes_to_the_start() -> None:
    session = kernel("page_fault")
    session.run(Moment(700))
    session.run_back()
    assert session.moment == START


def test_a_run_ends_at_its_limit_of_virtual_time() -> None:
    session = ticking(b"\xeb\xfe", 1000)
    assert session.run(limit=50_000).reason is Reason.LIMIT
    assert session.machine.clock.now >= 50_000


def test_a_guest_that_spins_with_interrupts_off_can_be_paused_from_another_thread() -> None:
    session = code(b"\xfa\xeb\xfe")
    progress = []

    def pause() -> None:
        progress.append(session.progress.moment)
        session.pause()

    timer = threading.Timer(0.3, pause)
    timer.start()
    stop = session.run()
    timer.join()
    assert stop.reason is Reason.PAUSED
    assert session.phase is Phase.STOPPED
    assert progress[0] > START
    here = session.moment
    session.back()
    session.step()
    assert session.moment == here


def test_a_command_to_a_running_machine_is_refused() -> None:
    session = code(b"\xeb\xfe")
    refused = []

    def interfere() -> None:
        for command in (session.step, session.back, lambda: session.give(Keys("a"))):
            try:
                command()
            except SessionError as error:
                refused.append(str(error))
        session.pause()

    session.run(Moment(5))
    timer = threading.Timer(0.2, interfere)
    timer.start()
    session.run()
    timer.join()
    assert len(refused) == 3
    assert all("pause" in text for text in refused)


def test_a_gate_to_a_page_that_is_not_there_ends_in_a_shutdown_or_an_endless_fault_that_is_reported() -> None:
    # The handler of #PF reads the same unmapped address again, for ever: each fault is delivered, none is doubled.
    load = b"\x8a\x04\x25" + UNMAPPED.to_bytes(4, "little")
    session = code(load, (PAGE_FAULT, load))
    stop = session.run(limit=100_000)
    assert stop.reason in (Reason.ENDLESS_FAULT, Reason.SHUTDOWN)
    assert stop.text
    if stop.reason is Reason.ENDLESS_FAULT:
        assert session.moment.instruction == 0
        session.micro_back()
        assert session.phase is Phase.STOPPED


def test_an_instruction_that_is_not_modelled_stops_in_front_of_it() -> None:
    session = code(b"\x90\x0f\x05", world=LongModeWorld(code=b"\x90\x0f\x05"))
    stop = session.run(limit=1000)
    assert stop.reason in (Reason.UNSUPPORTED, Reason.HALTED)
    if stop.reason is Reason.UNSUPPORTED:
        assert "SYSCALL" in stop.text
        assert session.view.registers.rip == CODE + 1


def test_a_view_stays_as_it_is_when_the_session_moves_on() -> None:
    session = kernel("page_fault")
    session.run("#PF+5")
    view = session.view
    registers, words, moment = view.registers, view.stack.words, view.moment
    gates, screen = [str(gate) for gate in view.idt.gates], view.screen
    session.run("end")
    assert session.view is not view
    assert (view.registers, view.stack.words, view.moment) == (registers, words, moment)
    assert ([str(gate) for gate in view.idt.gates], view.screen) == (gates, screen)
    session.seek(moment)
    assert session.view.registers == registers
    assert session.view.stack.words == words
    assert session.view.procedure == view.procedure


def test_a_breakpoint_that_is_taken_away_in_ring_3_leaves_no_trace_in_what_comes() -> None:
    session, plain = kernel("page_fault"), kernel("page_fault")
    set_at(session, "page_fault_handler")
    session.run()
    session.finish()
    assert session.machine.cpu.cpl == 3
    session.breakpoints.clear()
    session.run()
    plain.run()
    assert [event.name for _, event in session.recognised] == [event.name for _, event in plain.recognised]
    assert session.digest() == plain.digest()


def test_finish_where_a_delivery_is_known_to_come_next_finishes_its_handler() -> None:
    session = kernel("page_fault")
    session.run("#PF")
    session.finish()
    assert isinstance(session.events[-1], Returned)
    assert not session.machine.live
