"""Every key in one place: footer, help, palette and bindings all come from here."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Action:
    """One thing that a key does. `footer`: it stands in the bottom line."""

    id: str
    keys: str
    label: str
    help: str
    footer: bool = False


ACTIONS: tuple[Action, ...] = (
    Action("step", "s,f11", "step", "One instruction; a whole delivery where one begins", footer=True),
    Action("micro_step", "m", "check", "One check or push of a delivery or IRET", footer=True),
    Action("next", "n,f10", "over", "Over a call, or a whole interrupt with its handler", footer=True),
    Action("finish", "f", "finish", "On to the IRET that ends this handler", footer=True),
    Action("run", "c,f5", "run", "Run to a breakpoint or to the end", footer=True),
    Action("pause", "escape,p", "pause", "Stop a run; close what is open"),
    Action("back", "S", "back", "One instruction back", footer=True),
    Action("micro_back", "M", "check back", "One check back"),
    Action("back_over", "N", "over, back", "Back over the interrupt that has just returned"),
    Action("run_back", "C", "run back", "Back to the last breakpoint, or to the start"),
    Action("handler_back", "F", "to cause", "Back to the event that called the handler which is running"),
    Action(
        "breakpoint",
        "b",
        "break",
        "Breakpoint at the cursor: instruction, vector, or write to the row's bytes",
        footer=True,
    ),
    Action("who", "w", "who wrote", "Back to what wrote the thing under the cursor last: a word, a gate, a register"),
    Action(
        "why",
        "W",
        "why",
        "How it came to this, as a chain of causes; on a row of the IDT, or on the PIC: why an interrupt does not come",
    ),
    Action(
        "edit",
        "e",
        "edit",
        "Edit what is under the cursor: a register, a flag, a field of a gate or a page-table entry, a chip's register",
        footer=True,
    ),
    Action("breakpoints", "B", "breakpoints", "All breakpoints: number, on or off, how often each has stopped a run"),
    Action("run_to_cursor", "t", "to cursor", "Run to the instruction under the cursor"),
    Action(
        "goto", "slash", "go", "Go to a moment, event, symbol or address: 812, #PF+3, irq1, kernel_ready", footer=True
    ),
    Action(
        "command",
        "colon",
        "command",
        "A command line, completed by →: break #PF, until interrupt, delete 2",
    ),
    Action("type_keys", "k", "keys", "Type on the guest's keyboard", footer=True),
    Action("raise_irq", "i", "irq", "Raise an interrupt line, or an NMI"),
    Action("answer", "a", "answer", "Answer the question that holds the machine"),
    Action("hint", "h", "hint", "A hint on the question or the task; behind the last hint of a question its answer"),
    Action("lesson", "l", "lesson", "All that the lesson has said and asked so far, and how its task stands"),
    Action("write", "E", "write", "Write the part of the lab that is left to you; the machine is built anew of it"),
    Action("suppose", "v", "what if", "What would happen if a vector came now"),
    Action("undo", "u", "undo", "Take the last edit or input of this branch back, and what came of it"),
    Action("switch", "o", "other run", "The same moment on the next branch"),
    Action("compare", "equals_sign", "compare", "This branch side by side with the one from which it parts"),
    Action("play", "space", "play", "Play step by step; again to stop"),
    Action("scrub_back", "left", "earlier", "Along the timeline: one column of it back, at least one instruction"),
    Action("scrub", "right", "later", "Along the timeline: one column on, as far as the run is recorded", footer=True),
    Action("event_back", "left_square_bracket,shift+left", "event before", "To the last event before this moment"),
    Action(
        "event_forward",
        "right_square_bracket,shift+right",
        "next event",
        "To the next event; behind the last one the run goes on to it",
        footer=True,
    ),
    Action(
        "finding",
        "x",
        "next finding",
        "To the next bug that the rules have found; behind the last one the run goes on until something is found",
    ),
    Action("finding_back", "X", "finding before", "To the last bug that was found before this moment"),
    Action("nearer", "plus", "zoom in", "The timeline shows half as long a stretch, around this moment"),
    Action("further", "minus", "zoom out", "The timeline shows twice as long a stretch"),
    Action("whole_run", "underscore", "whole run", "The timeline shows the whole run again"),
    Action("zoom", "z", "zoom", "One panel on the whole screen; again to go back", footer=True),
    Action("next_tab", "tab", "next panel", "Focus the next panel"),
    Action("copy", "y", "copy", "Copy the row under the cursor"),
    Action("light", "f2", "theme", "Dark or light"),
    Action("help", "question_mark", "help", "What the focused panel shows, and every key", footer=True),
    Action("quit", "q", "quit", "Leave", footer=True),
)

PANELS = ("code", "delivery", "registers", "stack", "idt", "gdt", "tss", "pic", "display", "events")
"""Panels in the order of their keys 1 to 9 and 0."""
TABS = ("code", "path", "regs", "stack", "IDT", "GDT", "TSS", "PIC", "VGA", "log")
"""What they are called where there is no room for more."""

PANEL_HELP = {
    "code": (
        "The source line that is next, its instructions, and what the instruction is about to touch. ▶ is RIP, ■ "
        "a breakpoint. Press b on a line to set one, t to run there. Code that is not 64-bit says so in the border; "
        "an address is written with its segment (1000:0123) where the base of CS is not 0. e writes other bytes "
        "over an instruction. ⚑ marks the instruction to change: a rule has found an error there (⚐ a warning, ¶ a "
        "note) up to this moment; :explain tells more."
    ),
    "delivery": (
        "How the processor gets from the event to the handler. The upper part follows the real pointers: IDTR to "
        "the gate, its selector to the code segment, the TSS to the stack, the offset to the handler; @ is the "
        "address that was read. In real mode the vector table's entry is CS:IP itself; a task gate leads to the TSS "
        "of another task. Below, each step in its order: ✓ passed, ✗ failed with the exception that follows, · still "
        "to come (it was rehearsed on a copy). IRET, far transfers and SYSCALL are shown in the same way. e changes "
        "the gate, the descriptor or the stack pointer that it goes by: the checks still to come see that."
    ),
    "registers": (
        "All registers, by the names that the present code has for them. ● marks what the last command changed; flags "
        "and control bits stand by name. A segment shows its base and limit where they are not 0 and everything. "
        "Enter on the row of RIP, RSP or CR2 shows the page walk of that address; w goes back to what wrote a "
        "register. e changes a register, or a bit of it."
    ),
    "stack": (
        "Memory around the top of the stack, high addresses first, in words as wide as the present code pushes them. "
        "Where the base of SS is not 0 the offset stands in front of the linear address: 0ffa = 20ffa. Words of "
        "interrupt frames carry their names as long as the handler lives; a word that the handler has overwritten "
        "says what it was. Words that a delivery is about to push are dim and in brackets. b stops a run behind the "
        "next write to the word, by an instruction or by a push; w goes back to the last one. e changes the word."
    ),
    "idt": (
        "The gates in use: vector, name, kind, DPL, IST (long mode), present, selector:offset, handler. In real mode "
        "the IVT: segment:offset and the linear address that they make. Enter shows an entry bit by bit; b sets a "
        "breakpoint on the vector; v asks what would happen if it came now, W why it does not come; w goes back to "
        "what wrote the entry. ⚑ is an entry in which a rule has found an error, in the GDT and the TSS too. "
        "e changes a field of it, in the opened structure too."
    ),
    "gdt": (
        "The descriptors, those of an LDT below. P present, L 64-bit, D 32-bit code, B 32-bit stack, W writable, "
        "C conforming, E expand-down, A accessed; ← who uses it. Enter shows one bit by bit; b stops a run behind the "
        "next write to it, w goes back to the last one. ▶ is the one that the last step read."
    ),
    "tss": (
        "The stacks that deliveries switch to. Long mode: RSP0-2 for changes of ring, IST1-7 for gates that ask for "
        "one. Protected mode: SS0:ESP0 to SS2:ESP2, the link to the task that was interrupted, and the registers "
        "that the task was left with. While tasks are switched the other task's TSS is shown too. b stops a run "
        "behind the next write to the TSS, w goes back to the last one."
    ),
    "pic": (
        "The two 8259s: requests (IRR), masks (IMR), in service (ISR), and why a waiting request is not delivered. e "
        "changes a register of the chip that the row shows. W goes through all that keeps a line's interrupt from "
        "arriving."
    ),
    "display": "The guest's text screen, from its memory at 0xB8000.",
    "events": (
        "Everything that has happened, oldest first, with its moment: instruction+step. ▶ is what is about to happen "
        "at this moment, else the last thing that has happened; what lies ahead is dim. Enter on a line goes to its "
        "moment. The signs are those of the timeline. ⚑ is an error that a rule has found, ⚐ a warning (it breaks "
        "under other circumstances), ¶ a note: Enter goes to its moment and tells what is wrong, why, and what to "
        "change; x goes to the next one."
    ),
    "timeline": (
        "The recorded run on one axis, from the instruction count at its left end to that at its right end; ▲ is this "
        "moment. The upper row shows what happened, the border says what each sign means; where several events share "
        "a column the most notable one is shown. ━ lies behind this moment, ─ is recorded ahead of it. Depth counts "
        "the handlers that were running, one inside another; + is ten or more. Ring is the outermost one of each "
        "column. Y is where another branch parts from this one, + where something was typed or edited, * a note of "
        "yours, ⚑ an error that a rule has found, ⚐ a warning, ¶ a remark of a rule. ← and → go along it column by "
        "column, [ and ] from event to event, + and - show a shorter or a longer stretch, Home and End go to the start "
        "and to the end of what is recorded. Click or drag to go to a "
        "moment; the wheel zooms about the pointer."
    ),
}
