"""The table of reasons: where Bochs does otherwise than the manual, told from its answer and from our steps.

Each entry knows whether it applies to a case, and changes in Bochs' answer exactly what it is about, so that
everything else is still compared. Where the two go different ways from there on (`amend` is None) the chains of events
are compared up to that place. `tests.oracle.differences` is the same table for the cases that have a name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from tests.oracle.case import Answer

from .delivering import (
    below_zero,
    call_to_bad_address,
    conforming_in_ring_3,
    double_fault_saved,
    fetches_handler,
    first_push_as_user,
    left_too_early,
    offset_before_room,
    page_before_room,
    place_of_room,
    place_of_tss,
    place_of_virtual,
    pointer_not_canonical,
    rpl_before_descriptor,
    to_compatibility_mode,
    to_outer_ring,
    whole_field_outside,
    with_null_selector,
    with_refused_page_accessed,
    with_task_still_there,
    without_descriptor_read,
    without_fetch,
    without_lost_words,
    without_rf,
    without_room,
    without_stack_read,
    write_refused,
)
from .returning import (
    frame_cut_off,
    gates_differ,
    iretd_checks_stack,
    iretd_went_on,
    narrow_trap,
    pops_by_page,
    rings_compared_first,
    stack_segment_absent,
    virtual_ip_beyond,
    with_descriptor_read,
    with_first_word,
    with_stack_fault,
    with_stack_popped,
)
from .seen import PAGE_FAULT, Seen


@dataclass(frozen=True, slots=True)
class Reason:
    """What Bochs does, what the manual says, where it says so; when this is what we see; and the answer amended."""

    name: str
    bochs: str
    manual: str
    source: str
    applies: Callable[[Seen], bool]
    amend: Callable[[Seen], Answer] | None
    until: Callable[[Seen], int] = lambda seen: len(seen.bochs.events)
    """How many events the two have in common where there is no amending."""


_DOUBLE_FAULT_RF = Reason(
    "RF of #DF",
    "sets RF in the RFLAGS image that #DF saves",
    "RF is set in the image for faults; #DF is an abort",
    "SDM 3B 17.3.1.1; 3A 6.15, Interrupt 8",
    double_fault_saved,
    without_rf,
)


_TSS_STACK_POINTER = Reason(
    "RSP of the TSS not canonical",
    "#SS with the selector of the old SS for a non-canonical RSP in the TSS",
    "#SS(EXT): in 64-bit mode no stack selector is involved",
    "SDM 2A INT n, pseudo-code: IF new stack pointer is not canonical THEN #SS(error_code(NULL,0,EXT))",
    pointer_not_canonical,
    with_null_selector,
)


_SS_NOT_PRESENT = Reason(
    "SS not present in IRET",
    "IRET to an SS that is not present is #NP (newer Bochs: #SS)",
    "#SS(selector)",
    "SDM 2A IRET, pseudo-code: IF stack segment is not present THEN #SS(SS selector)",
    stack_segment_absent,
    with_stack_fault,
)


_POP_ORDER = Reason(
    "IRET pops RFLAGS first",
    "reads RFLAGS first, so CR2 is the address of that word",
    "RIP, CS, RFLAGS in this order",
    "SDM 2A IRET, pseudo-code",
    pops_by_page,
    with_first_word,
)


_NARROW_IRET = Reason(
    "IRETD and IRETW leave RSP and SS",
    "takes RSP and SS from the frame of IRETD and IRETW only with a change of ring",
    "an IRET that began in 64-bit mode pops RSP and SS always, at its operand size",
    "SDM 3A 6.14.3; 2A IRET, pseudo-code: IF instruction began in 64-Bit Mode",
    iretd_went_on,
    with_stack_popped,
)


_CONFORMING = Reason(
    "conforming handler in ring 3",
    "pushes as a supervisor for a conforming handler that runs in ring 3",
    "CPL stays 3, and pushes are not among the implicit supervisor accesses: they are user accesses",
    "SDM 3A 4.6.1",
    conforming_in_ring_3,
    None,
    first_push_as_user,
)


_ROOM = Reason(
    "words that fit",
    "looks at the limit of SS with each word that it pushes: those that fit are written before #SS",
    "the room for the whole frame is asked for first",
    "SDM 2A INT n and CALL, pseudo-code: IF stack does not have room for ... THEN #SS, in front of the pushes",
    without_room,
    without_lost_words,
)


_CALL_OFFSET = Reason(
    "CALL pushes first",
    "CALL pushes the return address before it looks at the new EIP",
    "the new EIP is checked before anything is pushed",
    "SDM 2A CALL, pseudo-code: IF tempEIP outside new code segment limit THEN #GP(0), in front of Push(CS)",
    call_to_bad_address,
    without_lost_words,
)


_OFFSET_BEFORE_ROOM = Reason(
    "offset before room",
    "compares the offset with the limit of CS before it looks for room on the stack",
    "room first",
    "SDM 2A INT n and CALL, pseudo-code",
    offset_before_room,
    None,
    lambda seen: place_of_room(seen) or 0,
)


_PAGE_BEFORE_ROOM = replace(
    _ROOM, applies=page_before_room, amend=None, until=lambda seen: place_of_room(seen, PAGE_FAULT) or 0
)


_COMPATIBILITY_CALL = Reason(
    "CALL to compatibility mode",
    "pushes the return address on a stack of the mode that it goes to, so through a null SS",
    "the instruction runs in 64-bit mode, where SS is not looked at",
    "SDM 2A CALL, pseudo-code; 3A 5.3.1",
    to_compatibility_mode,
    None,
    lambda _: 0,
)


_BELOW_ZERO = Reason(
    "CALL from SP 0",
    "finds no room below 0 on a 16-bit stack, where PUSH and deliveries go on at the top of the segment",
    "each push takes from SP, which wraps at 64 KiB",
    "SDM 1 6.2.3; 2B PUSH",
    below_zero,
    None,
    lambda _: 0,
)


_TASK_LEFT = Reason(
    "old task left too early",
    "JMP and IRET mark the old task available, and only then find its TSS on a page that is not present",
    "whether the old TSS is paged in is asked first (step 6), the busy flag is cleared then (step 7)",
    "SDM 3A 7.3",
    left_too_early,
    with_task_still_there,
)


_VM86_STACK = Reason(
    "TSS before ring 0",
    "leaving virtual-8086 mode, checks the stack in the TSS before it finds that the handler is not in ring 0",
    "the ring of the handler is asked for first",
    "SDM 2A INT n, pseudo-code: IF VM = 1 and DPL of code segment is not 0 THEN #GP, in front of INTER-PRIVILEGE",
    to_outer_ring,
    without_stack_read,
    write_refused,
)


_FETCH = Reason(
    "handler fetched",
    "has the handler's first instruction fetched before the end of the run behind an interrupt that came from outside",
    "the run ends in front of that fetch: the page of the handler is not marked accessed",
    "tests.oracle.case, Case",
    fetches_handler,
    without_fetch,
)


_TSS_LIMIT = Reason(
    "whole fields of the TSS",
    "asks for all eight bytes of a ring's ESP and SS in a 32-bit TSS",
    "the six that are read must lie inside the limit",
    "SDM 2A INT n and CALL, pseudo-code: IF (TSSstackAddress + 5) > current TSS limit THEN #TS",
    whole_field_outside,
    None,
    lambda seen: place_of_tss(seen) or 0,
)


_VM86_EIP = Reason(
    "EIP of virtual-8086 mode",
    "IRETD in or to virtual-8086 mode does not compare EIP with the limit of CS (to it: drops the high half)",
    "#GP(0)",
    "SDM 2A IRET, pseudo-code: IF EIP not within CS limit THEN #GP(0)",
    virtual_ip_beyond,
    None,
    lambda _: 0,
)


_CUT_FRAME = Reason(
    "frame within the limit",
    "looks at the limit with each word that it pops, and reads two of the four bytes that hold SS",
    "the whole frame is asked for first; SS is popped as a doubleword, of which the high half is discarded",
    "SDM 2A IRET, 2B RET, pseudo-code: IF top ... bytes of stack not within stack limits THEN #SS(0)",
    frame_cut_off,
    None,
    lambda _: 0,
)


_RINGS_FIRST = Reason(
    "RPL of SS before its descriptor",
    "compares the RPL of SS with that of CS before it reads the descriptor of SS",
    "the descriptor is read first: its page is marked accessed",
    "SDM 2A IRET, pseudo-code: Read segment descriptor pointed to by SS; IF stack segment selector RPL ...",
    rings_compared_first,
    with_descriptor_read,
)


_RPL_FIRST = Reason(
    "RPL of the new SS",
    "reads the descriptor of the new SS before it compares the RPL, so that its page is marked accessed",
    "the RPL comes first",
    "SDM 2A INT n, pseudo-code: IF segment selector's RPL is not the DPL ... THEN #TS; Read segment descriptor",
    rpl_before_descriptor,
    without_descriptor_read,
)


_READ_BEFORE_WRITE = Reason(
    "page read and not written",
    "asks for the write of a read-modify-write operand at once, and marks nothing where it is refused",
    "which accessed flags are set by an access that faults is left open; the emulator reads the operand first",
    "SDM 3A 4.8",
    write_refused,
    with_refused_page_accessed,
)


REASONS: tuple[Reason, ...] = (
    _RPL_FIRST,
    _READ_BEFORE_WRITE,
    _DOUBLE_FAULT_RF,
    _TSS_STACK_POINTER,
    _SS_NOT_PRESENT,
    replace(_SS_NOT_PRESENT, applies=gates_differ, amend=None, until=lambda _: 1),
    _POP_ORDER,
    _NARROW_IRET,
    replace(_NARROW_IRET, applies=iretd_checks_stack, amend=None, until=lambda _: 0),
    replace(_NARROW_IRET, applies=narrow_trap, amend=None, until=lambda _: 0),
    _RINGS_FIRST,
    _CALL_OFFSET,
    _ROOM,
    _PAGE_BEFORE_ROOM,
    _OFFSET_BEFORE_ROOM,
    _COMPATIBILITY_CALL,
    _BELOW_ZERO,
    _FETCH,
    _TASK_LEFT,
    _VM86_STACK,
    replace(
        _VM86_STACK,
        applies=lambda seen: place_of_virtual(seen) is not None,
        amend=None,
        until=lambda seen: place_of_virtual(seen) or 0,
    ),
    _TSS_LIMIT,
    _VM86_EIP,
    _CUT_FRAME,
    _CONFORMING,
)
"""In the order in which they amend."""
