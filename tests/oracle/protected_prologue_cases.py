"""Protected mode: what precedes a delivery, and faults on its way (DELIVERY.md 2.0 and 2.4)."""

from __future__ import annotations

from dataclasses import replace

from .case import Injection
from .catalogue import (
    DIVIDE_BY_ZERO,
    HLT,
    INT,
    INT1,
    INT3,
    MOV_SS_AX,
    NOP,
    PROTECTED_CASES,
    RINGS,
    RUNS,
    STI,
    UD2,
    entering,
    same_ring_handlers,
)
from .long_mode import AC, CF, DF, IF, TF
from .protected_mode import (
    BEYOND_GDT,
    CONFORMING_CODE,
    DATA,
    INTERRUPT_GATE16,
    KERNEL_STACK,
    RING_STACKS,
    SPARE,
    SPARE_STACK,
    STACK,
    TSS_SELECTOR,
    UNMAPPED,
    ProtectedModeWorld,
    stack_segment,
)

add = entering(PROTECTED_CASES, "protected ")

CR0_EM = 1 << 2
CR0_AM = 1 << 18
LOAD, STORE = b"\xa0", b"\xa2"


def address(value: int) -> bytes:
    """The 32-bit operand of an instruction."""
    return value.to_bytes(4, "little")


def add_protected_prologue() -> None:
    """Error codes, the saved flags and addresses."""
    for vector in (8, 10, 11, 12, 13, 14, 17):
        external = ProtectedModeWorld(code=NOP, rflags=0x2 | IF, inject=Injection("external", vector))
        add(f"prologue.error_code none for irq {vector}", external, f"irq {vector:#x}")
        software = ProtectedModeWorld(code=bytes([0xCD, vector]))
        add(f"prologue.error_code none for int {vector}", software, f"int {vector:#x}")
    add("prologue.error_code none for nmi", ProtectedModeWorld(code=NOP, inject=Injection("nmi")), "nmi")
    for cpl in RINGS:
        ring = f"(cpl {cpl})"
        world = ProtectedModeWorld(cpl=cpl)
        flags = 0x2 | IF | CF | DF
        add(f"prologue.fault #DE {ring}", world.with_(code=DIVIDE_BY_ZERO, rflags=flags), "#DE")
        add(f"prologue.fault #UD {ring}", world.with_(code=UD2, rflags=flags), "#UD")
        no_fpu = world.with_(code=b"\xd9\xe8", registers={"cr0": 0x31 | CR0_EM})
        add(f"prologue.fault #NM {ring}", no_fpu, "#NM")
        paged = world.with_(paging="32-bit")
        for label, code, bits in (("read", LOAD, 0), ("write", STORE, 2)):
            fault = paged.with_(code=code + address(UNMAPPED))
            add(f"prologue.fault #PF {label} {ring}", fault, f"#PF({bits | (4 if cpl else 0):#x})")
        fetch = paged.with_(code=b"\xff\xe0", registers={"rax": UNMAPPED}, instructions=2)
        add(f"prologue.fault #PF fetch {ring}", fetch, f"#PF({4 if cpl else 0:#x})")
        add(f"prologue.fault #PF fetch PAE {ring}", fetch.with_(paging="PAE"), f"#PF({0x14 if cpl else 0x10:#x})")
        add(f"prologue.fault #GP null segment {ring}", world.with_(code=b"\x64" + LOAD + address(DATA)), "#GP(0x0)")
        add(f"prologue.fault #GP selector {ring}", world.with_(code=b"\x8e\xe0", registers={"rax": BEYOND_GDT}),
            f"#GP({BEYOND_GDT:#x})")  # fmt: skip
        narrow = world.with_gate(13, type=INTERRUPT_GATE16).with_(code=b"\x8e\xe0", registers={"rax": BEYOND_GDT})
        add(f"prologue.error_code of two bytes {ring}", narrow, f"#GP({BEYOND_GDT:#x})")
        pop = world.with_(code=b"\x58", rsp=SPARE_STACK + 0xFFD).with_rescue(12)
        add(f"prologue.fault #SS {ring}", pop, "#SS(0x0)")
        absent = world.with_descriptor(SPARE, stack_segment(3, present=False))
        add(f"prologue.fault #NP {ring}", absent.with_(code=b"\x8e\xe0", registers={"rax": SPARE | 3}),
            f"#NP({SPARE:#x})")  # fmt: skip
        add(f"prologue.trap #DB single step {ring}", world.with_(code=NOP * 2, rflags=0x2 | TF, instructions=2), "#DB")
        add(f"prologue.trap INT3 {ring}", world.with_(code=INT3, rflags=flags).with_gate(3, dpl=3), "int 0x3")
        add(f"prologue.trap INT1 {ring}", world.with_(code=INT1, rflags=flags), "int 0x1")
    misaligned = ProtectedModeWorld(cpl=3, code=b"\xa1" + address(DATA + 1), rflags=0x2 | AC)
    add("prologue.fault #AC (cpl 3)", misaligned.with_(registers={"cr0": 0x31 | CR0_AM}), "#AC(0x0)")
    add("prologue.fault #GP privileged (cpl 3)", ProtectedModeWorld(cpl=3, code=HLT), "#GP(0x0)")


