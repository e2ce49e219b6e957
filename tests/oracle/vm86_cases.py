"""Virtual-8086 mode: leaving it through a gate, INT n and IRET inside it, and coming back with IRETD from ring 0."""

from __future__ import annotations

from .case import Injection
from .catalogue import (
    DIFFERENCES,
    HLT,
    INT,
    INT1,
    INT3,
    INTO,
    IRET,
    IRET_OTHER_SIZE,
    IRQ,
    NOP,
    RUNS,
    STI,
    UD,
    VM86_CASES,
    Trigger,
    entering,
)
from .long_mode import AC, CF, DF, IF, NT, RF, TF, VM
from .protected_mode import (
    BEYOND_GDT,
    CODE,
    CONFORMING_CODE,
    DATA,
    HANDLERS,
    INTERRUPT_GATE,
    INTERRUPT_GATE16,
    KERNEL_CODE,
    KERNEL_DATA,
    KERNEL_STACK,
    RING1_CODE,
    RING1_STACK,
    RING2_CODE,
    RING_STACKS,
    RSP,
    SPARE,
    SPARE2,
    SPARE_STACK,
    STACK,
    TASK,
    TASK_GATE_TYPE,
    TRAP_GATE,
    TRAP_GATE16,
    TSS16_SELECTOR,
    TSS_SELECTOR,
    USER_CODE,
    ProtectedModeWorld,
    code_segment,
    handler,
    stack_segment,
)

add = entering(VM86_CASES, "vm86 ")

IOPL3 = 3 << 12
OF = 1 << 11
VIF, VIP, ID = 1 << 19, 1 << 20, 1 << 21
RETURN_TO = 0x40
CODE_PARAGRAPH, STACK_PARAGRAPH, DATA_PARAGRAPH = CODE >> 4, STACK >> 4, DATA >> 4

GATES = (
    (INTERRUPT_GATE, "interrupt gate", 4),
    (TRAP_GATE, "trap gate", 4),
    (INTERRUPT_GATE16, "interrupt gate 286", 2),
    (TRAP_GATE16, "trap gate 286", 2),
)


def begin(trigger: Trigger) -> ProtectedModeWorld:
    """An event in virtual-8086 mode with IOPL 3, so that INT n may ask for its gate."""
    return trigger.begin(ProtectedModeWorld(vm86=True, rflags=0x2 | IOPL3))


def rescued(world: ProtectedModeWorld) -> ProtectedModeWorld:
    """The world with the faults of the way handled by a task: ring 0's stack is what they are about."""
    return world.with_rescue(8, 10, 11, 12, 13, 14)


def add_vm86_entry() -> None:
    """From virtual-8086 mode through a gate to ring 0: what is checked and pushed."""
    for trigger in (UD, INT, IRQ):
        event, vector, end = trigger.event, trigger.vector, f"({trigger.name})"
        world = begin(trigger)

        def fault(name: str, selector: int, event: str = event, ext: int = trigger.ext) -> str:
            return f"{event} > {name}({selector & ~3 | ext:#x})"

        for kind, label, word in GATES:
            through = world.with_gate(vector, type=kind)
            add(f"entry {label} {end}", through, event)
            flags = world.rflags | IF | NT | AC | DF | CF | VIF | ID
            add(f"entry flags {label} {end}", through.with_(rflags=flags), event)
            add(f"entry from a 286 tss {label} {end}", through.with_tss(narrow=True), event)
            full = rescued(world.with_gate(vector)).with_gate(vector, type=kind)
            frame = 9 * word
            add(f"room.limit passes {label} {end}", full.with_tss(esp=(frame, 0, 0)), event)
            add(f"room.limit fails {label} {end}", full.with_tss(esp=(frame - 1, 0, 0)), fault("#SS", KERNEL_STACK))
        for name, selector in (("ring 1", RING1_CODE), ("ring 2", RING2_CODE), ("ring 3", USER_CODE)):
            add(f"cs.dpl fails {name} {end}", world.with_gate(vector, selector=selector), fault("#GP", selector))
        add(
            f"cs.dpl fails conforming {end}",
            world.with_gate(vector, selector=CONFORMING_CODE),
            fault("#GP", CONFORMING_CODE),
        )
        outer = world.with_gate(vector, selector=SPARE).with_descriptor(SPARE, code_segment(3, type=0xF))
        add(f"cs.dpl fails conforming of ring 3 {end}", outer, fault("#GP", SPARE))
        absent = world.with_gate(vector, selector=SPARE).with_descriptor(SPARE, code_segment(present=False))
        add(f"cs.present fails {end}", absent, fault("#NP", SPARE))
        add(f"selector.null fails {end}", world.with_gate(vector, selector=0), fault("#GP", 0))
        add(f"selector.limit fails {end}", world.with_gate(vector, selector=BEYOND_GDT), fault("#GP", BEYOND_GDT))
        add(f"gate.present fails {end}", world.with_gate(vector, present=False), f"{event} > #NP({trigger.index:#x})")
        add(f"gate.type fails {end}", world.with_gate(vector, type=0xC), f"{event} > #GP({trigger.index:#x})")
        small = code_segment(granularity=False, limit=handler(vector) - 1)
        beyond = world.with_gate(vector, selector=SPARE).with_descriptor(SPARE, small)
        add(f"offset.limit fails {end}", beyond, fault("#GP", 0))
        add(f"task gate {end}", world.with_gate(vector, type=TASK_GATE_TYPE, selector=TASK), event)
        _add_stack(trigger, end)
    for cpl_gate in (0, 1, 2):
        add(f"gate.dpl fails {cpl_gate} (int)", begin(INT).with_gate(0x80, dpl=cpl_gate), "int 0x80 > #GP(0x402)")
    world = ProtectedModeWorld(vm86=True, code=NOP, inject=Injection("nmi"))
    add("entry (nmi)", world, "nmi")
    add("entry with an error code", ProtectedModeWorld(vm86=True, code=HLT), "#GP(0x0)")
    step = ProtectedModeWorld(vm86=True, code=NOP * 2, rflags=0x2 | TF | RF, instructions=2)
    add("entry (single step)", step, "#DB")
    page = ProtectedModeWorld(vm86=True).with_rescue(14).with_page(STACK + RING_STACKS[0], present=False)
    add("push fails not present", page, "#UD > #PF(0x2)")


