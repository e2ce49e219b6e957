"""Who changed this, who called this, what happened before: back to where something came from."""

from __future__ import annotations

import pytest

from idtviz.debugger.inputs import Poke, SetRegister
from idtviz.debugger.moment import START, Moment
from idtviz.debugger.session import Session, SessionError
from idtviz.debugger.stops import Reason
from idtviz.machine.delivery.delivery import Delivery
from idtviz.machine.watch import Bytes
from tests.debugger.breaking import set_at
from tests.debugger.sessions import TYPED, code, kernel, ticking
from tests.oracle.long_mode import CODE, DATA

WRITES = bytes.fromhex(  # mov eax, 5; mov [DATA], eax; inc eax; nop; mov [DATA], eax; nop; nop
    "b805000000 a30000020000000000 ffc0 90 a30000020000000000 90 90"
)
NESTED = bytes.fromhex("e803000000 f49090 e801000000 c3 c3")  # call f; hlt; ... f: call g; ret; g: ret
REPEATED = bytes.fromhex(
    "be0000020 0 bf00010200 b928000000 f3a4 90 90".replace(" ", "")
)  # mov esi, edi, ecx; rep movsb


def at_end(raw: bytes, count: int) -> Session:
    session = code(raw)
    session.run(Moment(count))
    return session


# Who wrote this?


def test_the_instruction_that_wrote_a_word_last_is_the_next_one() -> None:
    session = at_end(WRITES, 7)
    stop = session.who_wrote(Bytes(DATA, 4))
    assert (stop.reason, session.moment) == (Reason.FOUND, Moment(4))
    assert f"wrote {DATA:#x}: 0x5 → 0x6" in stop.text
    session.step()
    assert session.machine.linear().read(DATA, 1) == b"\x06"


def test_asked_again_it_is_the_one_before() -> None:
    session = at_end(WRITES, 7)
    session.who_wrote(Bytes(DATA, 4))
    session.who_wrote(Bytes(DATA, 4))
    assert session.moment == Moment(1)
    stop = session.who_wrote(Bytes(DATA, 4))
    assert session.moment == Moment(1)
    assert stop.text == f"nothing has written {DATA:#x} since the start"


def test_a_byte_beside_is_another_byte() -> None:
    session = at_end(WRITES, 7)
    assert "nothing has written" in session.who_wrote(Bytes(DATA + 8, 8)).text
    assert session.moment == Moment(7)


def test_the_instruction_that_wrote_a_register_last() -> None:
    session = at_end(WRITES, 7)
    stop = session.who_wrote("rax")
    assert (session.moment, stop.reason) == (Moment(2), Reason.FOUND)
    assert "wrote rax: 0x5 → 0x6" in stop.text
    session.who_wrote("rax")
    assert session.moment == START


def test_a_word_of_an_interrupt_frame_was_written_by_a_push_of_the_delivery() -> None:
    session = kernel("page_fault")
    session.run("page_fault_handler")
    frame = session.view.frame
    assert frame is not None
    stop = session.who_wrote(Bytes(frame.return_address, 8))
    delivery = session.machine.activity
    assert isinstance(delivery, Delivery)
    done = len(delivery.steps)
    session.micro_step()
    assert delivery.steps or session.machine.activity is not None
    written = session.machine.activity or session.machine.finished
    assert isinstance(written, Delivery)
    step = written.steps[done]
    assert any(span.address == frame.return_address for span in step.writes)
    assert step.text in stop.text


def test_who_wrote_rsp_in_a_handler_is_the_delivery() -> None:
    session = kernel("page_fault")
    session.run("page_fault_handler")
    session.who_wrote("rsp")
    assert isinstance(session.machine.activity, Delivery)


def test_an_edit_of_ones_own_is_found_too() -> None:
    session = at_end(WRITES, 4)
    session.give(Poke(DATA, b"\x99\x00\x00\x00"))
    session.run(Moment(4, 0))
    stop = session.who_wrote(Bytes(DATA, 4))
    assert session.moment == Moment(4)
    assert stop.text == f"you wrote it here: poke {DATA:#x} 99 00 00 00"
    session.who_wrote(Bytes(DATA, 4))
    assert session.moment == Moment(1)


