"""The driver is right: known facts about the processor come back, and nothing that happens to a worker is lost."""

from __future__ import annotations

import json

import pytest

from .bochs import judge
from .case import PAGE, Answer, Case, Injection, State
from .cases import DIFFERENCES, EXPECTED, NAMED_CASES, OTHER_MODES, outcome
from .differences import REASONS
from .long_mode import (
    CODE,
    DATA,
    HANDLERS,
    HIGH_HALF,
    IF,
    IST_STACKS,
    KERNEL_CODE,
    KERNEL_DATA,
    PT,
    RSP_STACKS,
    SPARE,
    STACK,
    TF,
    UNMAPPED,
    USER_CODE,
    USER_DATA,
    Gate,
    LongModeWorld,
    code_segment,
    handler,
)
from .other_differences import OTHER_REASONS
from .protected_mode import ProtectedModeWorld
from .real_mode import RealModeWorld, segment

RF = 1 << 16
START_RSP = STACK + 0xFE8
WORLD = LongModeWorld()


@pytest.fixture(scope="module")
def answers() -> dict[str, Answer]:
    return {answer.name: answer for answer in judge(list(NAMED_CASES.values()))}


@pytest.fixture(scope="module")
def other_answers() -> dict[str, Answer]:
    return {answer.name: answer for answer in judge(list(OTHER_MODES.values()))}


def run(world: LongModeWorld | ProtectedModeWorld | RealModeWorld) -> tuple[Case, Answer, State]:
    """The case of a world, its answer, and the final state, which must exist."""
    case = world.case("case")
    (answer,) = judge([case])
    assert answer.error is None
    assert answer.final is not None
    return case, answer, answer.final


def pushed(case: Case, answer: Answer, count: int) -> list[int]:
    """The words from the top of the stack at the end, in the order of memory."""
    assert answer.final is not None
    return answer.words(case, answer.final.rsp & ~HIGH_HALF, count)


@pytest.mark.parametrize("name", NAMED_CASES)
def test_bochs_does_what_delivery_md_says(name: str, answers: dict[str, Answer]) -> None:
    assert outcome(answers[name]) == DIFFERENCES.get(name, EXPECTED[name])


@pytest.mark.parametrize("name", NAMED_CASES)
def test_an_answer_has_a_final_state_unless_the_processor_shut_down(name: str, answers: dict[str, Answer]) -> None:
    assert answers[name].error is None
    assert (answers[name].final is None) == answers[name].shutdown


@pytest.mark.parametrize("name", OTHER_MODES)
def test_bochs_does_what_the_manual_says_in_other_modes(name: str, other_answers: dict[str, Answer]) -> None:
    answer = other_answers[name]
    assert outcome(answer) == DIFFERENCES.get(name, EXPECTED[name])
    assert answer.error is None
    assert (answer.final is None) == answer.shutdown


@pytest.mark.parametrize("name", [name for name, reason in OTHER_REASONS.items() if reason.amend is not None])
def test_a_reason_is_about_something_that_bochs_does(name: str, other_answers: dict[str, Answer]) -> None:
    amend = OTHER_REASONS[name].amend
    assert amend is not None
    amended = amend(OTHER_MODES[name], other_answers[name])
    assert amended != other_answers[name]
    assert outcome(amended) == EXPECTED[name]


def test_every_difference_has_its_reason() -> None:
    assert set(DIFFERENCES) <= set(REASONS) | set(OTHER_REASONS)


def test_a_fault_pushes_its_own_address_and_sets_rf() -> None:
    case, answer, final = run(WORLD)
    assert final.rip == handler(6)
    assert pushed(case, answer, 5) == [CODE, KERNEL_CODE, 0x2 | RF, START_RSP, KERNEL_DATA]


