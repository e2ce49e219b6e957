"""Reading handlers without running them: the walk, and what the rules say of what it finds."""

from collections.abc import Iterator

import pytest

from idtviz.checks.finding import Finding
from idtviz.checks.reading import read_handlers
from idtviz.checks.rules import RULES
from idtviz.checks.stub import Stub, StubReturn
from idtviz.checks.walking import Read, walk, walk_gates
from idtviz.lab.session import LabSession

BASE = 0x1000
SAVED = bytes.fromhex("5051 5958 48cf")  # push rax; push rcx; pop rcx; pop rax; iretq
CODE_TAKEN_OFF = bytes.fromhex("50 58 4883c408 48cf")  # push rax; pop rax; add rsp, 8; iretq
DUMMY = bytes.fromhex("6a00 6a0e eb00 50 58 4883c410 48cf")
"""push 0; push 14; jmp common; common: push rax; pop rax; add rsp, 16; iretq"""
STRING = bytes.fromhex("57 e803000000 5f 48cf f3aa c3")  # push rdi; call f; pop rdi; iretq; f: rep stosb; ret
STRING_BEHIND_CLD = bytes.fromhex("fc 57 f3aa 5f 48cf")


def reading(code: bytes, base: int = BASE) -> Read:
    def read(address: int, size: int) -> bytes | None:
        at = address - base
        return code[at : at + size] if 0 <= at <= len(code) - size else None

    return read


