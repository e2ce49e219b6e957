"""What the processor does beside delivering: code that changes, the empty bus, alignment, what it does not model."""

from __future__ import annotations

from dataclasses import replace

import pytest

from idtviz.machine import instructions
from idtviz.machine.delivery.event import Event, Source
from idtviz.machine.events import Noted
from idtviz.machine.pc import UnsupportedError
from tests.machine.bare import LOOP, RETURN, Watched, bare
from tests.oracle.case import PAGE
from tests.oracle.long_mode import (
    AC,
    CODE,
    DATA,
    HIGH_HALF,
    IST_STACKS,
    NON_CANONICAL,
    PT,
    SPARE,
    STACK,
    UNMAPPED,
    LongModeWorld,
    code_segment,
    handler,
)

WAYS = ("step_to", "run_to")
WITH_AM = 0x80050031
"""CR0 with AM."""


@pytest.mark.parametrize("way", WAYS)
def test_code_that_a_push_of_the_delivery_overwrites_runs_as_the_new_code(way: str) -> None:
    # A function lies where the RSP word of the frame will be. The interrupted RSP, which IST1 leaves unused, is code.
    increment, decrement = b"\xfe\xc3\xc3", b"\xfe\xcb\xc3"  # inc bl; ret -- dec bl; ret
    function = IST_STACKS[0] + PAGE - 16
    code = b"\xff\xd2" + b"\x48\xc7\xc4" + decrement + b"\0" + b"\xcc"  # call rdx; mov rsp, ...; int3
    world = LongModeWorld(
        code=code + b"\xff\xd2\xf4",  # call rdx; hlt
        registers={"rdx": function, "rbx": 5, "rcx": STACK + 0xFE8, "rsi": CODE + len(code)},
        extra_memory=((function, increment),),
    )
    watched = bare(world.with_gate(3, ist=1), {3: b"\x48\x89\xcc\xff\xe6"})  # mov rsp, rcx; jmp rsi
    getattr(watched, way)(20)
    assert watched.vectors == [3]
    assert watched.machine.cpu.registers().general[3] == 5


@pytest.mark.parametrize("way", WAYS)
def test_code_that_the_guest_changes_runs_as_the_new_code(way: str) -> None:
    # call f; mov byte [f+1], 0xcb (inc bl -> dec bl is fe cb); call f; hlt
    f = CODE + 0x40
    code = b"\xff\xd2\xc6\x42\x01\xcb\xff\xd2\xff\xd2\xf4".ljust(0x40, b"\x90") + b"\xfe\xc3\xc3"
    watched = bare(LongModeWorld(code=code, registers={"rdx": f, "rbx": 5}))
    getattr(watched, way)(50)
    assert watched.machine.cpu.registers().general[3] == 4


