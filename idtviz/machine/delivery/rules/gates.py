"""Rules for finding the gate that a vector selects (SDM 3A 6.10 to 6.14)."""

from __future__ import annotations

from idtviz.machine.delivery.rules.rule import rule

IDT_LIMIT = rule(
    "idt.limit",
    "The vector lies within the IDT",
    "The IDTR limit is the offset of the last byte of the table. A 64-bit gate takes 16 bytes, so vector V needs "
    "bytes V*16 to V*16+15; a gate of protected mode takes 8, an entry of real mode's interrupt vector table 4. A "
    "limit that forgets the -1, or that was computed from the size of a pointer, fails here with #GP.",
    "SDM 3A 6.10, 6.14.1; 3B 20.1.4",
)
IDT_READ = rule(
    "idt.read",
    "The gate is read from the IDT",
    "The processor reads the gate as a supervisor, whatever ring it was in: the IDT may lie on a page that user code "
    "cannot touch. If that page is not mapped, the read is a page fault. In real mode an entry is no gate but a far "
    "pointer: offset and segment of the handler.",
    "SDM 3A 6.10, 6.14.1; 3B 20.1.4",
)
GATE_RESERVED = rule(
    "gate.reserved",
    "The reserved type field of the upper half is zero",
    "Bits 12:8 of the fourth doubleword stand where the type of a second descriptor would be. They must be zero so "
    "that the upper half of a gate is never taken for a gate of its own.",
    "SDM 3A 6.14.1",
)
GATE_TYPE = rule(
    "gate.type",
    "The entry is a gate that an interrupt may go through",
    "An interrupt gate (type 0xE) clears IF, a trap gate (0xF) leaves it. Protected mode knows 16-bit ones too (6 "
    "and 7), and the task gate (5). Long mode does not: there anything but 0xE and 0xF is #GP.",
    "SDM 3A 6.11, 6.14.1",
)
GATE_DPL = rule(
    "gate.dpl",
    "Software may use this gate from its ring",
    "Only INT n, INT3 and INTO compare the gate's DPL with CPL, so that user code cannot fake a page fault or an IRQ. "
    "For exceptions and interrupts from hardware the DPL is not looked at.",
    "SDM 3A 6.12.1.2",
)
GATE_PRESENT = rule(
    "gate.present",
    "The gate is present",
    "P=0 marks an entry that is not in use. Delivery through it is #NP with the IDT bit set in the error code.",
    "SDM 3A 6.11",
)
