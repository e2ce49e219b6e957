"""Protected mode: the stack, the pushes and the new flags (DELIVERY.md 2.2, steps 10, 11, 13, 15 to 17)."""

from __future__ import annotations

from .catalogue import (
    DIFFERENCES,
    HLT,
    INT,
    IRQ,
    PROTECTED_CASES,
    UD,
    Trigger,
    each_protected,
    entering,
    same_ring_handlers,
)
from .long_mode import AC, CF, DF, IF, NT, RF, TF, Descriptor
from .protected_mode import (
    BEYOND_GDT,
    CODE,
    CONFORMING_CODE,
    INTERRUPT_GATE,
    INTERRUPT_GATE16,
    KERNEL_CODE,
    KERNEL_STACK,
    LDT_STACK,
    RING1_CODE,
    RING1_STACK,
    RING2_CODE,
    RING_STACKS,
    SPARE,
    SPARE2,
    STACK,
    TRAP_GATE,
    TRAP_GATE16,
    TSS,
    TSS16_SELECTOR,
    TSS_SELECTOR,
    USER_STACK,
    ProtectedModeWorld,
    code_segment,
    stack_segment,
)

add = entering(PROTECTED_CASES, "protected ")

FRAMES = ((INTERRUPT_GATE, "386 gate", 4), (INTERRUPT_GATE16, "286 gate", 2))
"""Both kinds of gate, with the bytes of a word that each pushes."""


def inner(trigger: Trigger, cpl: int = 3) -> ProtectedModeWorld:
    """An event that switches to ring 0's stack, in a world where faults on the way are handled on the old one."""
    return same_ring_handlers(trigger.begin(ProtectedModeWorld(cpl=cpl)), 8, 10, 11, 12, 13, 14)


def add_protected_tss() -> None:
    """Step 10: where the new stack is in the TSS."""
    for trigger in (UD, INT):
        event = trigger.event
        world = inner(trigger)
        for ring, selector in ((0, KERNEL_CODE), (1, RING1_CODE), (2, RING2_CODE)):
            through = world.with_gate(trigger.vector, selector=selector)
            end = f"ring {ring} ({trigger.name}, cpl 3)"
            need = 8 * ring + 4 + 5
            bad = f"{event} > #TS({TSS_SELECTOR | trigger.ext:#x})"
            add(f"stack.tss_limit passes whole {end}", through.with_(tss_limit=need + 2), event)
            add(f"stack.tss_limit passes {end}", through.with_(tss_limit=need), event)
            DIFFERENCES[f"protected stack.tss_limit passes {end}"] = bad
            add(f"stack.tss_limit fails {end}", through.with_(tss_limit=need - 1), bad)
            narrow = through.with_tss(narrow=True)
            need = 4 * ring + 2 + 3
            bad = f"{event} > #TS({TSS16_SELECTOR | trigger.ext:#x})"
            add(f"stack.tss_limit passes 286 {end}", narrow.with_(tss_limit=need), event)
            add(f"stack.tss_limit fails 286 {end}", narrow.with_(tss_limit=need - 1), bad)
        end = f"({trigger.name}, cpl 3)"
        add(f"stack.tss_read fails {end}", world.with_page(TSS, present=False), f"{event} > #PF(0x0)")
        add(f"stack.tr fails not loaded {end}", world.with_(tss_usable=False), f"{event} > #TS({trigger.ext:#x})")


def add_protected_stack_segment() -> None:
    """Step 11: the new stack segment."""
    for trigger in (UD, INT, IRQ):
        event, end = trigger.event, f"({trigger.name}, cpl 3)"
        world = inner(trigger)

        def on(selector: int, world: ProtectedModeWorld = world) -> ProtectedModeWorld:
            return world.with_tss(ss=(selector, 0, 0))

        def fault(name: str, selector: int, event: str = event, ext: int = trigger.ext) -> str:
            return f"{event} > {name}({selector & ~3 | ext:#x})"

        add(f"ss.null fails {end}", on(0), fault("#TS", 0))
        add(f"ss.null fails with rpl {end}", on(3), fault("#TS", 0))
        add(f"ss.limit fails {end}", on(BEYOND_GDT), fault("#TS", BEYOND_GDT))
        add(f"ss.limit passes ldt {end}", on(LDT_STACK).with_(ldt_limit=0x17), event)
        add(f"ss.limit fails ldt {end}", on(LDT_STACK).with_(ldt_limit=0x16), fault("#TS", LDT_STACK))
        add(f"ss.limit fails no ldt {end}", on(LDT_STACK).with_(ldt_usable=False), fault("#TS", LDT_STACK))
        add(f"ss.rpl fails {end}", on(KERNEL_STACK | 1), fault("#TS", KERNEL_STACK))
        add(f"ss.dpl fails {end}", on(RING1_STACK & ~3), fault("#TS", RING1_STACK))
        for label, descriptor, expected in (
            ("ss.writable fails read only", stack_segment(type=0x1), fault("#TS", SPARE2)),
            ("ss.writable fails code", code_segment(), fault("#TS", SPARE2)),
            ("ss.writable fails system", Descriptor(0x2, system=True), fault("#TS", SPARE2)),
            ("ss.dpl comes before ss.present", stack_segment(1, present=False), fault("#TS", SPARE2)),
            ("ss.writable comes before ss.present", stack_segment(type=0x1, present=False), fault("#TS", SPARE2)),
            ("ss.present fails", stack_segment(present=False), fault("#SS", SPARE2)),
            ("ss.accessed is set", stack_segment(type=0x2), event),
        ):
            add(f"{label} {end}", on(SPARE2).with_descriptor(SPARE2, descriptor), expected)
    for trigger in (UD, INT):
        world = inner(trigger).with_gate(trigger.vector, selector=RING2_CODE)
        wrong = world.with_tss(ss=(KERNEL_STACK, RING1_STACK, RING1_STACK))
        add(
            f"ss.rpl fails ring 2 ({trigger.name}, cpl 3)",
            wrong,
            f"{trigger.event} > #TS({RING1_STACK & ~3 | trigger.ext:#x})",
        )


