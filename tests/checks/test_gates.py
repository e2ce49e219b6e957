"""The rules over the IDT, on tables made of bytes."""

import pytest

from idtviz.checks.rules.failures import gate_list, raised, vector_list
from idtviz.machine.delivery.event import Fault
from tests.checks.judged import GOOD, GOOD32, INT3, INT80, PUSH, RETURN, UD2, WAIT, findings, said
from tests.oracle.case import TableRegister
from tests.oracle.long_mode import (
    IDT,
    NON_CANONICAL,
    SPARE,
    STACK,
    TWO_PAGES,
    UNMAPPED,
    USER_CODE,
    Gate,
    code_segment,
)
from tests.oracle.protected_mode import INTERRUPT_GATE16, KERNEL_CODE16

RING3 = GOOD.with_(cpl=3, code=INT80)


@pytest.mark.parametrize("code", [INT80, INT3, UD2])
def test_nothing_is_found_where_nothing_is_wrong(code):
    world = GOOD.with_gate(0x80, dpl=3).with_gate(3, dpl=3)
    for ring in (0, 3):
        assert said(world.with_(code=code, cpl=ring)) == {}
    assert said(GOOD32.with_(code=code)) == {}


def test_nothing_is_found_where_an_interrupt_comes_through_an_interrupt_gate():
    assert said(GOOD.with_(code=WAIT), {0x21: RETURN}, irq=1) == {}


def test_most_gates_may_be_absent():
    world = GOOD.with_(code=INT80, gates={0x80: Gate()})
    assert said(world) == {}


# IDT001


def test_a_limit_of_a_pointers_size_is_told_from_a_table_that_is_short():
    assert "the limit of the IDT is 0x7: 8 bytes" in said(GOOD.with_(code=INT80, idt_limit=7))["IDT001"]
    assert said(GOOD.with_(code=INT80, idt_limit=9)).keys() == {"IDT001"}


def test_a_gate_right_behind_the_limit_shows_that_the_limit_is_wrong():
    assert "the table goes on" in said(GOOD.with_(code=INT80, idt_limit=256 * 8 - 1))["IDT001"]


def test_nothing_behind_the_limit_is_a_vector_without_gate():
    gates = {vector: Gate() for vector in range(32)}
    message = said(GOOD.with_(code=INT80, idt_limit=32 * 16 - 1, gates=gates).with_gate(8, ist=1))["IDT002"]
    assert message == (
        "INT 0x80 came, but the IDT has 32 gates, of vectors 0 to 31 (limit 0x1ff): #GP(0x402), that is vector 0x80 "
        "× 8 + 2 (IDT)"
    )


def test_a_limit_without_the_minus_1_is_a_warning():
    (found,) = findings(GOOD.with_(code=INT80, idt_limit=0x1000))
    assert (found.rule, found.severity.value, found.address) == ("IDT001", "warning", IDT)
    assert "0x1000 is the size of the table; the limit of 256 gates is one less" in found.message


# IDT002


def test_an_absent_gate_is_named_with_the_error_code_in_words():
    (found,) = findings(GOOD.with_(code=INT80).with_gate(0x80, present=False))
    assert found.message == (
        "INT 0x80 came, but its gate has P=0 (type 0xe, interrupt): #NP(0x402), that is vector 0x80 × 8 + 2 (IDT)"
    )
    assert found.address == IDT + 0x80 * 16


def test_an_empty_gate_ends_in_gp():
    world = GOOD.with_(code=UD2, gates={8: Gate(ist=1), 13: Gate()})
    assert said(world) == {
        "IDT002": "#UD came through vector 6, but its gate is all zeros, as if it had never been filled in: #GP(0x33), "
        "that is vector 6 × 8 + 2 (IDT) + 1 (EXT)"
    }


def test_of_faults_that_follow_from_one_missing_gate_only_the_first_is_told():
    assert said(GOOD.with_(code=UD2, gates={0x80: Gate()})).keys() == {"IDT002"}


def test_an_absent_gate_that_ring_3_may_not_use_is_absent_in_the_first_place():
    assert said(RING3.with_gate(0x80, present=False)).keys() == {"IDT002"}


# IDT003