def _add_stack(trigger: Trigger, end: str) -> None:
    """The stack segment of ring 0 in the TSS."""
    event, world = trigger.event, rescued(begin(trigger))
    world = trigger.begin(world)

    def fault(name: str, selector: int) -> str:
        return f"{event} > {name}({selector & ~3 | trigger.ext:#x})"

    plain = begin(trigger)
    narrow = plain.with_tss(narrow=True)
    for label, started, limit, selector in (("", plain, 9, TSS_SELECTOR), (" 286", narrow, 5, TSS16_SELECTOR)):
        add(f"stack.tss_limit passes{label} {end}", started.with_(tss_limit=limit), event)
        again = f"#TS({selector | 1:#x})"
        lost = f"{fault('#TS', selector)} > {again} > #DF(0x0) > {again} > shutdown"
        add(f"stack.tss_limit fails{label} {end}", started.with_(tss_limit=limit - 1), lost)
        if started is plain:
            add(f"stack.tss_limit passes whole {end}", started.with_(tss_limit=limit + 2), event)
            DIFFERENCES[f"vm86 stack.tss_limit passes {end}"] = lost
    for label, selector, expected in (
        ("ss.null fails", 0, fault("#TS", 0)),
        ("ss.limit fails", BEYOND_GDT, fault("#TS", BEYOND_GDT)),
        ("ss.rpl fails", KERNEL_STACK | 3, fault("#TS", KERNEL_STACK)),
        ("ss.dpl fails", RING1_STACK & ~3, fault("#TS", RING1_STACK)),
        ("ss.writable fails code", KERNEL_CODE, fault("#TS", KERNEL_CODE)),
    ):
        add(f"{label} {end}", world.with_tss(ss=(selector, 0, 0)), expected)
    absent = world.with_tss(ss=(SPARE2, 0, 0)).with_descriptor(SPARE2, stack_segment(present=False))
    add(f"ss.present fails {end}", absent, fault("#SS", SPARE2))


def add_vm86_int() -> None:
    """INT n and the other instructions that ask for IOPL, or do not."""
    for iopl in (0, 1, 2, 3):
        world = ProtectedModeWorld(vm86=True, rflags=0x2 | iopl << 12 | OF)
        allowed = iopl == 3
        end = f"iopl {iopl}"
        side = "passes" if allowed else "fails"
        called = world.with_(code=b"\xcd\x80").with_gate(0x80, dpl=3)
        add(f"int n {side} {end}", called, "int 0x80" if allowed else "#GP(0x0)")
        three = world.with_(code=b"\xcd\x03").with_gate(3, dpl=3)
        add(f"int n {side} for vector 3 {end}", three, "int 0x3" if allowed else "#GP(0x0)")
        add(f"int3 passes {end}", world.with_(code=INT3).with_gate(3, dpl=3), "int 0x3")
        add(f"int3 gate.dpl fails {end}", world.with_(code=INT3), "int 0x3 > #GP(0x1a)")
        add(f"into passes {end}", world.with_(code=INTO).with_gate(4, dpl=3), "int 0x4")
        add(f"int1 passes {end}", world.with_(code=INT1), "int 0x1")
        for name, code in (("cli", b"\xfa"), ("sti", STI), ("pushf", b"\x9c"), ("popf", b"\x9d")):
            add(f"{name} {side} {end}", world.with_(code=code, frame=(0x2,)), RUNS if allowed else "#GP(0x0)")
        frame = (RETURN_TO, HANDLERS >> 4, 0x2 | CF | IF)
        back = world.with_(code=IRET, frame=frame, frame_word=2)
        add(f"iret {side} {end}", back, RUNS if allowed else "#GP(0x0)")
        wide = world.with_(code=IRET_OTHER_SIZE, frame=frame, frame_word=4)
        add(f"iretd {side} {end}", wide, RUNS if allowed else "#GP(0x0)")
    _add_iret_inside()


