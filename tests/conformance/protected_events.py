"""What happens in a protected-mode world: faults of instructions, interrupts, returns, far transfers, tasks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from tests.oracle.case import Injection
from tests.oracle.long_mode import AC, IF, NT, TF, VM, Descriptor
from tests.oracle.protected_mode import (
    AVAILABLE_TSS,
    AVAILABLE_TSS16,
    BUSY_TSS,
    BUSY_TSS16,
    CALL_GATE,
    CALL_GATE16,
    CALL_GATE_TYPE,
    CODE,
    CODE_BY_RING,
    DATA,
    DATA_BY_RING,
    KERNEL_STACK16,
    OUTER,
    OUTER16,
    OUTER16_TSS,
    OUTER_TSS,
    RSP,
    SPARE,
    SPARE2,
    SPARE_STACK,
    STACK_BY_RING,
    TASK,
    TASK16,
    TASK16_TSS,
    TASK_EIP,
    TASK_GATE,
    TASK_GATE_TYPE,
    TASK_LDT_SELECTOR,
    TASK_TSS,
    TSS_SELECTOR,
    UNMAPPED,
    Gate,
    ProtectedModeWorld,
    TaskState,
    task_segment,
)

from .dice import ARITHMETIC, Dice
from .protected_segments import FREE_FLAGS, RETURN_TO, code_descriptor, selector, stack_descriptor

Happening = tuple[ProtectedModeWorld, int]
"""A world in which something happens at once, and the vector whose gate it goes through."""

STACK_END = SPARE_STACK + 0x1000


def instruction(*, code: bytes, vector: int) -> Callable[[Dice, ProtectedModeWorld], Happening]:
    def happen(_dice: Dice, world: ProtectedModeWorld) -> Happening:
        return world.with_(code=code), vector

    return happen


def with_register(world: ProtectedModeWorld, **values: int) -> ProtectedModeWorld:
    return world.with_(registers={**world.registers, **values})


def int_n(dice: Dice, world: ProtectedModeWorld) -> Happening:
    vector = dice.pick((0x80, 0x80, 0x80, 3, 4, 8, 13, 14, dice.below(256)))
    return world.with_(code=bytes([0xCD, vector])).with_gate(vector, dpl=3), vector


def int3(_dice: Dice, world: ProtectedModeWorld) -> Happening:
    return world.with_(code=b"\xcc").with_gate(3, dpl=3), 3


def into(dice: Dice, world: ProtectedModeWorld) -> Happening:
    return world.with_(code=b"\xce", rflags=world.rflags | dice.pick((0x800, 0x800, 0))).with_gate(4, dpl=3), 4


def divide(dice: Dice, world: ProtectedModeWorld) -> Happening:
    return with_register(world.with_(code=b"\xf7\xf1"), rcx=0, rax=dice.bits(20)), 0


def privileged(_dice: Dice, world: ProtectedModeWorld) -> Happening:
    """HLT: #GP(0) outside ring 0."""
    return (world.with_(code=b"\xf4"), 13) if world.cpl else (world, 6)


def external(dice: Dice, world: ProtectedModeWorld) -> Happening:
    vector = dice.pick((0x30, 0x30, 0x80, dice.below(256), dice.pick((0, 6, 8, 13, 14))))
    flags = world.rflags | IF if dice.chance(0.9) else world.rflags
    late = dice.chance(0.3)
    inject = Injection("external", vector, after=1 if late else 0)
    return world.with_(code=b"\x90" * 3, rflags=flags, inject=inject, instructions=3 if late else 1), vector


def nmi(_dice: Dice, world: ProtectedModeWorld) -> Happening:
    return world.with_(code=b"\x90" * 2, inject=Injection("nmi")), 2


def single_step(dice: Dice, world: ProtectedModeWorld) -> Happening:
    code = dice.pick((b"\x90", *ARITHMETIC)) + b"\x90" * 2
    return world.with_(code=code, rflags=world.rflags & ~(1 << 16) | TF), 1