def stub(code: bytes, vector: int = 0x80, bits: int = 64, **more: object) -> Stub:
    found = walk(vector, BASE, reading(code), bits=bits, word=bits // 8)
    return Stub(**{name: getattr(found, name) for name in Stub.__slots__} | more)


def judged(found: Stub) -> dict[str, Finding]:
    findings: Iterator[Finding] = (finding for kind in RULES for finding in kind().stub(found))
    return {finding.rule: finding for finding in findings}


# The walk


def test_the_depth_at_iret_is_counted():
    assert stub(SAVED).returns == (StubReturn(BASE + 4, 8, 0),)
    assert stub(CODE_TAKEN_OFF).returns == (StubReturn(BASE + 6, 8, -8),)
    assert stub(SAVED).whole


@pytest.mark.parametrize(
    ("code", "bits"),
    [
        ("55 4889e5 4883e4f0 e806000000 4889ec 5d 48cf c3", 64),  # push rbp; mov rbp, rsp; and rsp, -16; call; ...
        ("55 4889e5 4829c4 e803000000 c9 48cf c3", 64),  # push rbp; mov rbp, rsp; sub rsp, rax; call f; leave; iretq
        (
            "4889e3 488d6424c0 ffd0 488d6308 4883ec08 48cf",
            64,
        ),  # mov rbx, rsp; ...; lea rsp, [rbx + 8]; sub rsp, 8; iretq
        ("60 1e 54 e809000000 83c404 1f 61 83c408 83ec08 cf c3", 32),  # pusha; push ds; push esp; call f; add esp, 4
        ("6a05 e801000000 cf c20400", 32),  # push 5; call f; iret; f: ret 4
        ("f6442408 03 7403 0f01f8 50 b020 e620 58 f6442408 03 7403 0f01f8 48cf", 64),  # two ways in, two ways out
    ],
)
def test_what_a_handler_takes_it_gives_back(code, bits):
    found = stub(bytes.fromhex(code), bits=bits)
    assert found.whole
    assert found.excess == 0
    assert judged(found) == {}


def test_what_is_seen_on_the_way():
    found = stub(bytes.fromhex("f6442408 03 7403 0f01f8 50 b020 e620 58 48cf"))
    assert (found.swaps_gs, found.ends_interrupt, found.clears_direction) == (True, True, False)
    assert [it.value for it in stub(DUMMY).constants] == [0, 14]


@pytest.mark.parametrize(
    "code",
    [
        "ffe0",  # jmp rax
        "50 ff642408",  # push rax; jmp [rsp + 8]
        "50 c3",  # push rax; ret
        "cd21 58 48cf",  # int 0x21; pop rax; iretq
        "e800000000 58 48cf",  # call next; next: pop rax; iretq
        "50",  # and no more bytes
    ],
)
def test_what_cannot_be_followed_is_not_judged(code):
    found = stub(bytes.fromhex(code), vector=13)
    assert not found.whole
    assert judged(found) == {}


def test_a_stack_pointer_from_elsewhere_is_not_known():
    found = stub(bytes.fromhex("4889c4 48cf"))  # mov rsp, rax; iretq
    assert found.returns == (StubReturn(BASE + 3, 8, None),)
    assert judged(found) == {}


def test_two_ways_that_disagree_are_not_judged():
    found = stub(bytes.fromhex("84c0 7404 4883c408 48cf"), vector=13)  # test al, al; jz over; add rsp, 8; over: iretq
    assert {it.depth for it in found.returns} == {0, -8}
    assert judged(found) == {}


def test_what_follows_a_call_that_never_returns_is_no_code_of_the_handler():
    found = stub(bytes.fromhex("50 e805000000 cc 58 58 48cf fa f4"))  # call panic; ...; panic: cli; hlt
    assert found.whole
    assert found.returns == ()


def test_code_without_end_is_given_up():
    assert not stub(b"\x90" * 5000).whole


# What is said of it


def test_an_error_code_that_is_left():
    found = judged(stub(SAVED, vector=14))
    assert found.keys() == {"STK001"}
    assert found["STK001"].address == BASE + 4
    assert judged(stub(CODE_TAKEN_OFF, vector=14)) == {}


def test_a_dummy_error_code_too_many_or_missing():
    assert judged(stub(DUMMY, vector=14)).keys() == {"STK002"}
    assert judged(stub(DUMMY, vector=14))["STK002"].address == BASE
    assert judged(stub(DUMMY, vector=6)) == {}
    assert judged(stub(CODE_TAKEN_OFF, vector=6)).keys() == {"STK002"}


@pytest.mark.parametrize("vector", [21, 29, 30])
def test_vectors_that_only_newer_processors_give_an_error_code_are_not_judged(vector):
    assert judged(stub(SAVED, vector=vector)) == {}
    assert judged(stub(CODE_TAKEN_OFF, vector=vector)) == {}


def test_one_stub_for_vectors_of_both_kinds_is_not_judged():
    assert judged(stub(SAVED, vector=13, shared=(14, 32))) == {}
    assert judged(stub(SAVED, vector=13, shared=(14,))).keys() == {"STK001"}


def test_words_left_on_the_stack():
    found = judged(stub(bytes.fromhex("60 54 e802000000 61 cf c3"), bits=32))  # pusha; push esp; call f; popa; iret
    assert found.keys() == {"STK006"}
    assert "1 word of its own still on the stack" in found["STK006"].message


def test_an_iret_of_the_wrong_size():
    assert judged(stub(b"\xcf")).keys() == {"STK007"}
    assert judged(stub(bytes.fromhex("66cf"), bits=32)).keys() == {"STK007"}


def test_a_string_instruction_without_cld():
    found = judged(stub(STRING, ring_3=True))
    assert (found.keys(), found["REG002"].severity.value) == ({"REG002"}, "warning")
    assert found["REG002"].address == BASE + 9
    assert judged(stub(STRING_BEHIND_CLD, ring_3=True)) == {}
    assert judged(stub(STRING)) == {}, "nobody could have set DF"
    assert judged(stub(bytes.fromhex("f20f100424 48cf"), ring_3=True)) == {}, "MOVSD of SSE is no string instruction"


# All gates


def test_a_kernels_gates_are_read_once_each():
    session = LabSession.open("breakpoint", narrated=False)
    session.run()
    read = session.machine.linear(session.machine.cpu.registers()).peek
    found = list(walk_gates(session.view, read))
    assert [it.vector for it in found] == [3, 8, 13, 0x80]
    assert all(it.whole and it.ring_3 for it in found)
    assert list(read_handlers(session.view, read)) == []
    assert [it.vector for it in walk_gates(session.view, read, interrupts=(8, 0x80))] == [3, 13, 0x80]