def test_gates_that_name_data_are_told_of_together_with_the_right_selector():
    world = GOOD.with_(code=INT80, gates=dict.fromkeys((3, 8, 13, 0x80), Gate(selector=0x10)))
    (found,) = [item for item in findings(world) if item.rule == "IDT003"]
    says = "the gates of vectors 3, 8, 13 and 0x80 name selector 0x10, where the GDT has a data segment, not a code"
    assert found.message.startswith(says)
    assert found.notes[0].text == "the 64-bit code segment of ring 0 in the GDT is 0x8 or 0x48"


@pytest.mark.parametrize(
    ("selector", "says"),
    [(0x80, "beyond the end of the GDT (limit 0x7f)"), (0, "null selector"), (SPARE, "L=0 D=1; 64-bit mode takes L=1")],
)
def test_a_selector_without_64_bit_code_is_told_what_it_names(selector, says):
    world = GOOD.with_descriptor(SPARE, code_segment(long=False, default=True))
    assert says in said(world.with_(code=INT80).with_gate(0x80, selector=selector))["IDT003"]


def test_a_gate_that_nothing_comes_through_is_looked_at_once_an_interrupt_comes():
    world = GOOD.with_(code=WAIT).with_gate(0x80, selector=0x10)
    assert said(world, {0x21: RETURN}, irq=1).keys() == {"IDT003"}
    assert said(world.with_(code=INT3)) == {}


def test_32_bit_code_is_behind_a_32_bit_gate():
    assert (
        "16-bit code segment" in said(GOOD32.with_(code=WAIT).with_gate(0x90, selector=KERNEL_CODE16), irq=1)["IDT003"]
    )
    assert said(GOOD32.with_(code=INT80).with_gate(0x80, type=INTERRUPT_GATE16, selector=KERNEL_CODE16)) == {}


# IDT004


def test_an_interrupt_through_a_trap_gate_is_a_warning_once():
    world = GOOD.with_(code=WAIT + b"\xeb\xfc").with_gate(0x21, type=0xF)
    found = [item for item in findings(world, {0x21: RETURN}, irq=1) if item.rule.startswith("IDT")]
    assert [(item.rule, item.severity.value, item.address) for item in found] == [
        ("IDT004", "warning", IDT + 0x21 * 16)
    ]


def test_a_trap_gate_of_a_line_that_is_masked_is_not_looked_at():
    assert said(GOOD.with_(code=WAIT).with_gate(0x28, type=0xF), {0x21: RETURN}, irq=1) == {}
    assert said(GOOD.with_(code=WAIT).with_gate(0x27, type=0xF), {0x21: RETURN}, irq=1).keys() == {"IDT004"}


def test_a_trap_gate_is_right_for_a_system_call():
    assert said(GOOD.with_(code=INT80).with_gate(0x80, type=0xF)) == {}


def test_long_mode_has_no_16_bit_gates():
    assert "has type 0x6 (reserved)" in said(GOOD.with_(code=INT80).with_gate(0x80, type=6))["IDT004"]


def test_a_16_bit_gate_to_32_bit_code_cuts_the_frame():
    assert "words of two bytes" in said(GOOD32.with_(code=INT80).with_gate(0x80, type=INTERRUPT_GATE16))["IDT004"]


def test_a_table_of_8_byte_gates_is_recognised_in_long_mode():
    world = GOOD.with_(code=UD2).with_gate(6, reserved=0xE00)
    assert "A table of 8-byte gates looks like that" in said(world)["IDT004"]


# IDT005


def test_a_system_call_through_dpl_0_is_told_of():
    assert said(RING3)["IDT005"] == (
        "ring 3 executes INT 0x80, but the gate of vector 0x80 has DPL 0: #GP(0x402), that is vector 0x80 × 8 + 2 (IDT)"
    )
    assert "ring 3 executes INT3" in said(RING3.with_(code=INT3))["IDT005"]


def test_a_program_that_calls_the_handler_of_an_exception_is_rightly_refused():
    assert said(RING3.with_(code=bytes.fromhex("cd0e"))) == {}


# IDT006


