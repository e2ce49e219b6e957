"""Instructions that cannot be fetched: the fault comes at the instruction, not before it, and the count is exact."""

import struct

import pytest

from idtviz.machine import boot
from idtviz.machine.pc import Machine
from idtviz.machine.trap import Trap, TrapKind

NOP = b"\x90"
UNMAPPED, HOLE, NO_EXECUTE, GAP = 0x4000_0000, 200 << 20, 4 << 20, 0x200000
NOT_CANONICAL = 0x8000_0000_0000


def machine(code: bytes, at: int) -> Machine:
    """The first GiB is mapped, but for 2 MiB at GAP; one page shows the empty bus, one may not be executed."""
    made = Machine(16 << 20, 10_000_000)
    made.memory.write(at, code)
    boot.enter(made, "long", at)
    directory = made.memory.size - 0x1000  # of the page tables that `enter` has made
    pages = {GAP: 0, HOLE: 3 << 30 | 0x83, NO_EXECUTE: NO_EXECUTE | 0x83 | 1 << 63}
    for linear, entry in pages.items():
        made.memory.write(directory + 8 * (linear >> 21), struct.pack("<Q", entry))
    return made


def jump(to: int) -> bytes:
    return b"\x48\xb8" + struct.pack("<Q", to) + b"\xff\xe0"


CASES = {
    "a jump to an unmapped page": (5 * NOP + jump(UNMAPPED), 0x8000, 7, UNMAPPED, 14, UNMAPPED),
    "a jump to a non-canonical address": (5 * NOP + jump(NOT_CANONICAL), 0x8000, 7, NOT_CANONICAL, 13, 0),
    "a jump to where nothing answers": (5 * NOP + jump(HOLE), 0x8000, 7, HOLE, 6, 0),
    "a jump to a page that may not be executed": (5 * NOP + jump(NO_EXECUTE), 0x8000, 7, NO_EXECUTE, 14, NO_EXECUTE),
    "the first instruction of all": (NOP, GAP, 0, GAP, 14, GAP),
    "walking off the end of the mapped pages": (8 * NOP, GAP - 8, 8, GAP, 14, GAP),
    "an instruction that crosses into an unmapped page": (5 * NOP + b"\xb8\x01\x00", GAP - 8, 5, GAP - 3, 14, GAP),
    "data on the next page, not code": (5 * NOP + b"\x8b\x05" + bytes(4), GAP - 11, 5, GAP - 6, 14, GAP),
}


def trapped(made: Machine, slice_: int) -> tuple[int, int, int]:
    """Run in slices until something traps: instructions completed, RIP, vector. CR2 is left alone until then."""
    total = 0
    while made.cpu.trap is None:
        if total:
            assert made.cpu.cr2 == 0
        total += made.cpu.run(slice_)
        assert total < 100
    trap = made.cpu.trap
    assert isinstance(trap, Trap)
    assert trap.kind is TrapKind.EXCEPTION
    return total, made.cpu.rip, trap.vector


@pytest.mark.parametrize("slice_", [1, 3, 100])
@pytest.mark.parametrize("name", CASES)
def test_the_fault_comes_at_the_instruction_that_cannot_be_fetched(name: str, slice_: int) -> None:
    code, at, count, rip, vector, cr2 = CASES[name]
    made = machine(code, at)
    assert trapped(made, slice_) == (count, rip, vector)
    assert made.cpu.cr2 == cr2


@pytest.mark.parametrize("count", [1, 3, 8, 9, 30])
def test_code_runs_up_to_the_very_end_of_ram(count: int) -> None:
    machines = []
    for _ in range(2):
        machine = Machine(1 << 20, 10_000_000)
        machine.memory.write(0x0F_FFF8, b"\x40\x90\x40\x90\x40\x90\x40\x90")  # inc eax; nop
        boot.enter(machine, "protected", 0x0F_FFF8)
        machines.append(machine)
    stepped, ran = machines
    while stepped.instructions < count and stepped.activity is None:
        stepped.micro_step()
    ran.run(count)
    for machine in machines:
        assert machine.instructions == min(count, 8)
        assert machine.cpu.linear_rip == 0x0F_FFF8 + min(count, 8)
        assert machine.cpu.registers().general[0] == (min(count, 8) + 1) // 2
        assert (machine.activity is None) == (count <= 8)
