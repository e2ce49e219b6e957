"""What may be wrong in a protected-mode world, and the same for virtual-8086 mode."""

from __future__ import annotations

from collections.abc import Callable

from tests.oracle.case import PAGE
from tests.oracle.long_mode import AC, CF, DF, IF, NT, Page
from tests.oracle.protected_mode import (
    CODE_BY_RING,
    CONFORMING_CODE,
    DATA,
    GDT,
    GDT_LIMIT,
    HANDLERS,
    IDT,
    INTERRUPT_GATE16,
    KERNEL_STACK16,
    LDT,
    RING_STACKS,
    SPARE,
    SPARE2,
    STACK,
    TASK_GATE_TYPE,
    TASK_TSS,
    TRAP_GATE,
    TRAP_GATE16,
    TSS,
    TWO_PAGES,
    ProtectedModeWorld,
    handler,
)

from . import protected_events as events
from .dice import Dice
from .protected_events import HAPPENINGS, Happening
from .protected_segments import code_descriptor, selector, stack_descriptor

DELIVERED_FAULTS = (8, 10, 11, 12, 13, 14)
IOPL3 = 3 << 12

Wrong = Callable[[Dice, ProtectedModeWorld, int], ProtectedModeWorld]
"""The world with one thing wrong in the way of this vector."""


def _gate(dice: Dice, world: ProtectedModeWorld, vector: int) -> ProtectedModeWorld:
    changes: dict[str, object] = dice.weighted((
        (3, {"present": False}),
        (3, {"type": dice.below(16)}),
        (1, {"system": False}),
        (3, {"dpl": dice.below(4)}),
        (1, {"parameters": dice.bits(8)}),
        (2, {"offset": dice.pick((0x1_0000, dice.bits(32), handler(vector) | 0xDEAD_0000))}),
        (5, {"type": dice.pick((TRAP_GATE, TRAP_GATE16, INTERRUPT_GATE16))}),
    ))  # fmt: skip
    return world.with_gate(vector, **changes)


def _selector(dice: Dice, world: ProtectedModeWorld, vector: int) -> ProtectedModeWorld:
    return world.with_gate(vector, selector=selector(dice, world.cpl))


def _inner(dice: Dice, world: ProtectedModeWorld, vector: int) -> ProtectedModeWorld:
    return world.with_gate(vector, selector=dice.pick((CODE_BY_RING[dice.below(world.cpl + 1)], CONFORMING_CODE)))


def _code_segment(dice: Dice, world: ProtectedModeWorld, vector: int) -> ProtectedModeWorld:
    found = code_descriptor(dice, dice.below(world.cpl + 1), handler(vector))
    return world.with_gate(vector, selector=SPARE).with_descriptor(SPARE, found)


def _table_limits(dice: Dice, world: ProtectedModeWorld, vector: int) -> ProtectedModeWorld:
    match dice.below(5):
        case 0 | 1:
            return world.with_(idt_limit=max(0, dice.near(8 * vector + 7, 8)))
        case 2:
            return world.with_(gdt_limit=dice.pick((0, 7, 0x0F, 0x3F, 0x46, GDT_LIMIT - 1, dice.below(0xF0))))
        case 3:
            return world.with_(ldt_limit=dice.pick((0, 0xE, 0xF, 0x16, 0x17, dice.below(0x20))))
        case _:
            return world.with_(ldt_usable=False)


def _idt_place(dice: Dice, world: ProtectedModeWorld, vector: int) -> ProtectedModeWorld:
    """The IDT elsewhere: at an odd address, across two pages of which one may be missing."""
    pages = {TWO_PAGES: Page(), TWO_PAGES + PAGE: Page()}
    moved = world.with_(pages={**world.pages, **pages})
    if dice.chance(0.3) or vector > 200:
        return moved.with_(idt_base=TWO_PAGES + dice.below(16), idt_limit=0x7F7)
    moved = moved.with_(idt_base=TWO_PAGES + PAGE - 8 * vector - dice.pick((4, 2, 7, 0, 8)))
    if world.paging in ("32-bit", "PAE") and dice.chance(0.6):
        moved = moved.with_page(dice.pick((TWO_PAGES, TWO_PAGES + PAGE)), present=False)
    return moved


def _ring_stack(dice: Dice, world: ProtectedModeWorld, _vector: int) -> ProtectedModeWorld:
    """SS and ESP of one ring in the TSS."""
    ring = dice.below(max(1, world.cpl))
    esp, ss = list(world.tss.esp), list(world.tss.ss)
    match dice.below(4):
        case 0:
            ss[ring] = selector(dice, ring)
        case 1 | 2:
            ss[ring] = SPARE2 | ring
            world = world.with_descriptor(SPARE2, stack_descriptor(dice, ring))
        case _:
            pass
    if dice.chance(0.5):
        frame = dice.pick((10, 12, 20, 24, 18, 36, 40, 6, 8))
        esp[ring] = dice.pick((dice.near(frame), dice.near(0x1000), RING_STACKS[0] + dice.pick((0, 4, 8)), 0x1_0000))
    return world.with_tss(esp=tuple(esp), ss=tuple(ss))