@pytest.mark.parametrize("way", WAYS)
def test_memory_that_is_not_there_reads_all_ones_and_drops_writes(way: str) -> None:
    # mov rax, [rdx]; mov [rdx], rcx; mov rbx, [rdx]; hlt
    world = LongModeWorld(code=b"\x48\x8b\x02\x48\x89\x0a\x48\x8b\x1a\xf4", registers={"rdx": UNMAPPED, "rcx": 5})
    hole = (0x40_0000 | 3).to_bytes(8, "little")
    watched = bare(world)
    watched.machine.memory.write(PT + UNMAPPED // PAGE * 8, hole)
    getattr(watched, way)(10)
    general = watched.machine.cpu.registers().general
    assert (general[0], general[3]) == ((1 << 64) - 1, (1 << 64) - 1)


@pytest.mark.parametrize("way", WAYS)
def test_a_fetch_from_memory_that_is_not_there_is_ud(way: str) -> None:
    watched = bare(LongModeWorld(code=b"\xff\xe2", registers={"rdx": UNMAPPED}))
    watched.machine.memory.write(PT + UNMAPPED // PAGE * 8, (0x40_0000 | 3).to_bytes(8, "little"))
    getattr(watched, way)(10)
    assert watched.vectors == [6]
    assert watched.deliveries[0].origin.rip == UNMAPPED


@pytest.mark.parametrize(
    ("code", "rax", "vector"),
    [
        (b"\x8b\x00", DATA + 1, 17),  # mov eax, [rax]
        (b"\x8b\x00", DATA + 4, None),
        (b"\x8a\x00", DATA + 1, None),  # a byte is always aligned
        (b"\x66\x8b\x00", DATA + 2, None),
        (b"\x66\x8b\x00", DATA + 3, 17),
        (b"\x48\x8d\x58\x01", DATA + 1, None),  # lea
        (b"\x8b\x40\x03", DATA + 1, None),  # mov eax, [rax+3]
        (b"\x48\x8b\x04\x00", 1, 17),  # mov rax, [rax+rax]: not mapped either, but alignment is checked first
        (b"\x8b\x00", NON_CANONICAL + 1, 13),
    ],
)
@pytest.mark.parametrize("way", WAYS)
def test_ring_3_with_am_and_ac_must_align_its_operands(way: str, code: bytes, rax: int, vector: int | None) -> None:
    world = LongModeWorld(cpl=3, code=code + LOOP, rflags=0x2 | AC, registers={"rax": rax, "cr0": WITH_AM})
    watched = bare(world)
    getattr(watched, way)(3)
    assert watched.vectors[:1] == ([] if vector is None else [vector])


@pytest.mark.parametrize(
    ("cr0", "rflags", "cpl"), [(WITH_AM, 0x2, 3), (0x80010031, 0x2 | AC, 3), (WITH_AM, 0x2 | AC, 0)]
)
def test_without_am_or_ac_or_in_ring_0_nothing_needs_to_be_aligned(cr0: int, rflags: int, cpl: int) -> None:
    code = b"\x8b\x00" + LOOP
    watched = bare(LongModeWorld(cpl=cpl, code=code, rflags=rflags, registers={"rax": DATA + 1, "cr0": cr0}))
    watched.step_to(3)
    assert watched.vectors == []


@pytest.mark.parametrize(
    ("code", "vector"),
    [
        (b"\x48\x8b\x04\x24", 12),  # mov rax, [rsp]
        (b"\x48\x8b\x45\x00", 12),  # mov rax, [rbp]
        (b"\x58", 12),  # pop rax
        (b"\xff\xd2", 12),  # call rdx
        (b"\xc3", 12),  # ret
        (b"\xc9", 12),  # leave
        (b"\x9c", 12),  # pushf
        (b"\x48\x8b\x03", 13),  # mov rax, [rbx]
        (b"\xff\x33", 13),  # push [rbx]: the operand is read first
        (b"\x64\x48\x8b\x45\x00", 13),  # mov rax, fs:[rbp]: not through SS
    ],
)
def test_a_non_canonical_address_is_ss_through_the_stack_segment_and_gp_otherwise(code: bytes, vector: int) -> None:
    bad = NON_CANONICAL + 0x100
    registers = {"rbp": bad, "rbx": bad, "rdx": CODE}
    watched = bare(LongModeWorld(code=code, rsp=bad, registers=registers).with_gate(vector, ist=1))
    watched.step_to(1)
    assert [(one.event.vector, one.event.error_code) for one in watched.deliveries[:1]] == [(vector, 0)]


def test_an_instruction_that_the_emulator_lacks_is_noted_once_for_each_address() -> None:
    vmovaps = b"\xc5\xfc\x28\xc1"
    skip = b"\x48\x83\x04\x24\x04\x48\xcf"  # add qword [rsp], 4; iretq
    watched = bare(LongModeWorld(code=vmovaps + vmovaps + b"\xeb\xf6"), {6: skip})
    watched.step_to(12)
    notes = [event.text for event in watched.events if isinstance(event, Noted)]
    text = "vmovaps ymm0, ymm1 is a valid instruction that the emulator does not implement; #UD is raised"
    assert notes == [text, text]
    assert watched.vectors[:3] == [6, 6, 6]


@pytest.mark.parametrize("code", [b"\x0f\x0b", b"\x06", b"\xf0\x90", b"\x0f\xff"])
def test_an_instruction_that_no_processor_knows_is_not_noted(code: bytes) -> None:
    watched = bare(LongModeWorld(code=code), {6: b"\xf4"})
    watched.step_to(5)
    assert watched.vectors == [6]
    assert not any(isinstance(event, Noted) for event in watched.events)


@pytest.mark.parametrize("way", WAYS)
def test_syscall_and_sysret_go_to_the_kernel_and_back(way: str) -> None:
    entry = CODE + 0x80
    watched = bare(LongModeWorld(cpl=3, code=(b"\x0f\x05" + LOOP).ljust(0x80, b"\x90") + b"\x90\x48\x0f\x07"))
    machine = watched.machine
    write = machine.cpu._uc.msr_write
    write(0xC0000081, 0x13 << 48 | 0x08 << 32)  # STAR: SYSRET to 0x23 and 0x1B, SYSCALL to 0x08 and 0x10
    write(0xC0000082, entry)
    write(0xC0000084, 0x200)  # FMASK: IF
    before = machine.cpu.registers()
    getattr(watched, way)(1)
    inside = machine.cpu.registers()
    assert (inside.rip, inside.cpl, inside.cs.selector, inside.ss.selector) == (entry, 0, 0x08, 0x10)
    assert (inside.general[1], inside.general[11]) == (CODE + 2, before.rflags)
    getattr(watched, way)(3)
    after = machine.cpu.registers()
    assert (after.rip, after.cpl, after.cs.selector, after.ss.selector) == (CODE + 2, 3, 0x23, 0x1B)
    assert watched.vectors == []


def test_syscall_without_efer_sce_is_ud_and_sysenter_without_a_segment_gp() -> None:
    watched = bare(LongModeWorld(code=b"\x0f\x05", registers={"efer": 0xD00}))
    watched.step_to(1)
    assert watched.vectors == [6]
    watched = bare(LongModeWorld(code=b"\x0f\x34"))
    watched.step_to(1)
    assert [(one.event.vector, one.event.error_code) for one in watched.deliveries] == [(13, 0)]


def leaves_long_mode(then: bytes) -> Watched:
    """Jump to a compatibility-mode segment, clear CR0.PG, run `then` in 32-bit protected mode without paging."""
    # far jmp [rdx] in 64-bit mode; then mov eax, cr0; btr eax, 31; mov cr0, eax; then ...
    pointer = (CODE + 0x40).to_bytes(4, "little") + SPARE.to_bytes(2, "little")
    narrow = b"\x0f\x20\xc0\x0f\xba\xf0\x1f\x0f\x22\xc0" + then
    world = LongModeWorld(
        code=b"\xff\x2a".ljust(0x40, b"\x90") + narrow, registers={"rdx": DATA}, extra_memory=((DATA, pointer),)
    )
    return bare(world.with_descriptor(SPARE, code_segment(long=False, default=True)))


@pytest.mark.parametrize("way", WAYS)
def test_a_guest_that_leaves_long_mode_meets_the_gates_of_the_mode_that_it_is_in(way: str) -> None:
    # The 16-byte gate of vector 0x40 holds the 8-byte gates of 0x80 and 0x81; the upper one is zero.
    watched = leaves_long_mode(b"\xcd\x81" + LOOP)
    getattr(watched, way)(5)
    first = watched.deliveries[0]
    assert (first.origin.mode, first.event.vector, first.steps[-1].rule.id) == ("protected", 0x81, "gate.type")


def test_paging_of_another_kind_is_refused_where_it_is_walked_and_shows_nothing_where_it_is_looked_at() -> None:
    watched = bare(LongModeWorld())
    registers = replace(watched.machine.cpu.registers(), cr4=1 << 12 | 1 << 5)  # LA57
    memory = watched.machine.linear(registers)
    with pytest.raises(UnsupportedError, match="only 4-level paging"):
        memory.read(CODE, 4)
    assert memory.peek(CODE, 4) is None


def test_a_rehearsal_changes_nothing() -> None:
    watched = bare(LongModeWorld(cpl=3))
    machine = watched.machine
    digest = machine.digest()
    rehearsal = machine.rehearse(Event(6, Source.EXCEPTION, CODE, CODE))
    assert rehearsal.after is not None
    assert rehearsal.after.rip == handler(6)
    assert machine.digest() == digest
    assert watched.events == []


def test_an_address_space_that_the_guest_changes_by_cr3_is_the_one_that_delivery_uses() -> None:
    # Through the high half, then back: mov rax, cr3; mov cr3, rax; int3 from an alias of the code.
    watched = bare(LongModeWorld(code=b"\x0f\x20\xd8\x0f\x22\xd8\xcc\xf4", rip=HIGH_HALF + CODE), {3: RETURN})
    watched.run_to(10)
    assert watched.vectors == [3]
    assert watched.machine.cpu.rip == HIGH_HALF + CODE + 8


def test_a_branch_to_an_address_that_is_not_canonical_faults_at_the_target_and_says_so() -> None:
    for way in WAYS:
        watched = bare(LongModeWorld(code=b"\x90\xff\xe0", registers={"rax": NON_CANONICAL}))
        getattr(watched, way)(4)
        assert [(one.event.vector, one.event.error_code, one.event.rip) for one in watched.deliveries] == [
            (13, 0, NON_CANONICAL)
        ]
        assert any("not canonical" in event.text for event in watched.events if isinstance(event, Noted))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("then", ["0f05", "0f0b", "cc", "e464", "f4"])
def test_the_flags_of_the_instruction_before_are_there_wherever_a_run_is_ended(way: str, then: str) -> None:
    # sub eax, 0x67c41fd6: CF, AF and SF, by an operation that the engine works out late
    watched = bare(LongModeWorld(code=bytes.fromhex("2dd61fc467" + then + "9c") + LOOP, rflags=0x2))
    machine = watched.machine
    machine.cpu._uc.msr_write(0xC0000082, CODE + 0x80)
    getattr(watched, way)(2)
    at = machine.cpu.registers()
    found = watched.deliveries[0].origin.rflags if watched.deliveries else at.rflags
    assert found & 0x8D5 == 0x91
    assert then != "0f05" or at.general[11] == 0x93


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("code", "vector", "rip"),
    [
        (b"\xf0\x58", 6, 0),  # lock pop rax
        (b"\xf0\xcb", 6, 0),  # lock retf
        (b"\xf0\x0f\x21\xc0", 6, 0),  # lock mov rax, dr0
        (b"\xf0\xe4\x60", 6, 0),  # lock in al, 0x60
        (b"\xf0\x48\xff\x03", None, 0),  # lock inc [rbx]
        (b"\x4b\x48\xcd\x80", 0x80, 4),  # int 0x80 behind two REX prefixes
        (b"\x48\x66\xcd\x80", 0x80, 4),  # and behind one that is not the last prefix
    ],
)
def test_prefixes_are_taken_as_the_manual_says(way: str, code: bytes, vector: int | None, rip: int) -> None:
    watched = bare(LongModeWorld(code=code + LOOP, registers={"rbx": DATA}))
    getattr(watched, way)(3)
    assert watched.vectors[:1] == ([] if vector is None else [vector])
    assert not watched.deliveries or watched.deliveries[0].event.rip == CODE + rip


@pytest.mark.parametrize("way", WAYS)
def test_a_guest_that_reads_every_port_is_told_of_some_and_not_of_all(way: str) -> None:
    code = b"\xed\xff\xc2\xeb\xfb"  # in eax, dx; inc edx; jmp back
    watched = bare(LongModeWorld(code=code, registers={"rdx": 0x2000}))
    getattr(watched, way)(3000)
    notes = [event.text for event in watched.events if isinstance(event, Noted)]
    assert notes[199:] == [
        "nothing answers at I/O port 0x20c7",
        "that was note 200 of this kind; what else there is like it goes without",
    ]


def test_code_that_is_not_what_the_engine_ran_is_said_in_words() -> None:
    world = LongModeWorld(code=b"\x90")
    machine = bare(world).machine
    with pytest.raises(UnsupportedError, match="A20"):
        instructions.decode(bytes(15), machine.cpu.registers())
