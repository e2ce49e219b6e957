"""What happens in a long-mode world: instructions that raise something, interrupts, returns, far transfers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from tests.oracle.case import Injection
from tests.oracle.long_far_cases import CALL, CALLQ, GATE, JMP, JMPQ, POINTER, CallGate
from tests.oracle.long_mode import (
    AC,
    CODE,
    CONFORMING_CODE,
    DATA,
    HIGH_HALF,
    IF,
    KERNEL_CODE,
    KERNEL_DATA,
    LDT_CODE,
    LDT_SELECTOR,
    NON_CANONICAL,
    NT,
    RING1_CODE,
    RING1_DATA,
    RING2_CODE,
    RING2_DATA,
    SPARE,
    SPARE2,
    STACK,
    TF,
    TSS_SELECTOR,
    UNMAPPED,
    USER_CODE,
    USER_DATA,
    VM,
    Descriptor,
    LongModeWorld,
    code_segment,
    data_segment,
)

from .dice import ARITHMETIC, Dice

CODE_BY_RING = (KERNEL_CODE, RING1_CODE, RING2_CODE, USER_CODE)
DATA_BY_RING = (KERNEL_DATA, RING1_DATA, RING2_DATA, USER_DATA)
BEYOND = 0x90
"""The first selector outside the table with a call gate at `GATE`."""
RETURN_TO = CODE + 0x40
RING_FLAGS = 0x08_4CD5 | IF | AC
"""The bits of RFLAGS that may be anything at the start: the arithmetic ones, IF, DF, NT, AC, VIF."""


Happening = tuple[LongModeWorld, int]
"""A world in which something happens at once, and the vector whose gate it goes through."""


def selector(dice: Dice, cpl: int) -> int:
    """Any selector: of a segment there is, of none, of the null descriptor, of a system segment."""
    ring = dice.pick((0, 0, cpl, 3, dice.below(4)))
    chosen = dice.weighted((
        (4, dice.pick(CODE_BY_RING)),
        (2, dice.pick(DATA_BY_RING)),
        (2, CONFORMING_CODE),
        (6, SPARE),
        (3, SPARE2),
        (3, LDT_CODE),
        (2, dice.pick((TSS_SELECTOR, LDT_SELECTOR, GATE))),
        (2, BEYOND),
        (2, 0),
        (1, dice.bits(16)),
    ))  # fmt: skip
    return chosen & ~3 | ring


def address(dice: Dice, usual: int) -> int:
    """A linear address: in the low half, in the high one, in neither, or where nothing is mapped."""
    return dice.weighted((
        (5, usual), (2, HIGH_HALF + usual), (2, NON_CANONICAL + usual), (1, NON_CANONICAL - 1), (2, UNMAPPED),
        (1, dice.bits(64)),
    ))  # fmt: skip


def code_descriptor(dice: Dice, dpl: int) -> Descriptor:
    """A 64-bit code segment that mostly has one thing wrong."""
    return dice.weighted((
        (2, code_segment(dpl)),
        (2, code_segment(dpl, type=0xA)),
        (3, code_segment(dpl, present=False)),
        (2, code_segment(dpl, long=False)),
        (2, code_segment(dpl, long=False, default=True)),
        (2, code_segment(dpl, default=True)),
        (3, code_segment(dice.below(4), type=dice.pick((0xC, 0xE, 0xF)))),
        (3, code_segment(dice.below(4))),
        (1, code_segment(dpl, long=False, default=True, granularity=False, limit=dice.near(RETURN_TO))),
        (1, data_segment(dpl)),
        (2, descriptor(dice, dpl)),
    ))  # fmt: skip


def data_descriptor(dice: Dice, dpl: int) -> Descriptor:
    """A data segment that mostly has one thing wrong."""
    return dice.weighted((
        (2, data_segment(dpl)),
        (2, data_segment(dpl, type=0x2)),
        (3, data_segment(dpl, present=False)),
        (2, data_segment(dpl, type=dice.pick((0x0, 0x1, 0x4, 0x5)))),
        (2, data_segment(dpl, type=0x7)),
        (3, data_segment(dice.below(4))),
        (1, code_segment(dpl)),
        (2, descriptor(dice, dpl)),
    ))  # fmt: skip


def descriptor(dice: Dice, dpl: int) -> Descriptor:
    """Any descriptor at all."""
    return Descriptor(
        dice.below(16),
        system=dice.chance(0.3),
        dpl=dice.pick((dpl, dice.below(4))),
        present=dice.chance(0.8),
        long=dice.chance(0.5),
        default=dice.chance(0.3),
        granularity=dice.chance(0.7),
        limit=dice.pick((0xFFFFF, 0, 0x67, dice.bits(20))),
    )


def _instruction(*, code: bytes, vector: int, instructions: int = 1) -> Callable[[Dice, LongModeWorld], Happening]:
    def happen(_dice: Dice, world: LongModeWorld) -> Happening:
        return world.with_(code=code, instructions=instructions), vector

    return happen


def _int_n(dice: Dice, world: LongModeWorld) -> Happening:
    vector = dice.pick((0x80, 0x80, 0x80, 3, 4, 8, 13, 14, dice.below(256)))
    return world.with_(code=bytes([0xCD, vector])).with_gate(vector, dpl=3), vector


def _int3(_dice: Dice, world: LongModeWorld) -> Happening:
    return world.with_(code=b"\xcc").with_gate(3, dpl=3), 3


def _divide(dice: Dice, world: LongModeWorld) -> Happening:
    return _register(world.with_(code=b"\xf7\xf1"), rcx=0, rax=dice.bits(20)), 0


def _register(world: LongModeWorld, **values: int) -> LongModeWorld:
    return world.with_(registers={**world.registers, **values})


def _memory(dice: Dice, world: LongModeWorld) -> Happening:
    """A load or store that may fail: nothing mapped, not canonical, the kernel's page, read-only."""
    place = dice.pick((UNMAPPED, UNMAPPED + 0xFFF, NON_CANONICAL, HIGH_HALF + UNMAPPED, 0xB000, DATA))
    opcode = dice.pick((b"\xa0", b"\xa2", b"\xa1", b"\xa3"))
    if place == DATA:
        world = world.with_page(DATA, writable=False, user=dice.chance(0.7))
        opcode = dice.pick((b"\xa2", b"\xa3"))
    vector = 13 if place == NON_CANONICAL else 14
    if place < NON_CANONICAL and dice.chance(0.2):
        return world.with_(code=b"\x00\x04\x25" + place.to_bytes(4, "little")), vector
    return world.with_(code=opcode + place.to_bytes(8, "little")), vector


