"""Protected mode: IRETD and IRET, within a ring, to an outer one, and the return to another task (DELIVERY.md 2.5)."""

from __future__ import annotations

from .case import Injection
from .catalogue import IRET, IRET_OTHER_SIZE, NOP, PROTECTED_CASES, RINGS, RUNS, TASK_CASES, entering
from .long_mode import AC, CF, IF, NT, TF, VM, Descriptor, data_segment
from .protected_mode import (
    BEYOND_GDT,
    BUSY_TSS,
    BUSY_TSS16,
    CODE,
    CODE_BY_RING,
    CONFORMING_CODE,
    DATA_BY_RING,
    KERNEL_CODE,
    KERNEL_CODE16,
    KERNEL_DATA,
    KERNEL_STACK,
    LDT_CODE,
    LDT_SELECTOR,
    LDT_STACK,
    OUTER,
    OUTER16,
    OUTER16_TSS,
    OUTER_TSS,
    RING1_DATA,
    RSP,
    SPARE,
    SPARE2,
    SPARE_STACK,
    STACK,
    STACK_BY_RING,
    TASK,
    TSS_SELECTOR,
    USER_CODE,
    USER_CODE16,
    USER_DATA,
    USER_STACK,
    ProtectedModeWorld,
    code_segment,
    stack_segment,
    task_segment,
)

add = entering(PROTECTED_CASES, "protected ")
enter_task = entering(TASK_CASES, "task ")

RETURN_TO = CODE + 0x40
RETURN_RSP = RSP - 0x40
STACK_END = SPARE_STACK + 0x1000
SIZES = (("iretd", IRET, 4), ("iret", IRET_OTHER_SIZE, 2))
"""Both operand sizes in 32-bit code, with the bytes of a word that each pops."""
IOPL3 = 3 << 12
VIF, VIP, ID = 1 << 19, 1 << 20, 1 << 21


def same(cpl: int, size: tuple[str, bytes, int] = SIZES[0], *, eip: int = RETURN_TO, cs: int | None = None,
         flags: int = 0x2 | CF) -> ProtectedModeWorld:  # fmt: skip
    """A world about to return within its ring."""
    frame = (eip, CODE_BY_RING[cpl] if cs is None else cs, flags)
    return ProtectedModeWorld(cpl=cpl, code=size[1], frame=frame, frame_word=size[2])


def outer(to: int, size: tuple[str, bytes, int] = SIZES[0], *, cpl: int = 0, eip: int = RETURN_TO,
          cs: int | None = None, flags: int = 0x2 | CF, ss: int | None = None, rsp: int = RETURN_RSP,
          ) -> ProtectedModeWorld:  # fmt: skip
    """A world about to return to ring `to`."""
    frame = (eip, CODE_BY_RING[to] if cs is None else cs, flags, rsp, STACK_BY_RING[to] if ss is None else ss)
    return ProtectedModeWorld(cpl=cpl, code=size[1], frame=frame, frame_word=size[2])