def add_protected_interruptibility() -> None:
    """When an external event is recognised: IF and the shadows."""
    irq = Injection("external", 0x30)
    world = ProtectedModeWorld(inject=irq)
    add("irq.if fails", world.with_(code=NOP * 3, instructions=2), RUNS)
    add("irq.if passes", world.with_(code=NOP * 3, rflags=0x2 | IF), "irq 0x30")
    add("irq.sti shadow", world.with_(code=STI + NOP * 2, instructions=3), "irq 0x30")
    shadow = world.with_(code=MOV_SS_AX + NOP * 2, registers={"rax": KERNEL_STACK}, instructions=3)
    add("irq.mov ss shadow", shadow.with_(rflags=0x2 | IF, inject=replace(irq, after=1)), "irq 0x30")
    late = replace(irq, after=2)
    add("irq.late", world.with_(code=NOP * 4, rflags=0x2 | IF, instructions=4, inject=late), "irq 0x30")
    asleep = world.with_(code=HLT, rflags=0x2 | IF, instructions=2, inject=replace(irq, after=1))
    add("irq.hlt", asleep, "irq 0x30")


def stackless(world: ProtectedModeWorld) -> ProtectedModeWorld:
    """The world without the page of ring 0's stack: in ring 3, only conforming handlers can be delivered to."""
    return world.with_page(STACK + RING_STACKS[0], present=False)


def gateless(world: ProtectedModeWorld, *vectors: int) -> ProtectedModeWorld:
    """The world with these gates not present."""
    for vector in vectors:
        world = world.with_gate(vector, present=False)
    return world


