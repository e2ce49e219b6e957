"""Task gates (DELIVERY.md 2.2, step 5; SDM 3A 7.3): the checks before the switch, those behind it, and the error code.

Faults met in the new task are handled by a third task, which needs nothing of what was broken.
"""

from __future__ import annotations

from .case import PAGE, Injection
from .catalogue import DIVIDE_BY_ZERO, HLT, INT, INT3, IRQ, NOP, TASK_CASES, UD, Trigger, entering, same_ring_handlers
from .long_mode import AC, CF, DF, IF, NT, TF, VM, Descriptor, data_segment
from .protected_mode import (
    AVAILABLE_TSS16,
    BEYOND_GDT,
    BUSY_TSS,
    BUSY_TSS16,
    CODE,
    CONFORMING_CODE,
    DATA,
    KERNEL_CODE,
    KERNEL_CODE16,
    KERNEL_DATA,
    KERNEL_STACK,
    LDT_CODE,
    LDT_SELECTOR,
    LDT_STACK,
    PAGE_TABLES,
    RING1_CODE,
    RING1_DATA,
    RING1_STACK,
    SPARE,
    SPARE2,
    STACK,
    TASK,
    TASK16,
    TASK16_TSS,
    TASK_EIP,
    TASK_GATE_TYPE,
    TASK_LDT,
    TASK_LDT_SELECTOR,
    TASK_STACK,
    TASK_TSS,
    TSS,
    TSS_SELECTOR,
    TWO_PAGES,
    UNMAPPED,
    USER_CODE,
    USER_DATA,
    USER_STACK,
    ProtectedModeWorld,
    code_segment,
    stack_segment,
    task_segment,
)

add = entering(TASK_CASES, "task ")

NEW_TASK_FAULTS = (10, 11, 12, 13)
LDT_TYPE = 0x2


def through(trigger: Trigger, cpl: int = 0, selector: int = TASK, **knobs: object) -> ProtectedModeWorld:
    """An event whose gate is a task gate, with the faults of the new task handled by a third one."""
    world = trigger.begin(ProtectedModeWorld(cpl=cpl).with_(**knobs).with_rescue(*NEW_TASK_FAULTS))
    return world.with_gate(trigger.vector, type=TASK_GATE_TYPE, selector=selector, offset=0)


