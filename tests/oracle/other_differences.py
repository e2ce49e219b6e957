"""The table of reasons for the cases of `OTHER_MODES`, in the manner of differences.py."""

from __future__ import annotations

from dataclasses import replace

from .case import PAGE, Answer, Case
from .cases import OTHER_MODES
from .catalogue import EXPECTED
from .differences import (
    RF_OF_DOUBLE_FAULT,
    SS_NOT_PRESENT,
    Difference,
    with_pages,
    with_stack_fault,
    with_zero_selector,
)
from .long_mode import PT
from .protected_mode import AVAILABLE_TSS16, DATA, PAGE_TABLES, STACK, TASK_GATE_TYPE

RF, DIRTY = 1 << 16, 1 << 6
ALL_STACKS = range(STACK, DATA + PAGE)


def _read(answer: Answer, case: Case, address: int, size: int) -> int:
    return answer.words(case, address, 1, size)[0]


def _saved_flags(case: Case, answer: Answer) -> int | None:
    """Where #DF saved EFLAGS: in its frame or, through a task gate, in the TSS of the task that it left.

    None where only the low half of EFLAGS is saved, which has no RF.
    """
    final = answer.final
    assert final is not None
    kind = _read(answer, case, final.idtr.base + 8 * 8 + 5, 1) & 0x1F
    if kind != TASK_GATE_TYPE:
        return final.ss.base + final.rsp + 12 if kind & 0x8 else None
    descriptor = _read(answer, case, final.gdtr.base + (_read(answer, case, final.tr.base, 2) & ~7), 8)
    base = descriptor >> 16 & 0xFFFFFF | descriptor >> 32 & 0xFF000000
    return base + 0x24 if descriptor >> 40 & 0xF & ~2 != AVAILABLE_TSS16 else None


def _without_rf(case: Case, answer: Answer) -> Answer:
    address = _saved_flags(case, answer)
    assert address is not None
    after = answer.pages(case)
    after[address & -PAGE][address % PAGE + 2] &= ~(RF >> 16)
    return with_pages(case, answer, after)


def _without_lost_words(case: Case, answer: Answer) -> Answer:
    """Nothing is written to a stack but the frame that was delivered at last, and no other stack page is touched."""
    before, after = case.pages(), answer.pages(case)
    kept = range(0)
    if answer.final is not None:
        bottom = answer.final.ss.base + answer.final.rsp
        start = case.state.ss.base + case.state.rsp
        if case.mode == "long":
            start &= ~0xF
        end = (bottom & -PAGE) + PAGE
        kept = range(bottom, start if bottom <= start < end else end)
    for page in [page for page in after if page in ALL_STACKS and after[page] != before[page]]:
        for at in range(PAGE):
            if page + at not in kept:
                after[page][at] = before[page][at]
        if case.mode == "long" and after[page] == before[page]:
            entry = page // PAGE * 8
            after[PT][entry : entry + 8] = before[PT][entry : entry + 8]
    return with_pages(case, answer, after)


def _without_lost_words_and_rf(case: Case, answer: Answer) -> Answer:
    return _without_rf(case, _without_lost_words(case, answer))


def _without_rf_in_the_first_tss(case: Case, answer: Answer) -> Answer:
    after = answer.pages(case)
    address = case.state.tr.base + 0x24
    after[address & -PAGE][address % PAGE + 2] &= ~(RF >> 16)
    return with_pages(case, answer, after)


def _with_ip_popped_first(case: Case, answer: Answer) -> Answer:
    assert answer.final is not None
    address = case.state.ss.base + case.state.rsp
    last = replace(answer.events[-1], cr2=address)
    return replace(answer, events=(*answer.events[:-1], last), final=replace(answer.final, cr2=address))


