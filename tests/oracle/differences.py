"""Where Bochs and the manual differ, and why idtviz follows the manual: the table of reasons, one entry for each.

Every case that an entry names is still compared with Bochs, after `amend` has changed in Bochs' answer exactly what the
entry is about; only where the two go different ways from there on (`amend` is None) the chain of events alone is held
against DELIVERY.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from .case import PAGE, Answer, Case, changes_in_page
from .catalogue import EXPECTED, NAMED_CASES
from .iret_cases import RETURN_RSP
from .long_mode import CODE, WRAP, handler

Amend = Callable[[Case, Answer], Answer]


@dataclass(frozen=True, slots=True)
class Difference:
    """What Bochs does, what the manual says, where it says so, and Bochs' answer made to agree with it."""

    bochs: str
    manual: str
    source: str
    amend: Amend | None


def with_pages(case: Case, answer: Answer, after: dict[int, bytearray]) -> Answer:
    """The answer with this memory at the end."""
    before = case.pages()
    changes = (
        change for page in sorted(before) for change in changes_in_page(page, bytes(before[page]), bytes(after[page]))
    )
    return replace(answer, changes=tuple(changes))


def _with_word(case: Case, answer: Answer, linear: int, word: int) -> Answer:
    """The answer with eight bytes of memory changed."""
    after = answer.pages(case)
    address = linear & WRAP
    after[address & -PAGE][address % PAGE : address % PAGE + 8] = word.to_bytes(8, "little")
    return with_pages(case, answer, after)


def _word_on_stack(case: Case, answer: Answer, place: int) -> tuple[int, int]:
    """Linear address and value of one word of the frame, counted from the top of the stack."""
    assert answer.final is not None
    address = answer.final.rsp + 8 * place
    (word,) = answer.words(case, address & WRAP, 1)
    return address, word


def _without_rf(case: Case, answer: Answer) -> Answer:
    address, word = _word_on_stack(case, answer, 3)
    return _with_word(case, answer, address, word & ~(1 << 16))


def with_zero_selector(case: Case, answer: Answer) -> Answer:
    address, word = _word_on_stack(case, answer, 0)
    last = replace(answer.events[-1], error_code=word & 1)
    return replace(_with_word(case, answer, address, word & 1), events=(*answer.events[:-1], last))


def with_stack_fault(_case: Case, answer: Answer) -> Answer:
    assert answer.final is not None
    last = replace(answer.events[-1], vector=12)
    return replace(answer, events=(*answer.events[:-1], last), final=replace(answer.final, rip=handler(12)))


def _with_rip_popped_first(case: Case, answer: Answer) -> Answer:
    assert answer.final is not None
    last = replace(answer.events[-1], cr2=case.state.rsp)
    return replace(answer, events=(*answer.events[:-1], last), final=replace(answer.final, cr2=case.state.rsp))


def _with_rsp_popped(mask: int) -> Amend:
    def amend(_case: Case, answer: Answer) -> Answer:
        assert answer.final is not None
        return replace(answer, final=replace(answer.final, rsp=RETURN_RSP & mask))

    return amend


def _taken_behind_mov_ss(case: Case, answer: Answer) -> Answer:
    address, _ = _word_on_stack(case, answer, 0)
    return _with_word(case, answer, address, CODE + 3)


RF_OF_DOUBLE_FAULT = Difference(
    "sets RF in the RFLAGS image that #DF saves",
    "RF is set in the image for faults; #DF is an abort",
    "SDM 3B 17.3.1.1; 3A 6.15, Interrupt 8",
    _without_rf,
)
_TSS_STACK_POINTER = Difference(
    "#SS with the selector of the old SS for a non-canonical RSP in the TSS",
    "#SS(EXT): in 64-bit mode no stack selector is involved",
    "SDM 2A INT n, pseudo-code: IF new stack pointer is not canonical THEN #SS(error_code(NULL,0,EXT))",
    with_zero_selector,
)
_CONFORMING = Difference(
    "pushes as a supervisor for a conforming handler that runs in ring 3",
    "CPL stays 3, and pushes are not among the implicit supervisor accesses: they are user accesses",
    "SDM 3A 4.6.1",
    None,
)
SS_NOT_PRESENT = Difference(
    "IRET to an SS that is not present is #NP (newer Bochs: #SS)",
    "#SS(selector)",
    "SDM 2A IRET, pseudo-code: IF stack segment is not present THEN #SS(SS selector)",
    with_stack_fault,
)
_POP_ORDER = Difference(
    "reads RFLAGS first, so CR2 is the address of that word",
    "RIP, CS, RFLAGS in this order",
    "SDM 2A IRET, pseudo-code IA-32e-MODE",
    _with_rip_popped_first,
)
_NARROW_IRET = "takes RSP and SS from the frame of IRETD and IRETW only with a change of ring"
_ALWAYS_POPS = "an IRET that began in 64-bit mode pops RSP and SS always, at its operand size"
_IRET_SOURCE = "SDM 3A 6.14.3; 2A IRET, pseudo-code: IF instruction began in 64-Bit Mode"
_IRETD = Difference(_NARROW_IRET, _ALWAYS_POPS, _IRET_SOURCE, _with_rsp_popped(0xFFFFFFFF))
_IRETW = Difference(_NARROW_IRET, _ALWAYS_POPS, _IRET_SOURCE, _with_rsp_popped(0xFFFF))
_SHADOWS = Difference(
    "MOV SS behind STI holds interrupts off for one more instruction",
    "of several instructions in a row that delay interrupts, only the first is sure to do so",
    "SDM 2B MOV, note on STI; MOV SS; MOV ESP",
    _taken_behind_mov_ss,
)


def _find(name: str) -> Difference | None:
    chain = EXPECTED[name].split(" > ")
    if name == "irq.mov ss shadow after sti shadow":
        return _SHADOWS
    if "in ring 3 conforming" in name or name.startswith("conforming handler with ist"):
        return _CONFORMING
    if name.startswith(("stack.canonical fails ist", "stack.canonical fails rsp")):
        return _TSS_STACK_POINTER
    if name.startswith("iret.ss_present"):
        return SS_NOT_PRESENT
    if name.startswith("iret.pop fails not present"):
        return _POP_ORDER
    if name.startswith("iret.size"):
        return _IRETD if " 32 " in name else _IRETW
    if chain[-1] == "#DF(0x0)":
        return RF_OF_DOUBLE_FAULT
    return None


REASONS: dict[str, Difference] = {name: reason for name in NAMED_CASES if (reason := _find(name)) is not None}
"""For each case in which Bochs is known to differ: how, and why we do not follow."""
