"""The way of an interrupt through the APICs: each condition, from the line or the APIC's own source on."""

from __future__ import annotations

from collections.abc import Iterator

from idtviz.checks.why.by_pic import DEVICE_REQUESTS, device_line
from idtviz.checks.why.values import Condition
from idtviz.debugger.view import View
from idtviz.machine.chips import ioapic_state, lapic_state
from idtviz.machine.chips.ioapic_state import IoApicState, pin_of_irq
from idtviz.machine.chips.lapic_state import LapicState, Lvt
from idtviz.x86.apic import EXTINT, FIRST_LEGAL_VECTOR, FIXED, LOWEST_PRIORITY, MODES, NMI, LvtEntry, Redirection


def from_line(view: View, irq: int) -> tuple[tuple[Condition, ...], int]:
    """The conditions for a line that arrives at the I/O APIC, and the vector that its entry names."""
    local, io = view.lapic, view.ioapic
    assert local is not None
    assert io is not None
    pin = pin_of_irq(irq)
    entry = Redirection(io.entries[pin])
    vector = entry.vector
    arrived = bool((local.irr | local.isr) >> vector & 1)
    conditions = (*_entry(view, io, local, irq, pin, entry, arrived=arrived), *_local(local), *_accepted(local, vector))
    return conditions, vector


def from_local(view: View, source: Lvt, vector: int) -> tuple[Condition, ...]:
    """The conditions for an entry of the local vector table."""
    local = view.lapic
    assert local is not None
    entry = LvtEntry(local.lvt[source])
    name = source.name
    found = [
        Condition(
            f"the LVT entry {name} is not masked",
            not entry.masked,
            f"the {name} entry of the local vector table is {entry.value:#x}"
            + (": bit 16 masks it" if entry.masked else ""),
            f"clear bit 16 of the {name} entry (offset {0x320 + 0x10 * source:#x})" if entry.masked else "",
        )
    ]
    if source is Lvt.TIMER:
        runs = local.timer.running or bool((local.irr | local.isr) >> vector & 1)
        found.append(
            Condition(
                "the timer counts",
                runs,
                f"its initial count is {local.timer.initial:#x}" if runs else "the APIC timer does not count",
                "" if runs else "write the divide configuration (0x3e0) and then the initial count (0x380)",
            )
        )
    return (*found, *_local(local), *_accepted(local, vector))


def _entry(
    view: View, io: IoApicState, local: LapicState, irq: int, pin: int, entry: Redirection, *, arrived: bool
) -> Iterator[Condition]:
    """The line, and its redirection entry."""
    bit = 1 << pin
    lost = bool(io.missed & bit) and not arrived
    name = f"redirection entry {pin}"
    line = device_line(view, irq)
    high = ioapic_state.asserted(io, pin)
    yield Condition(
        DEVICE_REQUESTS,
        high or arrived,
        f"pin {pin} is active" if high else "the vector is already in the local APIC" if arrived else line.found,
        "" if high or arrived else line.change,
    )
    yield Condition(
        f"{name} is not masked",
        not entry.masked,
        f"{name} is {entry.value:#x}" + (": bit 16 masks it" if entry.masked else ""),
        f"clear bit 16 of register {0x10 + 2 * pin:#x} of the I/O APIC" if entry.masked else "",
    )
    yield Condition(
        "its edge was not lost",
        not lost,
        f"the edge came while {name} was masked, and the I/O APIC forgets such an edge" if lost else "no edge was lost",
        "open the entry before the device requests, or serve the device once so that its line falls" if lost else "",
    )
    waits = ioapic_state.is_level_triggered(entry) and bool(entry.remote_irr)
    yield Condition(
        "no EOI is outstanding (remote IRR)",
        not waits,
        f"remote IRR of {name} is {int(entry.remote_irr)}"
        + (f": the local APIC has had no EOI of vector {entry.vector:#x}" if waits else ""),
        "write 0 to the local APIC's EOI register (offset 0xb0) in the handler" if waits else "",
    )
    legal = entry.mode in (NMI, EXTINT) or (
        entry.mode in (FIXED, LOWEST_PRIORITY) and entry.vector >= FIRST_LEGAL_VECTOR
    )
    yield Condition(
        "mode and vector",
        legal,
        f"{MODES[entry.mode]}, vector {entry.vector:#x}" + ("" if legal else ": no local APIC accepts that"),
        "" if legal else "use delivery mode 0 (fixed) and a vector from 0x20 on",
    )
    mine = lapic_state.destined(local, entry.destination, logical=entry.logical)
    kind = "logical destination" if entry.logical else "APIC ID"
    yield Condition(
        "its destination is this processor",
        mine,
        f"{kind} {entry.destination:#x}" + ("" if mine else f"; this processor's APIC ID is {local.identifier:#x}"),
        "" if mine else f"write {local.identifier} to bits 31:24 of register {0x11 + 2 * pin:#x} of the I/O APIC",
    )


def _local(local: LapicState) -> Iterator[Condition]:
    yield Condition(
        "the local APIC is there",
        local.enabled,
        f"IA32_APIC_BASE is {local.base:#x}" + ("" if local.enabled else ": bit 11 is 0"),
        "" if local.enabled else "set bit 11 of the MSR 0x1b",
    )
    yield Condition(
        "the local APIC is enabled by software",
        local.software_enabled,
        f"SVR is {local.svr:#x}" + ("" if local.software_enabled else ": bit 8 is 0"),
        "" if local.software_enabled else "set bit 8 of the SVR (offset 0xf0), with a vector for spurious interrupts",
    )


def _accepted(local: LapicState, vector: int) -> Iterator[Condition]:
    """What stands between the IRR and the processor (SDM 3A 10.8.3, 10.8.4)."""
    requested, served = bool(local.irr >> vector & 1), bool(local.isr >> vector & 1)
    state = "requested (IRR)" if requested else "in service (ISR)" if served else "neither requested nor in service"
    yield Condition(
        f"vector {vector:#x} is not in service",
        not served,
        f"vector {vector:#x} is {state}" + (": its handler has sent no EOI" if served else ""),
        "write 0 to the EOI register (offset 0xb0) before the handler's IRET" if served else "",
    )
    above = vector >> 4 > local.tpr >> 4
    yield Condition(
        "above the task priority",
        above,
        f"class {vector >> 4} of the vector, TPR {local.tpr:#04x} (CR8 = {local.tpr >> 4})"
        + ("" if above else ": only higher classes are delivered"),
        "" if above else f"lower CR8 below {vector >> 4}, or use a higher vector",
    )
    highest = lapic_state.highest(local.isr)
    other = bool(local.isr) and highest != vector and vector >> 4 <= highest >> 4
    yield Condition(
        "nothing of its class or higher in service",
        not other,
        f"vector {highest:#x} is in service, and has no EOI" if other else "the ISR holds nothing that goes before it",
        f"send EOI in the handler of vector {highest:#x}" if other else "",
    )
