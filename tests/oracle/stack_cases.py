"""Cases for steps 13 to 19 of a long-mode delivery: the stack, the pushes, the handler's address and the new flags."""

from __future__ import annotations

from dataclasses import replace

from .case import PAGE
from .catalogue import DIFFERENCES, INT, UD, add, each, same_ring_handlers
from .long_mode import (
    AC,
    CF,
    CONFORMING_CODE,
    DF,
    HIGH_HALF,
    IF,
    IST_STACKS,
    KERNEL_CODE,
    KERNEL_DATA,
    NON_CANONICAL,
    NT,
    RF,
    RING1_CODE,
    RING2_CODE,
    RSP_STACKS,
    SPARE,
    STACK,
    TF,
    TSS,
    TSS_SELECTOR,
    UNMAPPED,
    USER_CODE,
    USER_DATA,
    LongModeWorld,
    Page,
    TaskState,
    code_segment,
    handler,
)


def add_stack() -> None:  # noqa: PLR0915 -- a table
    """DELIVERY.md 2.1, steps 13 to 16: which stack, and the pushes."""
    for trigger, cpl, end, world in each(UD, INT):
        vector, event = trigger.vector, trigger.event
        bad_tss = f"{event} > #TS({TSS_SELECTOR | trigger.ext:#x})"
        ist1 = same_ring_handlers(world.with_gate(vector, ist=1), 10, 12, 14)
        ist7 = same_ring_handlers(world.with_gate(vector, ist=7), 10, 12, 14)
        for label, switched, need in (("ist1", ist1, 0x2B), ("ist7", ist7, 0x5B)):
            tss = switched.tss
            add(f"stack.tss_limit passes {label} {end}", switched.with_(tss=replace(tss, limit=need)), event)
            add(f"stack.tss_limit fails {label} {end}", switched.with_(tss=replace(tss, limit=need - 1)), bad_tss)
        bad = ist1.with_(tss=replace(world.tss, ist=(NON_CANONICAL, 0, 0, 0, 0, 0, 0)))
        old = (USER_DATA if cpl else KERNEL_DATA) & ~3 | trigger.ext
        name = f"stack.canonical fails ist {end}"
        add(name, bad, f"{event} > #SS({trigger.ext:#x})")
        DIFFERENCES[name] = f"{event} > #SS({old:#x})"
        odd = ist1.with_(tss=replace(world.tss, ist=(IST_STACKS[0] + PAGE - 9, 0, 0, 0, 0, 0, 0)))
        add(f"stack.aligned ist {end}", odd, event)
        high = ist1.with_(tss=replace(world.tss, ist=(HIGH_HALF + IST_STACKS[0] + PAGE, 0, 0, 0, 0, 0, 0)))
        add(f"stack.canonical passes high half ist {end}", high, event)
        for label, changes, code in (
            ("not present", {"present": False}, 2),
            ("read only", {"writable": False}, 3),
        ):
            page = ist1.with_page(IST_STACKS[0], **changes)
            add(f"stack.push fails {label} ist {end}", page, f"{event} > #PF({code:#x})")
        add(f"stack.push passes user page ist {end}", ist1.with_page(IST_STACKS[0], user=True), event)
        add(f"stack.push passes no execute ist {end}", ist1.with_page(IST_STACKS[0], no_execute=True), event)
        add(f"stack.tss_read fails ist {end}", ist1.with_page(TSS, present=False), f"{event} > #PF(0x0)")
        edge = ist1.with_(tss=replace(world.tss, ist=(IST_STACKS[0] + 0x10, 0, 0, 0, 0, 0, 0)))
        edge = edge.with_page(RSP_STACKS[2], present=False)
        add(f"stack.push fails at the third word ist {end}", edge, f"{event} > #PF(0x2)")
        edge = ist1.with_(tss=replace(world.tss, ist=(HIGH_HALF + 0x10, 0, 0, 0, 0, 0, 0)))
        edge = edge.with_(pages={**world.pages, 0: Page()})
        add(f"stack.push fails leaving the canonical half ist {end}", edge, f"{event} > #SS({trigger.ext:#x})")
    for trigger in (UD, INT):
        vector, event, name = trigger.vector, trigger.event, trigger.name
        world = same_ring_handlers(trigger.world(3), 10, 12, 14)
        bad_tss = f"{event} > #TS({TSS_SELECTOR | trigger.ext:#x})"
        for ring, selector, need in ((0, KERNEL_CODE, 0xB), (1, RING1_CODE, 0x13), (2, RING2_CODE, 0x1B)):
            inner = world.with_gate(vector, selector=selector)
            end = f"rsp{ring} ({name}, cpl 3)"
            add(f"stack.tss_limit passes {end}", inner.with_(tss=TaskState(limit=need)), event)
            add(f"stack.tss_limit fails {end}", inner.with_(tss=TaskState(limit=need - 1)), bad_tss)
        add(f"stack.tr fails not loaded ({name}, cpl 3)", world.with_(tss=TaskState(usable=False)),
            f"{event} > #TS({trigger.ext:#x})")  # fmt: skip
        end = f"rsp0 ({name}, cpl 3)"
        bad = world.with_(tss=TaskState(rsp=(NON_CANONICAL, 0, 0)))
        add(f"stack.canonical fails {end}", bad, f"{event} > #SS({trigger.ext:#x})")
        DIFFERENCES[f"stack.canonical fails {end}"] = f"{event} > #SS({USER_DATA & ~3 | trigger.ext:#x})"
        add(f"stack.aligned {end}", world.with_(tss=TaskState(rsp=(RSP_STACKS[0] + PAGE - 9, 0, 0))), event)
        add(f"stack.push fails not present {end}", world.with_page(RSP_STACKS[0], present=False), f"{event} > #PF(0x2)")
        add(f"stack.push fails read only {end}", world.with_page(RSP_STACKS[0], writable=False), f"{event} > #PF(0x3)")
        add(f"stack.push passes user page {end}", world.with_page(RSP_STACKS[0], user=True), event)
        add(f"stack.tss_read fails {end}", world.with_page(TSS, present=False), f"{event} > #PF(0x0)")
        for label, selector in (("", USER_CODE), (" conforming", CONFORMING_CODE)):
            hidden = trigger.world(3).with_gate(vector, selector=selector).with_page(STACK, user=False)
            add(f"stack.push fails supervisor page in ring 3{label} ({name}, cpl 3)", hidden, f"{event} > #PF(0x7)")
        ring1 = world.with_gate(vector, selector=RING1_CODE)
        add(f"stack.push passes supervisor page in ring 1 ({name}, cpl 3)", ring1, event)
    for trigger in (UD, INT):
        event = trigger.event
        world = trigger.world(0).with_gate(12, ist=2).with_gate(14, ist=2)
        for low in range(0, 16, 5):
            aligned = world.with_(rsp=STACK + 0xFE0 + low)
            add(f"stack.aligned same ring +{low} ({trigger.name}, cpl 0)", aligned, event)
        add(f"stack.canonical fails same ring ({trigger.name}, cpl 0)", world.with_(rsp=NON_CANONICAL + 0x80),
            f"{event} > #SS({trigger.ext:#x})")  # fmt: skip
        absent = world.with_(rsp=UNMAPPED + 0x100)
        add(f"stack.push fails same ring not present ({trigger.name}, cpl 0)", absent, f"{event} > #PF(0x2)")
        first = world.with_(rsp=STACK + 0x10)
        add(f"stack.push fails at the third word ({trigger.name}, cpl 0)", first, f"{event} > #PF(0x2)")
    add("stack.push fails for the error code alone", LongModeWorld(
        code=b"\xa0" + NON_CANONICAL.to_bytes(8, "little"), rsp=STACK + 0x28).with_gate(14, ist=2),
        "#GP(0x0) > #PF(0x2)")  # fmt: skip


