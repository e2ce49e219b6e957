"""Protected mode: CALL and JMP to another task, by its TSS and through a task gate (SDM 2A, CALL and JMP; 3A 7.3)."""

from __future__ import annotations

from .case import PAGE
from .catalogue import RUNS, TASK_CASES, entering, same_ring_handlers
from .far_transfer_cases import TRANSFERS, far
from .long_mode import CF, DF, IF, NT, VM, Descriptor
from .protected_mode import (
    AVAILABLE_TSS16,
    BEYOND_GDT,
    BUSY_TSS,
    BUSY_TSS16,
    CODE,
    KERNEL_CODE,
    KERNEL_CODE16,
    KERNEL_DATA,
    LDT_CODE,
    LDT_SELECTOR,
    OUTER,
    PAGE_TABLES,
    SPARE,
    SPARE2,
    STACK,
    TASK,
    TASK16,
    TASK16_TSS,
    TASK_GATE,
    TASK_GATE_TYPE,
    TASK_TSS,
    TSS,
    TSS_SELECTOR,
    TWO_PAGES,
    USER_CODE,
    USER_DATA,
    USER_STACK,
    Gate,
    ProtectedModeWorld,
    code_segment,
    stack_segment,
    task_segment,
)

add = entering(TASK_CASES, "task ")


def to(opcode: bytes, selector: int, cpl: int = 0) -> ProtectedModeWorld:
    """A world about to go to another task; faults on the way are handled by a third, its TSS in every ring's reach."""
    world = ProtectedModeWorld(cpl=cpl, code=far(opcode, selector, 0xFFFF_FFFF)).with_rescue(10, 11, 12, 13)
    world = world.with_descriptor(TASK, task_segment(TASK_TSS, dpl=3))
    return world.with_descriptor(TASK16, task_segment(TASK16_TSS, AVAILABLE_TSS16, dpl=3))


def add_task_transfer() -> None:
    """By the TSS itself."""
    for name, opcode in TRANSFERS:
        for cpl in (0, 3):
            end = f"{name} (cpl {cpl})"
            world = to(opcode, TASK, cpl)
            add(f"transfer passes {end}", world, RUNS)
            add(f"transfer passes 286 tss {end}", to(opcode, TASK16, cpl), RUNS)
            add(f"transfer passes from a 286 tss {end}", world.with_tss(narrow=True), RUNS)
            inner = world.with_descriptor(TASK, task_segment(TASK_TSS))
            add(f"transfer dpl {'fails' if cpl else 'passes'} {end}", inner, f"#GP({TASK:#x})" if cpl else RUNS)
            rpl = to(opcode, TASK | 3, cpl).with_descriptor(TASK, task_segment(TASK_TSS, dpl=2))
            add(f"transfer rpl fails {end}", rpl, f"#GP({TASK:#x})")
            for kind, selector, tss in ((BUSY_TSS, TASK, TASK_TSS), (BUSY_TSS16, TASK16, TASK16_TSS)):
                busy = to(opcode, selector, cpl).with_descriptor(selector, task_segment(tss, kind, dpl=3))
                add(f"transfer busy fails {kind:#x} {end}", busy, f"#GP({selector:#x})")
            local = to(opcode, SPARE | 4, cpl).with_(ldt_limit=0x7F)
            local = local.with_descriptor(SPARE | 4, task_segment(TASK_TSS, dpl=3))
            add(f"transfer local fails {end}", local, f"#GP({SPARE | 4:#x})")
            absent = world.with_descriptor(TASK, task_segment(TASK_TSS, dpl=3, present=False))
            add(f"transfer present fails {end}", absent, f"#NP({TASK:#x})")
            small = world.with_descriptor(TASK, task_segment(TASK_TSS, dpl=3, limit=0x66))
            add(f"transfer size fails {end}", small, f"#TS({TASK:#x})")
            small = task_segment(TASK16_TSS, AVAILABLE_TSS16, dpl=3, limit=0x2A)
            add(f"transfer size fails 286 {end}", to(opcode, TASK16, cpl).with_descriptor(TASK16, small),
                f"#TS({TASK16:#x})")  # fmt: skip
            _add_state(name, opcode, cpl)
            _add_gate(name, opcode, cpl)


