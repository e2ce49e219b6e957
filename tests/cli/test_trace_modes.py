"""Trace lines of events outside long mode."""

from idtviz.cli import trace_json, trace_text
from idtviz.debugger.symbols import Symbols
from idtviz.machine.events import Delivered, Happened, Returned
from tests.view.worlds import session


def delivered(name: str) -> Delivered:
    found = session(name)
    found.step()
    (event,) = (event for event in found.events if isinstance(event, Delivered))
    return event


def line(name: str) -> str:
    return trace_text.event(delivered(name), Symbols())


def test_an_entry_of_the_vector_table_is_a_gate_of_type_ivt():
    found = trace_json.event(delivered("real"))
    assert found["gate"] == {
        "index": 0x21,
        "type": "ivt",
        "dpl": 0,
        "ist": 0,
        "present": True,
        "selector": "0xd00",
        "offset": "0x210",
    }
    assert found["frame"] == {"address": "0x10fda", "words": ["0x2", "0xc00", "0x2"]}
    assert found["error_code"] is None
    assert found["from"]["mode"] == "real"
    assert found["stack"] == "same"


def test_gates_of_protected_mode_bear_their_own_types():
    for name, kind, words in (
        ("protected", "interrupt", 5),
        ("16-bit gate", "interrupt16", 5),
        ("vm86", "interrupt", 9),
    ):
        found = trace_json.event(delivered(name))
        assert found["gate"]["type"] == kind
        assert found["gate"]["ist"] == 0
        assert len(found["frame"]["words"]) == words
        assert found["stack"] == "tss.rsp0"


def test_a_task_gate_leaves_no_frame():
    found = trace_json.event(delivered("task"))
    assert found["gate"]["type"] == "task"
    assert found["frame"] is None
    assert found["stack"] == "task"
    assert found["to"]["rip"] == "0xc200"


def test_places_of_real_mode_are_far_pointers_without_a_ring():
    assert "from 0c00:0002, to 0d00:0210, stack same" in line("real")
    assert "in ring 3, to 0xd210 in ring 0, stack tss.rsp0" in line("protected")
    assert "from 0c00:0000 in ring 3, to 0xd060 in ring 0" in line("vm86")


def test_a_return_to_real_mode_code_is_told_in_the_same_way():
    found = session("real")
    found.step()
    handler = found.view.code.linear(found.view.registers.rip)
    events: list[Happened] = []
    found.machine.memory.write(handler, b"\xcf")
    found.on_event = events.append
    found.step()
    (back,) = (event for event in events if isinstance(event, Returned))
    assert "back to 0c00:0002" in trace_text.event(back, Symbols())
    assert trace_json.event(back)["to"]["rip"] == "0x2"