def add_task_gate() -> None:
    """What is checked before the switch."""
    for trigger in (UD, INT, IRQ):
        for cpl in (0, 3):
            event, end = trigger.event, f"({trigger.name}, cpl {cpl})"
            world = through(trigger, cpl)

            def fault(name: str, selector: int, event: str = event, ext: int = trigger.ext) -> str:
                return f"{event} > {name}({selector & ~3 | ext:#x})"

            def to(
                selector: int, world: ProtectedModeWorld = world, vector: int = trigger.vector
            ) -> ProtectedModeWorld:
                return world.with_gate(vector, selector=selector)

            add(f"gate passes {end}", world, event)
            add(f"gate passes 286 tss {end}", to(TASK16), event)
            add(f"gate passes with rpl {end}", to(TASK | 3), event)
            add(f"gate offset and count ignored {end}",
                world.with_gate(trigger.vector, offset=0xFFFF_FFFF, parameters=0xFF), event)  # fmt: skip
            add(f"gate.present fails {end}", world.with_gate(trigger.vector, present=False),
                f"{event} > #NP({trigger.index:#x})")  # fmt: skip
            add(f"tss.null fails {end}", to(0), fault("#GP", 0))
            add(f"tss.local fails {end}", to(LDT_CODE), fault("#GP", LDT_CODE))
            local = to(SPARE | 4).with_descriptor(SPARE | 4, task_segment(TASK_TSS)).with_(ldt_limit=0x7F)
            add(f"tss.local fails for a tss {end}", local, fault("#GP", SPARE | 4))
            add(f"tss.limit fails {end}", to(BEYOND_GDT), fault("#GP", BEYOND_GDT))
            add(f"tss.type fails code {end}", to(KERNEL_CODE), fault("#GP", KERNEL_CODE))
            add(f"tss.type fails ldt {end}", to(LDT_SELECTOR), fault("#GP", LDT_SELECTOR))
            add(f"tss.busy fails {end}", to(TSS_SELECTOR), fault("#GP", TSS_SELECTOR))
            busy = world.with_descriptor(TASK, task_segment(TASK_TSS, BUSY_TSS))
            add(f"tss.busy fails another {end}", busy, fault("#GP", TASK))
            busy = to(TASK16).with_descriptor(TASK16, task_segment(TASK16_TSS, BUSY_TSS16))
            add(f"tss.busy fails 286 {end}", busy, fault("#GP", TASK16))
            absent = world.with_descriptor(TASK, task_segment(TASK_TSS, present=False))
            add(f"tss.present fails {end}", absent, fault("#NP", TASK))
            add(f"tss.dpl not asked {end}", world.with_descriptor(TASK, task_segment(TASK_TSS, dpl=0)), event)
            small = world.with_descriptor(TASK, task_segment(TASK_TSS, limit=0x66))
            add(f"tss.size fails {end}", small, fault("#TS", TASK))
            small = to(TASK16).with_descriptor(TASK16, task_segment(TASK16_TSS, AVAILABLE_TSS16, limit=0x2A))
            add(f"tss.size fails 286 {end}", small, fault("#TS", TASK16))
    for cpl in (0, 1, 2, 3):
        world = through(INT, cpl)
        add(f"gate.dpl passes (int, cpl {cpl})", world.with_gate(0x80, dpl=cpl), "int 0x80")
        if cpl:
            add(f"gate.dpl fails (int, cpl {cpl})", world.with_gate(0x80, dpl=cpl - 1), "int 0x80 > #GP(0x402)")
    add("gate.dpl not asked (ud2, cpl 3)", through(UD, 3).with_gate(6, dpl=0), "#UD")
    nmi = ProtectedModeWorld(cpl=3, code=NOP, inject=Injection("nmi")).with_gate(2, type=TASK_GATE_TYPE, selector=TASK)
    add("gate passes (nmi, cpl 3)", nmi, "nmi")
    step = ProtectedModeWorld(code=NOP * 2, rflags=0x2 | TF, instructions=2)
    add("gate passes (single step)", step.with_gate(1, type=TASK_GATE_TYPE, selector=TASK), "#DB")
    add("gate passes (int3)", ProtectedModeWorld(code=INT3).with_gate(3, type=TASK_GATE_TYPE, selector=TASK), "int 0x3")


def add_task_paging() -> None:
    """The TSSs on their pages, and CR3 of the new task."""
    for trigger in (UD, INT):
        for cpl in (0, 3):
            event, end = trigger.event, f"({trigger.name}, cpl {cpl})"
            world = through(trigger, cpl, paging="32-bit")
            add(f"paging passes {end}", world, event)
            add(f"paging passes PSE {end}", world.with_(paging="PSE"), event)
            add(f"paging passes PAE {end}", world.with_(paging="PAE"), event)
            absent = world.with_page(TASK_TSS, present=False)
            add(f"tss.read fails {end}", absent, f"{event} > #PF(0x0)")
            tables = ((TWO_PAGES, (PAGE_TABLES + PAGE | 0x27).to_bytes(4, "little")),)
            other = world.with_task(TASK_TSS, cr3=TWO_PAGES).with_(extra_memory=tables)
            add(f"cr3 of the new task {end}", other, event)
            unpaged = through(trigger, cpl).with_task(TASK_TSS, cr3=0xABCD_E000)
            add(f"cr3 loaded without paging {end}", unpaged, event)
            lost = world.with_page(STACK + TASK_STACK, present=False)
            add(f"new stack not touched {end}", lost, event)
    code = ProtectedModeWorld(cpl=3, code=HLT, paging="32-bit").with_gate(13, type=TASK_GATE_TYPE, selector=TASK)
    gone = code.with_page(STACK + TASK_STACK, present=False).with_rescue(14)
    add("push of the error code fails not present", gone, "#GP(0x0) > #PF(0x2)")


