"""When an interrupt is taken: IF, the shadows, NMI, HLT, and the very boundary at which any of them lets it through."""

from __future__ import annotations

from dataclasses import replace

import pytest

from idtviz.machine.delivery.event import Source
from tests.machine.bare import EOI_AND_RETURN, LOOP, RETURN, Watched, bare, remap, start_timer
from tests.oracle.long_mode import CODE, DATA, IF, KERNEL_DATA, RF, STACK, TF, LongModeWorld, handler

WAYS = ("step_to", "run_to")
IRQ1, IRQ5 = 0x21, 0x25
NOPS = b"\x90" * 8


def taken_at(watched: Watched) -> list[tuple[int, int]]:
    """For each external interrupt: instructions completed, and the RIP that the frame saves."""
    return [
        (one.instruction, one.origin.rip)
        for one in watched.deliveries
        if one.event.source in (Source.EXTERNAL, Source.NMI)
    ]


def with_irq5(code: bytes, rflags: int = 0x2, **registers: int) -> Watched:
    world = LongModeWorld(code=code, rflags=rflags, registers=registers)
    watched = remap(bare(world, {IRQ5: EOI_AND_RETURN, 2: RETURN}), unmasked=1 << 5)
    watched.machine.raise_irq(5)
    return watched


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("code", "rflags", "instruction", "rip"),
    [
        (NOPS, 0x2 | IF, 0, CODE),
        (b"\x90\xfb\x90\x90" + LOOP, 0x2, 3, CODE + 3),  # nop; sti; nop
        (b"\xfb\xfa\x90" + LOOP, 0x2, None, None),  # sti; cli
        (b"\x90\x68\x02\x02\x00\x00\x9d\x90" + LOOP, 0x2, 3, CODE + 7),  # nop; push 0x202; popf
        (b"\xfb\xf4\x90" + LOOP, 0x2, 2, CODE + 2),  # sti; hlt
        (b"\x8e\xd0\x90\x90" + LOOP, 0x2 | IF, 0, CODE),  # mov ss, ax
    ],
    ids=["IF set", "sti, nop", "sti, cli", "popf", "sti, hlt", "in front of mov ss"],
)
def test_a_pending_interrupt_is_taken_at_the_first_boundary_that_lets_it_through(
    way: str, code: bytes, rflags: int, instruction: int | None, rip: int | None
) -> None:
    watched = with_irq5(code, rflags, rax=KERNEL_DATA)
    getattr(watched, way)(20)
    assert taken_at(watched) == ([] if instruction is None else [(instruction, rip)])


@pytest.mark.parametrize("way", WAYS)
def test_a_pending_interrupt_is_taken_right_behind_the_iret_that_sets_if(way: str) -> None:
    frame = (CODE + 0x40, 0x08, 0x2 | IF, STACK + 0xFD0, KERNEL_DATA)
    code = b"\x90\x48\xcf" + b"\x90" * 0x3D + NOPS + LOOP
    world = LongModeWorld(code=code, rsp=STACK + 0xF40, frame=frame)
    watched = remap(bare(world, {IRQ5: EOI_AND_RETURN}), unmasked=1 << 5)
    watched.machine.raise_irq(5)
    getattr(watched, way)(20)
    assert taken_at(watched) == [(2, CODE + 0x40)]


@pytest.mark.parametrize("way", WAYS)
def test_an_out_that_unmasks_an_irq_takes_effect_at_the_next_boundary(way: str) -> None:
    code = b"\xb0\xdf\xe6\x21" + NOPS + LOOP  # mov al, ~(1 << 5); out 0x21, al
    watched = remap(bare(LongModeWorld(code=code, rflags=0x2 | IF), {IRQ5: EOI_AND_RETURN}))
    watched.machine.raise_irq(5)
    getattr(watched, way)(20)
    assert taken_at(watched) == [(2, CODE + 4)]


@pytest.mark.parametrize("way", WAYS)
def test_an_nmi_asks_neither_if_nor_the_controllers_and_ends_a_hlt(way: str) -> None:
    watched = bare(LongModeWorld(code=b"\xf4\x90" + LOOP), {2: RETURN})
    getattr(watched, way)(1)
    assert watched.machine.stuck
    watched.machine.raise_nmi()
    assert not watched.machine.stuck
    getattr(watched, way)(10)
    assert taken_at(watched) == [(1, CODE + 1)]


