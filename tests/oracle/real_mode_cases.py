"""Real mode: every row of DELIVERY.md 2.3, faults on the way (2.4), and IRET."""

from __future__ import annotations

from dataclasses import replace

from .case import Injection
from .catalogue import (
    DIVIDE_BY_ZERO,
    HLT,
    INT1,
    INT3,
    INTO,
    IRET,
    IRET_OTHER_SIZE,
    NOP,
    REAL_CASES,
    RUNS,
    STI,
    UD2,
    entering,
)
from .long_mode import AC, CF, DF, IF, NT, TF
from .real_mode import (
    CODE,
    CODE_SELECTOR,
    DATA,
    HANDLER_SELECTOR,
    OTHER_IVT,
    STACK,
    STACK_SELECTOR,
    RealModeWorld,
    segment,
)

add = entering(REAL_CASES, "real ")

OF = 1 << 11
RF = 1 << 16
CR0_AM = 1 << 18
IRQ = Injection("external", 0x30)
RETURN_TO = 0x40

TRIGGERS = (
    ("ud2", 6, "#UD", RealModeWorld()),
    ("int", 0x80, "int 0x80", RealModeWorld(code=b"\xcd\x80")),
    ("irq", 0x30, "irq 0x30", RealModeWorld(code=NOP * 2, rflags=0x2 | IF, inject=IRQ)),
)


def add_real_table() -> None:
    """The limit of the interrupt vector table, and where it lies."""
    for name, vector, event, world in TRIGGERS:
        end = f"({name})"
        last = vector * 4 + 3
        enough = max(last, 13 * 4 + 3)
        add(f"idt.limit passes {end}", world.with_(idt_limit=enough), event)
        if enough == last:
            add(f"idt.limit fails {end}", world.with_(idt_limit=last - 1), f"{event} > #GP")
        add(f"idt.base moved {end}", world.with_(idt_base=OTHER_IVT), event)
        add(f"idt.base odd {end}", world.with_(idt_base=OTHER_IVT + 1), event)
        across = world.with_(idt_base=OTHER_IVT + 0x1000 - 4 * vector - 2)
        add(f"idt.read across pages {end}", across, event)
    world = RealModeWorld(idt_limit=6 * 4 + 2)
    add("idt.limit fails for all", world, "#UD > #GP > #GP > #DF > #GP > shutdown")
    far = RealModeWorld(code=b"\xcd\xff")
    add("idt.limit passes the last vector", far, "int 0xff")
    add("idt.limit fails the last vector", far.with_(idt_limit=0x3FE), "int 0xff > #GP")


def add_real_stack() -> None:
    """Three words, at every kind of stack pointer: what wraps and what straddles the end of the segment."""
    for name, _, event, world in TRIGGERS:
        end = f"({name})"
        for rsp in (6, 7, 8, 0, 0xFFFE, 0xFFFF, 0x10000, 0xABCD_0FE0):
            # an odd pointer straddles nothing as long as it does not come down to 1
            add(f"stack passes at {rsp:#x} {end}", world.with_(rsp=rsp), event)
        for rsp in (2, 4):
            add(f"stack wraps at {rsp:#x} {end}", world.with_(rsp=rsp), event)
        lost = f"{event} > #SS > #SS > #DF > #SS > shutdown"
        for rsp in (1, 3, 5):
            add(f"stack fails straddling at {rsp:#x} {end}", world.with_(rsp=rsp), lost)
        high = world.with_(ss=segment(STACK_SELECTOR, limit=0x0FFF))
        add(f"stack.limit passes {end}", high.with_(rsp=0x1000), event)
        add(f"stack.limit fails {end}", high.with_(rsp=0x1001), lost)
        elsewhere = world.with_(ss=segment(STACK_SELECTOR, base=DATA), rsp=0x100)
        add(f"stack.base of the descriptor cache {end}", elsewhere, event)
        odd = segment(STACK_SELECTOR + 1)
        add(f"stack.base odd paragraph {end}", world.with_(ss=odd), event)
        big = replace(segment(STACK_SELECTOR, limit=0xFFFFF), attributes=0x40_9300)
        add(f"stack of 32 bits {end}", world.with_(ss=big, rsp=0x1_1000), event)


