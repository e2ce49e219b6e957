"""Protected mode: the IDT, the gate and the handler's code segment (DELIVERY.md 2.2, steps 1 to 4, 6 to 9, and 12)."""

from __future__ import annotations

from .case import PAGE, Injection
from .catalogue import INT, INT1, INT3, INTO, IRQ, NOP, PROTECTED_CASES, RUNS, UD, each_protected, entering
from .long_mode import Descriptor
from .protected_mode import (
    BEYOND_GDT,
    CONFORMING_CODE,
    GDT,
    INTERRUPT_GATE16,
    KERNEL_CODE,
    KERNEL_CODE16,
    KERNEL_DATA,
    LDT,
    LDT_CODE,
    LDT_SELECTOR,
    RING1_CODE,
    RING2_CODE,
    SPARE,
    TRAP_GATE,
    TRAP_GATE16,
    TSS_SELECTOR,
    TWO_PAGES,
    USER_CODE,
    Page,
    ProtectedModeWorld,
    code_segment,
    handler,
)

OF = 1 << 11

add = entering(PROTECTED_CASES, "protected ")


def add_protected_idt() -> None:
    """Steps 1 and 2: the limit of the IDT, reading the gate, its type."""
    for trigger, _, end, world in each_protected(UD, IRQ, INT):
        last = trigger.vector * 8 + 7
        event = trigger.event
        rescued = world.with_(idt_limit=max(last, 13 * 8 + 7))
        add(f"idt.limit passes {end}", rescued, event)
        if trigger is not UD:
            add(f"idt.limit fails {end}", world.with_(idt_limit=last - 1), f"{event} > #GP({trigger.index:#x})")
    for trigger, _, end, world in each_protected(IRQ, INT):
        event = trigger.event
        both = {TWO_PAGES: Page(), TWO_PAGES + PAGE: Page()}
        for paging in ("32-bit", "PAE"):
            at = f"{paging} {end}"
            moved = world.with_(idt_base=TWO_PAGES + PAGE - 8 * trigger.vector, pages={**world.pages, **both})
            moved = moved.with_(paging=paging)
            add(f"idt.read passes on the second page {at}", moved, event)
            absent = moved.with_page(TWO_PAGES + PAGE, present=False)
            add(f"idt.read fails not present {at}", absent, f"{event} > #PF(0x0)")
            split = moved.with_(idt_base=moved.idt_base - 4)
            add(f"idt.read passes across pages {at}", split, event)
            absent = split.with_page(TWO_PAGES + PAGE, present=False)
            add(f"idt.read fails in its second half {at}", absent, f"{event} > #PF(0x0)")
        add(f"idt.base passes odd {end}", world.with_(idt_base=TWO_PAGES + 3), event)
    for _, _, end, world in each_protected(UD):
        lost = "#UD > #GP(0x33) > #GP(0x6b) > #DF(0x0) > #GP(0x43) > shutdown"
        add(f"idt.limit fails for all {end}", world.with_(idt_limit=6 * 8 + 6), lost)


def add_protected_gate() -> None:
    """Steps 2 to 4: the gate itself."""
    for trigger, _, end, world in each_protected(UD, INT):
        vector, event = trigger.vector, trigger.event
        fails = f"{event} > #GP({trigger.index:#x})"
        for label, kind in (("interrupt 286", INTERRUPT_GATE16), ("trap 286", TRAP_GATE16), ("trap", TRAP_GATE)):
            add(f"gate.type passes {label} {end}", world.with_gate(vector, type=kind), event)
        for kind in (0x0, 0x1, 0x2, 0x3, 0x4, 0x8, 0x9, 0xA, 0xB, 0xC, 0xD):
            add(f"gate.type fails {kind:#x} {end}", world.with_gate(vector, type=kind), fails)
        add(f"gate.type fails not system {end}", world.with_gate(vector, system=False), fails)
        add(f"gate.reserved ignored {end}", world.with_gate(vector, parameters=0xFF), event)
        add(f"gate.present passes {end}", world, event)
        add(f"gate.present fails {end}", world.with_gate(vector, present=False), f"{event} > #NP({trigger.index:#x})")
        wrong = world.with_gate(vector, present=False, type=0xC)
        add(f"gate.type comes before gate.present {end}", wrong, fails)
    _add_gate_dpl()