def _fetch(dice: Dice, world: LongModeWorld) -> Happening:
    target = dice.pick((UNMAPPED, DATA, HIGH_HALF + UNMAPPED))
    if target == DATA:
        world = world.with_page(DATA, no_execute=True)
    return _register(world, rax=target).with_(code=b"\xff\xe0", instructions=2), 14


def _push(_dice: Dice, world: LongModeWorld) -> Happening:
    return world.with_(code=b"\x50", rsp=NON_CANONICAL + 8), 12


def _load_segment(dice: Dice, world: LongModeWorld) -> Happening:
    world = _register(world, rax=selector(dice, world.cpl))
    world = world.with_descriptor(SPARE2, data_descriptor(dice, world.cpl))
    return world.with_(code=dice.pick((b"\x8e\xe0", b"\x8e\xe8", b"\x8e\xd8", b"\x8e\xc0"))), 13


def _misaligned(_dice: Dice, world: LongModeWorld) -> Happening:
    code = b"\xa1" + (DATA + 1).to_bytes(8, "little")
    return _register(world.with_(code=code, rflags=world.rflags | AC), cr0=0x80050031), 17


def _external(dice: Dice, world: LongModeWorld) -> Happening:
    vector = dice.pick((0x30, 0x30, 0x80, dice.below(256), dice.pick((0, 6, 8, 13, 14))))
    flags = world.rflags | IF if dice.chance(0.9) else world.rflags
    lead = dice.pick((b"", b"", b"\x90", b"\xfb" if world.cpl == 0 else b"\x90"))
    inject = Injection("external", vector, after=1 if lead == b"\x90" and dice.chance(0.5) else 0)
    world = world.with_(code=lead + b"\x90" * 3, rflags=flags, inject=inject, instructions=1 + 2 * len(lead))
    return world, vector