def test_int3_pushes_the_next_address_and_leaves_rf_clear() -> None:
    case, answer, final = run(WORLD.with_(code=b"\xcc"))
    assert final.rip == handler(3)
    assert pushed(case, answer, 5) == [CODE + 1, KERNEL_CODE, 0x2, START_RSP, KERNEL_DATA]


def test_a_gate_that_is_not_present_raises_np_with_the_idt_bit_and_ext() -> None:
    case, answer, _ = run(WORLD.with_gate(6, present=False))
    assert outcome(answer) == "#UD > #NP(0x33)"
    assert pushed(case, answer, 6) == [0x33, CODE, KERNEL_CODE, 0x2 | RF, START_RSP, KERNEL_DATA]


def test_int_n_from_ring_3_through_a_kernel_gate_raises_gp_without_ext() -> None:
    case, answer, final = run(WORLD.with_(cpl=3, code=b"\xcd\x80"))
    assert outcome(answer) == "int 0x80 > #GP(0x402)"
    assert final.cpl == 0
    assert pushed(case, answer, 6) == [0x402, CODE, USER_CODE, 0x2 | RF, START_RSP, USER_DATA]


def test_a_page_fault_in_the_delivery_of_a_page_fault_and_of_the_double_fault_shuts_down() -> None:
    world = WORLD.with_(code=b"\xa0" + UNMAPPED.to_bytes(8, "little")).with_gate(14, ist=1).with_gate(8, ist=1)
    (answer,) = judge([world.with_page(IST_STACKS[0], present=False).case("triple")])
    assert answer.shutdown
    assert answer.error is None
    assert answer.final is None
    assert outcome(answer) == "#PF(0x0) > #PF(0x2) > #DF(0x0) > #PF(0x2) > shutdown"
    assert [event.cr2 for event in answer.events] == [UNMAPPED, *[IST_STACKS[0] + PAGE - 8] * 3]


def test_a_fault_of_a_double_fault_handler_s_own_first_fetch_is_no_shutdown() -> None:
    _, answer, final = run(WORLD.with_(code=b"\xf7\xf1").with_gate(0, present=False).with_gate(8, offset=UNMAPPED))
    assert outcome(answer) == "#DE > #NP(0x3) > #DF(0x0)"
    assert final.rip == UNMAPPED


def test_ist_switches_the_stack_within_one_ring_and_keeps_ss() -> None:
    case, answer, final = run(WORLD.with_gate(6, ist=3))
    assert final.rsp == IST_STACKS[2] + PAGE - 5 * 8
    assert final.ss.selector == KERNEL_DATA
    assert pushed(case, answer, 5)[3:] == [START_RSP, KERNEL_DATA]


def test_a_change_of_ring_takes_rsp0_and_nulls_ss() -> None:
    case, answer, final = run(WORLD.with_(cpl=3))
    assert final.rsp == RSP_STACKS[0] + PAGE - 5 * 8
    assert (final.ss.selector, final.ss.usable) == (0, False)
    assert pushed(case, answer, 5) == [CODE, USER_CODE, 0x2 | RF, START_RSP, USER_DATA]


@pytest.mark.parametrize("vector", [0, 2, 8, 13, 14, 15, 16, 17, 0x30, 0xFF])
def test_an_external_interrupt_pushes_no_error_code_whatever_its_vector(vector: int) -> None:
    world = WORLD.with_(code=b"\x90", rflags=0x2 | IF, inject=Injection("external", vector))
    case, answer, final = run(world)
    assert [(event.kind, event.vector, event.error_code) for event in answer.events] == [("external", vector, None)]
    assert final.rip == handler(vector)
    assert answer.instructions == 0
    assert pushed(case, answer, 5) == [CODE, KERNEL_CODE, 0x2 | IF, START_RSP, KERNEL_DATA]


