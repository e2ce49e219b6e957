"""What happens in a real-mode world, and what may be wrong in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from tests.oracle.case import Injection
from tests.oracle.long_mode import AC, CF, DF, IF, NT, TF
from tests.oracle.real_mode import (
    CODE_SELECTOR,
    DATA,
    HANDLER_SELECTOR,
    OTHER_IVT,
    RSP,
    STACK_SELECTOR,
    RealModeWorld,
    segment,
)

from .dice import ARITHMETIC, Dice

Happening = tuple[RealModeWorld, int]
OF = 1 << 11


def _instruction(*, code: bytes, vector: int) -> Callable[[Dice, RealModeWorld], Happening]:
    def happen(_dice: Dice, world: RealModeWorld) -> Happening:
        return world.with_(code=code), vector

    return happen


def _int_n(dice: Dice, world: RealModeWorld) -> Happening:
    vector = dice.pick((0x80, 3, 8, 13, 14, 255, dice.below(256)))
    return world.with_(code=bytes([0xCD, vector])), vector


def _into(dice: Dice, world: RealModeWorld) -> Happening:
    return world.with_(code=b"\xce", rflags=world.rflags | dice.pick((OF, OF, 0))), 4


def _divide(dice: Dice, world: RealModeWorld) -> Happening:
    return world.with_(code=b"\xf7\xf1", registers={"rax": dice.bits(16), "rcx": 0}), 0


def _external(dice: Dice, world: RealModeWorld) -> Happening:
    vector = dice.pick((0x30, 8, dice.below(256)))
    flags = world.rflags | IF if dice.chance(0.9) else world.rflags
    late = dice.chance(0.3)
    inject = Injection("external", vector, after=1 if late else 0)
    lead = dice.pick((b"", b"\xfb"))
    world = world.with_(code=lead + b"\x90" * 3, rflags=flags, inject=inject, instructions=3 if late or lead else 1)
    return world, vector


def _nmi(_dice: Dice, world: RealModeWorld) -> Happening:
    return world.with_(code=b"\x90" * 2, inject=Injection("nmi")), 2


def _step(dice: Dice, world: RealModeWorld) -> Happening:
    code = dice.pick((b"\x90", *ARITHMETIC)) + b"\x90" * 2
    return world.with_(code=code, rflags=world.rflags | TF), 1


def _after_arithmetic(dice: Dice, world: RealModeWorld) -> Happening:
    """A fault behind an instruction that changes the flags: they are saved as it left them."""
    return world.with_(code=dice.pick(ARITHMETIC) + b"\x0f\x0b", instructions=2), 6


def _beyond(dice: Dice, world: RealModeWorld) -> Happening:
    """A word across the end of a segment; a jump out of the code segment."""
    word, stack_word = (b"\xa1\xff\xff", 13), (b"\x36\xa1\xff\xff", 12)
    code, vector = dice.pick((word, stack_word, (b"\x62\x06\x00\x01", 5), (b"\x0f\x00\xd8", 6)))
    return world.with_(code=code, registers={"rax": 0x1234}), vector


def _iret(dice: Dice, world: RealModeWorld) -> Happening:
    size, code = dice.pick(((2, b"\xcf"), (4, b"\x66\xcf")))
    mask = (1 << 8 * size) - 1
    ip = dice.pick((0x40, 0x40, 0xFFFF, 0x1_0000, 0xFFF, 0x1000)) & mask
    cs = dice.pick((CODE_SELECTOR, dice.bits(16), dice.bits(32))) & mask
    return _with_frame(dice, world.with_(code=code), (ip, cs, dice.bits(8 * size) & ~TF), size), 13


def _retf(dice: Dice, world: RealModeWorld) -> Happening:
    size, prefix = dice.pick(((2, b""), (4, b"\x66")))
    mask = (1 << 8 * size) - 1
    ip = dice.pick((0x40, 0x40, 0xFFFF, 0x1_0000)) & mask
    world = world.with_(code=prefix + dice.pick((b"\xcb", b"\xca\x10\x00")))
    return _with_frame(dice, world, (ip, dice.bits(16)), size), 13


def _with_frame(dice: Dice, world: RealModeWorld, words: tuple[int, ...], size: int) -> RealModeWorld:
    rsp = dice.weighted(((5, RSP - 0x20), (2, 0xFFF0 + dice.below(16)), (1, 0xABCD_0F00)))
    return world.with_(rsp=rsp, frame=words, frame_word=size)


def _far(dice: Dice, world: RealModeWorld) -> Happening:
    size, prefix = dice.pick(((2, b""), (4, b"\x66")))
    offset = dice.pick((0x40, 0xFFFF, 0x1_0000)) & (1 << 8 * size) - 1
    selector = dice.pick((HANDLER_SELECTOR, dice.bits(16)))
    pointer = offset.to_bytes(size, "little") + selector.to_bytes(2, "little")
    return world.with_(code=prefix + dice.pick((b"\x9a", b"\xea")) + pointer), 13


HAPPENINGS: tuple[tuple[int, Callable[[Dice, RealModeWorld], Happening]], ...] = (
    (6, _instruction(code=b"\x0f\x0b", vector=6)),
    (8, _int_n),
    (5, _external),
    (3, _nmi),
    (3, _divide),
    (2, _instruction(code=b"\xcc", vector=3)),
    (2, _into),
    (2, _instruction(code=b"\xf1", vector=1)),
    (3, _step),
    (2, _after_arithmetic),
    (4, _beyond),
    (8, _iret),
    (3, _retf),
    (4, _far),
)

Wrong = Callable[[Dice, RealModeWorld, int], RealModeWorld]


def _table(dice: Dice, world: RealModeWorld, vector: int) -> RealModeWorld:
    """The interrupt vector table: its limit, its place."""
    if dice.chance(0.6):
        return world.with_(idt_limit=max(0, dice.pick((dice.near(4 * vector + 3), 4 * 13 + 3, dice.below(0x400)))))
    return world.with_(idt_base=OTHER_IVT + dice.pick((0, 1, 2, 0x1000 - 4 * vector - 2 if vector < 200 else 3)))


def _vector(dice: Dice, world: RealModeWorld, vector: int) -> RealModeWorld:
    vector = dice.pick((vector, vector, 13, 12, 8))
    selector = dice.pick((HANDLER_SELECTOR, HANDLER_SELECTOR + dice.below(4), dice.bits(16)))
    return world.with_vector(vector, selector, dice.pick((0, 0xFFF, 0x1000, 0xFFFE, dice.bits(16))))


def _code_limit(dice: Dice, world: RealModeWorld, _vector: int) -> RealModeWorld:
    return world.with_(cs=segment(CODE_SELECTOR, limit=dice.pick((0xFFF, 0xD00, 0xD3F, 0x3F, 0xFFFF))))


def _stack(dice: Dice, world: RealModeWorld, _vector: int) -> RealModeWorld:
    if world.frame:
        return world
    match dice.below(4):
        case 0 | 1:
            return world.with_(rsp=dice.pick((dice.below(16), 0xFFF0 + dice.below(17), 0xABCD_0FE0)))
        case 2:
            small = segment(STACK_SELECTOR, limit=0xFFF)
            return world.with_(ss=small, rsp=dice.pick((dice.near(0x1000), dice.below(8))))
        case _:
            big = replace(segment(STACK_SELECTOR, limit=0xFFFFF), attributes=0x40_9300)
            return world.with_(ss=big, rsp=dice.pick((0x1_1000, 0x1000, dice.below(8))))


def _bases(dice: Dice, world: RealModeWorld, _vector: int) -> RealModeWorld:
    """Bases that the descriptor caches still hold, as in "unreal mode"."""
    return world.with_(ss=segment(STACK_SELECTOR, base=DATA), rsp=dice.pick((0x100, 0x20)), frame=())


def _flags(dice: Dice, world: RealModeWorld, _vector: int) -> RealModeWorld:
    return world.with_(rflags=world.rflags | dice.some_of(CF | DF | IF | AC | NT | 0x1_3100 | 0x8D4))


def _registers(dice: Dice, world: RealModeWorld, _vector: int) -> RealModeWorld:
    values = {name: dice.bits(32) for name in ("rbx", "rbp", "rsi", "rdi", "rdx", "cr2")}
    return world.with_(registers={**values, **world.registers})


WRONGS: tuple[tuple[int, Wrong], ...] = (
    (6, _table),
    (4, _vector),
    (4, _code_limit),
    (8, _stack),
    (1, _bases),
    (5, _flags),
    (3, _registers),
)


def real_world(dice: Dice) -> RealModeWorld:
    """A world in which something happens at once, with up to three things wrong."""
    world, vector = dice.weighted(HAPPENINGS)(dice, RealModeWorld())
    for _ in range(dice.pick((0, 1, 1, 2, 2, 3))):
        world = dice.weighted(WRONGS)(dice, world, vector)
    if world.rflags & TF:
        world = world.with_(instructions=world.instructions + 1, code=world.code + b"\x90" * 4)
    return world