def add_protected_iret() -> None:
    """Within one ring: the frame, the code segment, the flags."""
    for cpl in RINGS:
        for size in SIZES:
            name, _, word = size
            end = f"{name} (cpl {cpl})"
            add(f"iret passes {end}", same(cpl, size), RUNS)
            at = same(cpl, size).with_rescue(12)
            add(f"iret.stack passes {end}", at.with_(rsp=STACK_END - 3 * word), RUNS)
            add(f"iret.stack fails {end}", at.with_(rsp=STACK_END - 3 * word + 1), "#SS(0x0)")
            add(f"iret.flags all one {end}", same(cpl, size, flags=0xFFFF_FFFF & ~(TF | VM) & 256**word - 1), RUNS)
            zero = same(cpl, size, flags=0).with_(rflags=0x2 | IF | AC | CF | ID)
            add(f"iret.flags clears {end}", zero, RUNS)
            for iopl in (0, 3):
                world = same(cpl, size, flags=0x2 | IF | 0x1000).with_(rflags=0x2 | iopl << 12)
                add(f"iret.flags if and iopl from iopl {iopl} {end}", world, RUNS)
            small = code_segment(cpl, granularity=False, limit=RETURN_TO)
            bounded = same(cpl, size, cs=SPARE | cpl).with_descriptor(SPARE, small)
            add(f"iret.eip_limit passes {end}", bounded, RUNS)
            bounded = same(cpl, size, cs=SPARE | cpl, eip=RETURN_TO + 1).with_descriptor(SPARE, small)
            add(f"iret.eip_limit fails {end}", bounded, "#GP(0x0)")
        _add_code_segment(cpl)
        lost = same(cpl).with_(frame=()).with_rescue(14).with_page(STACK, present=False)
        add(f"iret.pop fails not present (cpl {cpl})", lost, f"#PF({4 if cpl else 0:#x})")
    step = same(0, flags=0x2 | TF).with_(instructions=3, extra_memory=((RETURN_TO, NOP * 2),))
    add("iret.tf traps after the next instruction", step, "#DB")
    add("iret.tf set before traps behind the iret", same(0).with_(rflags=0x2 | TF, instructions=2), "#DB")
    shadow = same(0, flags=0x2 | IF).with_(
        instructions=3, extra_memory=((RETURN_TO, NOP * 2),), inject=Injection("external", 0x30))  # fmt: skip
    add("iret.if lets an interrupt in at once", shadow, "irq 0x30")
    add("iret.rf suspends nothing else", same(0, flags=0x2 | 1 << 16), RUNS)
    sixteen = same(0, SIZES[1]).with_(cs=KERNEL_CODE16, code=IRET, frame=(RETURN_TO, KERNEL_CODE16, 0x2))
    add("iret in 16-bit code", sixteen, RUNS)
    wide = same(0).with_(cs=KERNEL_CODE16, code=IRET_OTHER_SIZE)
    add("iretd in 16-bit code", wide, RUNS)
    narrow = stack_segment(default=False, limit=0xFFFF)
    wrapped = same(0, SIZES[0]).with_(ss=SPARE2, rsp=0xFFF8, frame=()).with_descriptor(SPARE2, narrow)
    image = b"".join(word.to_bytes(4, "little") for word in (RETURN_TO, KERNEL_CODE, 0x2 | CF))
    wrapped = wrapped.with_(extra_memory=((STACK + 0xFFF8, image[:8]), (STACK, image[8:])))
    add("iret on a 16-bit stack that wraps", wrapped, RUNS)


def _add_code_segment(cpl: int) -> None:
    end = f"(cpl {cpl})"
    spare = SPARE | cpl
    add(f"iret.cs_null fails {end}", same(cpl, cs=cpl), "#GP(0x0)")
    add(f"iret.cs_limit fails {end}", same(cpl, cs=BEYOND_GDT | cpl), f"#GP({BEYOND_GDT:#x})")
    local = same(cpl, cs=LDT_CODE | cpl).with_descriptor(LDT_CODE, code_segment(cpl))
    add(f"iret.cs_limit passes ldt {end}", local.with_(ldt_limit=0xF), RUNS)
    add(f"iret.cs_limit fails ldt {end}", local.with_(ldt_limit=0xE), f"#GP({LDT_CODE:#x})")
    add(f"iret.cs_limit fails no ldt {end}", local.with_(ldt_usable=False), f"#GP({LDT_CODE:#x})")
    data = DATA_BY_RING[cpl] & ~3
    add(f"iret.cs_code fails data {end}", same(cpl, cs=data | cpl), f"#GP({data:#x})")
    add(f"iret.cs_code fails system {end}", same(cpl, cs=TSS_SELECTOR | cpl), f"#GP({TSS_SELECTOR:#x})")
    other = CODE_BY_RING[3 - cpl] & ~3
    add(f"iret.cs_dpl fails {end}", same(cpl, cs=other | cpl), f"#GP({other:#x})")
    if cpl:
        add(f"iret.cs_rpl fails {end}", same(cpl, cs=KERNEL_CODE), f"#GP({KERNEL_CODE:#x})")
        add(f"iret.cs_rpl fails to ring 2 {end}", same(cpl, cs=CODE_BY_RING[2]), f"#GP({CODE_BY_RING[2] & ~3:#x})")
    for label, descriptor, expected in (
        ("iret.cs_dpl passes conforming", code_segment(type=0xF), RUNS),
        ("iret.cs_present fails", code_segment(cpl, present=False), f"#NP({SPARE:#x})"),
        ("iret.cs_accessed is set", code_segment(cpl, type=0xA), RUNS),
        ("iret.cs_default passes 16-bit", code_segment(cpl, default=False, granularity=False, limit=0xFFFF), RUNS),
    ):
        add(f"{label} {end}", same(cpl, cs=spare).with_descriptor(SPARE, descriptor), expected)
    if cpl == 0:
        inner = same(0, cs=SPARE).with_descriptor(SPARE, code_segment(1, type=0xF))
        add(f"iret.cs_dpl fails conforming {end}", inner, f"#GP({SPARE:#x})")


