"""Why an interrupt does not arrive: each condition on its way from the device to the handler, with the value found."""

from __future__ import annotations

from idtviz.checks.why import by_apic, by_pic
from idtviz.checks.why.values import Arrival, Condition
from idtviz.debugger.session import Session
from idtviz.debugger.view import View
from idtviz.machine.chips import pic
from idtviz.machine.chips.ioapic_state import MASKED, pin_of_irq
from idtviz.machine.chips.lapic_state import Lvt
from idtviz.machine.chips.pic import CASCADE
from idtviz.x86.apic import FIXED, LvtEntry
from idtviz.x86.flags import IF
from idtviz.x86.vectors import VECTORS


def arrival(session: Session, *, irq: int | None = None, vector: int | None = None) -> Arrival:
    """The way of one line (0-15, without 2), or of a vector (0-255), at the present moment of `session`.

    Raises ValueError where there is no such line or vector.
    """
    view = session.view
    if (irq is None) == (vector is None):
        raise ValueError("one line or one vector, not both")
    if irq is not None:
        if not 0 <= irq <= 15 or irq == CASCADE:
            raise ValueError(f"expected a line from 0 to 15 without 2, which is the cascade, not {irq}")
        return _line(session, irq)
    assert vector is not None
    if not 0 <= vector <= 255:
        raise ValueError(f"expected a vector from 0 to 255, not {vector}")
    line, source = _who_sends(view, vector)
    if line is not None:
        return _line(session, line)
    if source is not None:
        local = by_apic.from_local(view, source, vector)
        conditions = (*local, *_processor(view), *_gate(session, vector))
        return Arrival(f"vector {vector:#x}", view.moment, "the local APIC's own sources", conditions)
    if vector < 32:
        name = VECTORS[vector].mnemonic
        said = f"{name} is an exception: the processor raises it, whatever RFLAGS.IF and the controllers say"
        return Arrival(name, view.moment, said, _gate(session, vector))
    nobody = Condition(
        "a source",
        holds=False,
        found=f"no controller is set to send vector {vector:#x}: the 8259s send {view.pic.master.vector(0):#x} to "
        f"{view.pic.master.vector(7):#x} and {view.pic.slave.vector(0):#x} to {view.pic.slave.vector(7):#x}",
        change="set ICW2 of the 8259s, a redirection entry of the I/O APIC or an entry of the local vector table to "
        "it; or execute INT n",
    )
    return Arrival(f"vector {vector:#x}", view.moment, "nobody sends it", (nobody, *_gate(session, vector)))


def lines_of_interest(view: View) -> tuple[int, ...]:
    """The lines that are requested, or in service, of either kind of controller."""
    lines = []
    for irq in range(16):
        chip = view.pic.master if irq < 8 else view.pic.slave
        bit = 1 << (irq & 7)
        waits = bool((chip.irr | chip.isr) & bit) and not chip.imr & bit
        pin = pin_of_irq(irq)
        ioapic = view.ioapic
        if ioapic is not None and view.lapic is not None and not ioapic.entries[pin] & MASKED:
            vector = ioapic.entries[pin] & 0xFF
            held = (view.lapic.irr | view.lapic.isr) >> vector | (ioapic.missed | ioapic.refused) >> pin
            waits = bool(held & 1)
        if waits and irq != CASCADE:
            lines.append(irq)
    return tuple(lines)


def _line(session: Session, irq: int) -> Arrival:
    view = session.view
    if _through_ioapic(view, irq):
        conditions, vector = by_apic.from_line(view, irq)
        way = "the I/O APIC and the local APIC"
    else:
        conditions, vector = by_pic.from_line(view, irq)
        way = "the master 8259" if irq < 8 else "the slave 8259 and the master 8259"
    return Arrival(f"IRQ{irq}", view.moment, way, (*conditions, *_processor(view), *_gate(session, vector, irq)))


def _through_ioapic(view: View, irq: int) -> bool:
    """Whether the line's way is that through the I/O APIC: its entry is open, or the 8259s are cut off."""
    if view.ioapic is None or view.lapic is None:
        return False
    if not view.ioapic.entries[pin_of_irq(irq)] & MASKED:
        return True
    used = any(not entry & MASKED for entry in view.ioapic.entries)
    return not view.lapic.virtual_wire or (used and view.pic.master.imr == 0xFF)