def add_protected_double_fault() -> None:
    """DELIVERY.md 2.4: every cell that a processor can reach."""
    ring3 = ProtectedModeWorld(cpl=3)
    divide, benign = ring3.with_(code=DIVIDE_BY_ZERO), ring3.with_(code=UD2)
    protection = ring3.with_(code=HLT)
    fault = ring3.with_(code=LOAD + address(UNMAPPED), paging="32-bit")
    everywhere = (8, 10, 11, 12, 13, 14)

    def caught(world: ProtectedModeWorld, *vectors: int) -> ProtectedModeWorld:
        return same_ring_handlers(world, *(vectors or everywhere))

    add("double.benign contributory serial", gateless(benign, 6), "#UD > #NP(0x33)")
    add("double.benign page_fault serial", caught(stackless(benign), 14), "#UD > #PF(0x2)")
    add("double.contributory contributory #DE #NP", gateless(divide, 0), "#DE > #NP(0x3) > #DF(0x0)")
    add("double.contributory contributory #DE #GP", divide.with_gate(0, selector=BEYOND_GDT),
        f"#DE > #GP({BEYOND_GDT | 1:#x}) > #DF(0x0)")  # fmt: skip
    lost = caught(divide.with_tss(ss=(0, 0, 0)))
    add("double.contributory contributory #DE #TS", lost, "#DE > #TS(0x1) > #DF(0x0)")
    absent = caught(divide.with_tss(ss=(SPARE, 0, 0))).with_descriptor(SPARE, stack_segment(present=False))
    add("double.contributory contributory #DE #SS", absent, f"#DE > #SS({SPARE | 1:#x}) > #DF(0x0)")
    add("double.contributory contributory #GP #NP", gateless(protection, 13), "#GP(0x0) > #NP(0x6b) > #DF(0x0)")
    add("double.contributory page_fault serial #DE", caught(stackless(divide), 14), "#DE > #PF(0x2)")
    add("double.contributory page_fault serial #GP", caught(stackless(protection), 14), "#GP(0x0) > #PF(0x2)")
    add("double.page_fault contributory #NP", gateless(fault, 14), "#PF(0x4) > #NP(0x73) > #DF(0x0)")
    add("double.page_fault contributory #GP", fault.with_gate(14, selector=0), "#PF(0x4) > #GP(0x1) > #DF(0x0)")
    add("double.page_fault page_fault", caught(stackless(fault), 8), "#PF(0x4) > #PF(0x2) > #DF(0x0)")
    add("double.df contributory shutdown", gateless(divide, 0, 8), "#DE > #NP(0x3) > #DF(0x0) > #NP(0x43) > shutdown")
    add("double.df page_fault shutdown", caught(stackless(gateless(divide, 0)), 11),
        "#DE > #NP(0x3) > #DF(0x0) > #PF(0x2) > shutdown")  # fmt: skip
    add("double.page_fault page_fault df page_fault shutdown", stackless(fault),
        "#PF(0x4) > #PF(0x2) > #DF(0x0) > #PF(0x2) > shutdown")  # fmt: skip
    add("double.page_fault contributory df contributory shutdown", gateless(fault, 14, 8),
        "#PF(0x4) > #NP(0x73) > #DF(0x0) > #NP(0x43) > shutdown")  # fmt: skip
    add("double.benign contributory contributory", gateless(benign, 6, 11), "#UD > #NP(0x33) > #NP(0x5b) > #DF(0x0)")
    add("double.benign page_fault page_fault", caught(stackless(benign), 8), "#UD > #PF(0x2) > #PF(0x2) > #DF(0x0)")
    add("double.benign page_fault contributory", caught(gateless(stackless(benign), 14), 8),
        "#UD > #PF(0x2) > #NP(0x73) > #DF(0x0)")  # fmt: skip
    for vector in (0, 8, 13, 14):
        software = ring3.with_(code=bytes([0xCD, vector])).with_gate(vector, dpl=3)
        add(f"double.int {vector} is benign", gateless(software, vector), f"int {vector:#x} > #NP({vector * 8 + 2:#x})")
        external = ring3.with_(code=NOP, rflags=0x2 | IF, inject=Injection("external", vector))
        add(f"double.irq {vector} is benign", gateless(external, vector), f"irq {vector:#x} > #NP({vector * 8 + 3:#x})")
    nmi = caught(stackless(ring3.with_(code=NOP, inject=Injection("nmi"))), 14)
    add("double.nmi is benign", nmi, "nmi > #PF(0x2)")
    add("double.int contributory contributory", gateless(INT.begin(ring3), 0x80, 11),
        "int 0x80 > #NP(0x402) > #NP(0x5b) > #DF(0x0)")  # fmt: skip
    for cpl in RINGS:
        world = gateless(divide.with_(cpl=cpl, rflags=0x2 | IF), 0)
        add(f"double.df frame (cpl {cpl})", world, "#DE > #NP(0x3) > #DF(0x0)")
        narrow = world.with_gate(8, type=INTERRUPT_GATE16)
        add(f"double.df frame 286 gate (cpl {cpl})", narrow, "#DE > #NP(0x3) > #DF(0x0)")
    add("double.df after stack.tss_limit (cpl 3)", divide.with_(tss_limit=3),
        f"#DE > #TS({TSS_SELECTOR | 1:#x}) > #DF(0x0) > #TS({TSS_SELECTOR | 1:#x}) > shutdown")  # fmt: skip
    add("double.df in the ring of the fault", gateless(divide, 0).with_gate(8, selector=CONFORMING_CODE),
        "#DE > #NP(0x3) > #DF(0x0)")  # fmt: skip
