"""What a view holds in each mode, read from guest memory: tables, stack, code, and what comes next."""

import pytest

from idtviz.debugger.inputs import Poke
from idtviz.debugger.procedures import Stage
from idtviz.debugger.view import View
from idtviz.machine.delivery.event import GENERAL_PROTECTION, PAGE_FAULT, STACK_FAULT
from idtviz.x86.gates import Gate32, IvtEntry
from idtviz.x86.selectors import Selector
from idtviz.x86.tss import Tss16, Tss32
from tests.view.worlds import session


def at(name: str) -> View:
    return session(name).view


@pytest.mark.parametrize(
    ("name", "mode", "kind", "size"),
    [
        ("real", "real", IvtEntry, 4),
        ("protected", "protected", Gate32, 8),
        ("vm86", "vm86", Gate32, 8),
    ],
)
def test_an_entry_of_the_idt_is_as_large_as_the_mode_makes_it(name, mode, kind, size):
    view = at(name)
    assert view.mode == mode
    assert view.idt.entry_size == size
    assert len(view.idt.gates) == 256
    assert all(isinstance(gate, kind) for gate in view.idt.gates)
    assert view.idt.address(3) == view.idt.base + 3 * size


def test_the_table_follows_what_the_guest_writes():
    found = session("real")
    found.give(Poke(0x84, b"\x78\x56\x34\x12"))
    assert found.view.idt.gates[0x21] == IvtEntry(segment=0x1234, offset=0x5678)
    assert found.view.procedure is not None
    assert found.view.procedure.after is not None
    assert found.view.procedure.after.rip == 0x5678


def test_a_limit_that_ends_early_leaves_fewer_gates():
    view = at("protected")
    assert len(type(view.idt)(0, 79, bytes(80), Gate32).gates) == 10
    assert len(type(view.idt)(0, 79, bytes(80), IvtEntry).gates) == 20


def test_selectors_find_their_descriptors_in_both_tables():
    view = at("protected")
    code, local = view.find(Selector(0x08)), view.find(Selector(0x0C))
    assert code is not None
    assert local is not None
    assert code.is_code
    assert local.is_code
    assert view.find(Selector(0)) is None
    assert view.find(Selector(0xFFF8)) is None


def test_the_tss_has_the_format_of_its_descriptor():
    assert isinstance(at("protected").tss.tss, Tss32)
    other = at("286 task").other_tss
    assert other is not None
    assert isinstance(other.tss, Tss16)
    assert at("protected").other_tss is None


@pytest.mark.parametrize(
    ("name", "size", "base"), [("real", 2, 0x10000), ("protected", 4, 0x10000), ("vm86", 2, 0x10000)]
)
def test_the_stack_lies_in_its_segment_in_words_of_the_code(name, size, base):
    stack = at(name).stack
    assert (stack.word_size, stack.base) == (size, base)
    assert stack.linear == base + 0xFE0
    assert stack.word(stack.linear) == int.from_bytes(b"\xa5" * size, "little")
    assert stack.word(stack.linear + 1, 1) == 0xA5
    assert stack.words[(stack.linear - stack.start) // size] == stack.word(stack.linear)
    assert stack.word(0) is None


@pytest.mark.parametrize(("name", "bits"), [("real", 16), ("vm86", 16), ("protected", 32)])
def test_code_is_as_wide_as_its_segment_says(name, bits):
    view = at(name)
    assert view.code.bits == bits
    assert view.code.linear(view.registers.rip) == 0xC000


@pytest.mark.parametrize(
    ("name", "vector", "code"), [("page fault", PAGE_FAULT, 4), ("PAE", PAGE_FAULT, 4), ("limit", STACK_FAULT, 0)]
)
def test_an_operand_that_will_not_be_let_through_is_known_in_front(name, vector, code):
    view = at(name)
    assert view.code.access is not None
    assert view.code.access.fault is not None
    assert (view.code.access.fault.vector, view.code.access.fault.error_code) == (vector, code)
    procedure = view.procedure
    assert procedure is not None
    assert procedure.stage is Stage.NEXT
    assert procedure.event is not None
    assert procedure.event.vector == vector


def test_virtual_8086_code_may_not_use_int_n_without_iopl_3():
    found = session("vm86")
    found.give(Poke(0xC000, b"\xcd\x21"))
    procedure = found.view.procedure
    assert procedure is not None
    assert procedure.event is not None
    assert procedure.event.vector == GENERAL_PROTECTION
    found.step()
    assert found.events
    assert found.view.frame is not None
    assert found.view.frame.gs == 0x3333


def test_exceptions_of_real_mode_have_no_error_code():
    found = session("real").suppose(13)
    assert found.event is not None
    assert found.event.error_code is None
    assert found.frame is not None
    assert len(found.frame.words) == 3


def test_a_far_transfer_that_comes_next_is_seen_ahead():
    procedure = at("far call").procedure
    assert procedure is not None
    assert (procedure.stage, procedure.instruction, procedure.event) == (Stage.NEXT, "CALL far", None)
    assert procedure.after is not None
    assert procedure.after.rip == 0xD000


def test_a_view_of_a_task_switch_under_way_sees_the_whole_of_it():
    found = session("task")
    ahead = found.view.procedure
    assert ahead is not None
    for _ in range(20):
        found.micro_step()
    procedure = found.view.procedure
    assert procedure is not None
    assert procedure.steps == ahead.steps
    assert procedure.task == ahead.task
    assert procedure.task is not None
    assert procedure.task.selector & ~3 == 0x98
