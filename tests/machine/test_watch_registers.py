"""Watched registers: a run ends behind each write, the same ones that single steps find."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from idtviz.machine.pc import Machine
from idtviz.machine.register_watch import RegisterWrite
from idtviz.machine.register_writes import REGISTERS, full_name, written_by
from idtviz.machine.registers import GENERAL_NAMES
from idtviz.machine.watch import Bytes, MemoryWrite, Seen, Watched
from tests.machine.bare import HERTZ, bare, kernel
from tests.oracle import ours
from tests.oracle.long_mode import CODE, DATA, PT, LongModeWorld

Found = tuple[int, int, RegisterWrite]
"""Instructions completed and steps performed behind a write, and the write."""


def machine_of(code: str, world: LongModeWorld | None = None) -> Machine:
    return bare((world or LongModeWorld()).with_(code=bytes.fromhex(code))).machine


def watching(machine: Machine, *names: str) -> Machine:
    machine.watch.watch(Watched(registers=frozenset(names)))
    return machine


def registers_of(seen: tuple[Seen, ...]) -> list[RegisterWrite]:
    return [item for item in seen if isinstance(item, RegisterWrite)]


def by_runs(machine: Machine, until: int = 1000) -> list[Found]:
    """Every write up to `until`, as runs and the steps of procedures find them."""
    found: list[Found] = []
    while machine.instructions < until and not machine.stuck:
        machine.watch.arm()
        if machine.activity is not None or machine.halted:
            machine.micro_step()
        else:
            machine.run(until)
        writes = registers_of(machine.watch.disarm(machine.instructions))
        found += [(machine.instructions, machine.step, write) for write in writes]
    return found


def by_steps(machine: Machine, until: int = 1000) -> list[Found]:
    found: list[Found] = []
    while machine.instructions < until and not machine.stuck:
        machine.watch.arm()
        machine.micro_step()
        writes = registers_of(machine.watch.disarm(machine.instructions))
        found += [(machine.instructions, machine.step, write) for write in writes]
    return found


def moments(found: list[Found]) -> list[int]:
    return [moment for moment, _, _ in found]


@pytest.mark.parametrize(
    ("name", "code", "completed"),
    [
        ("mov rax", "90 48c7c005000000 90 f4", [2]),
        ("a part of it", "90 b005 b406 66b80700 b808000000 90 f4", [2, 3, 4, 5]),
        ("the value that it has", "31c0 90 31c0 f4", [1, 3]),
        ("a conditional move that moves nothing", "31db 0f45c3 f4", [2]),
        ("cpuid and rdtsc", "90 0fa2 90 0f31 f4", [2, 4]),
        ("rdmsr of LSTAR", "b9820000c0 0f32 f4", [2]),
        ("mov from cr0", "90 0f20c0 f4", [2]),
        ("mov from dr7", "90 0f21f8 f4", [2]),
        ("in", "90 e460 f4", [2]),
        ("xchg", "90 4893 f4", [2]),
        ("lodsb", "be00000200 ac ac f4", [2, 3]),
        ("two in a row, then none", "ffc0 ffc0 90 90 90 90 f4", [1, 2]),
        ("a loop", "b903000000 ffc0 90 e2fb f4", [2, 5, 8]),
        ("a push does not", "50 53 f4", []),
    ],
)
def test_a_run_ends_behind_each_instruction_that_writes_rax(name: str, code: str, completed: list[int]) -> None:
    ran, stepped = (watching(machine_of(code), "rax") for _ in range(2))
    found = by_runs(ran)
    assert moments(found) == completed, name
    assert by_steps(stepped) == found
    assert stepped.digest() == ran.digest()
    assert all(write.rip is not None for _, _, write in found)


def test_a_write_names_its_instruction_and_both_values() -> None:
    assert by_runs(watching(machine_of("90 48c7c305000000 fec3 f4"), "rbx"))[1] == (
        3,
        0,
        RegisterWrite(CODE + 8, "rbx", 5, 6),
    )


@pytest.mark.parametrize(
    ("register", "code", "completed"),
    [
        ("rsp", "bc00080200 50 58 e800000000 c8100000 c9 90 f4", [1, 2, 3, 4, 5, 6]),
        ("rcx", "b903000000 bf00000200 f3aa 90 f4", [1, 3, 4, 5]),
        ("rcx", "31c9 bf00000200 f3aa 90 f4", [1]),
        ("rdi", "b902000000 bf00000200 90 f3aa 90 f4", [2, 4, 5]),
        ("rflags", "bc00080200 90 f9 89d8 85c0 0f2ec1 6a02 9d 90 f4", [3, 5, 6, 8]),
        ("rflags", "90 fa 90 fb 90 f4", [2, 4]),
        ("ds", "8cd8 8ed8 90 f4", [2]),
        ("cr3", "0f20d8 0f22d8 90 f4", [2]),
        ("cr0", "0f20c0 0f22c0 90 0f06 90 f4", [2, 4]),
        ("cr2", "90 0f22d0 90 f4", [2]),
        ("idtr", "0f010c2500000200 0f011c2500000200 90 f4", [2]),
        ("gdtr", "0f01042500000200 0f01142500000200 90 f4", [2]),
        ("dr0", "b800000200 0f23c0 90 f4", [2]),
        ("dr7", "b800040000 0f23f8 90 f4", [2]),
        ("gs_base", "b9010100c0 31d2 b834120000 0f30 0f01f8 90 f4", [4, 5]),
        ("efer", "b9800000c0 0f32 83f001 0f30 90 f4", [4]),
        ("cr8", "90 440f22c0 90 f4", [2]),
    ],
)
def test_writes_of_other_registers_are_found_at_speed_as_in_steps(
    register: str, code: str, completed: list[int]
) -> None:
    world = replace(LongModeWorld(), rflags=2)
    ran, stepped = (watching(machine_of(code, world), register) for _ in range(2))
    found = by_runs(ran)
    assert moments(found) == completed
    assert by_steps(stepped) == found
    assert stepped.digest() == ran.digest()


def test_an_instruction_that_faults_has_written_nothing() -> None:
    # mov rax, [unmapped]
    machine = watching(machine_of("90 488b042500f00700 f4"), "rax")
    machine.watch.arm()
    machine.run(1000)
    assert machine.activity is not None
    assert machine.watch.disarm(machine.instructions) == ()


def test_a_page_fault_writes_cr2_with_the_first_step_of_its_delivery() -> None:
    code = "90 488b042500f00700 f4"
    ran, stepped = (watching(machine_of(code), "cr2") for _ in range(2))
    found = by_runs(ran)
    assert by_steps(stepped) == found
    assert found == [(1, 1, RegisterWrite(None, "cr2", 0, 0x7F000))]


@pytest.mark.parametrize("register", ["cs", "ss", "rsp", "rax"])
def test_an_interrupt_to_another_ring_and_back_counts_where_its_steps_change_a_register(register: str) -> None:
    world = LongModeWorld(cpl=3)
    code = bytes.fromhex("90 cd80 ffc0 cd80 f4")

    def machine() -> Machine:
        return watching(bare(world.with_(code=code), {0x80: bytes.fromhex("ffc0 48cf")}).machine, register)

    ran, stepped = machine(), machine()
    found = by_runs(ran, 8)
    assert by_steps(stepped, 8) == found
    assert any(write.rip is None for _, _, write in found) == (register != "rax")


@pytest.mark.parametrize("name", ["keyboard", "boot_to_long_mode", "task_gate_double_fault", "page_fault"])
@pytest.mark.parametrize("registers", [("rbp", "cr2", "idtr", "gdtr", "tr", "cs"), ("rcx",), ("rflags", "cr0", "efer")])
def test_every_write_of_a_kernel_is_found_at_speed_as_in_steps(name: str, registers: tuple[str, ...]) -> None:
    ran, stepped = (watching(kernel(name).machine, *registers) for _ in range(2))
    found = by_runs(ran, 3000)
    assert by_steps(stepped, 3000) == found
    assert found
    assert stepped.digest() == ran.digest()


def test_nothing_is_seen_and_no_run_ends_while_the_watch_is_disarmed() -> None:
    machine = watching(machine_of("90 ffc0 90 ffc0 f4"), "rax")
    machine.run(3)
    assert machine.instructions == 3
    assert moments(by_runs(machine)) == [4]


def test_code_that_ran_unwatched_is_watched_when_it_runs_again() -> None:
    machine = machine_of("ffc0 90 ebfb")
    machine.run(30)
    watching(machine, "rax")
    assert moments(by_runs(machine, 36)) == [31, 34]
    machine.run(60)
    assert moments(by_runs(machine, 66)) == [61, 64]


def test_memory_and_registers_are_watched_side_by_side() -> None:
    machine = machine_of("ffc0 890425 00000200 ffc3 890425 00000200 ffc0 f4")
    machine.watch.watch(Watched(writes=frozenset((Bytes(DATA, 4),)), registers=frozenset(("rax",))))
    found = []
    while not machine.halted:
        machine.watch.arm()
        machine.run(100)
        found += [(machine.instructions, type(seen)) for seen in machine.watch.disarm(machine.instructions)]
    assert found == [(1, RegisterWrite), (2, MemoryWrite), (4, MemoryWrite), (5, RegisterWrite)]


def test_code_that_is_rewritten_is_watched_as_it_is_now() -> None:
    # The first instruction makes `inc eax` of the two bytes behind the jump.
    store = f"66c70425{(CODE + 12).to_bytes(4, 'little').hex()}ffc0 eb00"
    machine = watching(machine_of(store + "9090 f4"), "rax")
    assert moments(by_runs(machine)) == [3]


def test_the_parts_of_registers_have_full_names() -> None:
    assert [full_name(name) for name in ("AH", "eax", "r9d", "spl", "eflags", "CR3", "gdtr", "rip")] == [
        *("rax", "rax", "r9", "rsp", "rflags", "cr3", "gdtr"),
        None,
    ]


# What Capstone and this package say, against what the engine does


def values(machine: Machine) -> dict[str, object]:
    at = machine.cpu.registers()
    found: dict[str, object] = dict(zip(GENERAL_NAMES, at.general, strict=True))
    found["rflags"] = at.rflags
    for name in ("es", "cs", "ss", "ds", "fs", "gs", "ldtr", "tr"):
        found[name] = getattr(at, name).selector
    for name in ("cr0", "cr2", "cr3", "cr4", "efer", "gdtr", "idtr"):
        found[name] = getattr(at, name)
    return found | {"fs_base": at.fs.base, "gs_base": at.gs.base}


def encoding(rng: random.Random, bits: int) -> bytes:
    """An instruction at random, with prefixes, of any of the opcode maps that the engine has."""
    prefix = bytes(rng.choice((0x66, 0xF2, 0xF3, 0x67)) for _ in range(rng.choice((0, 0, 0, 1, 1))))
    if bits == 64 and rng.random() < 0.5:
        prefix += bytes([0x40 | rng.choice((8, 8, 0, rng.randrange(16)))])
    escape = rng.choices((b"", b"\x0f", b"\x0f\x38", b"\x0f\x3a"), (40, 45, 10, 5))[0]
    modrm = rng.randrange(256) | rng.choice((0, 0xC0))
    rest = bytes(rng.choice((0, 1, 2, rng.randrange(256))) for _ in range(10))
    return (prefix + escape + bytes([rng.randrange(256), modrm]) + rest)[:15]


def value(rng: random.Random, bits: int) -> int:
    return rng.choice((DATA + 0x400 + rng.randrange(64) * 16, rng.randrange(5), rng.getrandbits(bits)))


@pytest.mark.parametrize("bits", [64, 32, 16])
def test_whatever_register_an_instruction_changes_is_among_those_that_it_is_said_to_write(bits: int) -> None:
    rng = random.Random(bits)
    machine = machine_of("90")
    ram, state, base = bytes(machine.memory.view), machine.snapshot(), machine.cpu.registers()
    if bits != 64:
        shape = base.cs.flags & ~(base.cs.CODE_LONG | base.cs.CODE_32) | (base.cs.CODE_32 if bits == 32 else 0)
        base = replace(base, cs=replace(base.cs, flags=shape, limit=0xFFFFFFFF))
    completed = 0
    for _ in range(4000):
        raw = encoding(rng, bits)
        written = written_by(raw, bits)
        if b"\x0f\x01" in raw[:5] or b"\x0f\x31" in raw[:5] or not written:
            continue
        general = [value(rng, min(bits, 32) if bits < 64 else 64) for _ in range(16)]
        general[4] = DATA + 0x800
        rflags = 2 | rng.getrandbits(12) & 0x8D5 | rng.choice((0, 0, 0, 0x400))
        machine.cpu.load(replace(base, general=tuple(general), rflags=rflags, rip=CODE))
        machine.memory.write(CODE, raw)
        machine.cpu.forget_all_code()
        before, now = values(machine), machine.instructions
        machine.micro_step()
        if machine.instructions == now + 1 and machine.activity is machine.finished is None and not machine.halted:
            completed += 1
            after = values(machine)
            changed = {name for name in before if before[name] != after[name]} - {"efer"}
            assert changed <= written, (raw.hex(), changed - written)
        machine.memory.view[:] = ram
        machine.restore(state)
    assert completed > 1000
    assert set(before) <= set(REGISTERS)


def test_a_store_to_the_task_priority_register_is_a_write_of_cr8() -> None:
    page = PT + (DATA >> 12) * 8
    code = f"90 c70425{(DATA + 0x80).to_bytes(4, 'little').hex()}30000000 90 440f22c0 90 f4"

    def machine() -> Machine:
        found = Machine(ours.MEMORY, HERTZ, apic=True)
        ours.load(found, LongModeWorld(code=bytes.fromhex(code), rflags=2).case("apic"))
        found.memory.write(page, (0xFEE00000 | 3).to_bytes(8, "little"))
        return watching(found, "cr8")

    ran, stepped = machine(), machine()
    found = by_runs(ran)
    assert [(moment, write.rip, write.old, write.new) for moment, _, write in found] == [
        (2, CODE + 1, 0, 3),
        (4, CODE + 13, 3, 0),
    ]
    assert by_steps(stepped) == found