def _with_the_task_still_busy(case: Case, answer: Answer) -> Answer:
    """The descriptor of the task that JMP would leave as it was, and its page not written to."""
    before, after = case.pages(), answer.pages(case)
    descriptor = case.state.gdtr.base + (case.state.tr.selector & ~7)
    page = descriptor & -PAGE
    after[page] = before[page]
    after[PAGE_TABLES + PAGE][page // PAGE * 4] &= ~DIRTY
    return with_pages(case, answer, after)


_RF = replace(RF_OF_DOUBLE_FAULT, amend=_without_rf)
_SS = replace(SS_NOT_PRESENT, amend=with_stack_fault)
_RF_OF_LOST_DOUBLE_FAULT = replace(RF_OF_DOUBLE_FAULT, amend=_without_rf_in_the_first_tss)
_TSS_LIMIT = Difference(
    "asks for all eight bytes of a ring's ESP and SS in a 32-bit TSS",
    "the six that are read must lie inside the limit",
    "SDM 2A INT n and CALL, pseudo-code: IF (TSSstackAddress + 5) > current TSS limit THEN #TS",
    None,
)
_ROOM = Difference(
    "pushes word by word, so those that fit are written before the one that does not",
    "whether the whole frame fits is asked before anything is pushed",
    "SDM 2A INT n and CALL, pseudo-code: IF (new) stack does not have room for ... bytes THEN #SS",
    _without_lost_words,
)
_ROOM_AND_RF = replace(_ROOM, amend=_without_lost_words_and_rf)
_CALL_OFFSET = Difference(
    "CALL pushes the return address before it looks at the new EIP",
    "the new EIP is checked before anything is pushed",
    "SDM 2A CALL, pseudo-code: IF tempEIP outside new code segment limit THEN #GP(0), in front of Push(CS)",
    _without_lost_words,
)
_OFFSET_BEFORE_ROOM = Difference(
    "compares the handler's offset with the limit of CS before it looks for room on the stack",
    "room first",
    "SDM 2A INT n, pseudo-code INTER-PRIVILEGE-LEVEL-INTERRUPT",
    None,
)
_VM86_EIP = Difference(
    "IRETD in or to virtual-8086 mode does not compare EIP with the limit of CS (to it: drops the high half)",
    "#GP(0)",
    "SDM 2A IRET, pseudo-code: IF EIP not within CS limit THEN #GP(0)",
    None,
)
_SS_OF_FRAME = Difference(
    "IRETD to an outer ring reads two of the four bytes that hold SS",
    "SS is popped as a doubleword, of which the high half is discarded",
    "SDM 2A IRET, pseudo-code: tempSS := Pop(); (* 32-bit pop, high-order 16 bits discarded *)",
    None,
)
_POP_WRAPS = Difference(
    "IRETD on a 16-bit stack does not wrap between its words",
    "each pop adds to SP, which wraps at 64 KiB",
    "SDM 1 6.2.3; 2B POP: IF StackAddrSize = 16 THEN SP := SP + 4",
    None,
)
_POP_ORDER = Difference(
    "reads the last word of the frame first, so CR2 is the address of that word",
    "EIP, CS, EFLAGS in this order",
    "SDM 2A IRET, pseudo-code PROTECTED-MODE",
    _with_ip_popped_first,
)
_BUSY_TOO_EARLY = Difference(
    "JMP to another task marks the old one available, and only then finds its TSS on a page that is not present",
    "whether the old TSS is paged in is asked first (step 6), the busy flag is cleared then (step 7)",
    "SDM 3A 7.3",
    _with_the_task_still_busy,
)
_CALL_GATE_STACK = Difference(
    "#SS with the selector of the old SS for a non-canonical RSP in the TSS",
    "#SS(NewSS), and that selector is null",
    "SDM 2A CALL, pseudo-code MORE-PRIVILEGE: IF pushing 32 bytes would use a non-canonical address THEN #SS(NewSS)",
    with_zero_selector,
)

_ROOM_NAMES = (
    "protected room.limit fails lowest",
    "protected room.limit fails expand-down",
    "protected room.limit fails same ring",
    "vm86 room.limit fails",
    "real stack fails straddling at 0x3",
    "real stack fails straddling at 0x5",
    "far direct.room fails",
    "far gate same ring.room fails",
    "far gate inner.room fails",
    "far real call stack fails straddling at 3",
    "far vm86 call stack fails straddling at 3",
)
_CALL_OFFSET_NAMES = (
    "far direct.eip_limit fails call (cpl 3)",
    "far gate.eip_limit fails call (cpl 3)",
    "far gate inner.eip_limit fails",
    "far long direct.eip_limit fails in compatibility mode call",
    "far long direct.rip fails non-canonical call",
    "far long rip fails non-canonical gate call",
)
_BY_NAME = (
    ("protected stack.tss_limit passes ring", _TSS_LIMIT),
    ("vm86 stack.tss_limit passes (", _TSS_LIMIT),
    ("far gate inner.tss_limit passes ring", _TSS_LIMIT),
    ("protected room.limit comes before offset.limit", _OFFSET_BEFORE_ROOM),
    ("protected room.limit fails for the error code", _ROOM_AND_RF),
    ("protected iret.pop fails not present", _POP_ORDER),
    ("protected iret.outer pop fails not present", _POP_ORDER),
    ("task transfer tss.write fails jmp", _BUSY_TOO_EARLY),
    ("task double.df by a task with an invalid stack", _RF_OF_LOST_DOUBLE_FAULT),
    ("vm86 iretd inside eip.limit fails", _VM86_EIP),
    ("vm86 return eip.limit fails", _VM86_EIP),
    ("protected iret.outer stack fails iretd", _SS_OF_FRAME),
    ("protected iret on a 16-bit stack that wraps", _POP_WRAPS),
    ("protected iret.ss_present fails", _SS),
    ("far long inner.rsp fails non-canonical", _CALL_GATE_STACK),
    *((name, _ROOM) for name in _ROOM_NAMES),
    *((name, _CALL_OFFSET) for name in _CALL_OFFSET_NAMES),
)


def _find(name: str) -> Difference | None:
    for start, difference in _BY_NAME:
        if name.startswith(start):
            return difference
    chain = EXPECTED[name].split(" > ")
    saves_rf = chain[-1] == "#DF(0x0)" and not name.startswith("real ") and "286" not in name
    return _RF if saves_rf else None


OTHER_REASONS: dict[str, Difference] = {name: reason for name in OTHER_MODES if (reason := _find(name)) is not None}
"""For each case outside long mode in which Bochs is known to differ: how, and why we do not follow."""
