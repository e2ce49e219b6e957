"""An interrupt that is held off: a run at speed takes it at the very boundary at which single steps do."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from idtviz.machine.events import Delivered
from tests.machine.bare import EOI_AND_RETURN, LOOP, Watched, bare, remap, start_timer
from tests.oracle.long_mode import DATA, IF, KERNEL_DATA, LongModeWorld

IRQ0, IRQ5 = 0x20, 0x25
PIECES = {
    "nop": "90",
    "sti": "fb",
    "cli": "fa",
    "popf with IF": "6802020000 9d",
    "popf without IF": "6802000000 9d",
    "pushf, popf": "9c 9d",
    "mov ss, ax": "8ed0",
    "mask all IRQs": "50 b0ff e621 58",
    "let IRQs through": "50 b000 e621 58",
    "loop": "50 b805000000 ffc8 75fc 58",
    "rep movsb": "b903000000 f3a4",
    "sti, rep movsb": "b903000000 fb f3a4",
    "mov ss, rep movsb": "b903000000 8ed0 f3a4",
    "cld": "fc",
}


def build(pieces: list[str], *, enabled: bool, timer: int, raised: bool) -> Watched:
    code = bytes.fromhex(" ".join(PIECES[name] for name in pieces)) + LOOP
    world = LongModeWorld(
        code=code, rflags=0x2 | (IF if enabled else 0), registers={"rax": KERNEL_DATA, "rsi": DATA, "rdi": DATA}
    )
    watched = remap(bare(world, {IRQ0: EOI_AND_RETURN, IRQ5: EOI_AND_RETURN}), unmasked=0xFF)
    if timer:
        start_timer(watched, timer)
    if raised:
        watched.machine.raise_irq(5)
    return watched


@settings(max_examples=150, deadline=None)
@given(
    pieces=st.lists(st.sampled_from(sorted(PIECES)), min_size=1, max_size=30),
    enabled=st.booleans(),
    timer=st.sampled_from([0, 2, 3, 7, 20]),
    raised=st.booleans(),
)
def test_a_run_takes_it_where_single_steps_do(pieces: list[str], enabled: bool, timer: int, raised: bool) -> None:
    stepped = build(pieces, enabled=enabled, timer=timer, raised=raised)
    ran = build(pieces, enabled=enabled, timer=timer, raised=raised)
    stepped.step_to(300)
    ran.run_to(300)
    assert ran.events == stepped.events
    assert ran.machine.digest() == stepped.machine.digest()


def test_waiting_for_if_does_not_end_the_run() -> None:
    watched = build(["cli", "nop"], enabled=False, timer=0, raised=True)
    watched.machine.run(100_000)
    assert watched.machine.instructions == 100_000  # in one call: nothing stopped it on the way
    assert watched.machine.board.intr
    assert not [event for event in watched.events if isinstance(event, Delivered)]
