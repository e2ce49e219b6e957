"""Cases for faults on the way of a delivery: serial, double fault, shutdown."""

from __future__ import annotations

from .case import Injection
from .catalogue import DIVIDE_BY_ZERO, INT, NOP, RINGS, UD2, add
from .long_mode import CONFORMING_CODE, IF, IST_STACKS, NON_CANONICAL, TSS_SELECTOR, UNMAPPED, LongModeWorld, TaskState


def add_double_fault() -> None:
    """DELIVERY.md 2.4: every cell that a processor can reach.

    No case has a benign second event: nothing benign can happen while a delivery is on its way.
    """
    divide = LongModeWorld(code=DIVIDE_BY_ZERO)
    fault = LongModeWorld(code=b"\xa0" + UNMAPPED.to_bytes(8, "little"))
    protection = LongModeWorld(code=b"\xa0" + NON_CANONICAL.to_bytes(8, "little"))
    benign = LongModeWorld(code=UD2)
    no_stack = {"ist": 1}

    def stackless(world: LongModeWorld, *vectors: int) -> LongModeWorld:
        for vector in vectors:
            world = world.with_gate(vector, **no_stack)
        return world.with_page(IST_STACKS[0], present=False)

    def gateless(world: LongModeWorld, *vectors: int) -> LongModeWorld:
        for vector in vectors:
            world = world.with_gate(vector, present=False)
        return world

    add("double.benign contributory serial", gateless(benign, 6), "#UD > #NP(0x33)")
    add("double.benign page_fault serial", stackless(benign, 6), "#UD > #PF(0x2)")
    add("double.contributory contributory #DE #NP", gateless(divide, 0), "#DE > #NP(0x3) > #DF(0x0)")
    bad = divide.with_gate(0, selector=0x80)
    add("double.contributory contributory #DE #GP", bad, "#DE > #GP(0x81) > #DF(0x0)")
    add("double.contributory contributory #GP #NP", gateless(protection, 13), "#GP(0x0) > #NP(0x6b) > #DF(0x0)")
    add("double.contributory page_fault serial #DE", stackless(divide, 0), "#DE > #PF(0x2)")
    add("double.contributory page_fault serial #GP", stackless(protection, 13), "#GP(0x0) > #PF(0x2)")
    add("double.page_fault contributory #NP", gateless(fault, 14), "#PF(0x0) > #NP(0x73) > #DF(0x0)")
    bad = fault.with_gate(14, selector=CONFORMING_CODE | 4)
    add("double.page_fault contributory #GP", bad, "#PF(0x0) > #GP(0x4d) > #DF(0x0)")
    add("double.page_fault page_fault", stackless(fault, 14), "#PF(0x0) > #PF(0x2) > #DF(0x0)")
    add("double.df contributory shutdown", gateless(divide, 0, 8), "#DE > #NP(0x3) > #DF(0x0) > #NP(0x43) > shutdown")
    add("double.df page_fault shutdown", stackless(gateless(divide, 0), 8),
        "#DE > #NP(0x3) > #DF(0x0) > #PF(0x2) > shutdown")  # fmt: skip
    add("double.page_fault page_fault df page_fault shutdown", stackless(fault, 14, 8),
        "#PF(0x0) > #PF(0x2) > #DF(0x0) > #PF(0x2) > shutdown")  # fmt: skip
    add("double.page_fault contributory df contributory shutdown", gateless(fault, 14, 8),
        "#PF(0x0) > #NP(0x73) > #DF(0x0) > #NP(0x43) > shutdown")  # fmt: skip
    add("double.benign contributory contributory", gateless(benign, 6, 11), "#UD > #NP(0x33) > #NP(0x5b) > #DF(0x0)")
    add("double.benign page_fault page_fault", stackless(benign, 6, 14), "#UD > #PF(0x2) > #PF(0x2) > #DF(0x0)")
    add(
        "double.benign contributory page_fault serial", stackless(gateless(benign, 6), 11), "#UD > #NP(0x33) > #PF(0x2)"
    )
    add("double.benign page_fault contributory", gateless(stackless(benign, 6), 14),
        "#UD > #PF(0x2) > #NP(0x73) > #DF(0x0)")  # fmt: skip
    add("double.contributory page_fault contributory", gateless(stackless(divide, 0), 14),
        "#DE > #PF(0x2) > #NP(0x73) > #DF(0x0)")  # fmt: skip
    for vector in (0, 8, 13, 14):
        world = gateless(LongModeWorld(code=bytes([0xCD, vector])), vector)
        add(f"double.int {vector} is benign", world, f"int {vector:#x} > #NP({vector * 8 + 2:#x})")
        world = LongModeWorld(code=NOP, rflags=0x2 | IF, inject=Injection("external", vector))
        add(f"double.irq {vector} is benign", gateless(world, vector), f"irq {vector:#x} > #NP({vector * 8 + 3:#x})")
    add("double.nmi is benign", stackless(LongModeWorld(code=NOP, inject=Injection("nmi")), 2), "nmi > #PF(0x2)")
    add("double.int contributory contributory", gateless(INT.world(0), 0x80, 11),
        "int 0x80 > #NP(0x402) > #NP(0x5b) > #DF(0x0)")  # fmt: skip
    for cpl in RINGS:
        world = gateless(divide.with_(cpl=cpl, rflags=0x2 | IF), 0)
        add(f"double.df frame (cpl {cpl})", world, "#DE > #NP(0x3) > #DF(0x0)")
        add(f"double.df frame with ist (cpl {cpl})", world.with_gate(8, ist=2), "#DE > #NP(0x3) > #DF(0x0)")
    add("double.df after stack.tss_limit (cpl 3)", divide.with_(cpl=3, tss=TaskState(limit=3)),
        f"#DE > #TS({TSS_SELECTOR | 1:#x}) > #DF(0x0) > #TS({TSS_SELECTOR | 1:#x}) > shutdown")  # fmt: skip