def add_new_task() -> None:
    """What is checked behind the switch: LDT, CS, SS, the data segments, EIP (SDM 3A table 7-1)."""
    for trigger in (UD, INT):
        event, end = trigger.event, f"({trigger.name})"
        world = through(trigger, 3)

        def fault(name: str, selector: int, event: str = event, ext: int = trigger.ext) -> str:
            return f"{event} > {name}({selector & ~3 | ext:#x})"

        def task(world: ProtectedModeWorld = world, **fields: object) -> ProtectedModeWorld:
            return world.with_task(TASK_TSS, **fields)

        def with_spare(
            descriptor: Descriptor, world: ProtectedModeWorld = world, **fields: object
        ) -> ProtectedModeWorld:
            return world.with_descriptor(SPARE, descriptor).with_task(TASK_TSS, **fields)

        local_ldt = ((TASK_LDT + (LDT_CODE & ~7), code_segment().encode()),
                     (TASK_LDT + (LDT_STACK & ~7), stack_segment().encode()))  # fmt: skip
        local = task(ldt=TASK_LDT_SELECTOR, cs=LDT_CODE, task_ss=LDT_STACK).with_(extra_memory=local_ldt)
        add(f"ldt passes {end}", task(ldt=TASK_LDT_SELECTOR), event)
        add(f"ldt passes null {end}", task(ldt=0), event)
        add(f"ldt of the new task holds its segments {end}", local, event)
        add(f"ldt null leaves no segments {end}", task(cs=LDT_CODE), fault("#TS", LDT_CODE))
        add(f"ldt.local fails {end}", task(ldt=TASK_LDT_SELECTOR | 4), fault("#TS", TASK_LDT_SELECTOR | 4))
        add(f"ldt.limit fails {end}", task(ldt=BEYOND_GDT), fault("#TS", BEYOND_GDT))
        add(f"ldt.type fails data {end}", task(ldt=KERNEL_DATA), fault("#TS", KERNEL_DATA))
        add(f"ldt.type fails tss {end}", task(ldt=TSS_SELECTOR), fault("#TS", TSS_SELECTOR))
        absent = Descriptor(LDT_TYPE, system=True, base=TASK_LDT, limit=0x1F, present=False)
        add(f"ldt.present fails {end}", with_spare(absent, ldt=SPARE), fault("#TS", SPARE))
        add(f"cs.null fails {end}", task(cs=0), fault("#TS", 0))
        add(f"cs.limit fails {end}", task(cs=BEYOND_GDT), fault("#TS", BEYOND_GDT))
        add(f"cs.code fails data {end}", task(cs=KERNEL_DATA), fault("#TS", KERNEL_DATA))
        add(f"cs.code fails system {end}", task(cs=LDT_SELECTOR), fault("#TS", LDT_SELECTOR))
        ring3 = {"task_ss": USER_STACK, "ds": USER_DATA, "es": USER_DATA}
        add(f"cs.dpl fails {end}", task(cs=KERNEL_CODE | 3, **ring3), fault("#TS", KERNEL_CODE))
        add(f"cs.dpl fails inward {end}", task(cs=USER_CODE & ~3), fault("#TS", USER_CODE))
        add(f"cs.dpl passes conforming {end}", task(cs=CONFORMING_CODE), event)
        add(f"cs.dpl passes conforming in ring 3 {end}", task(cs=CONFORMING_CODE | 3, **ring3), event)
        outer = code_segment(1, type=0xF)
        add(f"cs.dpl fails conforming of ring 1 {end}", with_spare(outer, cs=SPARE), fault("#TS", SPARE))
        add(f"cs.present fails {end}", with_spare(code_segment(present=False), cs=SPARE), fault("#NP", SPARE))
        add(f"cs.accessed is set {end}", with_spare(code_segment(type=0xA), cs=SPARE), event)
        add(f"ss.null fails {end}", task(task_ss=0), fault("#TS", 0))
        add(f"ss.limit fails {end}", task(task_ss=BEYOND_GDT), fault("#TS", BEYOND_GDT))
        add(f"ss.rpl fails {end}", task(task_ss=KERNEL_STACK | 3), fault("#TS", KERNEL_STACK))
        add(f"ss.dpl fails {end}", task(task_ss=RING1_STACK & ~3), fault("#TS", RING1_STACK))
        for label, descriptor, expected in (
            ("ss.writable fails read only", stack_segment(type=0x1), fault("#TS", SPARE2)),
            ("ss.writable fails code", code_segment(), fault("#TS", SPARE2)),
            ("ss.writable fails system", Descriptor(LDT_TYPE, system=True), fault("#TS", SPARE2)),
            ("ss.present fails", stack_segment(present=False), fault("#SS", SPARE2)),
            ("ss.accessed is set", stack_segment(type=0x2), event),
        ):
            add(f"{label} {end}", task(world.with_descriptor(SPARE2, descriptor), task_ss=SPARE2), expected)
        for name in ("ds", "es", "fs", "gs"):
            add(f"{name}.null passes {end}", task(**{name: 3}), event)
            add(f"{name}.limit fails {end}", task(**{name: BEYOND_GDT}), fault("#TS", BEYOND_GDT))
            for label, descriptor, expected in (
                ("readable fails execute only", code_segment(type=0x9), fault("#TS", SPARE)),
                ("readable passes code", code_segment(), event),
                ("type fails system", Descriptor(LDT_TYPE, system=True), fault("#TS", SPARE)),
                ("present fails", data_segment(present=False), fault("#NP", SPARE)),
                ("accessed is set", data_segment(type=0x2), event),
            ):
                add(f"{name}.{label} {end}", with_spare(descriptor, **{name: SPARE}), expected)
            low = task(cs=RING1_CODE, task_ss=RING1_STACK, **{"ds": RING1_DATA, "es": RING1_DATA, name: KERNEL_DATA})
            add(f"{name}.dpl fails {end}", low, fault("#TS", KERNEL_DATA))
            add(f"{name}.dpl fails for its rpl {end}", task(**{name: KERNEL_DATA | 1}), fault("#TS", KERNEL_DATA))
        narrow = task(cs=KERNEL_CODE16)
        add(f"eip.limit passes {end}", task(narrow, eip=TASK_EIP), event)
        add(f"eip.limit fails {end}", task(narrow, eip=0x1_0000), fault("#GP", 0))