def add_protected_iret_outer() -> None:
    """To an outer ring: the stack segment, and what happens to the data segments."""
    for size in SIZES:
        name, _, word = size
        for to in (1, 2, 3):
            end = f"{name} to ring {to}"
            spare, spare2 = SPARE | to, SPARE2 | to
            add(f"iret.outer passes {end}", outer(to, size), RUNS)
            at = outer(to, size).with_rescue(12)
            add(f"iret.outer stack passes {end}", at.with_(rsp=STACK_END - 5 * word), RUNS)
            add(f"iret.outer stack fails {end}", at.with_(rsp=STACK_END - 5 * word + 1), "#SS(0x0)")
            add(f"iret.ss_null fails {end}", outer(to, size, ss=0), "#GP(0x0)")
            add(f"iret.ss_null fails with rpl {end}", outer(to, size, ss=to), "#GP(0x0)")
            add(f"iret.ss_limit fails {end}", outer(to, size, ss=BEYOND_GDT | to), f"#GP({BEYOND_GDT:#x})")
            local = outer(to, size, ss=LDT_STACK | to).with_descriptor(LDT_STACK, stack_segment(to))
            add(f"iret.ss_limit passes ldt {end}", local.with_(ldt_limit=0x17), RUNS)
            add(f"iret.ss_limit fails ldt {end}", local.with_(ldt_limit=0x16), f"#GP({LDT_STACK:#x})")
            add(
                f"iret.ss_rpl fails {end}",
                outer(to, size, ss=STACK_BY_RING[to] & ~3),
                f"#GP({STACK_BY_RING[to] & ~3:#x})",
            )
            add(f"iret.ss_dpl fails {end}", outer(to, size, ss=KERNEL_STACK | to), f"#GP({KERNEL_STACK:#x})")
            for label, descriptor, expected in (
                ("iret.ss_writable fails read only", stack_segment(to, type=0x1), f"#GP({SPARE2:#x})"),
                ("iret.ss_writable fails code", code_segment(to), f"#GP({SPARE2:#x})"),
                ("iret.ss_writable fails system", Descriptor(0x2, system=True, dpl=to), f"#GP({SPARE2:#x})"),
                ("iret.ss_present fails", stack_segment(to, present=False), f"#SS({SPARE2:#x})"),
                ("iret.ss_accessed is set", stack_segment(to, type=0x2), RUNS),
                ("iret.ss_default passes 16-bit", stack_segment(to, default=False, limit=0xFFFF), RUNS),
            ):
                add(f"{label} {end}", outer(to, size, ss=spare2).with_descriptor(SPARE2, descriptor), expected)
            small = code_segment(to, granularity=False, limit=RETURN_TO)
            bounded = outer(to, size, cs=spare).with_descriptor(SPARE, small)
            add(f"iret.outer eip_limit passes {end}", bounded, RUNS)
            bounded = outer(to, size, cs=spare, eip=RETURN_TO + 1).with_descriptor(SPARE, small)
            add(f"iret.outer eip_limit fails {end}", bounded, "#GP(0x0)")
            absent = outer(to, size, cs=spare).with_descriptor(SPARE, code_segment(to, present=False))
            add(f"iret.outer cs_present fails {end}", absent, f"#NP({SPARE:#x})")
            conforming = outer(to, size, cs=CONFORMING_CODE | to)
            add(f"iret.outer passes conforming {end}", conforming, RUNS)
        every = 0xFFFF_FFFF & ~(TF | VM) & 256**word - 1
        add(f"iret.outer flags all one {name}", outer(3, size, flags=every), RUNS)
        add(f"iret.outer flags clears {name}", outer(3, size, flags=0).with_(rflags=0x2 | IF | AC | CF | IOPL3), RUNS)
        from_ring1 = outer(3, size, cpl=1, flags=0x2 | IF | IOPL3)
        for iopl in (0, 1):
            add(
                f"iret.outer flags from ring 1 with iopl {iopl} {name}", from_ring1.with_(rflags=0x2 | iopl << 12), RUNS
            )
    kept = {"ds": USER_DATA, "es": KERNEL_DATA, "fs": CONFORMING_CODE, "gs": RING1_DATA}
    for to in (1, 2, 3):
        add(f"iret.outer nulls inner data segments to ring {to}", outer(to).with_(data_selectors=kept), RUNS)
    readable = {"ds": KERNEL_CODE, "es": USER_CODE, "fs": 0, "gs": 3}
    add("iret.outer nulls inner code segments", outer(3).with_(data_selectors=readable), RUNS)
    add("iret.outer to 16-bit code", outer(3, cs=USER_CODE16), RUNS)
    high = outer(3, rsp=0xABCD_0FA0, ss=SPARE2 | 3).with_descriptor(
        SPARE2, stack_segment(3, default=False, limit=0xFFFF)
    )
    add("iret.outer to a 16-bit stack", high, RUNS)
    add("iret.outer dpl of cs inner", outer(3, cs=KERNEL_CODE | 3), f"#GP({KERNEL_CODE:#x})")
    page = outer(3).with_page(STACK, present=False).with_(frame=()).with_rescue(14)
    add("iret.outer pop fails not present", page, "#PF(0x0)")
    add("iret.outer ss from user data", outer(3, ss=USER_DATA), RUNS)