def add_real_handler() -> None:
    """The handler's address, the flags and the instruction pointer that are saved."""
    for name, vector, event, world in TRIGGERS:
        end = f"({name})"
        flags = world.rflags | IF | AC | NT | DF | CF
        if name == "ud2":
            flags |= TF | RF
        add(f"flags cleared {end}", world.with_(rflags=flags), event)
        small = segment(CODE_SELECTOR, limit=0x0FFF)
        add(f"ip.limit passes {end}", world.with_(cs=small).with_vector(vector, HANDLER_SELECTOR, 0x0FFF), event)
        beyond = world.with_(cs=small).with_vector(vector, HANDLER_SELECTOR, 0x1000)
        add(f"ip.limit fails {end}", beyond, f"{event} > #GP")
        add(f"cs with rpl bits {end}", world.with_vector(vector, HANDLER_SELECTOR + 3, 0), event)
        add(f"cs zero {end}", world.with_vector(vector, 0, 0x500), event)
        last = world.with_(extra_memory=((0xFFFF0, HLT), (CODE + 0xFFFF, HLT)))
        add(f"cs last {end}", last.with_vector(vector, 0xFFFF, 0), event)
        add(f"ip last {end}", last.with_vector(vector, 0xC00, 0xFFFF), event)
    world = RealModeWorld()
    for vector in (0, 8, 10, 13, 14, 17):
        add(f"error_code none for int {vector}", world.with_(code=bytes([0xCD, vector])), f"int {vector:#x}")
        external = world.with_(code=NOP, rflags=0x2 | IF, inject=Injection("external", vector))
        add(f"error_code none for irq {vector}", external, f"irq {vector:#x}")
    add("fault #DE", world.with_(code=DIVIDE_BY_ZERO), "#DE")
    add("fault #NM", world.with_(code=b"\xd9\xe8", registers={"cr0": 0x34}), "#NM")
    add("fault #GP beyond a limit", world.with_(code=b"\xa1\xff\xff"), "#GP")
    add("fault #SS beyond a limit", world.with_(code=b"\x36\xa1\xff\xff"), "#SS")
    add("fault #UD of an instruction of protected mode", world.with_(code=b"\x0f\x00\xd8"), "#UD")
    add("fault #BR", world.with_(code=b"\x62\x06\x00\x01", registers={"rax": 0x1234}), "#BR")
    add("fault #GP fetch", world.with_(code=b"\xe9\xfc\xff", rip=0xFFF0, instructions=2), RUNS)
    run_off = segment(CODE_SELECTOR, limit=0x0F)
    add("fault #GP fetch beyond the limit", world.with_(cs=run_off, rip=0x0F, code=NOP * 2, instructions=2)
        .with_vector(13, HANDLER_SELECTOR, 0), "#GP")  # fmt: skip
    add("trap #DB single step", world.with_(code=NOP * 2, rflags=0x2 | TF, instructions=2), "#DB")
    add("trap INT3", world.with_(code=INT3), "int 0x3")
    add("trap INT1", world.with_(code=INT1), "int 0x1")
    add("trap INTO", world.with_(code=INTO, rflags=0x2 | OF), "int 0x4")
    add("trap INTO without overflow", world.with_(code=INTO), RUNS)
    add("no alignment check", world.with_(
        code=b"\xa1\x01\x00", rflags=0x2 | AC, registers={"cr0": 0x30 | CR0_AM}), RUNS)  # fmt: skip
    add("nmi", world.with_(code=NOP, inject=Injection("nmi")), "nmi")
    add("irq.if fails", world.with_(code=NOP * 2, inject=IRQ), RUNS)
    add("irq.sti shadow", world.with_(code=STI + NOP * 2, instructions=3, inject=IRQ), "irq 0x30")
    add("irq.hlt", world.with_(code=HLT, rflags=0x2 | IF, instructions=2, inject=replace(IRQ, after=1)), "irq 0x30")