def test_a_handler_in_a_segment_of_ring_3_is_told_of():
    message = said(GOOD.with_(code=INT3).with_gate(3, selector=USER_CODE))["IDT006"]
    assert message.startswith(
        "the gate of vector 3 names selector 0x1b, a code segment with DPL 3, but #BP came in ring 0"
    )


def test_a_system_call_into_ring_3_is_no_matter_for_ring_0():
    assert said(GOOD.with_(code=WAIT).with_gate(0x80, selector=USER_CODE), {0x21: RETURN}, irq=1) == {}
    assert said(GOOD.with_(code=WAIT).with_gate(5, selector=USER_CODE), {0x21: RETURN}, irq=1).keys() == {"IDT006"}


# IDT007


def test_a_stack_that_has_run_out_needs_an_ist():
    world = GOOD.with_(code=PUSH, rsp=STACK)
    assert said(world) == {}
    assert "IST 0" in said(world.with_gate(8, ist=0))["IDT007"]
    assert "there is no gate for #DF" in said(world.with_gate(8, present=False))["IDT007"]


def test_a_full_table_without_an_ist_for_df_is_a_warning_when_it_is_used():
    found = findings(GOOD.with_(code=WAIT).with_gate(8, ist=0), {0x21: RETURN}, irq=1)
    assert ("IDT007", "warning") in [(item.rule, item.severity.value) for item in found]
    few = {vector: Gate() for vector in (8, 13, 14, 0x21)}
    assert said(GOOD.with_(code=WAIT, gates=few), {0x21: RETURN}, irq=1) == {}


def test_protected_mode_may_have_an_ordinary_gate_for_df():
    assert said(GOOD32.with_(code=WAIT), irq=1) == {}


# IDT008 to IDT010


def test_no_idt_at_all():
    nothing = {"idtr": TableRegister(0, 0x3FF)}
    assert "the interrupt vector table of real mode" in said(GOOD32.with_(code=INT3, registers=nothing))["IDT008"]
    assert said(GOOD.with_(code=INT3, idt_limit=0)).keys() == {"IDT008"}


def test_a_reset_by_an_empty_idt_is_meant():
    lidt = bytes.fromhex("cd80 0f011c25") + (0x20000).to_bytes(4, "little") + INT3
    assert said(GOOD.with_(code=lidt), {0x80: RETURN}) == {}


def test_a_handler_at_an_address_without_page():
    message = said(GOOD.with_(code=INT80).with_gate(0x80, offset=UNMAPPED))["IDT009"]
    assert (
        message == "the gate of vector 0x80 leads to 0x1f000, but no page is mapped there: #PF at its first instruction"
    )


def test_a_handler_at_an_address_that_is_not_canonical():
    assert "not canonical" in said(GOOD.with_(code=INT80).with_gate(0x80, offset=NON_CANONICAL))["IDT009"]


def test_a_handler_beyond_its_code_segment():
    world = GOOD32.with_(code=INT80).with_gate(0x80, selector=KERNEL_CODE16, offset=0x20000)
    assert "beyond the limit of its code segment" in said(world)["IDT009"]


def test_an_idt_that_is_not_mapped():
    assert "IDTR points to 0x21000" in said(GOOD.with_(code=INT80, idt_base=TWO_PAGES))["IDT010"]


# Words


def test_vectors_are_listed_in_runs():
    assert vector_list([0x80]) == "vector 0x80"
    assert vector_list([14, 13, 3]) == "vectors 3, 13 and 14"
    assert vector_list([*range(15), 0x20, 0x21]) == "vectors 0 to 14, 0x20 and 0x21"
    assert gate_list([8]) == "the gate of vector 8 names"


def test_an_error_code_in_words():
    assert raised(Fault(13, 0x402)) == "#GP(0x402), that is vector 0x80 × 8 + 2 (IDT)"
    assert raised(Fault(13, 0x1B)) == "#GP(0x1b), that is vector 3 × 8 + 2 (IDT) + 1 (EXT)"
    assert raised(Fault(13, 0x11)) == "#GP(0x11), that is selector 0x10 + 1 (EXT)"
    assert raised(Fault(13, 0)) == "#GP(0)"
    assert raised(Fault(14, 2, 0x1000)) == "#PF at 0x1000"
