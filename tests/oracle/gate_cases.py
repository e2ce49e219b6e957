"""Cases for steps 1 to 12 of a long-mode delivery: the IDT, the gate and the handler's code segment."""

from __future__ import annotations

from .case import PAGE, Injection
from .catalogue import INT, INT1, INT3, IRQ, NOP, UD, add, each
from .long_mode import (
    CONFORMING_CODE,
    KERNEL_CODE,
    KERNEL_DATA,
    LDT,
    LDT_CODE,
    NON_CANONICAL,
    RING1_CODE,
    RING2_CODE,
    SPARE,
    TSS_SELECTOR,
    TWO_PAGES,
    USER_CODE,
    LongModeWorld,
    Page,
    code_segment,
)


def add_idt() -> None:
    """DELIVERY.md 2.1, steps 1 and 2: the limit of the IDT, reading the gate."""
    for trigger, _, end, world in each(IRQ, INT):
        last = trigger.vector * 16 + 15
        add(f"idt.limit passes {end}", world.with_(idt_limit=last), trigger.event)
        add(f"idt.limit fails {end}", world.with_(idt_limit=last - 1), f"{trigger.event} > #GP({trigger.index:#x})")
        both = {TWO_PAGES: Page(), TWO_PAGES + PAGE: Page()}
        moved = world.with_(idt_base=TWO_PAGES + PAGE - 16 * trigger.vector, pages={**world.pages, **both})
        add(f"idt.read passes on the second page {end}", moved, trigger.event)
        absent = moved.with_page(TWO_PAGES + PAGE, present=False)
        add(f"idt.read fails not present {end}", absent, f"{trigger.event} > #PF(0x0)")
        split = moved.with_(idt_base=moved.idt_base - 8)
        add(f"idt.read passes across pages {end}", split, trigger.event)
        absent = split.with_page(TWO_PAGES + PAGE, present=False)
        add(f"idt.read fails in its second half {end}", absent, f"{trigger.event} > #PF(0x0)")
        broken = world.with_(idt_base=NON_CANONICAL)
        add(f"idt.base fails non-canonical {end}", broken,
            f"{trigger.event} > #GP({trigger.ext:#x}) > #GP(0x1) > #DF(0x0) > #GP(0x1) > shutdown")  # fmt: skip
    for _, _, end, world in each(UD):
        lost = "#UD > #GP(0x33) > #GP(0x6b) > #DF(0x0) > #GP(0x43) > shutdown"
        add(f"idt.limit fails for all {end}", world.with_(idt_limit=6 * 16 + 14), lost)


def add_gate() -> None:
    """DELIVERY.md 2.1, steps 3 to 6: the gate itself."""
    for trigger, _, end, world in each(UD, INT):
        vector, event = trigger.vector, trigger.event
        fails = f"{event} > #GP({trigger.index:#x})"
        add(f"gate.reserved passes {end}", world.with_gate(vector, reserved=0xFFFFE0FF), event)
        add(f"gate.reserved fails {end}", world.with_gate(vector, reserved=0x100), fails)
        add(f"gate.reserved fails in bit 12 {end}", world.with_gate(vector, reserved=0x1000), fails)
        add(f"gate.type passes trap {end}", world.with_gate(vector, type=0xF), event)
        for kind in (0x0, 0x5, 0x6, 0xC):
            add(f"gate.type fails {kind:#x} {end}", world.with_gate(vector, type=kind), fails)
        add(f"gate.type fails not system {end}", world.with_gate(vector, system=False), fails)
        add(f"gate.present passes {end}", world, event)
        absent = f"{event} > #NP({trigger.index:#x})"
        add(f"gate.present fails {end}", world.with_gate(vector, present=False), absent)
    for cpl in (0, 1, 2, 3):
        world = INT.world(cpl)
        add(f"gate.dpl passes (int, cpl {cpl})", world.with_gate(0x80, dpl=cpl), "int 0x80")
        if cpl:
            add(f"gate.dpl fails (int, cpl {cpl})", world.with_gate(0x80, dpl=cpl - 1), "int 0x80 > #GP(0x402)")
    breakpoint_trap = LongModeWorld(cpl=3, code=INT3)
    add("gate.dpl fails (int3, cpl 3)", breakpoint_trap, "int 0x3 > #GP(0x1a)")
    add("gate.dpl not asked (ud2, cpl 3)", UD.world(3).with_gate(6, dpl=0), "#UD")
    add("gate.dpl not asked (irq, cpl 3)", IRQ.world(3).with_gate(0x30, dpl=0), "irq 0x30")
    add("gate.dpl not asked (nmi, cpl 3)", LongModeWorld(cpl=3, code=NOP, inject=Injection("nmi")), "nmi")
    add("gate.dpl not asked (int1, cpl 3)", LongModeWorld(cpl=3, code=INT1), "int 0x1")
    gone = LongModeWorld(cpl=3, code=INT1).with_gate(1, present=False)
    add("gate.present fails with ext for int1 (cpl 3)", gone, "int 0x1 > #NP(0xb)")
    both = INT.world(3).with_gate(0x80, dpl=0, present=False)
    add("gate.dpl comes before gate.present", both, "int 0x80 > #GP(0x402)")
    for trigger, end, world in ((IRQ, "(irq, cpl 3)", IRQ.world(3)), (INT, "(int, cpl 3)", INT.world(3))):
        absent = f"{trigger.event} > #NP({trigger.index:#x})"
        add(f"gate.present fails with ist {end}", world.with_gate(trigger.vector, present=False, ist=1), absent)
    nmi = LongModeWorld(code=NOP, inject=Injection("nmi")).with_gate(2, present=False)
    add("gate.present fails (nmi, cpl 0)", nmi, "nmi > #NP(0x13)")