def _who_sends(view: View, vector: int) -> tuple[int | None, Lvt | None]:
    """The line whose interrupt has this vector, or the source inside the local APIC."""
    if view.ioapic is not None:
        for irq in range(16):
            entry = view.ioapic.entries[pin_of_irq(irq)]
            if irq != CASCADE and not entry & MASKED and entry & 0xFF == vector:
                return irq, None
    if view.lapic is not None:
        for source in Lvt:
            entry = view.lapic.lvt[source]
            if entry & 0xFF == vector and LvtEntry(entry).mode == FIXED:
                return None, source
    return pic.irq_of_vector(view.pic, vector), None


# The processor


def _processor(view: View) -> tuple[Condition, ...]:
    enabled, shadow = bool(view.registers.rflags & IF), view.registers.interrupt_shadow
    running = not view.shut_down
    inside = f", in the handler of {view.frames[-1].name}" if view.frames else ""
    found = [
        Condition(
            "the processor runs",
            running,
            ("it is in HLT, which an interrupt ends" if view.halted else "it executes instructions")
            if running
            else "the processor has shut down, and takes nothing but a reset",
            "" if running else "see what led to the shutdown: idtviz why FILE",
        ),
        Condition(
            "RFLAGS.IF",
            enabled,
            "IF is 1" if enabled else f"IF is 0: the processor takes no maskable interrupt{inside}",
            "" if enabled else _sti(view),
        ),
        Condition(
            "no interrupt shadow",
            not shadow,
            "the last instruction was neither STI nor MOV SS or POP SS"
            if not shadow
            else "the instruction behind STI, MOV SS or POP SS is executed first",
            "" if not shadow else "nothing: it lasts one instruction",
        ),
    ]
    return tuple(found)


def _sti(view: View) -> str:
    if view.frames:
        return "return from the handler, whose IRET brings IF back, or execute STI in it"
    if view.halted:
        return "execute STI right in front of HLT"
    return "execute STI once the IDT and the controllers are set up"


def _gate(session: Session, vector: int, irq: int | None = None) -> tuple[Condition, ...]:
    """Whether the vector's gate is one that the delivery gets through."""
    found: list[Condition] = []
    real = session.view.registers.mode == "real"
    if irq is not None and vector < 32 and not real:
        found.append(
            Condition(
                "a vector of its own",
                holds=False,
                found=f"it comes on vector {vector}, which is that of {VECTORS[vector].mnemonic}",
                change="set ICW2 of the 8259s to 0x20 and 0x28 before STI",
            )
        )
    supposed = session.suppose(vector)
    failed = next((step for step in supposed.steps if not step.ok), None)
    table = session.view.idt.name
    if failed is None:
        to = supposed.after
        where = "" if to is None else session.symbols.name(to.linear_rip) or f"{to.linear_rip:#x}"
        found.append(Condition(f"the gate {table}[{vector}]", True, f"it leads to {where}"))  # noqa: FBT003
    else:
        value = f" ({failed.value})" if failed.value else ""
        fault = f", {failed.fault.name}" if failed.fault is not None else ""
        found.append(
            Condition(
                f"the gate {table}[{vector}]",
                holds=False,
                found=f"its delivery would fail at {failed.rule.id}, {failed.text}{value}{fault}",
                change=f"{_cure(failed.rule.id, table, vector)} (idtviz explain {failed.rule.id})",
            )
        )
    return tuple(found)


def _cure(rule: str, table: str, vector: int) -> str:
    """What to change where a delivery fails at `rule`."""
    family = rule.partition(".")[0]
    if rule == "idt.limit":
        return f"give IDTR a limit that covers {table}[{vector}]: the table's size in bytes minus 1"
    if family in ("idt", "gate"):
        return f"set {table}[{vector}] to a present interrupt gate (type 0xe) with the handler's address"
    if family in ("selector", "descriptor", "cs"):
        return f"give {table}[{vector}] the selector of a present code segment of the GDT in use"
    return "give the handler a stack that is mapped and writable: RSP, RSP0 or IST of the TSS, by the gate and the ring"