def after_arithmetic(dice: Dice, world: ProtectedModeWorld) -> Happening:
    """A fault behind an instruction that changes the flags: they are saved as it left them."""
    return world.with_(code=dice.pick(ARITHMETIC) + b"\x0f\x0b", instructions=2), 6


def _memory(dice: Dice, world: ProtectedModeWorld) -> Happening:
    """A load or store on a page that is not there, is the kernel's, or is read-only."""
    place = dice.pick((UNMAPPED, UNMAPPED + 0xFFF, 0xB000, DATA))
    if place == DATA:
        world = world.with_page(DATA, writable=False)
    paging = world.paging if world.paging in ("32-bit", "PAE") else "32-bit"
    opcode = dice.pick((b"\xa0", b"\xa2", b"\xa1", b"\xa3", b"\x00\x05"))
    return world.with_(code=opcode + place.to_bytes(4, "little"), paging=paging), 14


def _fetch(dice: Dice, world: ProtectedModeWorld) -> Happening:
    world = with_register(world, rax=UNMAPPED)
    memory = (*world.extra_memory, (UNMAPPED, b"\x90" * 8))
    return world.with_(code=b"\xff\xe0", instructions=2, paging=dice.pick(("32-bit", "PAE")), extra_memory=memory), 14


def _load_segment(dice: Dice, world: ProtectedModeWorld) -> Happening:
    world = with_register(world, rax=selector(dice, world.cpl))
    world = world.with_descriptor(SPARE2, stack_descriptor(dice, world.cpl))
    return world.with_(code=dice.pick((b"\x8e\xe0", b"\x8e\xe8", b"\x8e\xd8", b"\x8e\xc0"))), 13


def _beyond(dice: Dice, world: ProtectedModeWorld) -> Happening:
    """POP at the end of the stack segment, or a load through a null segment register."""
    if dice.chance(0.5):
        return world.with_(code=b"\x58", rsp=dice.near(STACK_END - 4)), 12
    return world.with_(code=b"\x64\xa0" + DATA.to_bytes(4, "little")), 13


def _misaligned(_dice: Dice, world: ProtectedModeWorld) -> Happening:
    code = b"\xa1" + (DATA + 1).to_bytes(4, "little")
    return with_register(world.with_(code=code, rflags=world.rflags | AC), cr0=0x0005_0031), 17


def _outward(dice: Dice, cpl: int) -> int:
    return cpl if dice.chance(0.4) else cpl + dice.below(4 - cpl)


def _iret(dice: Dice, world: ProtectedModeWorld) -> Happening:
    """IRETD or IRET within the ring or to an outer one, with up to two words of the frame changed."""
    size, code = dice.pick(((4, b"\xcf"), (4, b"\xcf"), (2, b"\x66\xcf")))
    to = _outward(dice, world.cpl)
    eip, cs, ss = RETURN_TO, CODE_BY_RING[to], STACK_BY_RING[to]
    flags, esp = 0x2 | dice.some_of(FREE_FLAGS | 0x3000), 0xF00 - dice.below(32)
    for _ in range(dice.pick((0, 1, 1, 1, 2))):
        match dice.below(7):
            case 0:
                eip = dice.pick((0x1_0000, dice.bits(32), 0xFFFF))
            case 1:
                cs = selector(dice, to)
            case 2:
                cs = SPARE | to
                world = world.with_descriptor(SPARE, code_descriptor(dice, to))
            case 3:
                ss = selector(dice, to)
            case 4:
                ss = SPARE2 | to
                world = world.with_descriptor(SPARE2, stack_descriptor(dice, to))
            case 5:
                flags = dice.bits(32) & (~VM if dice.chance(0.7) else 0xFFFF_FFFF)
            case _:
                esp = dice.bits(32)
    words: tuple[int, ...] = (eip, cs, flags, esp, ss)
    if flags & VM:
        words = (*words, 0x1111, DATA >> 4, 0x2222, 0x3333)
    return _with_frame(dice, world.with_(code=code), words, size), 13