@pytest.mark.parametrize("way", WAYS)
def test_a_second_nmi_is_held_off_until_iret(way: str) -> None:
    handler = b"\x90\x90\x90\x48\xcf"
    watched = bare(LongModeWorld(code=NOPS + LOOP), {2: handler})
    machine = watched.machine
    machine.raise_nmi()
    getattr(watched, way)(1)
    machine.raise_nmi()
    getattr(watched, way)(20)
    # Three NOPs and the IRET of the first handler come before the second.
    assert taken_at(watched) == [(0, CODE), (4, CODE)]


@pytest.mark.parametrize("way", WAYS)
def test_the_shadow_of_mov_ss_holds_an_nmi_off(way: str) -> None:
    watched = bare(LongModeWorld(code=b"\x8e\xd0\x90\x90" + LOOP, registers={"rax": KERNEL_DATA}), {2: RETURN})
    getattr(watched, way)(1)
    watched.machine.raise_nmi()
    getattr(watched, way)(5)
    assert taken_at(watched) == [(2, CODE + 3)]


def test_hlt_with_interrupts_off_is_stuck() -> None:
    watched = start_timer(remap(bare(LongModeWorld(code=b"\xf4")), unmasked=1), 100)
    watched.step_to(10)
    assert (watched.machine.stuck, watched.machine.halted, watched.machine.instructions) == (True, True, 1)


def test_hlt_with_nothing_to_come_is_stuck_and_a_key_ends_it() -> None:
    watched = remap(bare(LongModeWorld(code=b"\xf4" + LOOP, rflags=0x2 | IF), {IRQ1: EOI_AND_RETURN}), unmasked=2)
    watched.step_to(10)
    assert watched.machine.stuck
    watched.machine.type_scancodes(b"\x1e")
    assert not watched.machine.stuck
    watched.step_to(10)
    assert watched.vectors == [IRQ1]


def test_hlt_waits_for_the_timer_and_time_goes_on_meanwhile() -> None:
    watched = bare(LongModeWorld(code=b"\xf4\xeb\xfd", rflags=0x2 | IF), {0x20: EOI_AND_RETURN})
    start_timer(remap(watched, unmasked=1), 1193)  # a millisecond
    watched.run_to(100)
    ticks = [one for one in watched.deliveries if one.event.irq == 0]
    assert len(ticks) > 5
    assert watched.machine.clock.now == pytest.approx(len(ticks) * 10_000, rel=0.2)


def test_an_irq_that_is_raised_from_outside_falls_when_it_is_acknowledged() -> None:
    watched = with_irq5(NOPS + LOOP, 0x2 | IF)
    watched.step_to(30)
    assert watched.vectors == [IRQ5]
    edges = [(event.line, event.level) for event in watched.events if type(event).__name__ == "LineChanged"]
    assert edges[-1] == (5, False)


@pytest.mark.parametrize("way", WAYS)
def test_a_trap_goes_before_an_nmi_and_an_nmi_before_an_interrupt(way: str) -> None:
    # All three are there at the boundary behind the first NOP; IF stays set through trap gates (SDM 3A table 6-2).
    world = LongModeWorld(code=NOPS, rflags=0x2 | IF | TF).with_gate(1, type=0xF).with_gate(2, type=0xF)
    watched = remap(bare(world), unmasked=1 << 5)
    machine = watched.machine
    machine.cpu.load(replace(machine.cpu.registers(), interrupt_shadow=True))
    machine.raise_nmi()
    machine.raise_irq(5)
    getattr(watched, way)(1)
    while machine.activity is not None or len(watched.deliveries) < 3:
        machine.micro_step()
    assert watched.vectors == [1, 2, IRQ5]
    assert [one.instruction for one in watched.deliveries] == [1, 1, 1]
    assert [one.event.rip for one in watched.deliveries] == [CODE + 1, handler(1), handler(2)]


@pytest.mark.parametrize("way", WAYS)
def test_an_interrupt_between_two_iterations_of_a_string_instruction_saves_rf(way: str) -> None:
    # rep stosb with the timer running: RF in the image wherever the instruction is to go on.
    code = b"\xf3\xaa" + LOOP
    world = LongModeWorld(code=code, rflags=0x2 | IF, registers={"rcx": 400, "rdi": DATA})
    watched = start_timer(remap(bare(world, {0x20: EOI_AND_RETURN}), unmasked=1), 10)
    getattr(watched, way)(700)
    seen = {(one.origin.rip, bool(one.origin.rflags & RF)) for one in watched.deliveries}
    assert (CODE, True) in seen
    assert (CODE + 2, False) in seen
    assert (CODE + 2, True) not in seen