def test_an_external_interrupt_waits_for_if_and_for_the_shadow_of_sti() -> None:
    irq = Injection("external", 0x30)
    _, answer, final = run(WORLD.with_(code=b"\x90\x90", instructions=2, inject=irq))
    assert (answer.events, final.rip, answer.instructions) == ((), CODE + 2, 2)
    case, answer, _ = run(WORLD.with_(code=b"\xfb\x90\x90", instructions=3, inject=irq))
    assert (outcome(answer), answer.instructions) == ("irq 0x30", 2)
    assert pushed(case, answer, 1) == [CODE + 2]


def test_an_nmi_asks_for_no_permission() -> None:
    case, answer, final = run(WORLD.with_(cpl=3, code=b"\x90", inject=Injection("nmi")))
    assert [event.kind for event in answer.events] == ["nmi"]
    assert final.rip == handler(2)
    assert pushed(case, answer, 5) == [CODE, USER_CODE, 0x2, START_RSP, USER_DATA]


def test_an_event_raised_during_an_instruction_is_taken_behind_it() -> None:
    world = WORLD.with_(code=b"\x90" * 4, rflags=0x2 | IF, instructions=4, inject=Injection("external", 0x30, after=3))
    case, answer, _ = run(world)
    assert answer.instructions == 3
    assert pushed(case, answer, 1) == [CODE + 3]


def test_an_external_interrupt_ends_the_run_before_its_handler_is_fetched() -> None:
    world = WORLD.with_(code=b"\x90", rflags=0x2 | IF, inject=Injection("external", 0x30))
    _, answer, final = run(world.with_gate(0x30, offset=UNMAPPED).with_(registers={"cr2": 0x1234}))
    assert outcome(answer) == "irq 0x30"
    assert (final.rip, final.cr2) == (UNMAPPED, 0x1234)


def test_single_stepping_traps_behind_the_instruction_and_leaves_rf_clear() -> None:
    case, answer, final = run(WORLD.with_(code=b"\x90\x90", rflags=0x2 | TF, instructions=2))
    assert outcome(answer) == "#DB"
    assert final.dr6 & 1 << 14
    assert pushed(case, answer, 3) == [CODE + 1, KERNEL_CODE, 0x2 | TF]


