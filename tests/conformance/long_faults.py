"""What may be wrong in a long-mode world: one field of a gate, a descriptor, the TSS, a page, a register."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from tests.oracle.case import PAGE, Segment
from tests.oracle.long_mode import (
    CONFORMING_CODE,
    DATA,
    GDT,
    GDT_LIMIT,
    HANDLERS,
    HIGH_HALF,
    IDT,
    IST_STACKS,
    LDT,
    NON_CANONICAL,
    NT,
    RSP_STACKS,
    SPARE,
    STACK,
    TSS,
    TWO_PAGES,
    UNMAPPED,
    LongModeWorld,
    Page,
    handler,
)

from .dice import Dice
from .long_events import CODE_BY_RING, HAPPENINGS, RING_FLAGS, address, code_descriptor, selector

DELIVERED_FAULTS = (8, 10, 11, 12, 13, 14)

Wrong = Callable[[Dice, LongModeWorld, int], LongModeWorld]
"""The world with one thing wrong in the way of this vector."""


def _gate(dice: Dice, world: LongModeWorld, vector: int) -> LongModeWorld:
    changes: dict[str, object] = dice.weighted((
        (3, {"present": False}),
        (3, {"type": dice.below(16)}),
        (1, {"system": False}),
        (3, {"dpl": dice.below(4)}),
        (2, {"reserved": 1 << dice.below(32)}),
        (1, {"reserved": dice.bits(32)}),
        (3, {"offset": address(dice, handler(vector))}),
        (2, {"type": 0xF}),
        (6, {"ist": dice.below(8)}),
    ))  # fmt: skip
    return world.with_gate(vector, **changes)


def _selector(dice: Dice, world: LongModeWorld, vector: int) -> LongModeWorld:
    return world.with_gate(vector, selector=selector(dice, world.cpl))


def _inner(dice: Dice, world: LongModeWorld, vector: int) -> LongModeWorld:
    return world.with_gate(vector, selector=CODE_BY_RING[dice.below(world.cpl + 1)])


def _code_segment(dice: Dice, world: LongModeWorld, vector: int) -> LongModeWorld:
    found = code_descriptor(dice, dice.below(world.cpl + 1))
    return world.with_gate(vector, selector=SPARE).with_descriptor(SPARE, found)


def _table_limits(dice: Dice, world: LongModeWorld, vector: int) -> LongModeWorld:
    match dice.below(5):
        case 0 | 1:
            return world.with_(idt_limit=max(0, dice.near(16 * vector + 15, 16)))
        case 2:
            return world.with_(gdt_limit=dice.pick((0, 7, 0x0F, 0x1F, 0x6F, 0x76, GDT_LIMIT - 1, dice.below(0x90))))
        case 3:
            return world.with_(ldt_limit=dice.pick((0, 0xE, 0xF, dice.below(0x20))))
        case _:
            return world.with_(ldt_usable=False)


def _idt_place(dice: Dice, world: LongModeWorld, vector: int) -> LongModeWorld:
    """The IDT elsewhere: at an odd address, across two pages of which one may be missing, in the high half."""
    pages = {TWO_PAGES: Page(), TWO_PAGES + PAGE: Page()}
    moved = world.with_(pages={**world.pages, **pages})
    match dice.below(4):
        case 0:
            return moved.with_(idt_base=TWO_PAGES + dice.below(16), idt_limit=0xFEF)
        case 1 | 2:
            back = dice.pick((8, 4, 12, 15, 0))
            moved = moved.with_(idt_base=TWO_PAGES + PAGE - 16 * vector - back) if vector < 200 else moved
            missing = dice.pick((TWO_PAGES, TWO_PAGES + PAGE))
            return moved.with_page(missing, present=False) if dice.chance(0.6) else moved
        case _:
            return world.with_(idt_base=HIGH_HALF + IDT)


def _pointer(dice: Dice, stack: int) -> int:
    """A stack pointer of the TSS: odd, at the edge of its page, not canonical, nowhere."""
    return dice.weighted((
        (3, stack + PAGE - dice.below(64)),
        (2, stack + dice.pick((0, 8, 0x10, 0x18, 0x20, 0x28, 0x30))),
        (2, HIGH_HALF + stack + PAGE - 8 * dice.below(4)),
        (3, NON_CANONICAL + dice.pick((0, 8, stack))),
        (2, UNMAPPED + PAGE),
        (1, HIGH_HALF + 8 * dice.below(6)),
        (1, dice.below(64)),
    ))  # fmt: skip


def _tss(dice: Dice, world: LongModeWorld, vector: int) -> LongModeWorld:
    tss = world.tss
    match dice.below(6):
        case 0:
            return world.with_(tss=replace(tss, limit=dice.pick((0x0A, 0x0B, 0x12, 0x13, 0x1A, 0x1B, 0x2A, 0x2B, 0x5A,
                                                                 dice.below(0x68)))))  # fmt: skip
        case 1:
            return world.with_(tss=replace(tss, usable=not dice.chance(0.5)))
        case 2 | 3:
            ring = dice.below(3)
            rsp = tuple(_pointer(dice, RSP_STACKS[at]) if at == ring else old for at, old in enumerate(tss.rsp))
            return world.with_(tss=replace(tss, rsp=rsp))
        case _:
            number = dice.below(7)
            ist = tuple(_pointer(dice, IST_STACKS[at]) if at == number else old for at, old in enumerate(tss.ist))
            return world.with_gate(vector, ist=number + 1).with_(tss=replace(tss, ist=ist))


def _page(dice: Dice, world: LongModeWorld, vector: int) -> LongModeWorld:
    changes: dict[str, object] = dice.weighted((
        (4, {"present": False}), (2, {"writable": False}), (2, {"user": dice.chance(0.5)}), (1, {"no_execute": True}),
        (2, {"accessed": True, "dirty": dice.chance(0.5)}),
    ))  # fmt: skip
    gate = world.gates.get(vector)
    stacks = [STACK, *RSP_STACKS[:1]]
    if gate is not None and gate.ist:
        stacks = [IST_STACKS[gate.ist - 1]]
    page = dice.weighted((
        (8, dice.pick(stacks)), (2, TSS), (1, IDT), (1, GDT), (1, LDT), (1, dice.pick((HANDLERS, DATA))),
        (2, dice.pick(RSP_STACKS)),
    ))  # fmt: skip
    if page == HANDLERS:
        changes["accessed"] = True
    return world.with_page(page, **changes)


def _rsp(dice: Dice, world: LongModeWorld, _vector: int) -> LongModeWorld:
    if world.code[:1] in (b"\xcb", b"\xca", b"\xcf", b"\x48", b"\x66", b"\x50"):
        return world
    return world.with_(rsp=_pointer(dice, STACK))


def _flags(dice: Dice, world: LongModeWorld, _vector: int) -> LongModeWorld:
    returns = world.code[-1:] == b"\xcf"
    return world.with_(rflags=world.rflags | dice.some_of(RING_FLAGS & ~(NT if returns else 0) | 0x1_3100))


def _data_selectors(dice: Dice, world: LongModeWorld, _vector: int) -> LongModeWorld:
    """Null selectors, and segments of inner rings that an outer one must not keep."""
    chosen = {name: dice.pick((0, world.cpl, *CODE_BY_RING, CONFORMING_CODE)) for name in ("ds", "es", "fs", "gs")}
    return world.with_(data_selectors=chosen)


def _null_ss(dice: Dice, world: LongModeWorld, _vector: int) -> LongModeWorld:
    return world.with_(ss=world.cpl) if world.cpl < 3 else world


def _rescue(dice: Dice, world: LongModeWorld, vector: int) -> LongModeWorld:
    """Faults on the way come to a handler: on a stack of their own, or in the ring where they occur."""
    changes: dict[str, object] = dice.pick(({"ist": 2}, {"selector": CONFORMING_CODE}, {"ist": 7}))
    for fault in DELIVERED_FAULTS:
        if fault != vector:
            world = world.with_gate(fault, **changes)
    return world


def _further(dice: Dice, world: LongModeWorld, vector: int) -> LongModeWorld:
    """A fault on the way meets one of its own."""
    fault = dice.pick(DELIVERED_FAULTS)
    return dice.pick((_gate, _selector, _code_segment))(dice, world, fault)


def _registers(dice: Dice, world: LongModeWorld, _vector: int) -> LongModeWorld:
    """General registers with something in every byte, and CR0.WP off."""
    taken = world.registers
    names = [name for name in ("rbx", "rbp", "rsi", "r8", "r15") if name not in taken]
    values: dict[str, int | Segment] = {name: dice.bits(64) for name in names}
    if "cr0" not in taken and dice.chance(0.3):
        values["cr0"] = 0x8000_0031
    values["cr2"] = dice.bits(47)
    return world.with_(registers={**taken, **values})


WRONGS: tuple[tuple[int, Wrong], ...] = (
    (14, _gate),
    (5, _selector),
    (5, _inner),
    (6, _code_segment),
    (6, _table_limits),
    (3, _idt_place),
    (7, _tss),
    (8, _page),
    (4, _rsp),
    (5, _flags),
    (3, _data_selectors),
    (2, _null_ss),
    (8, _rescue),
    (4, _further),
    (4, _registers),
)


def long_world(dice: Dice) -> LongModeWorld:
    """A world in which something happens at once, with up to three things wrong."""
    world = LongModeWorld(cpl=dice.pick((0, 0, 0, 3, 3, 3, 1, 2)))
    world, vector = dice.weighted(HAPPENINGS)(dice, world)
    for _ in range(dice.pick((0, 1, 1, 2, 2, 3))):
        world = dice.weighted(WRONGS)(dice, world, vector)
    if world.rflags & 1 << 8:
        world = world.with_(instructions=world.instructions + 1, code=world.code + b"\x90" * 4)
    return world