def _tss(dice: Dice, world: ProtectedModeWorld, _vector: int) -> ProtectedModeWorld:
    match dice.below(5):
        case 0 | 1:
            edges = (9, 8, 0xA, 0xB, 0x11, 0x12, 0x13, 0x19, 0x1B, 5, 4, dice.below(0x68))
            return world.with_(tss_limit=dice.pick(edges))
        case 2:
            return world.with_(tss_usable=dice.chance(0.4))
        case _:
            return world.with_tss(narrow=True)


def _paging(dice: Dice, world: ProtectedModeWorld, _vector: int) -> ProtectedModeWorld:
    return world.with_(paging=dice.pick(("32-bit", "PAE", "PSE", "32-bit")))


def _page(dice: Dice, world: ProtectedModeWorld, _vector: int) -> ProtectedModeWorld:
    changes: dict[str, object] = dice.weighted((
        (4, {"present": False}), (2, {"writable": False}), (2, {"user": dice.chance(0.5)}),
        (1, {"accessed": True, "dirty": dice.chance(0.5)}),
    ))  # fmt: skip
    rings = [STACK + offset for offset in RING_STACKS]
    page = dice.weighted((
        (5, STACK), (4, rings[0]), (2, dice.pick(rings)), (2, TSS), (1, IDT), (1, GDT), (1, LDT), (2, TASK_TSS),
        (1, dice.pick((HANDLERS, DATA))), (1, STACK + 0x4000),
    ))  # fmt: skip
    if page == HANDLERS:
        changes["accessed"] = True
    if world.paging == "PSE":
        world = world.with_(paging="PAE")
    return world.with_page(page, **changes)


def _stack_pointer(dice: Dice, world: ProtectedModeWorld, _vector: int) -> ProtectedModeWorld:
    """ESP at the bottom of the stack, at a page's edge, with something in its high half on a 16-bit stack."""
    if world.frame or world.vm86:
        return world
    if dice.chance(0.4) and world.cpl == 0 and world.ss is None:
        return world.with_(ss=KERNEL_STACK16, rsp=dice.pick((0xABCD_0FE0, dice.below(32), 0x1_0000, 0xFFF0)))
    return world.with_(rsp=dice.pick((dice.below(32), 0x1000 + dice.below(16), dice.near(12), dice.near(6))))


def _flags(dice: Dice, world: ProtectedModeWorld, _vector: int) -> ProtectedModeWorld:
    returns = world.code[-1:] == b"\xcf"
    bits = CF | DF | IF | AC | (0 if returns else NT) | 0x1_3100 | 0x20_08D4
    return world.with_(rflags=world.rflags | dice.some_of(bits))


def _data_selectors(dice: Dice, world: ProtectedModeWorld, _vector: int) -> ProtectedModeWorld:
    """Null selectors, and segments of inner rings that an outer one must not keep."""
    if world.vm86:
        return world
    chosen = {name: dice.pick((0, world.cpl, *CODE_BY_RING, CONFORMING_CODE)) for name in ("ds", "es", "fs", "gs")}
    if world.code[:1] in (b"\xa0", b"\xa1", b"\xa2", b"\xa3"):
        del chosen["ds"]
    return world.with_(data_selectors=chosen)


def _rescue(dice: Dice, world: ProtectedModeWorld, vector: int) -> ProtectedModeWorld:
    """Faults on the way come to a handler: in a task of its own, or in the ring where they occur."""
    faults = tuple(fault for fault in DELIVERED_FAULTS if fault != vector)
    if dice.chance(0.5):
        return world.with_rescue(*faults)
    for fault in faults:
        world = world.with_gate(fault, selector=CONFORMING_CODE)
    return world


def _further(dice: Dice, world: ProtectedModeWorld, _vector: int) -> ProtectedModeWorld:
    """A fault on the way meets one of its own."""
    return dice.pick((_gate, _selector, _code_segment))(dice, world, dice.pick(DELIVERED_FAULTS))


def _registers(dice: Dice, world: ProtectedModeWorld, _vector: int) -> ProtectedModeWorld:
    """General registers with something in every byte."""
    taken = world.registers
    values = {name: dice.bits(32) for name in ("rbx", "rbp", "rsi", "rdi", "rdx") if name not in taken}
    return world.with_(registers={**taken, **values, "cr2": dice.bits(32)})