def _iret_to_vm86(dice: Dice, world: ProtectedModeWorld) -> Happening:
    """IRETD from ring 0 with VM set in the image."""
    world = world.with_(cpl=0)
    eip = dice.pick((0x40, 0x40, 0xFFFF, 0x1_0000))
    flags = 0x2 | VM | dice.some_of(FREE_FLAGS | 0x3000)
    words = (eip, CODE >> 4, flags, RSP - 0x10 | dice.pick((0, 0xABCD_0000)), 0x1000, 0x1111, DATA >> 4, 0x2222, 0x3333)
    return _with_frame(dice, world.with_(code=b"\xcf"), words, 4), 13


def _retf(dice: Dice, world: ProtectedModeWorld) -> Happening:
    """Far RET within the ring or to an outer one, with up to two words of the frame changed."""
    size, prefix = dice.pick(((4, b""), (4, b""), (2, b"\x66")))
    to = _outward(dice, world.cpl)
    eip, cs, ss, esp = RETURN_TO, CODE_BY_RING[to], STACK_BY_RING[to], 0xF00 - dice.below(32)
    for _ in range(dice.pick((0, 1, 1, 2))):
        match dice.below(6):
            case 0:
                eip = dice.pick((0x1_0000, dice.bits(32), 0xFFFF))
            case 1:
                cs = selector(dice, to)
            case 2:
                cs = SPARE | to
                world = world.with_descriptor(SPARE, code_descriptor(dice, to))
            case 3:
                ss = selector(dice, to)
            case 4:
                ss = SPARE2 | to
                world = world.with_descriptor(SPARE2, stack_descriptor(dice, to))
            case _:
                esp = dice.bits(32)
    release = dice.pick((0, 0, 0, 4, 16, 0x8000))
    opcode = b"\xca" + release.to_bytes(2, "little") if release else b"\xcb"
    padding = [0x7777] * (release // size) if release < 0x100 else []
    return _with_frame(dice, world.with_(code=prefix + opcode), (eip, cs, *padding, esp, ss), size), 13


def _with_frame(dice: Dice, world: ProtectedModeWorld, words: tuple[int, ...], size: int) -> ProtectedModeWorld:
    """The words on the stack at ESP; now and then the stack ends within them."""
    mask = (1 << 8 * size) - 1
    words = tuple(word & mask for word in words)
    if dice.chance(0.1):
        rsp = STACK_END - size * (len(words) - dice.below(len(words))) + dice.pick((0, 0, 1))
        kept = max(0, (STACK_END - rsp) // size)
        return world.with_(rsp=rsp, frame=words[:kept], frame_word=size).with_rescue(12)
    return world.with_(rsp=0xE00 + dice.below(64), frame=words, frame_word=size)


CALL, JMP = b"\x9a", b"\xea"


def _far(dice: Dice, world: ProtectedModeWorld) -> Happening:
    """CALL or JMP to code, through a call gate, or to what is neither."""
    opcode, size = dice.pick((CALL, JMP)), dice.pick((4, 4, 4, 2))
    cpl = world.cpl
    target, offset = CODE_BY_RING[cpl], RETURN_TO
    if dice.chance(0.6):
        target = CALL_GATE | dice.pick((cpl, cpl, dice.below(4)))
        world = _with_call_gate(dice, world, opcode)
    elif dice.chance(0.7):
        match dice.below(3):
            case 0:
                target = selector(dice, cpl)
            case 1:
                target = SPARE | cpl
                world = world.with_descriptor(SPARE, code_descriptor(dice, cpl))
            case _:
                offset = dice.pick((0xFFFF, dice.bits(32)))
    pointer = (offset & (1 << 8 * size) - 1).to_bytes(size, "little") + target.to_bytes(2, "little")
    code = (b"" if size == 4 else b"\x66") + opcode + pointer
    if dice.chance(0.1):
        world = world.with_(rsp=dice.below(24)).with_rescue(12)
    return world.with_(code=code), 13


def _with_call_gate(dice: Dice, world: ProtectedModeWorld, opcode: bytes) -> ProtectedModeWorld:
    ring = dice.below(world.cpl + 1)
    own = CODE_BY_RING[ring if opcode == CALL else world.cpl]
    gate = Gate(own, TASK_EIP, CALL_GATE_TYPE, dpl=3, parameters=dice.pick((0, 0, 1, 4, 31)))
    for _ in range(dice.pick((0, 1, 1, 2))):
        match dice.below(6):
            case 0:
                gate = replace(gate, selector=selector(dice, ring))
            case 1:
                gate = replace(gate, type=dice.pick((CALL_GATE16, CALL_GATE16, dice.below(16))))
            case 2:
                gate = replace(gate, dpl=dice.below(4))
            case 3:
                gate = replace(gate, present=False)
            case 4:
                gate = replace(gate, offset=dice.pick((0x1_0000 | TASK_EIP, dice.bits(32))))
            case _:
                gate = replace(gate, selector=SPARE)
                world = world.with_descriptor(SPARE, code_descriptor(dice, ring, TASK_EIP))
    return world.with_descriptor(CALL_GATE, gate).with_(rsp=RSP - 0x80)


# Tasks


def task_state(dice: Dice, task: TaskState) -> TaskState:
    """A task to switch to, of any ring, with up to two fields changed."""
    ring = dice.pick((0, 0, 1, 2, 3))
    data = DATA_BY_RING[ring]
    stack = KERNEL_STACK16 if task.narrow and ring == 0 else STACK_BY_RING[ring]
    task = replace(task, cs=CODE_BY_RING[ring], task_ss=stack, ds=data, es=data, fs=dice.pick((0, data)))
    task = replace(task, eflags=0x2 | dice.some_of(FREE_FLAGS | 0x3000))
    for _ in range(dice.pick((0, 1, 1, 2))):
        match dice.below(8):
            case 0:
                task = replace(task, cs=selector(dice, ring))
            case 1:
                task = replace(task, task_ss=selector(dice, ring))
            case 2 | 3:
                task = replace(task, **{dice.pick(("ds", "es", "fs", "gs")): selector(dice, ring)})
            case 4:
                task = replace(task, ldt=dice.pick((TASK_LDT_SELECTOR, TASK_LDT_SELECTOR, selector(dice, 0))))
            case 5:
                task = replace(task, eip=dice.pick((0x1_0000, dice.bits(32))))
            case 6:
                task = replace(task, trap=not task.narrow, link=dice.bits(16))
            case _:
                general = list(task.general)
                general[4] = dice.pick((0, 1, 2, 3, 4, dice.bits(16)))
                task = replace(task, general=tuple(general))
    return task


def task_descriptor(dice: Dice, usual: Descriptor) -> Descriptor:
    """The descriptor of a TSS that mostly has one thing wrong."""
    changes: dict[str, object] = dice.weighted((
        (4, {}),
        (2, {"present": False}),
        (2, {"type": dice.pick((AVAILABLE_TSS, BUSY_TSS, AVAILABLE_TSS16, BUSY_TSS16, dice.below(16)))}),
        (2, {"limit": dice.near(0x2B if usual.limit == 0x2B else 0x67)}),
        (2, {"dpl": dice.below(4)}),
    ))  # fmt: skip
    return replace(usual, **changes)  # type: ignore[arg-type]


def with_tasks(dice: Dice, world: ProtectedModeWorld) -> ProtectedModeWorld:
    """The world with other tasks to go to, and the faults of those in a third task's care."""
    for place, number, narrow in ((TASK_TSS, TASK, False), (TASK16_TSS, TASK16, True)):
        world = world.with_(tasks={**world.tasks, place: task_state(dice, world.tasks[place])})
        usual = task_segment(place, AVAILABLE_TSS16 if narrow else AVAILABLE_TSS, dpl=3)
        world = world.with_descriptor(number, task_descriptor(dice, usual))
    for place, number, narrow in ((OUTER_TSS, OUTER, False), (OUTER16_TSS, OUTER16, True)):
        world = world.with_(tasks={**world.tasks, place: task_state(dice, world.tasks[place])})
        usual = task_segment(place, BUSY_TSS16 if narrow else BUSY_TSS)
        world = world.with_descriptor(number, task_descriptor(dice, usual))
    if dice.chance(0.3):
        world = world.with_descriptor(SPARE, code_descriptor(dice, dice.below(4), TASK_EIP))
        world = world.with_descriptor(SPARE2, stack_descriptor(dice, dice.below(4)))
    return world.with_rescue(10, 11, 12, 13) if dice.chance(0.8) else world


def _task_gate(dice: Dice, world: ProtectedModeWorld) -> Happening:
    """Any other event, through a task gate."""
    ud2 = instruction(code=b"\x0f\x0b", vector=6)
    begin = dice.pick((ud2, int_n, external, nmi, divide, _load_segment, single_step))
    world, vector = begin(dice, with_tasks(dice, world))
    number = dice.pick((TASK, TASK, TASK16, TASK | 3, selector(dice, 0)))
    return world.with_gate(vector, type=TASK_GATE_TYPE, selector=number, offset=0), vector


def _task_transfer(dice: Dice, world: ProtectedModeWorld) -> Happening:
    """CALL or JMP to a TSS or through a task gate."""
    world = with_tasks(dice, world)
    opcode = dice.pick((CALL, JMP))
    number = dice.pick((TASK, TASK16, TASK | dice.below(4), OUTER))
    if dice.chance(0.4):
        gate = Gate(number, 0, TASK_GATE_TYPE, dpl=3)
        if dice.chance(0.4):
            wrong: tuple[dict[str, object], ...] = (
                {"present": False},
                {"dpl": dice.below(4)},
                {"selector": selector(dice, 0)},
            )
            gate = replace(gate, **dice.pick(wrong))  # type: ignore[arg-type]
        world = world.with_descriptor(TASK_GATE, gate)
        number = TASK_GATE | dice.pick((0, dice.below(4)))
    return world.with_(code=opcode + (0xFFFF_FFFF).to_bytes(4, "little") + number.to_bytes(2, "little")), 13


def _task_return(dice: Dice, world: ProtectedModeWorld) -> Happening:
    """IRET with NT set."""
    world = with_tasks(dice, world)
    link = dice.pick((OUTER, OUTER, OUTER16, TSS_SELECTOR, TASK, OUTER | 3, selector(dice, 0)))
    code = dice.pick((b"\xcf", b"\x66\xcf"))
    return world.with_(code=code, rflags=world.rflags | NT).with_tss(link=link), 10


HAPPENINGS: tuple[tuple[int, Callable[[Dice, ProtectedModeWorld], Happening]], ...] = (
    (8, instruction(code=b"\x0f\x0b", vector=6)),
    (9, int_n),
    (5, external),
    (3, nmi),
    (3, divide),
    (2, int3),
    (2, into),
    (2, instruction(code=b"\xf1", vector=1)),
    (3, single_step),
    (2, after_arithmetic),
    (3, privileged),
    (4, _memory),
    (1, _fetch),
    (3, _load_segment),
    (2, _beyond),
    (1, _misaligned),
    (12, _iret),
    (2, _iret_to_vm86),
    (7, _retf),
    (9, _far),
    (7, _task_gate),
    (5, _task_transfer),
    (4, _task_return),
)