def add_protected_room() -> None:
    """Steps 13, 15 and 16: room for the frame, inside limits and on pages."""
    for trigger in (UD, INT):
        for kind, gate, word in FRAMES:
            _add_room(trigger, kind, gate, word)
        _add_pages(trigger)
    for kind, gate, word in FRAMES:
        world = ProtectedModeWorld(cpl=3, code=HLT).with_gate(13, type=kind)
        world = same_ring_handlers(world, 8, 12)
        add(f"room.limit passes with an error code {gate}", world.with_tss(esp=(6 * word, 0, 0)), "#GP(0x0)")
        add(f"room.limit fails for the error code {gate}", world.with_tss(esp=(6 * word - 1, 0, 0)),
            f"#GP(0x0) > #SS({KERNEL_STACK | 1:#x}) > #DF(0x0)")  # fmt: skip


def _add_room(trigger: Trigger, kind: int, gate: str, word: int) -> None:
    """Both sides of the limit of a stack segment, of each sort, for one kind of gate."""
    event, vector = trigger.event, trigger.vector
    end = f"{gate} ({trigger.name}, cpl 3)"
    world = inner(trigger).with_gate(vector, type=kind)
    frame = 5 * word
    full = f"{event} > #SS({SPARE2 | trigger.ext:#x})"
    small = stack_segment(limit=0xFFF)
    down = stack_segment(type=0x7, limit=0xFFF)
    narrow_down = stack_segment(type=0x7, limit=0xFFF, default=False)
    narrow = stack_segment(limit=0xFFFF, default=False)
    for label, descriptor, esp, expected in (
        ("room.limit passes lowest", small, frame, event),
        ("room.limit fails lowest", small, frame - 1, full),
        ("room.limit passes highest", small, 0x1000, event),
        ("room.limit fails highest", small, 0x1001, full),
        ("room.limit passes expand-down", down, 0x1000 + frame, event),
        ("room.limit fails expand-down", down, 0x1000 + frame - 1, full),
        ("room.limit passes expand-down 16-bit", narrow_down, 0x1000 + frame, event),
        ("room.limit fails expand-down 16-bit", narrow_down, 0x1000 + frame - 1, full),
        ("room.limit passes 16-bit", narrow, 0x1000, event),
        ("room.limit passes 16-bit wrapping from 0", narrow, 0, event),
        ("room.limit fails 16-bit wrapping from 1", narrow, 1, full),
        ("room.limit passes page granular", stack_segment(granularity=True, limit=0x5), 0x6000, event),
        ("room.limit fails page granular", stack_segment(granularity=True, limit=0x5), 0x6001, full),
    ):
        switched = world.with_tss(ss=(SPARE2, 0, 0), esp=(esp, 0, 0)).with_descriptor(SPARE2, descriptor)
        add(f"{label} {end}", switched, expected)
    for cpl in (0, 3):
        # the frame of three words in one ring; a task takes what that stack cannot
        end = f"{gate} ({trigger.name}, cpl {cpl})"
        same = trigger.begin(ProtectedModeWorld(cpl=cpl)).with_rescue(12)
        same = same.with_gate(vector, selector=CONFORMING_CODE if cpl else KERNEL_CODE, type=kind)
        add(f"room.limit passes same ring {end}", same.with_(rsp=3 * word), event)
        add(f"room.limit fails same ring {end}", same.with_(rsp=3 * word - 1), f"{event} > #SS({trigger.ext:#x})")
    both = world.with_tss(esp=(0, 0, 0)).with_gate(vector, selector=SPARE)
    both = both.with_descriptor(SPARE, code_segment(granularity=False, limit=0xFFF))
    name = f"room.limit comes before offset.limit {end}"
    add(name, both, f"{event} > #SS({KERNEL_STACK | trigger.ext:#x})")