def test_gate_and_frame_leave_the_bits_of_paging_and_of_the_descriptor() -> None:
    world = WORLD.with_gate(6, selector=SPARE).with_descriptor(SPARE, code_segment(type=0xA))
    _, answer, _ = run(world)
    changed = {change.address: (change.old, change.new) for change in answer.changes}
    assert changed[0x8000 + SPARE + 5] == (b"\x9a", b"\x9b")
    assert changed[PT + STACK // PAGE * 8] == (b"\x07", b"\x67")
    assert changed[PT + 0xA000 // PAGE * 8] == (b"\x03", b"\x23")
    assert PT + HANDLERS // PAGE * 8 not in changed


def test_a_run_ends_after_its_instructions() -> None:
    _, answer, final = run(WORLD.with_(code=b"\x90" * 8, instructions=5))
    assert (answer.instructions, final.rip, answer.events) == (5, CODE + 5, ())


def test_a_halt_that_nothing_ends_is_told() -> None:
    _, answer, final = run(WORLD.with_(code=b"\xf4", rflags=0x2 | IF, instructions=2))
    assert (answer.halted, final.rip, answer.events) == (True, CODE + 1, ())
    woken = WORLD.with_(code=b"\xf4", rflags=0x2 | IF, instructions=2, inject=Injection("external", 9, after=1))
    _, answer, _ = run(woken)
    assert (answer.halted, outcome(answer)) == (False, "irq 0x9")


def test_the_arithmetic_flags_are_those_of_the_last_instruction() -> None:
    _, _, final = run(WORLD.with_(code=b"\x31\xc0"))
    assert final.rflags == 0x46
    _, _, final = run(WORLD.with_(code=b"\x31\xc0\x0f\x0b", instructions=2))
    assert final.rflags == 0x46


def test_a_repeated_instruction_counts_once() -> None:
    world = WORLD.with_(code=b"\xf3\xaa", registers={"rax": 0x5A, "rcx": 5, "rdi": DATA})
    case, answer, final = run(world)
    assert (final.rip, final.rcx, answer.instructions) == (CODE + 2, 0, 1)
    assert answer.words(case, DATA, 8, 1) == [0x5A] * 5 + [0] * 3


def test_the_state_goes_in_and_comes_out_unchanged() -> None:
    case, _, final = run(WORLD.with_(cpl=3, code=b"\x90", registers={"r15": 1 << 63, "cr2": 5, "rbx": 7}))
    expected = case.state
    for name in ("cs", "ss", "ds", "es", "ldtr", "gdtr", "idtr", "r15", "cr0", "cr2", "cr3", "cr4", "efer", "rbx"):
        assert getattr(final, name) == getattr(expected, name), name
    assert (final.tr.selector, final.tr.base, final.tr.limit) == (expected.tr.selector, expected.tr.base, 0x67)


@pytest.mark.parametrize(
    "world",
    [
        ProtectedModeWorld(cpl=3, code=b"\x90"),
        ProtectedModeWorld(cpl=3, code=b"\x90", paging="PAE"),
        ProtectedModeWorld(vm86=True, code=b"\x90"),
        RealModeWorld(code=b"\x90", cs=segment(0xC03)),
    ],
)
def test_the_state_of_other_modes_goes_in_and_comes_out_unchanged(
    world: ProtectedModeWorld | RealModeWorld,
) -> None:
    case, _, final = run(world)
    for name in ("cs", "ss", "ds", "es", "ldtr", "tr", "gdtr", "idtr", "rflags", "cr0", "cr3", "cr4", "efer", "cpl"):
        assert getattr(final, name) == getattr(case.state, name), name


def test_cases_and_answers_survive_json() -> None:
    injected = WORLD.with_(inject=Injection("external", 9, after=2)).case("injected")
    shutdown = NAMED_CASES["double.df contributory shutdown"]
    for case in (WORLD.case("plain"), injected, shutdown):
        assert Case.from_json(json.loads(json.dumps(case.to_json()))) == case
    for answer in judge([WORLD.case("plain"), shutdown]):
        assert Answer.from_json(json.loads(json.dumps(answer.to_json()))) == answer


def test_the_same_cases_get_the_same_answers_in_any_order() -> None:
    cases = list(NAMED_CASES.values())[::7]
    assert judge(cases) == judge(cases[::-1], workers=1)[::-1]


def test_a_case_that_touches_memory_it_does_not_have_is_answered_with_an_error() -> None:
    elsewhere = WORLD.with_(registers={"cr3": 0x80000})
    first, second = judge([elsewhere.case("lost"), WORLD.case("plain")], workers=1)
    assert first.error is not None
    assert "0x80000" in first.error
    assert second.error is None


def test_a_case_without_end_is_answered_with_an_error() -> None:
    first, second = judge(
        [WORLD.with_(code=b"\xeb\xfe", instructions=10**9).case("spin"), WORLD.case("plain")], workers=1, time_limit=1
    )
    assert first.error == "no end after 1 seconds"
    assert second.error is None


def test_a_case_that_kills_its_worker_does_not_take_the_others_along() -> None:
    killer = WORLD.with_(inject=Injection("external", "x")).case("killer")  # type: ignore[arg-type]
    before, dead, after = judge([WORLD.case("before"), killer, WORLD.case("after")], workers=1)
    assert dead.error is not None
    assert dead.error.startswith("the worker died in this case")
    assert (before.error, after.error) == (None, None)


def test_a_gate_encodes_as_the_manual_draws_it() -> None:
    gate = Gate(selector=0x1234, offset=0x1122334455667788, ist=5, type=0xF, dpl=2, reserved=0x99AABBCC)
    assert gate.encode(0).hex(" ", 2) == "8877 3412 05cf 6655 4433 2211 ccbb aa99"
