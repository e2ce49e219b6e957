"""Cases for IRETQ in long mode."""

from __future__ import annotations

from .case import Injection
from .catalogue import IRETQ, NOP, RINGS, RUNS, add
from .long_mode import (
    AC,
    CF,
    CODE,
    CONFORMING_CODE,
    GDT_LIMIT,
    HIGH_HALF,
    IF,
    KERNEL_CODE,
    KERNEL_DATA,
    LDT_CODE,
    NON_CANONICAL,
    NT,
    RING1_CODE,
    RING1_DATA,
    SPARE,
    SPARE2,
    STACK,
    TF,
    TSS_SELECTOR,
    UNMAPPED,
    USER_CODE,
    USER_DATA,
    VM,
    LongModeWorld,
    code_segment,
    data_segment,
)

FRAME_AT = STACK + 0xF40
RETURN_TO = CODE + 0x40
RETURN_RSP = STACK + 0xFD0


def returning(cpl: int, *, rip: int = RETURN_TO, cs: int | None = None, flags: int = 0x2 | CF,
              rsp: int = RETURN_RSP, ss: int | None = None) -> LongModeWorld:  # fmt: skip
    """A world about to execute IRETQ with this frame; cs and ss default to those of the same ring."""
    code, data = (USER_CODE, USER_DATA) if cpl == 3 else (KERNEL_CODE, KERNEL_DATA)
    words = (rip, code if cs is None else cs, flags, rsp, data if ss is None else ss)
    return LongModeWorld(cpl=cpl, code=IRETQ, rsp=FRAME_AT, frame=words)