def add_code_segment() -> None:
    """DELIVERY.md 2.1, steps 7 to 12: the handler's code segment."""
    for trigger, cpl, end, world in each(UD, INT):
        vector, event = trigger.vector, trigger.event

        def fault(name: str, selector: int, event: str = event, ext: int = trigger.ext) -> str:
            return f"{event} > {name}({selector & ~3 | ext:#x})"

        def through(selector: int, world: LongModeWorld = world, vector: int = vector) -> LongModeWorld:
            return world.with_gate(vector, selector=selector)

        add(f"selector.null fails {end}", through(0), fault("#GP", 0))
        add(f"selector.null fails with rpl {end}", through(3), fault("#GP", 0))
        spare = through(SPARE).with_descriptor(SPARE, code_segment())
        add(f"selector.limit passes {end}", spare.with_(gdt_limit=SPARE + 7), event)
        add(f"selector.limit fails {end}", spare.with_(gdt_limit=SPARE + 6), fault("#GP", SPARE))
        add(f"selector.limit passes ldt {end}", through(LDT_CODE).with_(ldt_limit=0xF), event)
        add(f"selector.limit fails ldt {end}", through(LDT_CODE).with_(ldt_limit=0xE), fault("#GP", LDT_CODE))
        add(f"selector.limit fails no ldt {end}", through(LDT_CODE).with_(ldt_usable=False), fault("#GP", LDT_CODE))
        absent = through(LDT_CODE).with_page(LDT, present=False)
        add(f"selector.read fails {end}", absent, f"{event} > #PF(0x0)")
        add(f"selector.rpl ignored {end}", through(KERNEL_CODE | 3), event)
        add(f"cs.code fails data {end}", through(KERNEL_DATA), fault("#GP", KERNEL_DATA))
        add(f"cs.code fails system {end}", through(TSS_SELECTOR), fault("#GP", TSS_SELECTOR))
        outer = event if cpl == 3 else fault("#GP", USER_CODE)
        add(f"cs.dpl {'passes' if cpl == 3 else 'fails'} ring 3 {end}", through(USER_CODE), outer)
        add(f"cs.dpl passes conforming {end}", through(CONFORMING_CODE), event)
        conforming = through(SPARE).with_descriptor(SPARE, code_segment(3, type=0xF))
        outer = event if cpl == 3 else fault("#GP", SPARE)
        add(f"cs.dpl {'passes' if cpl == 3 else 'fails'} conforming of ring 3 {end}", conforming, outer)
        for label, descriptor, expected in (
            ("cs.long passes execute only", code_segment(type=0x9), event),
            ("cs.long fails l=0 d=1", code_segment(long=False, default=True), fault("#GP", SPARE)),
            ("cs.long fails l=0 d=0", code_segment(long=False), fault("#GP", SPARE)),
            ("cs.long fails l=1 d=1", code_segment(default=True), fault("#GP", SPARE)),
            ("cs.long comes before cs.present", code_segment(long=False, present=False), fault("#GP", SPARE)),
            ("cs.present fails", code_segment(present=False), fault("#NP", SPARE)),
            ("cs.accessed is set", code_segment(type=0xA), event),
        ):
            add(f"{label} {end}", through(SPARE).with_descriptor(SPARE, descriptor), expected)
    for trigger in (UD, INT):
        for cpl, selector in ((1, RING1_CODE), (2, RING1_CODE), (1, RING2_CODE)):
            world = trigger.world(cpl).with_gate(trigger.vector, selector=selector)
            ring = selector & 3
            fails = f"{trigger.event} > #GP({selector & ~3 | trigger.ext:#x})"
            side = "passes" if ring <= cpl else "fails"
            add(
                f"cs.dpl {side} ring {ring} ({trigger.name}, cpl {cpl})", world, trigger.event if ring <= cpl else fails
            )
