"""Rules for the last steps into a handler, and for waiting in HLT."""

from __future__ import annotations

from idtviz.machine.delivery.rules.rule import rule

HANDLER_CANONICAL = rule(
    "handler.canonical",
    "The handler's address is canonical",
    "The gate's offset is about to become RIP.",
    "SDM 3A 6.14.1",
)
HANDLER_LIMIT = rule(
    "handler.limit",
    "The handler's address lies within its code segment",
    "Outside 64-bit mode EIP is an offset in CS, and the gate's, the vector's or the TSS's must not lie beyond the "
    "limit of the segment: #GP(0), with EXT as ever.",
    "SDM 2A INT n, 3A 5.3",
)
CS_LOAD = rule(
    "cs.load",
    "CS is loaded from the gate",
    "The RPL of the new CS is the new CPL. The processor sets the accessed bit of the descriptor if it was clear. In "
    "real mode the selector is a paragraph: the segment begins at sixteen times its value.",
    "SDM 3A 6.12.1, 3B 20.1.1",
)
SS_LOAD = rule(
    "ss.load",
    "SS is loaded for the new ring",
    "In protected mode a change of ring takes SS with ESP from the TSS. In long mode it leaves a null selector "
    "there, with the new CPL as RPL: 64-bit mode does not use SS.",
    "SDM 3A 6.12.1, 6.14.2",
)
DATA_NULL = rule(
    "data.null",
    "DS, ES, FS and GS are made null",
    "They hold paragraphs of virtual-8086 mode, which mean nothing to protected mode; their values are in the frame. "
    "The handler must load its own before it touches data.",
    "SDM 3B 20.3.1.1",
)
ENTER = rule(
    "enter",
    "The handler is entered",
    "RIP takes the gate's offset. TF, NT, VM and RF are cleared, and IF too through an interrupt gate: the next "
    "interrupt waits until IRET, or STI, sets it again. Real mode clears IF, TF, AC and RF always.",
    "SDM 3A 6.12.1.3, 3B 20.1.4",
)

HALT_WAIT = rule(
    "halt.wait",
    "HLT waits",
    "The processor stands still until an interrupt is pending and RFLAGS.IF allows it. Virtual time goes on.",
    "SDM 2A HLT",
)
