"""Cases for what precedes a delivery: error codes, saved flags and addresses, and when an event is recognised."""

from __future__ import annotations

from dataclasses import replace

from .case import Injection
from .catalogue import DIVIDE_BY_ZERO, HLT, INT1, INT3, MOV_SS_AX, NOP, RINGS, RUNS, STI, UD2, add
from .long_mode import (
    AC,
    CF,
    DATA,
    DF,
    IF,
    KERNEL_DATA,
    NON_CANONICAL,
    SPARE,
    TF,
    UNMAPPED,
    LongModeWorld,
    data_segment,
)


def add_common_prologue() -> None:
    """DELIVERY.md 2.0: error codes, the saved flags and addresses."""
    for vector in (8, 10, 11, 12, 13, 14, 17):
        external = LongModeWorld(code=NOP, rflags=0x2 | IF, inject=Injection("external", vector))
        add(f"prologue.error_code none for irq {vector}", external, f"irq {vector:#x}")
        software = LongModeWorld(code=bytes([0xCD, vector]))
        add(f"prologue.error_code none for int {vector}", software, f"int {vector:#x}")
    add("prologue.error_code none for nmi", LongModeWorld(code=NOP, inject=Injection("nmi")), "nmi")
    for cpl in RINGS:
        ring = f"(cpl {cpl})"
        world = LongModeWorld(cpl=cpl)
        flags = 0x2 | IF | CF | DF
        add(f"prologue.fault #DE {ring}", world.with_(code=DIVIDE_BY_ZERO, rflags=flags), "#DE")
        add(f"prologue.fault #UD {ring}", world.with_(code=UD2, rflags=flags), "#UD")
        add(f"prologue.fault #NM {ring}", world.with_(code=b"\xd9\xe8", registers={"cr0": 0x80010039}), "#NM")
        load = world.with_(code=b"\xa0" + UNMAPPED.to_bytes(8, "little"))
        add(f"prologue.fault #PF read {ring}", load, f"#PF({4 if cpl else 0:#x})")
        store = world.with_(code=b"\xa2" + UNMAPPED.to_bytes(8, "little"))
        add(f"prologue.fault #PF write {ring}", store, f"#PF({6 if cpl else 2:#x})")
        fetch = world.with_(code=b"\xff\xe0", registers={"rax": UNMAPPED}, instructions=2)
        add(f"prologue.fault #PF fetch {ring}", fetch, f"#PF({0x14 if cpl else 0x10:#x})")
        load = world.with_(code=b"\xa0" + NON_CANONICAL.to_bytes(8, "little"))
        add(f"prologue.fault #GP {ring}", load, "#GP(0x0)")
        push = world.with_(code=b"\x50", rsp=NON_CANONICAL + 8).with_gate(12, ist=1)
        add(f"prologue.fault #SS {ring}", push, "#SS(0x0)")
        absent = world.with_descriptor(SPARE, data_segment(3, present=False))
        absent = absent.with_(code=b"\x8e\xe0", registers={"rax": SPARE | 3})
        add(f"prologue.fault #NP {ring}", absent, f"#NP({SPARE:#x})")
        add(f"prologue.trap #DB single step {ring}", world.with_(code=NOP * 2, rflags=0x2 | TF, instructions=2), "#DB")
        add(f"prologue.trap INT3 {ring}", world.with_(code=INT3, rflags=flags).with_gate(3, dpl=3), "int 0x3")
        add(f"prologue.trap INT1 {ring}", world.with_(code=INT1, rflags=flags), "int 0x1")
    misaligned = LongModeWorld(cpl=3, code=b"\xa1" + (DATA + 1).to_bytes(8, "little"), rflags=0x2 | AC)
    add("prologue.fault #AC (cpl 3)", misaligned.with_(registers={"cr0": 0x80050031}), "#AC(0x0)")


def add_interruptibility() -> None:
    """When an external event is recognised: IF and the shadows."""
    irq = Injection("external", 0x30)
    add("irq.if fails", LongModeWorld(code=NOP * 3, instructions=2, inject=irq), RUNS)
    add("irq.if passes", LongModeWorld(code=NOP * 3, rflags=0x2 | IF, inject=irq), "irq 0x30")
    add("irq.if not asked for nmi", LongModeWorld(code=NOP, inject=Injection("nmi")), "nmi")
    add("irq.sti shadow", LongModeWorld(code=STI + NOP * 2, instructions=3, inject=irq), "irq 0x30")
    shadow = LongModeWorld(code=STI + MOV_SS_AX + NOP * 2, registers={"rax": KERNEL_DATA}, instructions=4, inject=irq)
    add("irq.mov ss shadow after sti shadow", shadow, "irq 0x30")
    late = replace(irq, after=2)
    add("irq.late", LongModeWorld(code=NOP * 4, rflags=0x2 | IF, instructions=4, inject=late), "irq 0x30")
    add("irq.hlt", LongModeWorld(code=HLT, rflags=0x2 | IF, instructions=2, inject=replace(irq, after=1)), "irq 0x30")
