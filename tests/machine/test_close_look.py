"""What is looked at in front of an instruction: breakpoints, ports, and that a run sees what a step sees."""

from __future__ import annotations

import struct

import pytest

from idtviz.machine.events import Noted
from idtviz.machine.pc import Machine
from tests.machine.bare import HERTZ, LOOP, RETURN, Watched, bare
from tests.oracle import ours
from tests.oracle.long_mode import CODE, DATA, IF, RF, TF, TSS, LongModeWorld
from tests.oracle.protected_mode import ProtectedModeWorld
from tests.oracle.real_mode import RealModeWorld

WAYS = ("step_to", "run_to")
NOP = b"\x90"
EXECUTE, WRITE, PORT, ACCESS = range(4)
LENGTHS = {1: 0, 2: 1, 8: 2, 4: 3}
DE = 1 << 3
GD = 1 << 13


def mov_rax(value: int) -> bytes:
    return b"\x48\xb8" + struct.pack("<Q", value)


def to_debug_register(number: int) -> bytes:
    return bytes([0x0F, 0x23, 0xC0 | number << 3])  # mov drN, rax


def enable(number: int, kind: int, length: int = 1) -> int:
    """DR7 with one breakpoint, enabled locally."""
    return 0x400 | 1 << 2 * number | kind << 16 + 4 * number | LENGTHS[length] << 18 + 4 * number


def watching(address: int, kind: int, length: int, then: bytes, number: int = 0, **changes: object) -> LongModeWorld:
    """Set one breakpoint (4 instructions), point RAX at the data (1), and go on with `then`."""
    setup = mov_rax(address) + to_debug_register(number) + mov_rax(enable(number, kind, length)) + to_debug_register(7)
    return LongModeWorld(code=setup + mov_rax(DATA) + then + LOOP, **changes)


SETUP_BYTES = 10 + 3 + 10 + 3 + 10


@pytest.mark.parametrize("way", WAYS)
def test_an_execution_breakpoint_is_a_fault_in_front_of_its_instruction(way: str) -> None:
    watched = bare(watching(CODE + SETUP_BYTES + 1, EXECUTE, 1, NOP * 3, number=2))
    getattr(watched, way)(7)
    first = watched.deliveries[0]
    assert (first.event.vector, first.event.rip, first.instruction) == (1, CODE + SETUP_BYTES + 1, 6)
    assert watched.machine.cpu.debug_register(6) & 0xF == 1 << 2
    assert first.frame is not None
    assert first.frame.rflags & RF == 0


@pytest.mark.parametrize("way", WAYS)
def test_rf_in_the_returned_flags_lets_the_instruction_run_once(way: str) -> None:
    # The handler sets RF in the frame: bts dword [rsp+16], 16; iretq.
    handler = bytes.fromhex("0fba6c241010") + RETURN
    watched = bare(watching(CODE + SETUP_BYTES + 1, EXECUTE, 1, NOP + NOP), {1: handler})
    getattr(watched, way)(14)
    assert watched.vectors == [1]
    assert watched.machine.cpu.rip == CODE + SETUP_BYTES + 2


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("kind", "length", "at", "access", "hit"),
    [
        (WRITE, 4, 0, "8908", True),  # mov [rax], ecx
        (WRITE, 4, 0, "8b08", False),  # mov ecx, [rax]
        (ACCESS, 4, 0, "8b08", True),
        (WRITE, 1, 3, "8908", True),
        (WRITE, 1, 4, "8908", False),
        (WRITE, 8, 0, "884807", True),  # mov [rax+7], cl
        (WRITE, 4, 0, "884804", False),  # mov [rax+4], cl
        (WRITE, 2, 1, "8808", True),  # the address of a word breakpoint is taken as even
        (ACCESS, 4, 0, "488d08", False),  # lea rcx, [rax]
    ],
)
def test_a_data_breakpoint_is_a_trap_behind_the_access(
    way: str, kind: int, length: int, at: int, access: str, hit: bool
) -> None:
    code = bytes.fromhex(access)
    watched = bare(watching(DATA + at, kind, length, NOP + code))
    getattr(watched, way)(9)
    assert watched.vectors == ([1] if hit else [])
    if hit:
        assert watched.deliveries[0].event.rip == CODE + SETUP_BYTES + 1 + len(code)
        assert watched.machine.cpu.debug_register(6) & 0xF == 1


@pytest.mark.parametrize("way", WAYS)
def test_a_data_breakpoint_that_mov_ss_meets_waits_for_one_more_instruction(way: str) -> None:
    watched = bare(watching(DATA, ACCESS, 2, b"\x8e\x10" + NOP + NOP, extra_memory=((DATA, b"\x10\0"),)))
    getattr(watched, way)(8)
    assert [one.event.rip for one in watched.deliveries] == [CODE + SETUP_BYTES + 3]


@pytest.mark.parametrize("way", WAYS)
def test_an_io_breakpoint_needs_cr4_de(way: str) -> None:
    for cr4, vectors in ((0x220 | DE, [1]), (0x220, [])):
        watched = bare(watching(0x64, PORT, 1, b"\xe4\x64" + NOP, registers={"cr4": cr4}))
        getattr(watched, way)(8)
        assert watched.vectors == vectors


