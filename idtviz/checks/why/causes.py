"""Why an event came: the instruction that raised it, what it did, and the step of a return that failed."""

from __future__ import annotations

from idtviz.checks.interrupted import Interrupted
from idtviz.checks.rules.failures import number
from idtviz.checks.rules.hidden import hidden_from_tcg
from idtviz.debugger.observing import Situation
from idtviz.machine.delivery.event import ALIGNMENT_CHECK, DOUBLE_FAULT, PAGE_FAULT, UNDEFINED_OPCODE, Source
from idtviz.machine.events import Delivered
from idtviz.x86.addresses import is_canonical
from idtviz.x86.error_codes import PageFaultCode, SelectorErrorCode
from idtviz.x86.vectors import VECTORS

_DIVIDE, _NO_DEVICE = 0, 7
_NEAR = 4096


def cause_of(delivered: Delivered, found: Interrupted, behind: Situation, former: Delivered | None) -> str:
    """The sentence that says why `delivered` came. `former`: the failed delivery that it came out of."""
    event = delivered.event
    if former is not None and former.fault is not None:
        if event.vector == DOUBLE_FAULT:
            again = "another " if former.fault.name == former.event.name else ""
            return (
                f"while {former.event.name} was being delivered {again}{former.fault.name} came: the two together are "
                "a double fault (SDM 3A table 6-5)"
            )
        return f"the delivery of {former.event.name} failed with this exception{_selector(delivered)}"
    if event.source is Source.NMI:
        return "a non-maskable interrupt came"
    if event.source is Source.EXTERNAL:
        return _external(delivered, behind)
    if event.source is Source.SOFTWARE:
        return f"`{found.text}` asks for vector {number(event.vector)}"
    return _exception(delivered, found)


def _external(delivered: Delivered, behind: Situation) -> str:
    vector, lapic = delivered.event.vector, behind.lapic
    who = "the local APIC" if lapic is not None and lapic.isr >> vector & 1 else "the 8259s"
    what = delivered.event.name if delivered.event.irq is not None else "an interrupt"
    if vector < 32 and not delivered.event.real:
        return f"{who} sent {what} on vector {vector}, which is that of {VECTORS[vector].mnemonic}"
    return f"{who} sent {what} on vector {vector:#x}"


def _exception(delivered: Delivered, found: Interrupted) -> str:
    event = delivered.event
    text = f"`{found.text}`" if found.text else "the instruction"
    if event.vector == PAGE_FAULT and event.cr2 is not None:
        return _page_fault(delivered, found, text, event.cr2)
    if event.vector == UNDEFINED_OPCODE:
        raw = found.raw[:4].hex(" ")
        return (
            f"the bytes {raw} are no instruction that the processor knows or may execute here"
            if raw
            else ("no instruction can be executed here")
        )
    if event.vector == _DIVIDE:
        return f"{text} divides by zero, or its quotient does not fit the register"
    if event.vector == ALIGNMENT_CHECK:
        bad = next((it for it in found.operands if it.address % max(it.size, 1)), None)
        where = f" {bad.address:#x}, which is no multiple of its operand's {bad.size} bytes," if bad is not None else ""
        return (
            f"{text} accesses{where or ' an address that is not aligned'} in ring 3 with AC=1 in RFLAGS and AM=1 in CR0"
        )
    if event.vector == _NO_DEVICE:
        return f"{text} uses the x87 or SSE registers while CR0 has TS=1 or EM=1"
    null = next((it for it in found.operands if not getattr(found.registers, it.segment).present), None)
    if null is not None and delivered.origin.mode in ("protected", "compatibility"):
        return f"{text} goes through {null.segment.upper()}, which holds a null selector"
    hidden = hidden_from_tcg(delivered, found, in_handler=False)
    if hidden is not None:
        return f"{text} {hidden}"
    wild = next((it for it in found.operands if not is_canonical(it.address)), None)
    if wild is not None and found.registers.mode == "long":
        return f"{text} accesses {wild.address:#x}, which is not a canonical address"
    return f"{text} raises it{_selector(delivered)}"


def _page_fault(delivered: Delivered, found: Interrupted, text: str, cr2: int) -> str:
    code = PageFaultCode(delivered.event.error_code or 0)
    why = code.explain().rpartition(" · ")[2]
    if not code.present:
        why = "no page is mapped there"
    ring = "ring 3" if code.user else "ring 0"
    if code.fetch or cr2 == found.address:
        return f"the processor fetches an instruction at {cr2:#x} in {ring}: {why}"
    said = f"{text} {'writes to' if code.write else 'reads from'} {cr2:#x} in {ring}: {why}"
    on_stack = any(it.stack and 0 <= cr2 - it.address < max(it.size, 1) for it in found.operands)
    if on_stack and not code.present:
        said += f". That is the stack: RSP is {found.registers.rsp:#x}, at the end of what is mapped for it"
    elif cr2 < _NEAR and not code.present:
        said += ". So near to 0 it is most likely a null pointer, and an offset into what it should point to"
    return said


def _selector(delivered: Delivered) -> str:
    event = delivered.event
    if event.error_code is None or event.vector not in (10, 11, 12, 13):
        return ""
    code = SelectorErrorCode(event.error_code & 0xFFFF)
    if not event.error_code & 0xFFFE:
        return ", and its error code 0 names no selector"
    return f"; error code {event.error_code:#x} names {code.explain()}"
