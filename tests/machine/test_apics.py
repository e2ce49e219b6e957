"""A processor with a local APIC and an I/O APIC: MSRs, CR8, registers in memory, and interrupts at exact boundaries."""

from __future__ import annotations

import pytest

from idtviz.machine import boot
from idtviz.machine.events import EndOfInterrupt
from idtviz.machine.pc import Machine
from tests.machine.bare import HERTZ, LOOP, SCENARIOS, Watched
from tests.oracle import ours
from tests.oracle.long_mode import CODE, IF, LongModeWorld, handler

WAYS = ("step_to", "run_to")
IRQ5 = 0x25
EOI_AND_RETURN = bytes.fromhex("b90b080000 31c0 31d2 0f30 48cf")  # mov ecx, 0x80b; xor eax, eax; xor edx, edx; wrmsr
X2APIC = bytes.fromhex("b91b000000 b8000de0fe 31d2 0f30")  # IA32_APIC_BASE = 0xfee00d00
SELF_IPI = bytes.fromhex("b93f080000 b825000000 31d2 0f30")  # MSR 0x83f = 0x25
NOPS = b"\x90" * 8


def world(code: bytes, rflags: int = 0x2 | IF, **registers: int) -> Watched:
    """The oracle's long-mode world on a machine with APICs; vector 0x25's handler is an EOI and a return."""
    machine = Machine(ours.MEMORY, HERTZ, apic=True)
    ours.load(machine, LongModeWorld(code=code, rflags=rflags, registers=registers).case("apics"))
    machine.memory.write(handler(IRQ5), EOI_AND_RETURN)
    return Watched(machine)


def kernel(name: str) -> Watched:
    machine = Machine(16 << 20, HERTZ, apic=True)
    image = boot.parse_elf((SCENARIOS / f"{name}.elf").read_bytes())
    boot.load(machine, image, "long")
    boot.enter(machine, "long", image.entry)
    return Watched(machine)


def screen(watched: Watched) -> str:
    text = watched.machine.memory.read(0xB8000, 4000)[::2].decode("latin-1")
    return "\n".join(text[row : row + 80].rstrip(" \0") for row in range(0, 2000, 80)).rstrip()


def boundaries(watched: Watched) -> list[tuple[int, int, int]]:
    """For each delivery: its vector, instructions completed, and the RIP that the frame saves."""
    return [(one.event.vector, one.instruction, one.origin.rip) for one in watched.deliveries]


@pytest.mark.parametrize("way", WAYS)
def test_a_self_ipi_is_taken_right_behind_the_wrmsr(way: str) -> None:
    code = X2APIC + SELF_IPI
    watched = world(code + NOPS + LOOP)
    getattr(watched, way)(30)
    assert boundaries(watched) == [(IRQ5, 8, CODE + len(code))]
    assert [event for event in watched.events if isinstance(event, EndOfInterrupt)]


@pytest.mark.parametrize("way", WAYS)
def test_a_cr8_of_its_class_holds_an_interrupt_back_until_it_falls(way: str) -> None:
    raise_cr8 = bytes.fromhex("b802000000 440f22c0")  # mov eax, 2; mov cr8, rax
    lower_cr8 = bytes.fromhex("31c0 440f22c0")  # xor eax, eax; mov cr8, rax
    code = raise_cr8 + X2APIC + SELF_IPI + NOPS + lower_cr8
    watched = world(code + NOPS + LOOP)
    getattr(watched, way)(40)
    assert boundaries(watched) == [(IRQ5, 20, CODE + len(code))]


def test_cr8_reads_back_the_task_priority() -> None:
    # mov eax, 9; mov cr8, rax; xor eax, eax; mov rax, cr8
    watched = world(bytes.fromhex("b809000000 440f22c0 31c0 440f20c0") + LOOP)
    watched.step_to(4)
    assert watched.machine.cpu.registers().general[0] == 9
    assert watched.machine.board.lapic is not None
    assert watched.machine.board.lapic.state.tpr == 0x90


@pytest.mark.parametrize(
    "msr",
    [
        "b903080000 0f30",  # a write of the version register
        "b90b080000 0f32",  # a read of EOI
        "b91b000000 b80009e0fe 31d2 0f30",  # x2APIC mode back to xAPIC mode
        "b91b000000 b8000dd0fe 31d2 0f30",  # registers at another address
    ],
)
@pytest.mark.parametrize("way", WAYS)
def test_an_access_that_the_apic_refuses_is_a_general_protection_fault(way: str, msr: str) -> None:
    watched = world(X2APIC + bytes.fromhex(msr) + LOOP)
    getattr(watched, way)(12)
    assert watched.vectors == [13]


@pytest.mark.parametrize("way", WAYS)
def test_outside_x2apic_mode_its_msrs_are_general_protection_faults(way: str) -> None:
    watched = world(bytes.fromhex("b903080000 0f32") + LOOP)
    getattr(watched, way)(4)
    assert watched.vectors == [13]


@pytest.mark.parametrize("way", WAYS)
def test_in_virtual_wire_mode_an_irq_comes_from_the_8259_pair(way: str) -> None:
    watched = world(b"\x90" * 20 + LOOP)
    watched.machine.raise_irq(1)
    getattr(watched, way)(3)
    assert boundaries(watched)[0] == (9, 0, CODE)


@pytest.mark.parametrize(("name", "keys"), [("lapic_timer", ""), ("ioapic_keyboard", "23 a3 17 97")])
def test_a_run_and_single_steps_of_a_kernel_with_apics_give_the_same_events_and_the_same_end(
    name: str, keys: str
) -> None:
    ends = []
    for way in WAYS:
        watched = kernel(name)
        if keys:
            getattr(watched, way)(250)
            watched.machine.type_scancodes(bytes.fromhex(keys))
        getattr(watched, way)(1_000_000)
        ends.append((watched.events, watched.machine.instructions, watched.machine.digest(), screen(watched)))
    assert ends[0] == ends[1]


def test_the_timer_kernel_ticks_a_hundred_times_a_second_and_halts_after_five() -> None:
    watched = kernel("lapic_timer")
    watched.run_to(1_000_000)
    assert watched.vectors == [0x40] * 5
    assert screen(watched) == "tick 1\ntick 2\ntick 3\ntick 4\ntick 5\nthe timer is masked"
    assert watched.machine.stuck
    assert 5 * HERTZ // 100 < watched.machine.clock.now < 6 * HERTZ // 100


def test_a_snapshot_in_the_middle_of_the_timer_kernel_makes_the_same_future() -> None:
    watched = kernel("lapic_timer")
    machine = watched.machine
    watched.run_to(300)
    ram, state = bytes(machine.memory.view), machine.snapshot()
    watched.run_to(1_000_000)
    end = machine.digest()
    machine.memory.write(0, ram)
    machine.restore(state)
    watched.run_to(1_000_000)
    assert machine.digest() == end


def test_the_keyboard_kernel_echoes_what_comes_through_the_io_apic() -> None:
    watched = kernel("ioapic_keyboard")
    watched.run_to(250)
    watched.machine.type_scancodes(bytes.fromhex("23 a3 17 97"))
    watched.run_to(1_000_000)
    assert [(one.event.vector, one.event.irq) for one in watched.deliveries] == [(0x31, 1)] * 4
    assert screen(watched) == "Type: hi"