def add_iret() -> None:  # noqa: PLR0915 -- a table
    """DELIVERY.md 2.5: IRETQ, check by check."""
    for cpl in RINGS:
        end = f"(cpl {cpl})"
        rpl = cpl
        add(f"iret passes {end}", returning(cpl), RUNS)
        add(f"iret.nt fails {end}", returning(cpl).with_(rflags=0x2 | NT), "#GP(0x0)")
        lost = returning(cpl).with_(rsp=UNMAPPED, frame=()).with_gate(14, ist=1)
        add(f"iret.pop fails not present {end}", lost, f"#PF({4 if cpl else 0:#x})")
        lost = returning(cpl).with_(rsp=NON_CANONICAL, frame=()).with_gate(12, ist=1)
        add(f"iret.pop fails non-canonical {end}", lost, "#SS(0x0)")
        add(f"iret.cs_null fails {end}", returning(cpl, cs=rpl), "#GP(0x0)")
        spare = SPARE | rpl
        world = returning(cpl, cs=spare).with_descriptor(SPARE, code_segment(cpl))
        add(f"iret.cs_limit passes {end}", world.with_(gdt_limit=SPARE + 7), RUNS)
        add(f"iret.cs_limit fails {end}", world.with_(gdt_limit=SPARE + 6), f"#GP({SPARE:#x})")
        local = returning(cpl, cs=LDT_CODE | rpl).with_descriptor(LDT_CODE, code_segment(cpl))
        add(f"iret.cs_limit passes ldt {end}", local.with_(ldt_limit=0xF), RUNS)
        add(f"iret.cs_limit fails ldt {end}", local.with_(ldt_limit=0xE), f"#GP({LDT_CODE:#x})")
        add(f"iret.cs_limit fails no ldt {end}", local.with_(ldt_usable=False), f"#GP({LDT_CODE:#x})")
        add(f"iret.cs_code fails data {end}", returning(cpl, cs=USER_DATA & ~3 | rpl), f"#GP({USER_DATA & ~3:#x})")
        add(f"iret.cs_code fails system {end}", returning(cpl, cs=TSS_SELECTOR | rpl), f"#GP({TSS_SELECTOR:#x})")
        other = (USER_CODE if cpl == 0 else KERNEL_CODE) & ~3
        add(f"iret.cs_dpl fails {end}", returning(cpl, cs=other | rpl), f"#GP({other:#x})")
        for label, descriptor, expected in (
            ("iret.cs_dpl passes conforming", code_segment(type=0xF), RUNS),
            ("iret.cs_dpl fails conforming", code_segment(cpl + 1 if cpl == 0 else cpl, type=0xF),
             f"#GP({SPARE:#x})" if cpl == 0 else RUNS),
            ("iret.cs_long fails l=1 d=1", code_segment(cpl, default=True), f"#GP({SPARE:#x})"),
            ("iret.cs_present fails", code_segment(cpl, present=False), f"#NP({SPARE:#x})"),
            ("iret.cs_accessed is set", code_segment(cpl, type=0xA), RUNS),
            ("iret.cs_compatibility passes", code_segment(cpl, long=False, default=True), RUNS),
        ):  # fmt: skip
            world = returning(cpl, cs=spare).with_descriptor(SPARE, descriptor)
            name = label.replace("fails", "passes") + " of ring 3" if "fails" in label and expected == RUNS else label
            add(f"{name} {end}", world, expected)
        small = code_segment(cpl, long=False, default=True, granularity=False, limit=RETURN_TO)
        world = returning(cpl, cs=spare).with_descriptor(SPARE, small)
        add(f"iret.rip_limit passes {end}", world, RUNS)
        world = returning(cpl, cs=spare, rip=RETURN_TO + 1).with_descriptor(SPARE, small)
        add(f"iret.rip_limit fails {end}", world, "#GP(0x0)")
        add(f"iret.rip_canonical fails {end}", returning(cpl, rip=NON_CANONICAL), "#GP(0x0)")
        add(f"iret.rip_canonical passes {end}", returning(cpl, rip=HIGH_HALF + RETURN_TO), RUNS)
        add(f"iret.rsp_canonical not asked {end}", returning(cpl, rsp=NON_CANONICAL), RUNS)
        null = RUNS if cpl == 0 else "#GP(0x0)"
        add(f"iret.ss_null {'passes' if cpl == 0 else 'fails'} {end}", returning(cpl, ss=rpl), null)
        world = returning(cpl, cs=spare, ss=rpl).with_descriptor(SPARE, code_segment(cpl, long=False, default=True))
        add(f"iret.ss_null fails compatibility {end}", world, "#GP(0x0)")
        stack = SPARE2 | rpl
        world = returning(cpl, ss=stack).with_descriptor(SPARE2, data_segment(cpl))
        add(f"iret.ss_limit passes {end}", world, RUNS)
        add(f"iret.ss_limit fails {end}", world.with_(gdt_limit=GDT_LIMIT - 1), f"#GP({SPARE2:#x})")
        add(f"iret.ss_rpl fails {end}", returning(cpl, ss=SPARE2 | 3 - rpl).with_descriptor(
            SPARE2, data_segment(cpl)), f"#GP({SPARE2:#x})")  # fmt: skip
        for label, descriptor, expected in (
            ("iret.ss_writable fails read only", data_segment(cpl, type=0x1), f"#GP({SPARE2:#x})"),
            ("iret.ss_writable fails code", code_segment(cpl), f"#GP({SPARE2:#x})"),
            ("iret.ss_dpl fails", data_segment(3 - cpl), f"#GP({SPARE2:#x})"),
            ("iret.ss_present fails", data_segment(cpl, present=False), f"#SS({SPARE2:#x})"),
            ("iret.ss_accessed is set", data_segment(cpl, type=0x2), RUNS),
        ):
            add(f"{label} {end}", returning(cpl, ss=stack).with_descriptor(SPARE2, descriptor), expected)
        every = 0xFFFF_FFFF_FFFF_FFFF & ~(TF | VM)
        add(f"iret.flags all one {end}", returning(cpl, flags=every & ~NT), RUNS)
        add(f"iret.flags with vm {end}", returning(cpl, flags=0x2 | VM), RUNS)
        add(f"iret.flags with nt {end}", returning(cpl, flags=0x2 | NT), RUNS)
        add(f"iret.flags clears {end}", returning(cpl, flags=0x2).with_(rflags=0x2 | IF | AC | CF), RUNS)
        for iopl in (0, 3):
            world = returning(cpl, flags=0x2 | IF | 0x1000).with_(rflags=0x2 | iopl << 12)
            add(f"iret.flags if and iopl from iopl {iopl} {end}", world, RUNS)
        narrow = returning(cpl)
        data = b"".join(word.to_bytes(4, "little") for word in narrow.frame)
        add(f"iret.size 32 {end}", narrow.with_(code=b"\xcf", frame=(), extra_memory=((FRAME_AT, data),)), RUNS)
        words = (RETURN_TO, narrow.frame[1], 0x2 | CF, 0xFD0, narrow.frame[4])
        data = b"".join(word.to_bytes(2, "little") for word in words)
        add(f"iret.size 16 {end}", narrow.with_(code=b"\x66\xcf", frame=(), extra_memory=((FRAME_AT, data),)), RUNS)
    add("iret.cs_rpl fails (cpl 3)", returning(3, cs=KERNEL_CODE, ss=KERNEL_DATA), f"#GP({KERNEL_CODE:#x})")
    inward = LongModeWorld(
        cpl=1, code=IRETQ, rsp=FRAME_AT, frame=(RETURN_TO, KERNEL_CODE, 0x2, RETURN_RSP, KERNEL_DATA)
    )
    add("iret.cs_rpl fails (cpl 1)", inward, f"#GP({KERNEL_CODE:#x})")
    outward = returning(0, cs=USER_CODE, ss=USER_DATA)
    add("iret.outer passes to ring 3", outward, RUNS)
    add("iret.outer passes to ring 1", returning(0, cs=RING1_CODE, ss=RING1_DATA), RUNS)
    add("iret.outer ss null fails for ring 3", returning(0, cs=USER_CODE, ss=3), "#GP(0x0)")
    add("iret.outer ss null passes for ring 1", returning(0, cs=RING1_CODE, ss=1), RUNS)
    add("iret.outer ss rpl fails", returning(0, cs=USER_CODE, ss=KERNEL_DATA), f"#GP({KERNEL_DATA:#x})")
    add("iret.outer cs not present", returning(0, cs=SPARE | 3, ss=USER_DATA).with_descriptor(
        SPARE, code_segment(3, present=False)), f"#NP({SPARE:#x})")  # fmt: skip
    kept = {"ds": USER_DATA, "es": KERNEL_DATA, "fs": CONFORMING_CODE, "gs": RING1_DATA}
    add("iret.outer nulls inner data segments", outward.with_(data_selectors=kept), RUNS)
    add("iret.outer rip not canonical", returning(0, cs=USER_CODE, ss=USER_DATA, rip=NON_CANONICAL), "#GP(0x0)")
    add("iret.outer to unmapped code", returning(0, cs=USER_CODE, ss=USER_DATA, rip=UNMAPPED), RUNS)
    step = returning(0, flags=0x2 | TF).with_(instructions=3, extra_memory=((RETURN_TO, NOP * 2),))
    add("iret.tf traps after the next instruction", step, "#DB")
    add("iret.tf set before traps behind the iret", returning(0).with_(rflags=0x2 | TF, instructions=2), "#DB")
    shadow = returning(0, flags=0x2 | IF).with_(
        instructions=3, extra_memory=((RETURN_TO, NOP * 2),), inject=Injection("external", 0x30))  # fmt: skip
    add("iret.if lets an interrupt in at once", shadow, "irq 0x30")
