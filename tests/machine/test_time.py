"""Running at speed and single-stepping are the same run: same events at the same instructions, same state."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from idtviz.machine.chips.scancodes import encode
from idtviz.machine.events import Halted
from idtviz.machine.pc import Machine
from idtviz.machine.registers import RCX
from tests.machine.bare import EOI_AND_RETURN, LOOP, RETURN, SCENARIOS, Watched, bare, kernel, remap, start_timer
from tests.oracle import ours
from tests.oracle.long_mode import CODE, DATA, HANDLERS, IF, TF, UNMAPPED, LongModeWorld

KERNELS = tuple(sorted(path.stem for path in SCENARIOS.glob("*.toml")))
KEYBOARDS = ("keyboard", "protected_keyboard", "real_mode_ivt")
TYPED_AT, END = 3000, 12_000
TIMER_VECTOR = 0x20


def same(first: Watched, second: Watched) -> None:
    assert first.events == second.events
    assert first.machine.instructions == second.machine.instructions
    assert first.machine.clock.now == second.machine.clock.now
    assert first.machine.digest() == second.machine.digest()


@pytest.mark.parametrize("name", KERNELS)
def test_a_kernel_run_at_speed_and_stepped_gives_the_same_events_and_digest(name: str) -> None:
    stepped, ran = kernel(name), kernel(name)
    for watched, move in ((stepped, stepped.step_to), (ran, ran.run_to)):
        move(TYPED_AT)
        if name in KEYBOARDS:
            watched.machine.type_scancodes(encode("hi\n"))
        move(END)
    assert stepped.events
    same(stepped, ran)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(cuts=st.lists(st.integers(1, END - 1), max_size=30), name=st.sampled_from(KERNELS))
def test_a_run_cut_into_slices_is_the_same_run(cuts: list[int], name: str) -> None:
    whole, cut = kernel(name), kernel(name)
    for watched, places in ((whole, [TYPED_AT, END]), (cut, sorted({*cuts, TYPED_AT, END}))):
        for place in places:
            watched.run_to(place)
            if name in KEYBOARDS and place == TYPED_AT:
                watched.machine.type_scancodes(encode("hi\n"))
    same(whole, cut)


@settings(max_examples=10, deadline=None)
@given(at=st.integers(0, 2082))
def test_a_snapshot_and_a_copy_of_ram_have_the_same_future(at: int) -> None:
    watched = kernel("page_fault")
    watched.run_to(at)
    machine = watched.machine
    state, ram, digest = machine.snapshot(), bytes(machine.memory.view), machine.digest()
    watched.events.clear()
    watched.run_to(END)
    first, end = list(watched.events), machine.digest()
    machine.memory.view[:] = ram
    machine.restore(state)
    assert machine.digest() == digest
    watched.events.clear()
    watched.step_to(END)
    assert (watched.events, machine.digest()) == (first, end)


def test_a_snapshot_taken_after_a_vain_wait_is_stuck_as_the_machine_was() -> None:
    watched = start_timer(bare(LongModeWorld(code=b"\xf4" + LOOP, rflags=0x2 | IF)), 1000)
    watched.machine.board.write(0x21, 1, 0xFF)
    watched.step_to(10)
    machine = watched.machine
    assert machine.stuck
    now = machine.clock.now
    machine.restore(machine.snapshot())
    assert machine.stuck
    machine.micro_step()
    assert machine.clock.now == now


# A few instructions that end an engine run in different ways, or not at all.
MENU = {
    "nop": b"\x90",
    "inc": b"\x48\xff\xc0",
    "stosb": b"\xaa",
    "rep stosb of 0": b"\x31\xc9\xf3\xaa",
    "rep stosb of 3": b"\x31\xc9\xb1\x03\xf3\xaa",
    "rdtsc": b"\x0f\x31",
    "int3": b"\xcc",
    "int1": b"\xf1",
    "int 0x80": b"\xcd\x80",
    "in": b"\xe4\x61",
    "in from nowhere": b"\xe5\x99",
    "out": b"\xe6\x80",
    "out that starts the timer": b"\xb0\x40\xe6\x40\xe6\x40",
    "load from an unmapped page": b"\x8a\x04\x25" + UNMAPPED.to_bytes(4, "little"),
    "ud2": b"\x0f\x0b",
    "jump over a byte": b"\xeb\x01\xcc",
    "hlt": b"\xf4",
    "sti": b"\xfb",
    "cli": b"\xfa",
    "pushf, popf": b"\x9c\x9d",
    "set tf": b"\x9c\x81\x0c\x24\x00\x01\x00\x00\x9d",
    "write code": b"\xc6\x05\x01\x00\x00\x00\x90\xcc",  # mov byte [rip+1], 0x90, then a byte, then INT3 or that NOP
}
SKIP = {
    1: RETURN,
    3: RETURN,
    0x80: RETURN,
    6: b"\x48\x83\x04\x24\x02\x48\xcf",  # add qword [rsp], 2; iretq
    14: b"\x48\x83\x44\x24\x08\x07\x48\x83\xc4\x08\x48\xcf",  # add qword [rsp+8], 7; add rsp, 8; iretq
    TIMER_VECTOR: EOI_AND_RETURN,
}


def program(names: list[str]) -> Watched:
    code = b"".join(MENU[name] for name in names) + LOOP
    world = LongModeWorld(code=code, registers={"rdi": DATA}, rflags=0x2 | IF).with_page(CODE, writable=True)
    return start_timer(remap(bare(world, SKIP), unmasked=1), 60)


@settings(max_examples=60, deadline=None)
@given(names=st.lists(st.sampled_from(sorted(MENU)), min_size=1, max_size=14), end=st.integers(1, 60))
def test_instructions_are_counted_alike_whatever_they_do(names: list[str], end: int) -> None:
    stepped, ran = program(names), program(names)
    stepped.step_to(end)
    ran.run_to(end)
    same(stepped, ran)


def test_each_kind_of_instruction_counts_as_one() -> None:
    for name in ("nop", "stosb", "rdtsc", "int3", "int1", "in", "out", "sti", "hlt"):
        watched = bare(LongModeWorld(code=MENU[name] + b"\x90" * 8, registers={"rdi": DATA}))
        watched.machine.micro_step()
        while watched.machine.activity is not None:
            watched.machine.micro_step()
        assert watched.machine.instructions == 1, name


def test_a_repeated_string_instruction_counts_each_iteration() -> None:
    watched = bare(LongModeWorld(code=b"\xf3\xaa" + LOOP, registers={"rdi": DATA, "rcx": 5}))
    while watched.machine.cpu.rip == CODE:
        watched.machine.micro_step()
    stepped = watched.machine.instructions
    again = bare(LongModeWorld(code=b"\xf3\xaa" + LOOP, registers={"rdi": DATA, "rcx": 5}))
    again.machine.cpu.set_breakpoints([CODE + 2])
    again.machine.run(100)
    assert again.machine.instructions == stepped


def test_rep_movsb_interrupted_by_the_timer_goes_on_and_finishes() -> None:
    code = b"\xf3\xa4\xf4"
    registers = {"rsi": HANDLERS, "rdi": DATA, "rcx": 0x800}
    for way in ("step_to", "run_to"):
        world = LongModeWorld(code=code, registers=registers, rflags=0x2 | IF)
        watched = start_timer(remap(bare(world, {TIMER_VECTOR: EOI_AND_RETURN}), unmasked=1), 40)
        getattr(watched, way)(4000)
        machine = watched.machine
        middle = [one for one in watched.deliveries if one.event.vector == TIMER_VECTOR and one.origin.rip == CODE]
        assert len(middle) > 3
        assert machine.cpu.registers().general[1] == 0
        assert machine.memory.read(DATA, 0x800) == machine.memory.read(HANDLERS, 0x800)


def test_rdtsc_is_virtual_time() -> None:
    def stamps(way: str) -> list[int]:
        # rdtsc; mov ebx, eax; nop; rdtsc; jmp $
        watched = bare(LongModeWorld(code=b"\x0f\x31\x89\xc3\x90\x0f\x31" + LOOP))
        getattr(watched, way)(6)
        general = watched.machine.cpu.registers().general
        return [general[3], general[0], general[2]]

    assert stamps("step_to") == stamps("run_to") == [0, 3, 0]


def test_rdtsc_counts_the_time_that_hlt_waited() -> None:
    watched = bare(LongModeWorld(code=b"\xf4\x0f\x31" + LOOP, rflags=0x2 | IF), {TIMER_VECTOR: EOI_AND_RETURN})
    start_timer(remap(watched, unmasked=1), 5000)
    watched.step_to(30)
    assert watched.machine.clock.idle > 10_000
    assert any(isinstance(event, Halted) for event in watched.events)
    assert watched.machine.cpu.registers().general[0] > 10_000


@pytest.mark.parametrize("instruction", ["rdtsc", "hlt", "nop", "int3"])
def test_tf_traps_behind_an_instruction_that_idtviz_performs_as_behind_any_other(instruction: str) -> None:
    watched = bare(LongModeWorld(code=MENU[instruction] + b"\x90" * 4, rflags=0x2 | TF))
    watched.step_to(2)
    machine = watched.machine
    if instruction == "int3":
        assert watched.vectors == [3]
        return
    assert watched.vectors == [1]
    assert watched.deliveries[0].event.rip == CODE + len(MENU[instruction])
    assert watched.deliveries[0].instruction == 1
    assert machine.cpu.debug_register(6) & 1 << 14


@pytest.mark.parametrize("instruction", ["nop", "hlt", "int3"])
def test_a_breakpoint_ends_a_run_in_front_of_its_instruction_with_the_exact_count(instruction: str) -> None:
    watched = bare(LongModeWorld(code=b"\x90" * 3 + MENU[instruction] + LOOP))
    machine = watched.machine
    machine.cpu.set_breakpoints([CODE + 3])
    machine.run(100)
    assert (machine.cpu.rip, machine.instructions, machine.activity, machine.halted) == (CODE + 3, 3, None, False)


ARITHMETIC = ("4883c002", "4883e901", "d1e0", "48ffc3", "21c8", "f7d8", "48d1c8", "f8", "f9", "84c0", "4801c3",
              "480fafc3", "4813c1", "90", "4889c6", "31d2", "83f805", "fd", "fc", "eb00", "7401", "d3e3", "9c5d", "9f",
              "0f92c2", "e80000000058")  # fmt: skip
STOPS = ("48cf", "cc", "8a04251ff00100", "0f0b", "f4", "0f31", "cd80", "f7f6", "e461", "f1")


@settings(max_examples=150, deadline=None)
@given(
    before=st.lists(st.sampled_from(ARITHMETIC), max_size=10),
    stop=st.sampled_from(STOPS),
    operands=st.lists(st.integers(0, 2**64 - 1), min_size=4, max_size=4),
)
def test_the_flags_are_right_in_front_of_whatever_stops_a_run(
    before: list[str], stop: str, operands: list[int]
) -> None:
    code = bytes.fromhex("".join(before) + stop) + b"\xf4"
    registers = dict(zip(("rax", "rbx", "rcx", "rdx"), operands, strict=True))
    stepped, ran = (bare(LongModeWorld(code=code, registers=registers)) for _ in range(2))
    while stepped.machine.activity is None and not stepped.machine.halted:
        stepped.machine.run(stepped.machine.instructions + 1)
    ran.machine.run(1000)
    assert stepped.machine.cpu.registers() == ran.machine.cpu.registers()
    assert stepped.machine.instructions == ran.machine.instructions


@pytest.mark.parametrize("code", ["0f31", "660f31", "480f31", "0f01f9", "480f01f9", "2e0fa2", "440fa2"])
def test_an_instruction_that_idtviz_performs_is_as_long_as_its_prefixes_make_it(code: str) -> None:
    raw = bytes.fromhex(code)
    watched = bare(LongModeWorld(code=raw + b"\xcc"))
    watched.step_to(1)
    assert watched.machine.cpu.rip == CODE + len(raw)


@pytest.mark.parametrize("way", ["step_to", "run_to"])
def test_what_a_string_input_reads_is_stored_though_the_read_ends_the_run(way: str) -> None:
    # rep insw; hlt. With the last word of the first sector the drive sets a time for the second one.
    disk = bytes(range(1, 129)) * 8
    world = LongModeWorld(code=b"\xf3\x66\x6d\xf4", registers={"rcx": 256, "rdx": 0x1F0, "rdi": DATA})
    machine = Machine(ours.MEMORY, 10_000_000, drives={0x80: disk})
    ours.load(machine, world.case("rep insw"))
    for port, value in ((0x1F6, 0xE0), (0x1F2, 2), (0x1F3, 0), (0x1F4, 0), (0x1F5, 0), (0x1F7, 0x20)):
        machine.board.write(port, 1, value)  # READ SECTORS: two, from the first
    machine.clock.idle = machine.board.deadline()
    machine.board.advance(machine.clock.now)
    machine.chips_touched()
    getattr(Watched(machine), way)(100_000)
    assert machine.memory.read(DATA, 514) == disk[:512] + bytes(2)
    assert machine.cpu.registers().general[RCX] == 0