def _nmi(_dice: Dice, world: LongModeWorld) -> Happening:
    return world.with_(code=b"\x90" * 2, inject=Injection("nmi")), 2


def _step(dice: Dice, world: LongModeWorld) -> Happening:
    code = dice.pick((b"\x90", *ARITHMETIC)) + b"\x90" * 2
    return world.with_(code=code, rflags=world.rflags & ~(1 << 16) | TF), 1


def _after_arithmetic(dice: Dice, world: LongModeWorld) -> Happening:
    """A fault behind an instruction that changes the flags: they are saved as it left them."""
    return world.with_(code=dice.pick(ARITHMETIC) + b"\x0f\x0b", instructions=2), 6


def _iret(dice: Dice, world: LongModeWorld) -> Happening:
    """IRET of any size to the same ring or an outer one, with up to two words of the frame changed."""
    size = dice.pick((8, 8, 8, 4, 2))
    cpl = world.cpl
    to = cpl if dice.chance(0.5) else cpl + dice.below(4 - cpl)
    rip = RETURN_TO
    cs, ss, flags = CODE_BY_RING[to], DATA_BY_RING[to], 0x2 | dice.some_of(RING_FLAGS | 0x3000)
    rsp = STACK + 0xF00 - dice.below(32)
    for _ in range(dice.pick((0, 1, 1, 1, 2))):
        match dice.below(7):
            case 0:
                rip = address(dice, RETURN_TO)
            case 1:
                cs = selector(dice, to)
            case 2:
                cs = SPARE | to
                world = world.with_descriptor(SPARE, code_descriptor(dice, to))
            case 3:
                ss = selector(dice, to)
            case 4:
                ss = SPARE2 | to
                world = world.with_descriptor(SPARE2, data_descriptor(dice, to))
            case 5:
                flags |= dice.some_of(0x3F_7FD7 | TF | NT | VM)
            case _:
                rsp = address(dice, STACK + 0xF00)
    if dice.chance(0.1):
        world = world.with_(rflags=world.rflags | NT)
    code = {8: b"\x48\xcf", 4: b"\xcf", 2: b"\x66\xcf"}[size]
    return _with_frame(dice, world.with_(code=code), (rip, cs, flags, rsp, ss), size), 13