def add_real_double_fault() -> None:
    """DELIVERY.md 2.4: what real mode can reach of it."""
    world = RealModeWorld(code=DIVIDE_BY_ZERO)
    small = segment(CODE_SELECTOR, limit=0x0FFF)
    bad = world.with_(cs=small).with_vector(0, HANDLER_SELECTOR, 0x1000)
    add("double.contributory contributory", bad, "#DE > #GP > #DF")
    add("double.df contributory shutdown", bad.with_vector(8, HANDLER_SELECTOR, 0x1000),
        "#DE > #GP > #DF > #GP > shutdown")  # fmt: skip
    benign = world.with_(code=UD2, cs=small).with_vector(6, HANDLER_SELECTOR, 0x1000)
    add("double.benign contributory serial", benign, "#UD > #GP")
    add("double.benign contributory contributory", benign.with_vector(13, HANDLER_SELECTOR, 0x1000),
        "#UD > #GP > #GP > #DF")  # fmt: skip
    software = world.with_(code=b"\xcd\x00", cs=small).with_vector(0, HANDLER_SELECTOR, 0x1000)
    add("double.int 0 is benign", software, "int 0x0 > #GP")
    external = software.with_(code=NOP, rflags=0x2 | IF, inject=Injection("external", 0))
    add("double.irq 0 is benign", external, "irq 0x0 > #GP")


def returning(ip: int = RETURN_TO, cs: int = CODE_SELECTOR, flags: int = 0x2 | CF, **changes: object) -> RealModeWorld:
    """A world about to execute IRET with this frame."""
    return RealModeWorld(code=IRET, frame=(ip, cs, flags)).with_(**changes)


def add_real_iret() -> None:
    """IRET and IRETD in real mode."""
    add("iret passes", returning(), RUNS)
    add("iret cs with rpl bits", returning(cs=CODE_SELECTOR + 3), RUNS)
    add("iret cs zero", returning(cs=0), RUNS)
    add("iret flags all one", returning(flags=0xFFFF & ~TF), RUNS)
    add("iret flags all zero", returning(flags=0, rflags=0x3202 | NT | CF | DF), RUNS)
    add("iret nt ignored", returning(rflags=0x2 | NT), RUNS)
    wide = {"code": IRET_OTHER_SIZE, "frame_word": 4}
    add("iretd passes", returning(**wide), RUNS)
    add("iretd flags all one", returning(flags=0xFFFF_FFFF & ~TF, **wide), RUNS)
    add("iretd flags all zero", returning(flags=0, rflags=0x4_3202 | NT, **wide), RUNS)
    add("iretd eip fails", returning(ip=0x1_0000, **wide), "#GP")
    add("iretd cs high half ignored", returning(cs=0xABCD_0000 | CODE_SELECTOR, **wide), RUNS)
    limit = {"cs": segment(CODE_SELECTOR, limit=0x0FFF)}
    add("iret ip.limit passes", returning(ip=0xFFF).with_(**limit), RUNS)
    add("iret ip.limit fails", returning(ip=0x1000).with_(**limit), "#GP")
    for rsp in (0xFFFA, 0xFFFC, 0xFFFE):
        add(f"iret stack passes at {rsp:#x}", returning(rsp=rsp), RUNS)
    lost = "#SS"
    for rsp in (0xFFFB, 0xFFFD, 0xFFFF):
        add(f"iret stack fails straddling at {rsp:#x}", returning(rsp=rsp), lost)
    add("iret tf traps after the next instruction", returning(
        flags=0x2 | TF, instructions=3, extra_memory=((CODE + RETURN_TO, NOP * 2),)), "#DB")  # fmt: skip
    enabling = returning(flags=0x2 | IF, instructions=3, extra_memory=((CODE + RETURN_TO, NOP * 2),), inject=IRQ)
    add("iret if lets an interrupt in at once", enabling, "irq 0x30")
    add("iret to a stack with a base of its own", returning(ss=segment(STACK_SELECTOR, base=STACK + 0x100)), RUNS)