def _add_pages(trigger: Trigger) -> None:
    """Pages under the stacks that cannot be written to."""
    event, end = trigger.event, f"({trigger.name}, cpl 3)"
    world = inner(trigger)
    page = STACK + RING_STACKS[0]
    for paging in ("32-bit", "PAE"):
        paged = world.with_(paging=paging)
        add(f"push passes {paging} {end}", paged, event)
        add(f"push fails not present {paging} {end}", paged.with_page(page, present=False), f"{event} > #PF(0x2)")
        add(f"push fails read only {paging} {end}", paged.with_page(page, writable=False), f"{event} > #PF(0x3)")
        add(f"push passes user page {paging} {end}", paged.with_page(page, user=True), event)
    add(f"push passes PSE {end}", world.with_(paging="PSE"), event)
    edge = world.with_tss(esp=(RING_STACKS[1] + 8, 0, 0)).with_page(page, present=False)
    add(f"push fails at the third word {end}", edge, f"{event} > #PF(0x2)")
    ring1 = world.with_gate(trigger.vector, selector=RING1_CODE).with_(paging="32-bit")
    add(f"push passes supervisor page in ring 1 {end}", ring1, event)
    hidden = trigger.begin(ProtectedModeWorld(cpl=3)).with_gate(trigger.vector, selector=CONFORMING_CODE)
    add(f"push fails supervisor page in ring 3 {end}", hidden.with_page(STACK, user=False), f"{event} > #PF(0x7)")
    same = trigger.begin(ProtectedModeWorld()).with_rescue(14)
    add(
        f"push fails same ring not present ({trigger.name}, cpl 0)",
        same.with_page(STACK, present=False),
        f"{event} > #PF(0x2)",
    )
    first = same.with_(rsp=RING_STACKS[0] + 8).with_page(STACK, present=False)
    add(f"push fails at the third word ({trigger.name}, cpl 0)", first, f"{event} > #PF(0x2)")


def add_protected_entry() -> None:
    """Step 17: the new selectors and flags, for each kind of gate and stack."""
    for trigger, cpl, end, world in each_protected(UD, INT, IRQ):
        vector, event = trigger.vector, trigger.event
        flags = world.rflags | IF | NT | AC | DF | CF
        if trigger is UD:
            flags |= TF | RF
        for label, kind in (("interrupt gate", INTERRUPT_GATE), ("trap gate", TRAP_GATE),
                            ("interrupt gate 286", INTERRUPT_GATE16), ("trap gate 286", TRAP_GATE16)):  # fmt: skip
            through = world.with_gate(vector, type=kind)
            add(f"flags {label} {end}", through.with_(rflags=flags), event)
            narrow = through.with_tss(narrow=True)
            add(f"stack of a 286 tss {label} {end}", narrow, event)
        null = world.with_(data_selectors={"ds": 0, "es": 0})
        add(f"data segments null before {end}", null, event)
        if cpl:
            for ring, selector in ((1, RING1_CODE), (2, RING2_CODE)):
                add(f"enters ring {ring} {end}", world.with_gate(vector, selector=selector), event)
    narrow = stack_segment(3, default=False, limit=0xFFFF)
    for word, gate in ((INTERRUPT_GATE, "386 gate"), (INTERRUPT_GATE16, "286 gate")):
        world = UD.begin(ProtectedModeWorld(cpl=3, ss=SPARE2 | 3, rsp=0xABCD_0FE0)).with_gate(6, type=word)
        add(f"esp pushed whole from a 16-bit stack {gate}", world.with_descriptor(SPARE2, narrow), "#UD")
        same = UD.begin(ProtectedModeWorld(ss=SPARE2, rsp=0xABCD_0FE0)).with_gate(6, type=word)
        kernel = stack_segment(default=False, limit=0xFFFF)
        high = same.with_descriptor(SPARE2, kernel).with_(extra_memory=((CODE, b"\x0f\x0b"),))
        add(f"esp keeps its high half on a 16-bit stack {gate}", high, "#UD")
    wide = UD.begin(ProtectedModeWorld(cpl=3, ss=USER_STACK)).with_tss(esp=(0xABCD_2000, 0, 0), ss=(SPARE2, 0, 0))
    add(
        "esp of the tss on a 16-bit stack",
        wide.with_descriptor(SPARE2, stack_segment(default=False, limit=0xFFFF)),
        "#UD",
    )