def _retf(dice: Dice, world: LongModeWorld) -> Happening:
    """Far RET of any size, with up to two words of the frame changed."""
    size = dice.pick((8, 8, 4, 4, 2))
    cpl = world.cpl
    to = cpl if dice.chance(0.5) else cpl + dice.below(4 - cpl)
    rip, cs, ss, rsp = RETURN_TO, CODE_BY_RING[to], DATA_BY_RING[to], STACK + 0xF00 - dice.below(32)
    for _ in range(dice.pick((0, 1, 1, 2))):
        match dice.below(6):
            case 0:
                rip = address(dice, RETURN_TO)
            case 1:
                cs = selector(dice, to)
            case 2:
                cs = SPARE | to
                world = world.with_descriptor(SPARE, code_descriptor(dice, to))
            case 3:
                ss = selector(dice, to)
            case 4:
                ss = SPARE2 | to
                world = world.with_descriptor(SPARE2, data_descriptor(dice, to))
            case _:
                rsp = address(dice, STACK + 0xF00)
    release = dice.pick((0, 0, 8, 16))
    opcode = b"\xca" + release.to_bytes(2, "little") if release else b"\xcb"
    code = {8: b"\x48", 4: b"", 2: b"\x66"}[size] + opcode
    words = (rip, cs, *[0x7777] * (release // size), rsp, ss)
    return _with_frame(dice, world.with_(code=code), words, size), 13


def _with_frame(dice: Dice, world: LongModeWorld, words: tuple[int, ...], size: int) -> LongModeWorld:
    """The words on the stack at RSP, which mostly is well inside its page."""
    mask = (1 << 8 * size) - 1
    data = b"".join((word & mask).to_bytes(size, "little") for word in words)
    place = STACK + 0xE00 + dice.below(64)
    rsp = dice.weighted(((12, place), (2, HIGH_HALF + place), (1, UNMAPPED), (1, NON_CANONICAL + place)))
    if rsp & 0xFFFF_0000_0000_0000 in (0, HIGH_HALF & 0xFFFF_0000_0000_0000) and rsp != UNMAPPED:
        world = world.with_(extra_memory=(*world.extra_memory, (place, data)))
    else:
        world = world.with_gate(14, ist=2).with_gate(12, ist=2)
    return world.with_(rsp=rsp)


def _far(dice: Dice, world: LongModeWorld) -> Happening:
    """CALL or JMP through a pointer in memory: to code, through a call gate, to what is neither."""
    opcode, size = dice.pick(((CALL, 4), (JMP, 4), (CALLQ, 8), (JMPQ, 8)))
    cpl = world.cpl
    target, offset = CODE_BY_RING[cpl], RETURN_TO
    if dice.chance(0.55):
        ring = dice.below(cpl + 1)
        gate = CallGate(CODE_BY_RING[ring if opcode in (CALL, CALLQ) else cpl], offset=RETURN_TO)
        for _ in range(dice.pick((0, 1, 1, 2))):
            match dice.below(7):
                case 0:
                    gate = replace(gate, selector=selector(dice, ring))
                case 1:
                    gate = replace(gate, offset=address(dice, RETURN_TO))
                case 2:
                    gate = replace(gate, dpl=dice.below(4))
                case 3:
                    gate = replace(gate, present=False)
                case 4:
                    gate = replace(gate, upper=dice.bits(5))
                case 5:
                    gate = replace(gate, type=dice.below(16))
                case _:
                    gate = replace(gate, selector=SPARE)
                    world = world.with_descriptor(SPARE, code_descriptor(dice, ring))
        world = world.with_(gdt={**world.gdt, GATE: gate}, gdt_limit=0x8F)
        target = GATE | dice.pick((cpl, cpl, dice.below(4)))
    elif dice.chance(0.7):
        match dice.below(3):
            case 0:
                target = selector(dice, cpl)
            case 1:
                target = SPARE | cpl
                world = world.with_descriptor(SPARE, code_descriptor(dice, cpl))
            case _:
                offset = address(dice, RETURN_TO)
    pointer = (offset & (1 << 8 * size) - 1).to_bytes(size, "little") + target.to_bytes(2, "little")
    code = opcode + POINTER.to_bytes(4, "little")
    return world.with_(code=code, extra_memory=(*world.extra_memory, (POINTER, pointer))), 13


HAPPENINGS: tuple[tuple[int, Callable[[Dice, LongModeWorld], Happening]], ...] = (
    (8, _instruction(code=b"\x0f\x0b", vector=6)),
    (8, _int_n),
    (5, _external),
    (3, _nmi),
    (3, _divide),
    (2, _int3),
    (2, _instruction(code=b"\xf1", vector=1)),
    (3, _step),
    (2, _after_arithmetic),
    (5, _memory),
    (2, _fetch),
    (1, _push),
    (3, _load_segment),
    (1, _misaligned),
    (14, _iret),
    (6, _retf),
    (8, _far),
)