def _add_gate_dpl() -> None:
    """Step 3: who may call a gate."""
    for cpl in (0, 1, 2, 3):
        world = INT.begin(ProtectedModeWorld(cpl=cpl))
        add(f"gate.dpl passes (int, cpl {cpl})", world.with_gate(0x80, dpl=cpl), "int 0x80")
        if cpl:
            add(f"gate.dpl fails (int, cpl {cpl})", world.with_gate(0x80, dpl=cpl - 1), "int 0x80 > #GP(0x402)")
    ring3 = ProtectedModeWorld(cpl=3)
    add("gate.dpl fails (int3, cpl 3)", ring3.with_(code=INT3), "int 0x3 > #GP(0x1a)")
    add("gate.dpl passes (int3, cpl 3)", ring3.with_(code=INT3).with_gate(3, dpl=3), "int 0x3")
    into = ring3.with_(code=INTO, rflags=0x2 | OF)
    add("gate.dpl fails (into, cpl 3)", into, "int 0x4 > #GP(0x22)")
    add("gate.dpl passes (into, cpl 3)", into.with_gate(4, dpl=3), "int 0x4")
    add("into without overflow (cpl 3)", into.with_(rflags=0x2), RUNS)
    bound = ring3.with_(code=b"\x62\x05\x00\x00\x02\x00", registers={"rax": 5})
    add("gate.dpl not asked (bound, cpl 3)", bound, "#BR")
    add("gate.dpl not asked (ud2, cpl 3)", UD.begin(ring3).with_gate(6, dpl=0), "#UD")
    add("gate.dpl not asked (irq, cpl 3)", IRQ.begin(ring3).with_gate(0x30, dpl=0), "irq 0x30")
    add("gate.dpl not asked (nmi, cpl 3)", ring3.with_(code=NOP, inject=Injection("nmi")), "nmi")
    add("gate.dpl not asked (int1, cpl 3)", ring3.with_(code=INT1), "int 0x1")
    gone = ring3.with_(code=INT1).with_gate(1, present=False)
    add("gate.present fails with ext for int1 (cpl 3)", gone, "int 0x1 > #NP(0xb)")
    both = INT.begin(ring3).with_gate(0x80, dpl=0, present=False)
    add("gate.dpl comes before gate.present", both, "int 0x80 > #GP(0x402)")
    for trigger in (IRQ, UD):
        absent = trigger.begin(ring3).with_gate(trigger.vector, present=False)
        add(
            f"gate.present fails ({trigger.name}, cpl 3) with ext", absent, f"{trigger.event} > #NP({trigger.index:#x})"
        )
    nmi = ProtectedModeWorld(code=NOP, inject=Injection("nmi")).with_gate(2, present=False)
    add("gate.present fails (nmi, cpl 0)", nmi, "nmi > #NP(0x13)")