WRONGS: tuple[tuple[int, Wrong], ...] = (
    (14, _gate),
    (5, _selector),
    (6, _inner),
    (7, _code_segment),
    (6, _table_limits),
    (3, _idt_place),
    (8, _ring_stack),
    (5, _tss),
    (4, _paging),
    (6, _page),
    (5, _stack_pointer),
    (5, _flags),
    (3, _data_selectors),
    (9, _rescue),
    (4, _further),
    (4, _registers),
)


def protected_world(dice: Dice) -> ProtectedModeWorld:
    """A world in which something happens at once, with up to three things wrong."""
    world = ProtectedModeWorld(cpl=dice.pick((0, 0, 0, 3, 3, 3, 1, 2)))
    return _spoiled(dice, *dice.weighted(HAPPENINGS)(dice, world))


# Virtual-8086 mode


def _real_iret(dice: Dice, world: ProtectedModeWorld) -> Happening:
    size, code = dice.pick(((2, b"\xcf"), (4, b"\x66\xcf")))
    flags = dice.bits(8 * size) & ~(1 << 8)
    frame = (
        dice.pick((0x40, 0xFFFF, 0x1_0000)) & (1 << 8 * size) - 1,
        dice.pick((HANDLERS >> 4, dice.bits(16))),
        flags,
    )
    world = world.with_(code=code, frame=frame, frame_word=size)
    if dice.chance(0.15):
        world = world.with_(frame=(), rsp=0xFFF0 + dice.below(16))
    return world, 13


def _real_retf(dice: Dice, world: ProtectedModeWorld) -> Happening:
    size, prefix = dice.pick(((2, b""), (4, b"\x66")))
    code = prefix + dice.pick((b"\xcb", b"\xca\x10\x00"))
    frame = (dice.pick((0x40, 0xFFFF, 0x1_0000)) & (1 << 8 * size) - 1, dice.bits(16))
    world = world.with_(code=code, frame=frame, frame_word=size)
    if dice.chance(0.15):
        world = world.with_(frame=(), rsp=0xFFF0 + dice.below(16))
    return world, 13


def _real_far(dice: Dice, world: ProtectedModeWorld) -> Happening:
    size, prefix = dice.pick(((2, b""), (4, b"\x66")))
    offset = dice.pick((0x40, 0xFFFF, 0x1_0000)) & (1 << 8 * size) - 1
    pointer = offset.to_bytes(size, "little") + dice.bits(16).to_bytes(2, "little")
    if dice.chance(0.2):
        world = world.with_(rsp=dice.below(8))
    return world.with_(code=prefix + dice.pick((b"\x9a", b"\xea")) + pointer), 13


def _sensitive(dice: Dice, world: ProtectedModeWorld) -> Happening:
    """CLI, STI, PUSHF, HLT: by IOPL, or never."""
    return world.with_(code=dice.pick((b"\xfa", b"\xfb", b"\x9c", b"\xf4"))), 13


VM86_HAPPENINGS: tuple[tuple[int, Callable[[Dice, ProtectedModeWorld], Happening]], ...] = (
    (8, events.instruction(code=b"\x0f\x0b", vector=6)),
    (10, events.int_n),
    (5, events.external),
    (3, events.nmi),
    (3, events.divide),
    (2, events.int3),
    (2, events.into),
    (2, events.instruction(code=b"\xf1", vector=1)),
    (3, events.single_step),
    (2, events.after_arithmetic),
    (4, _sensitive),
    (6, _real_iret),
    (3, _real_retf),
    (3, _real_far),
)


def vm86_world(dice: Dice) -> ProtectedModeWorld:
    """The same in virtual-8086 mode, with IOPL 3 more often than not."""
    world = ProtectedModeWorld(vm86=True, cpl=3, rflags=0x2 | dice.pick((IOPL3, IOPL3, 0, 0x1000, 0x2000)))
    world, vector = dice.weighted(VM86_HAPPENINGS)(dice, world)
    if dice.chance(0.1):
        world = events.with_tasks(dice, world).with_gate(vector, type=TASK_GATE_TYPE, selector=0x98, offset=0)
    return _spoiled(dice, world, vector)


def _spoiled(dice: Dice, world: ProtectedModeWorld, vector: int) -> ProtectedModeWorld:
    for _ in range(dice.pick((0, 1, 1, 2, 2, 3))):
        world = dice.weighted(WRONGS)(dice, world, vector)
    if world.rflags & 1 << 8 or any(task.trap for task in world.tasks.values()):
        world = world.with_(instructions=world.instructions + 1, code=world.code + b"\x90" * 4)
    return world