def _add_state(name: str, opcode: bytes, cpl: int) -> None:
    """What is loaded and saved; the faults of the new task have no EXT."""
    end = f"{name} (cpl {cpl})"
    world = to(opcode, TASK, cpl)
    add(f"transfer saves the flags {end}", world.with_(rflags=0x2 | IF | NT | CF | DF), RUNS)
    add(f"transfer traced {end}", world.with_task(TASK_TSS, trap=True).with_(instructions=2), "#DB")
    add(f"transfer traced 286 has no t bit {end}", to(opcode, TASK16, cpl).with_(instructions=2), RUNS)
    for label, fields, expected in (
        ("flags with nt", {"eflags": 0x2 | NT | CF}, RUNS),
        ("ring 3", {"cs": USER_CODE, "task_ss": USER_STACK, "ds": USER_DATA, "es": USER_DATA}, RUNS),
        ("virtual-8086 mode", {"eflags": 0x2 | VM, "cs": CODE >> 4, "task_ss": STACK >> 4, "eip": 0x40}, RUNS),
        ("cs.null fails", {"cs": 0}, "#TS(0x0)"),
        ("ss.null fails", {"task_ss": 0}, "#TS(0x0)"),
        ("ds.limit fails", {"ds": BEYOND_GDT}, f"#TS({BEYOND_GDT:#x})"),
        ("ldt.type fails", {"ldt": KERNEL_DATA}, f"#TS({KERNEL_DATA:#x})"),
        ("eip.limit fails", {"cs": KERNEL_CODE16, "eip": 0x1_0000}, "#GP(0x0)"),
        ("link kept or written", {"link": 0xFFF8}, RUNS),
    ):
        add(f"transfer {label} {end}", world.with_task(TASK_TSS, **fields), expected)
    for label, fields, descriptor, expected in (
        ("cs.present fails", {"cs": SPARE2}, code_segment(present=False), f"#NP({SPARE2:#x})"),
        ("ss.present fails", {"task_ss": SPARE2}, stack_segment(present=False), f"#SS({SPARE2:#x})"),
        ("ds.present fails", {"ds": SPARE2}, stack_segment(present=False), f"#NP({SPARE2:#x})"),
        ("ldt.present fails", {"ldt": SPARE2}, Descriptor(0x2, system=True, present=False), f"#TS({SPARE2:#x})"),
    ):
        gone = world.with_task(TASK_TSS, **fields).with_descriptor(SPARE2, descriptor)
        add(f"transfer {label} {end}", gone, expected)
    paged = world.with_(paging="32-bit")
    tables = ((TWO_PAGES, (PAGE_TABLES + PAGE | 0x27).to_bytes(4, "little")),)
    add(f"transfer cr3 {end}", paged.with_task(TASK_TSS, cr3=TWO_PAGES).with_(extra_memory=tables), RUNS)
    add(f"transfer tss.read fails {end}", paged.with_page(TASK_TSS, present=False).with_rescue(14), "#PF(0x0)")
    old = same_ring_handlers(paged, 14) if cpl else paged
    add(f"transfer tss.write fails {end}", old.with_page(TSS, present=False), "#PF(0x2)")


def _add_gate(name: str, opcode: bytes, cpl: int) -> None:
    """Through a task gate in the GDT or the LDT."""
    end = f"{name} (cpl {cpl})"
    # behind a gate the DPL of the TSS is not asked
    world = to(opcode, TASK_GATE, cpl).with_descriptor(TASK, task_segment(TASK_TSS))

    def gate(world: ProtectedModeWorld = world, **fields: object) -> ProtectedModeWorld:
        fields = {"selector": TASK, "offset": 0, "type": TASK_GATE_TYPE, "dpl": 3, **fields}
        return world.with_descriptor(TASK_GATE, Gate(**fields))

    add(f"gated passes {end}", gate(), RUNS)
    add(f"gated passes 286 tss {end}", gate(selector=TASK16), RUNS)
    add(f"gated passes with rpl {end}", gate(selector=TASK | 3), RUNS)
    add(f"gated dpl passes {end}", gate(dpl=cpl), RUNS)
    if cpl:
        add(f"gated dpl fails {end}", gate(dpl=cpl - 1), f"#GP({TASK_GATE:#x})")
    rpl = gate(to(opcode, TASK_GATE | 3, cpl), dpl=2)
    add(f"gated rpl fails {end}", rpl, f"#GP({TASK_GATE:#x})")
    add(f"gated present fails {end}", gate(present=False), f"#NP({TASK_GATE:#x})")
    for label, selector in (
        ("null", 0),
        ("local", LDT_CODE),
        ("limit", BEYOND_GDT),
        ("type code", KERNEL_CODE),
        ("type ldt", LDT_SELECTOR),
        ("busy", TSS_SELECTOR),
        ("busy outer", OUTER),
    ):
        add(f"gated tss {label} fails {end}", gate(selector=selector), f"#GP({selector:#x})")
    absent = gate().with_descriptor(TASK, task_segment(TASK_TSS, present=False))
    add(f"gated tss.present fails {end}", absent, f"#NP({TASK:#x})")
    local = to(opcode, SPARE | 7, cpl).with_(ldt_limit=0x7F)
    local = local.with_descriptor(SPARE | 4, Gate(TASK, 0, TASK_GATE_TYPE, dpl=3))
    add(f"gated in the ldt passes {end}", local, RUNS)