@pytest.mark.parametrize("way", WAYS)
def test_a_single_step_and_a_data_breakpoint_are_one_trap(way: str) -> None:
    world = watching(DATA, WRITE, 4, b"\x9c\x80\x4c\x24\x01\x01\x9d" + b"\x89\x08" + NOP)  # ... popfq; mov [rax], ecx
    watched = bare(world)
    getattr(watched, way)(10)
    assert watched.vectors == [1]
    assert watched.machine.cpu.debug_register(6) & 0x400F == 0x4001
    assert watched.machine.cpu.registers().rflags & TF == 0


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("code", "changes", "vector"),
    [
        (b"\x0f\x23\xf8", {}, None),  # mov dr7, rax
        (b"\x0f\x21\xf8", {"cpl": 3}, 13),
        (b"\x0f\x23\xe0", {}, None),  # mov dr4, rax: DR6
        (b"\x0f\x23\xe0", {"registers": {"cr4": 0x220 | DE}}, 6),
        (b"\x0f\x23\xf0", {"registers": {"rax": 1 << 32}}, 13),  # mov dr6, rax
        (b"\x44\x0f\x23\xc0", {}, 6),  # mov dr8, rax
    ],
)
def test_a_mov_of_a_debug_register_is_refused_where_the_manual_says(
    way: str, code: bytes, changes: dict[str, object], vector: int | None
) -> None:
    watched = bare(LongModeWorld(code=NOP + code + LOOP, **changes))
    getattr(watched, way)(3)
    assert watched.vectors[:1] == ([] if vector is None else [vector])


@pytest.mark.parametrize("way", WAYS)
def test_gd_guards_the_debug_registers_once(way: str) -> None:
    watched = bare(LongModeWorld(code=mov_rax(GD) + to_debug_register(7) + b"\x0f\x21\xc1" + LOOP))
    getattr(watched, way)(3)
    machine = watched.machine
    assert watched.vectors == [1]
    assert watched.deliveries[0].event.rip == CODE + 13
    assert machine.cpu.debug_register(6) & 1 << 13
    assert not machine.cpu.debug_register(7) & GD


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("bitmap", "limit", "rflags", "allowed"),
    [
        (b"\0" * 0x20, 0x90, 0x2, True),
        (b"\0" * 12 + b"\x10" + b"\0" * 0x13, 0x90, 0x2, False),  # bit 4 of byte 12: port 0x64
        (b"\xff" * 12 + b"\xef" + b"\xff" * 0x13, 0x90, 0x2, True),  # all but that
        (b"\0" * 0x20, 0x67, 0x2, False),
        (b"\0" * 0x20, 0x68 + 12, 0x2, False),  # the second byte that is read lies behind the limit
        (b"\0" * 0x20, 0x68 + 13, 0x2, True),
        (b"\xff" * 0x20, 0x90, 0x3002, True),  # IOPL 3
    ],
)
def test_ring_3_may_use_the_ports_that_iopl_or_the_bitmap_gives_it(
    way: str, bitmap: bytes, limit: int, rflags: int, allowed: bool
) -> None:
    world = LongModeWorld(cpl=3, code=NOP + b"\xe4\x64" + LOOP, rflags=rflags, extra_memory=((TSS + 0x68, bitmap),))
    watched = bare(world.with_(tss=world.tss.__class__(limit=limit)))
    getattr(watched, way)(3)
    assert watched.vectors == ([] if allowed else [13])
    notes = [event.text for event in watched.events if isinstance(event, Noted)]
    assert bool(notes) is not allowed
    assert all("port 0x64 is refused" in note for note in notes)


def started(case_world: ProtectedModeWorld | RealModeWorld) -> Watched:
    machine = Machine(ours.MEMORY, HERTZ)
    ours.load(machine, case_world.case("started"))
    return Watched(machine)


@pytest.mark.parametrize("way", WAYS)
def test_a_loop_in_real_mode_is_left_at_the_instruction_that_breaks_its_segment(way: str) -> None:
    # mov si, 0xfff8; next: mov al, [si]; inc si; mov ax, [si]; jmp next
    code = bytes.fromhex("bef8ff 8a04 46 8b04 ebf9")
    watched = started(RealModeWorld(code=code))
    getattr(watched, way)(200)
    first = watched.deliveries[0]
    assert (first.event.vector, first.event.error_code, first.event.rip) == (13, None, 6)
    assert watched.machine.cpu.registers().general[6] == 0xFFFF


@pytest.mark.parametrize("way", WAYS)
def test_a_segment_that_becomes_flat_is_no_longer_in_doubt_and_the_other_way_round(way: str) -> None:
    # mov ds, ax; mov bl, [0x20000]; mov ds, dx (null); mov bl, [0x20000]
    code = bytes.fromhex("8ed8 8a1d00000200 8eda 8a1d00000200")
    watched = started(ProtectedModeWorld(code=code, registers={"rax": 0x10, "rdx": 0}))
    getattr(watched, way)(5)
    assert [(one.event.vector, one.event.error_code, one.instruction) for one in watched.deliveries] == [(13, 0, 3)]


@pytest.mark.parametrize("world", [RealModeWorld, ProtectedModeWorld, LongModeWorld])
def test_a_stretch_of_code_has_the_same_end_in_steps_and_in_a_run(world: type) -> None:
    # Two hundred turns of a loop that calls, pushes, and works on memory.
    body = bytes.fromhex("b9c800 51 e80700 59 49 75f8 f4 90 0106 4646 c3")
    if world is not RealModeWorld:
        body = bytes.fromhex("b9c8000000 51 e806000000 59 ffc9 75f6 f4 0106 ffc6 c3")
    if world is LongModeWorld:
        body = bytes.fromhex("b9c8000000 51 e806000000 59 ffc9 75f6 f4 0106 ffc6 c3")
    ends = []
    for way in WAYS:
        changes = {"code": body, "registers": {"rsi": 0x100 if world is RealModeWorld else DATA}, "rflags": 0x2 | IF}
        watched = bare(world(**changes)) if world is LongModeWorld else started(world(**changes))
        getattr(watched, way)(1100)
        ends.append((watched.machine.digest(), watched.machine.instructions, watched.vectors))
    assert ends[0] == ends[1]