def test_an_edit_of_a_register_is_found_too() -> None:
    session = at_end(WRITES, 1)
    session.give(SetRegister("rax", 7))
    session.step()
    assert session.who_wrote("rax").text == "you wrote it here: edit rax = 0x7"
    assert session.moment == Moment(1)


def test_a_poke_of_the_scenario_is_found_as_such() -> None:
    session = kernel("keyboard", (("300", Poke(0xB8000 + 3998, b"I\x07")),))
    session.run(Moment(900))
    assert session.who_wrote(Bytes(0xB8000 + 3998, 2)).text.startswith("an input of the scenario wrote it here")
    assert session.moment == Moment(300)


def test_a_breakpoint_that_is_set_does_not_stop_the_search() -> None:
    session = at_end(WRITES, 7)
    set_at(session, f"{CODE + 5:#x}")
    session.who_wrote("rax")
    session.who_wrote("rax")
    assert session.moment == START


# Over what has ended


def test_back_over_a_call_goes_to_the_call() -> None:
    session = code(NESTED)
    session.next()
    assert session.view.registers.rip == CODE + 5
    session.back_over()
    assert session.moment == START


def test_back_over_the_inner_call_stays_in_the_outer_function() -> None:
    session = code(NESTED)
    session.step()
    session.next()
    session.back_over()
    assert session.moment == Moment(1)


def test_back_over_a_repeated_instruction_goes_to_its_first_repetition() -> None:
    session = code(REPEATED)
    session.run(Moment(3))
    first = session.digest()
    session.next()
    assert session.view.code.here is not None
    assert session.view.code.here.mnemonic == "nop"
    session.back_over()
    assert (session.moment, session.digest()) == (Moment(3), first)


def test_back_over_anything_else_is_one_back() -> None:
    session = at_end(WRITES, 3)
    session.back_over()
    assert session.moment == Moment(2)


def test_a_return_to_an_address_that_no_call_pushed_is_one_step() -> None:
    session = code(b"\x68" + (CODE + 8).to_bytes(4, "little") + b"\xc3\x90\x90\x90")  # push there; ret
    session.run(Moment(2))
    session.back_over()
    assert session.moment == Moment(1)


# Handlers and events


def test_back_to_what_called_the_handler() -> None:
    session = kernel("page_fault")
    session.run("#PF")
    came = session.moment
    session.run("page_fault_handler")
    for _ in range(20):
        session.step()
    session.handler_back()
    assert session.moment == came


def test_without_a_handler_nothing_has_called_it() -> None:
    with pytest.raises(SessionError, match="no handler is running"):
        kernel("page_fault").handler_back()


def test_events_backwards_and_forwards_are_the_moments_of_the_list() -> None:
    session = kernel("keyboard", TYPED)
    session.run(Moment(1500))
    moments = sorted({Moment(event.instruction, event.step) for event in session.events})
    moments = [moment for moment in moments if START < moment < Moment(1500)]
    found = []
    while session.moment > START:
        session.event_back()
        found.append(session.moment)
    assert [moment for moment in found if moment > START] == moments[::-1]
    for moment in moments:
        session.event_forward()
        assert session.moment == moment
    with pytest.raises(SessionError, match="start"):
        session.seek(START)
        session.event_back()


def test_the_next_event_beyond_the_frontier_is_run_to() -> None:
    session = ticking(b"\x48\xff\xc0\xeb\xfb", 100)
    seen = []
    for _ in range(6):
        session.event_forward()
        seen.append(session.moment)
    assert seen == sorted(set(seen))
    stepped = ticking(b"\x48\xff\xc0\xeb\xfb", 100)
    stepped.run(Moment(seen[-1].instruction + 50))
    moments = sorted({Moment(event.instruction, event.step) for event in stepped.events})
    assert [moment for moment in moments if moment > START][: len(seen)] == seen


def test_where_nothing_happens_any_more_the_end_is_told() -> None:
    session = kernel("page_fault")
    session.run()
    end = session.moment
    session.event_forward()
    assert (session.moment, session.stop.reason) == (end, Reason.HALTED)


def test_from_the_middle_of_a_delivery_back_to_its_event() -> None:
    session = kernel("page_fault")
    session.run("#PF+6")
    session.handler_back()
    assert (session.moment, session.machine.activity) == (session.recognised[0][0], None)