def leaving(link: int, **knobs: object) -> ProtectedModeWorld:
    """A nested task about to return to the one that its TSS names."""
    world = ProtectedModeWorld(code=IRET, rflags=0x2 | NT).with_tss(link=link).with_rescue(10, 11, 12, 13)
    return world.with_(**knobs)


def add_task_return() -> None:
    """IRET with NT=1: the back link, the task returned to, and the busy bits."""
    for cpl in RINGS:
        for name, code, _ in SIZES:
            end = f"{name} (cpl {cpl})"
            world = leaving(OUTER, cpl=cpl, code=code)
            enter_task(f"return passes {end}", world, RUNS)
            enter_task(f"return passes 286 tss {end}", world.with_tss(link=OUTER16), RUNS)
            enter_task(f"return from a 286 tss {end}", world.with_tss(narrow=True), RUNS)
        end = f"(cpl {cpl})"
        world = leaving(OUTER, cpl=cpl)
        for label, link, code in (
            ("link.null fails", 0, 0),
            ("link.local fails", LDT_CODE, LDT_CODE),
            ("link.limit fails", BEYOND_GDT, BEYOND_GDT),
            ("link.type fails code", KERNEL_CODE, KERNEL_CODE),
            ("link.type fails ldt", LDT_SELECTOR, LDT_SELECTOR),
            ("link.busy fails", TASK, TASK),
        ):
            enter_task(f"return {label} {end}", world.with_tss(link=link), f"#TS({code:#x})")
        enter_task(f"return link with rpl {end}", world.with_tss(link=OUTER | 3), RUNS)
        absent = world.with_descriptor(OUTER, task_segment(OUTER_TSS, BUSY_TSS, present=False))
        enter_task(f"return tss.present fails {end}", absent, f"#NP({OUTER:#x})")
        small = world.with_descriptor(OUTER, task_segment(OUTER_TSS, BUSY_TSS, limit=0x66))
        enter_task(f"return tss.size fails {end}", small, f"#TS({OUTER:#x})")
        small = world.with_tss(link=OUTER16)
        small = small.with_descriptor(OUTER16, task_segment(OUTER16_TSS, BUSY_TSS16, limit=0x2A))
        enter_task(f"return tss.size fails 286 {end}", small, f"#TS({OUTER16:#x})")
        itself = world.with_tss(link=TSS_SELECTOR)
        enter_task(f"return to itself {end}", itself, RUNS)
        for label, fields, expected in (
            ("cs.null fails", {"cs": 0}, "#TS(0x0)"),
            ("cs.limit fails", {"cs": BEYOND_GDT}, f"#TS({BEYOND_GDT:#x})"),
            ("ss.null fails", {"task_ss": 0}, "#TS(0x0)"),
            ("ss.dpl fails", {"task_ss": USER_STACK & ~3}, f"#TS({USER_STACK & ~3:#x})"),
            ("ds.limit fails", {"ds": BEYOND_GDT}, f"#TS({BEYOND_GDT:#x})"),
            ("ldt.type fails", {"ldt": KERNEL_DATA}, f"#TS({KERNEL_DATA:#x})"),
            ("eip.limit fails", {"cs": KERNEL_CODE16, "eip": 0x1_0000}, "#GP(0x0)"),
            ("flags with nt", {"eflags": 0x2 | NT}, RUNS),
            ("ring 3", {"cs": USER_CODE, "task_ss": USER_STACK, "ds": USER_DATA, "es": USER_DATA}, RUNS),
            ("virtual-8086 mode", {"eflags": 0x2 | VM, "cs": CODE >> 4, "task_ss": STACK >> 4, "eip": 0x40}, RUNS),
        ):
            enter_task(f"return {label} {end}", world.with_task(OUTER_TSS, **fields), expected)
        absent = world.with_task(OUTER_TSS, task_ss=SPARE2).with_descriptor(SPARE2, stack_segment(present=False))
        enter_task(f"return ss.present fails {end}", absent, f"#SS({SPARE2:#x})")
        absent = world.with_task(OUTER_TSS, ds=SPARE2).with_descriptor(SPARE2, data_segment(present=False))
        enter_task(f"return ds.present fails {end}", absent, f"#NP({SPARE2:#x})")
        traced = world.with_task(OUTER_TSS, trap=True).with_(instructions=2)
        enter_task(f"return t bit {end}", traced, "#DB")
        enter_task(f"return clears nt of the image that is left {end}", world.with_(rflags=0x2 | NT | IF | CF), RUNS)