def _add_iret_inside() -> None:
    """IRET in virtual-8086 mode, with IOPL 3."""
    world = ProtectedModeWorld(vm86=True, rflags=0x2 | IOPL3 | NT, code=IRET, frame_word=2)
    wide = world.with_(code=IRET_OTHER_SIZE, frame_word=4)
    cs = HANDLERS >> 4
    add("iret inside flags all one", world.with_(frame=(RETURN_TO, cs, 0xFFFF & ~TF)), RUNS)
    add("iret inside flags all zero", world.with_(frame=(RETURN_TO, cs, 0)), RUNS)
    add("iretd inside flags all one", wide.with_(frame=(RETURN_TO, cs, 0xFFFF_FFFF & ~TF)), RUNS)
    add("iretd inside flags all zero", wide.with_(frame=(RETURN_TO, cs, 0)), RUNS)
    add("iretd inside eip.limit passes", wide.with_(frame=(0xFFFF, 0xC00, 0x2)), RUNS)
    add("iretd inside eip.limit fails", wide.with_(frame=(0x1_0000, cs, 0x2)), "#GP(0x0)")
    add("iret inside with rpl bits", world.with_(frame=(RETURN_TO, cs + 3, 0x2)), RUNS)
    for sp in (0xFFFA, 0xFFFE):
        add(f"iret inside passes at {sp:#x}", world.with_(frame=(), rsp=sp), RUNS)
    for sp in (0xFFFB, 0xFFFF):
        add(f"iret inside fails straddling at {sp:#x}", world.with_(frame=(), rsp=sp), "#SS(0x0)")


def returning(
    eip: int = RETURN_TO, cs: int = CODE_PARAGRAPH, flags: int = 0x2 | VM | CF, **changes: object
) -> ProtectedModeWorld:
    """Ring 0 about to execute an IRETD back to virtual-8086 mode."""
    frame = (eip, cs, flags, RSP - 0x10, STACK_PARAGRAPH, 0x1111, DATA_PARAGRAPH, 0x2222, 0x3333)
    return ProtectedModeWorld(code=IRET, rsp=RING_STACKS[0] + 0xF00, frame=frame).with_(**changes)


def add_vm86_return() -> None:
    """IRETD from ring 0 to virtual-8086 mode, and who else finds VM in the image."""
    add("return passes", returning(), RUNS)
    add("return flags all one", returning(flags=0xFFFF_FFFF & ~TF), RUNS)
    add("return flags with iopl 3", returning(flags=0x2 | VM | IOPL3 | IF), RUNS)
    add("return selectors' high halves ignored", returning(cs=0xABCD_0000 | CODE_PARAGRAPH), RUNS)
    add("return selectors with rpl bits", returning(cs=CODE_PARAGRAPH + 3), RUNS)
    add("return eip.limit passes", returning(eip=0xFFFF, cs=0xC00), RUNS)
    add("return eip.limit fails", returning(eip=0x1_0000), "#GP(0x0)")
    add(
        "return esp with a high half",
        returning().with_(frame=(*returning().frame[:3], 0xABCD_0FD0, *returning().frame[4:])),
        RUNS,
    )
    end = SPARE_STACK + 0x1000
    add("return stack.limit passes", returning(rsp=end - 36), RUNS)
    add("return stack.limit fails", returning(rsp=end - 35).with_rescue(12), "#SS(0x0)")
    add("return stack.limit fails for the first three words", returning(rsp=end - 11).with_rescue(12), "#SS(0x0)")
    narrow = returning().with_(code=IRET_OTHER_SIZE, frame_word=2, frame=(CODE + RETURN_TO, KERNEL_CODE, 0x2))
    add("return by two bytes has no vm", narrow, RUNS)
    ring3 = ProtectedModeWorld(cpl=3, code=IRET, frame=(CODE + RETURN_TO, USER_CODE, 0x2 | VM))
    add("return vm ignored outside ring 0", ring3, RUNS)
    ring1 = ProtectedModeWorld(cpl=1, code=IRET, frame=(CODE + RETURN_TO, RING1_CODE, 0x2 | VM | CF))
    add("return vm ignored in ring 1", ring1, RUNS)
    step = returning(flags=0x2 | VM | TF, instructions=3, extra_memory=((CODE + RETURN_TO, NOP * 2),))
    add("return tf traps after the next instruction", step, "#DB")
    irq = returning(flags=0x2 | VM | IF, instructions=3, inject=Injection("external", 0x30))
    add("return if lets an interrupt in at once", irq.with_(extra_memory=((CODE + RETURN_TO, NOP * 2),)), "irq 0x30")
    hlt = returning(instructions=2, extra_memory=((CODE + RETURN_TO, HLT),))
    add("return and a fault at once", hlt, "#GP(0x0)")
    old = {"ds": KERNEL_DATA, "es": KERNEL_DATA}
    add("return replaces the data segments", returning(data_selectors=old), RUNS)
    task = ProtectedModeWorld(code=IRET, rflags=0x2 | NT).with_tss(link=TASK)
    add("return by a task needs a busy one", task, f"#TS({TASK:#x})")