def add_task_state() -> None:
    """What the switch saves, loads and marks: rings, flags, the kinds of TSS, virtual-8086 mode, the error code."""
    ring3 = {"cs": USER_CODE, "task_ss": USER_STACK, "ds": USER_DATA, "es": USER_DATA}
    v86 = {
        "eflags": 0x2 | VM,
        "cs": CODE >> 4,
        "task_ss": STACK >> 4,
        "eip": 0,
        "ds": DATA >> 4,
        "es": 1,
        "fs": 2,
        "gs": 3,
    }
    for trigger in (UD, INT, IRQ):
        for cpl in (0, 3):
            event, end = trigger.event, f"({trigger.name}, cpl {cpl})"
            world = through(trigger, cpl)
            flags = world.rflags | IF | NT | AC | DF | CF
            add(f"saves the flags {end}", world.with_(rflags=flags), event)
            add(f"loads the flags {end}", world.with_task(TASK_TSS, eflags=0x47FD7 & ~TF), event)
            add(f"loads nt {end}", world.with_task(TASK_TSS, eflags=0x2), event)
            add(f"enters ring 3 {end}", world.with_task(TASK_TSS, **ring3), event)
            add(f"enters virtual-8086 mode {end}", world.with_task(TASK_TSS, **v86), event)
            narrow = world.with_gate(trigger.vector, selector=TASK16)
            add(f"from 386 to 286 {end}", narrow, event)
            add(f"from 286 to 386 {end}", world.with_tss(narrow=True), event)
            add(f"from 286 to 286 {end}", narrow.with_tss(narrow=True), event)
            add(f"back link replaces an old one {end}", world.with_task(TASK_TSS, link=0xFFFF), event)
            traced = world.with_task(TASK_TSS, trap=True)
            add(f"t bit {end}", traced, event)
            high = tuple(0x8765_4321 + number for number in range(8))
            add(f"general registers {end}", world.with_task(TASK_TSS, general=(*high[:4], 0x5000, *high[5:])), event)
    _add_error_code()
    _add_double_fault()