def add_handler() -> None:
    """DELIVERY.md 2.1, steps 17 to 19: the handler's address, the new selectors and flags."""
    for trigger, cpl, end, world in each(UD, INT):
        vector, event = trigger.vector, trigger.event
        far = world.with_gate(vector, offset=NON_CANONICAL)
        add(f"rip.canonical fails {end}", far, f"{event} > #GP({trigger.ext:#x})")
        high = world.with_gate(vector, offset=HIGH_HALF + handler(vector))
        add(f"rip.canonical passes {end}", high, event)
        add(f"rip.mapped not asked {end}", world.with_gate(vector, offset=UNMAPPED), event)
        nowhere = world.with_gate(vector, selector=SPARE, ist=1).with_page(IST_STACKS[0], present=False)
        nowhere = nowhere.with_descriptor(SPARE, code_segment(type=0xA))
        add(f"cs.accessed waits for the pushes {end}", nowhere, f"{event} > #PF(0x2)")
        both = nowhere.with_gate(vector, offset=NON_CANONICAL)
        add(f"stack.push comes before rip.canonical {end}", both, f"{event} > #PF(0x2)")
        flags = 0x2 | IF | NT | AC | DF | CF
        if trigger is UD:
            flags |= TF | RF
        add(f"flags interrupt gate {end}", world.with_(rflags=flags), event)
        add(f"flags trap gate {end}", world.with_(rflags=flags).with_gate(vector, type=0xF), event)
        add(f"ss kept or null with ist {end}", world.with_gate(vector, ist=3), event)
        if cpl:
            add(f"ss null in ring 1 {end}", world.with_gate(vector, selector=RING1_CODE), event)
            name = f"conforming handler with ist {end}"
            add(name, world.with_gate(vector, selector=CONFORMING_CODE, ist=1), f"{event} > #PF(0x7)")
            DIFFERENCES[name] = event
        null = world.with_(ss=0) if cpl == 0 else world.with_(data_selectors={"ds": 0, "es": 0})
        add(f"ss or ds null before {end}", null, event)