def add_protected_code_segment() -> None:
    """Steps 6 to 9 and 12: the handler's code segment and its address."""
    for trigger, cpl, end, world in each_protected(UD, INT):
        vector, event = trigger.vector, trigger.event

        def fault(name: str, selector: int, event: str = event, ext: int = trigger.ext) -> str:
            return f"{event} > {name}({selector & ~3 | ext:#x})"

        def through(
            selector: int, world: ProtectedModeWorld = world, vector: int = vector, **changes: object
        ) -> ProtectedModeWorld:
            return world.with_gate(vector, selector=selector, **changes)

        add(f"selector.null fails {end}", through(0), fault("#GP", 0))
        add(f"selector.null fails with rpl {end}", through(3), fault("#GP", 0))
        add(f"selector.limit fails {end}", through(BEYOND_GDT), fault("#GP", BEYOND_GDT))
        local = through(LDT_CODE)
        add(f"selector.limit passes ldt {end}", local.with_(ldt_limit=0xF), event)
        add(f"selector.limit fails ldt {end}", local.with_(ldt_limit=0xE), fault("#GP", LDT_CODE))
        add(f"selector.limit fails no ldt {end}", local.with_(ldt_usable=False), fault("#GP", LDT_CODE))
        add(f"selector.read fails {end}", local.with_page(LDT, present=False), f"{event} > #PF(0x0)")
        add(f"selector.rpl ignored {end}", through(KERNEL_CODE | 3), event)
        add(f"cs.code fails data {end}", through(KERNEL_DATA), fault("#GP", KERNEL_DATA))
        add(f"cs.code fails tss {end}", through(TSS_SELECTOR), fault("#GP", TSS_SELECTOR))
        add(f"cs.code fails ldt {end}", through(LDT_SELECTOR), fault("#GP", LDT_SELECTOR))
        outer = event if cpl == 3 else fault("#GP", USER_CODE)
        add(f"cs.dpl {'passes' if cpl == 3 else 'fails'} ring 3 {end}", through(USER_CODE), outer)
        add(f"cs.dpl passes conforming {end}", through(CONFORMING_CODE), event)
        conforming = through(SPARE).with_descriptor(SPARE, code_segment(3, type=0xF))
        outer = event if cpl == 3 else fault("#GP", SPARE)
        add(f"cs.dpl {'passes' if cpl == 3 else 'fails'} conforming of ring 3 {end}", conforming, outer)
        for label, descriptor, expected in (
            ("cs.default passes 16-bit", code_segment(default=False), event),
            ("cs.long ignored", code_segment(long=True), event),
            ("cs.code passes execute only", code_segment(type=0x9), event),
            ("cs.present fails", code_segment(present=False), fault("#NP", SPARE)),
            ("cs.accessed is set", code_segment(type=0xA), event),
            ("cs.dpl comes before cs.present", code_segment(3, present=False, type=0xB),
             fault("#NP" if cpl == 3 else "#GP", SPARE)),
            ("cs.code comes before cs.present", Descriptor(0x3, present=False), fault("#GP", SPARE)),
        ):  # fmt: skip
            add(f"{label} {end}", through(SPARE).with_descriptor(SPARE, descriptor), expected)
        _add_offset(end, world, vector, event, trigger.ext)
    for trigger in (UD, INT):
        for cpl, selector in ((1, RING1_CODE), (2, RING1_CODE), (1, RING2_CODE), (3, RING1_CODE), (3, RING2_CODE)):
            world = trigger.begin(ProtectedModeWorld(cpl=cpl)).with_gate(trigger.vector, selector=selector)
            passes = selector & 3 <= cpl
            expected = trigger.event if passes else f"{trigger.event} > #GP({selector & ~3 | trigger.ext:#x})"
            side = "passes" if passes else "fails"
            add(f"cs.dpl {side} ring {selector & 3} ({trigger.name}, cpl {cpl})", world, expected)


def _add_offset(end: str, world: ProtectedModeWorld, vector: int, event: str, ext: int) -> None:
    """Step 12: the handler's address lies within its segment."""
    fails = f"{event} > #GP({ext:#x})"
    spare = world.with_gate(vector, selector=SPARE)
    for side, limit, expected in (("passes", handler(vector), event), ("fails", handler(vector) - 1, fails)):
        small = code_segment(granularity=False, limit=limit)
        add(f"offset.limit {side} {end}", spare.with_descriptor(SPARE, small), expected)
        narrow = spare.with_gate(vector, type=INTERRUPT_GATE16, offset=0xDEAD_0000 | handler(vector))
        add(f"offset.limit {side} 286 gate {end}", narrow.with_descriptor(SPARE, small), expected)
    based = code_segment(base=GDT, limit=0xFFFF, granularity=False)
    add(
        f"cs.base added {end}",
        spare.with_gate(vector, offset=handler(vector) - GDT).with_descriptor(SPARE, based),
        event,
    )
    high = world.with_gate(vector, selector=KERNEL_CODE16, offset=0x1_0000)
    add(f"offset.limit fails above 16 bits {end}", high, fails)