def _add_error_code() -> None:
    """The error code lies on the new task's stack, in words of its TSS's size."""
    for cpl, code, fault in ((3, HLT, "#GP(0x0)"), (0, b"\x8e\xe0", f"#GP({BEYOND_GDT:#x})")):
        world = ProtectedModeWorld(cpl=cpl, code=code, registers={"rax": BEYOND_GDT}).with_rescue(8, 12)
        for selector, address, word in ((TASK, TASK_TSS, 4), (TASK16, TASK16_TSS, 2)):
            end = f"{'386' if word == 4 else '286'} tss (cpl {cpl})"
            gated = world.with_gate(13, type=TASK_GATE_TYPE, selector=selector)
            add(f"error code {end}", gated, fault)
            esp = gated.tasks[address].general
            for side, pointer, chain in (
                ("passes", word, fault),
                ("fails", word - 1, f"{fault} > #SS(0x1) > #DF(0x0)"),
            ):
                full = gated.with_task(address, general=(*esp[:4], pointer, *esp[5:]))
                add(f"error code.room {side} {end}", full, chain)
        wide = world.with_gate(13, type=TASK_GATE_TYPE, selector=TASK)
        sixteen = stack_segment(default=False, limit=0xFFFF)
        wrapped = wide.with_task(TASK_TSS, task_ss=SPARE2, general=(0, 0, 0, 0, 0, 0, 0, 0))
        add(f"error code on a 16-bit stack that wraps (cpl {cpl})", wrapped.with_descriptor(SPARE2, sixteen), fault)
    stray = ProtectedModeWorld(paging="32-bit", code=b"\xa0" + UNMAPPED.to_bytes(4, "little"))
    add("error code of a page fault", stray.with_gate(14, type=TASK_GATE_TYPE, selector=TASK), "#PF(0x0)")


def _add_double_fault() -> None:
    """A double fault handled by a task, and faults of a switch that become one."""
    world = ProtectedModeWorld(cpl=3, code=DIVIDE_BY_ZERO).with_gate(8, type=TASK_GATE_TYPE, selector=TASK)
    lost = world.with_gate(0, present=False)
    add("double.df by a task", lost, "#DE > #NP(0x3) > #DF(0x0)")
    add("double.df by a task saves the old one", lost.with_(rflags=0x2 | IF | CF), "#DE > #NP(0x3) > #DF(0x0)")
    add("double.df by a task after an invalid ss in the tss", world.with_tss(ss=(0, 0, 0)), "#DE > #TS(0x1) > #DF(0x0)")
    add("double.df by a busy task shuts down", lost.with_gate(8, selector=TSS_SELECTOR),
        f"#DE > #NP(0x3) > #DF(0x0) > #GP({TSS_SELECTOR | 1:#x}) > shutdown")  # fmt: skip
    add("double.df by a task with an invalid stack shuts down", lost.with_task(TASK_TSS, task_ss=0),
        "#DE > #NP(0x3) > #DF(0x0) > #TS(0x1) > shutdown")  # fmt: skip
    bad = ProtectedModeWorld(cpl=3, code=DIVIDE_BY_ZERO).with_gate(0, type=TASK_GATE_TYPE, selector=TASK)
    add("double.contributory contributory in the new task", bad.with_task(TASK_TSS, task_ss=0).with_rescue(8),
        "#DE > #TS(0x1) > #DF(0x0)")  # fmt: skip
    old = same_ring_handlers(through(UD, 3, paging="32-bit"), 14).with_page(TSS, present=False)
    add("tss.write fails: the old one is absent", old, "#UD > #PF(0x2)")
