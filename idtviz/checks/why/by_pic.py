"""The way of a line through the 8259s to INTR: each condition, from the device on."""

from __future__ import annotations

from collections.abc import Iterator

from idtviz.checks.why.values import Condition
from idtviz.debugger.view import View
from idtviz.machine.chips import pic8259
from idtviz.machine.chips.keyboard import CB_IRQ1
from idtviz.machine.chips.pic import CASCADE
from idtviz.machine.chips.pic8259 import InitState, Pic8259State

DEVICE_REQUESTS = "the device requests"
"""The name of the first condition, which no controller decides."""
COMES_BY_ITSELF = "nothing: it comes by itself"


def from_line(view: View, irq: int) -> tuple[tuple[Condition, ...], int]:
    """The conditions for IRQ0 to IRQ15, and the vector that it comes on."""
    pair = view.pic
    running = any(frame.name == f"IRQ{irq}" for frame in view.frames)
    conditions: list[Condition] = []
    if irq >= 8:
        conditions += _chip(pair.slave, "slave", irq - 8, 8, device_line(view, irq), running=running)
        wire = Condition(
            "the slave's INT is high",
            pair.slave.int_output,
            "the slave asks the master" if pair.slave.int_output else "the slave asks for nothing",
        )
        conditions += [*_cascade(view), *_chip(pair.master, "master", CASCADE, 0, wire, running=running)]
        vector = pair.slave.vector(irq - 8)
    else:
        conditions += _chip(pair.master, "master", irq, 0, device_line(view, irq), running=running)
        vector = pair.master.vector(irq)
    if view.lapic is not None:
        open_ = view.lapic.virtual_wire
        conditions.append(
            Condition(
                "LINT0 lets the 8259s through",
                open_,
                "LINT0 is set to ExtINT, not masked" if open_ else "LINT0 of the local APIC lets no ExtINT through",
                ""
                if open_
                else "set LINT0 (offset 0x350) to 0x700, or open the line's redirection entry in the I/O APIC",
            )
        )
    return tuple(conditions), vector


def device_line(view: View, irq: int) -> Condition:
    """Whether the device requests: the level of its line, and what of the device tells why not."""
    chip = view.pic.master if irq < 8 else view.pic.slave
    bit = 1 << (irq & 7)
    high, requested, served = bool(chip.lines & bit), bool(chip.irr & bit), bool(chip.isr & bit)
    if requested or served:
        what = "the line is requested" if requested else "it was acknowledged, and is in service"
        return Condition(DEVICE_REQUESTS, True, f"{what} ({'high' if high else 'low'})")  # noqa: FBT003
    if high and irq != 0:  # the 8254 lowers its OUT by itself
        return Condition(
            DEVICE_REQUESTS,
            holds=False,
            found=f"the line of IRQ{irq} has stayed high since its last interrupt, and an edge-triggered input wants "
            f"it to fall and rise again: {_stuck(irq)}",
            change=_serve(irq),
        )
    found, change = _silent(view, irq)
    return Condition(DEVICE_REQUESTS, holds=False, found=found, change=change)


def _stuck(irq: int) -> str:
    told = {
        1: "the byte in port 0x60 was not read",
        4: "what COM1 has to say was not read",
        8: "register C of the clock was not read",
    }
    return told.get(irq, "the device has not been served")


def _serve(irq: int) -> str:
    told = {
        1: "read port 0x60 in the handler",
        4: "read IIR and RBR of COM1 (ports 0x3fa and 0x3f8) in the handler, until IIR says that nothing is pending",
        8: "read register C in the handler: write 0x0c to port 0x70 and read port 0x71",
    }
    return told.get(irq, "do in the handler what makes the device lower its line")


def _silent(view: View, irq: int) -> tuple[str, str]:
    """Why the line of a device is low, and what to change."""
    if irq == 0:
        counter = view.pit.counters[0]
        if not counter.counting:
            return "counter 0 of the 8254 does not count", "write a mode to port 0x43 and a divisor to port 0x40"
        if view.pit.deadline is not None:
            wait = max(0, view.pit.deadline - view.ticks)
            return f"the timer's next edge comes in {wait:,} ticks", COMES_BY_ITSELF
        return f"counter 0 of the 8254 has counted down in mode {counter.mode}", "program it anew, or use mode 2 or 3"
    if irq == 1:
        if not view.keyboard.command_byte & CB_IRQ1:
            return "the 8042's command byte has IRQ1 switched off (bit 0)", "write a command byte with bit 0 set"
        return "the keyboard has nothing to say: no key was pressed, or each byte was read", "press a key"
    if irq == 4:
        if view.com1.held_back:
            return "COM1 has an interrupt pending, but OUT2 keeps it from the line", "set bit 3 of MCR (port 0x3fc)"
        if not view.com1.ier:
            return "COM1's interrupts are off: IER is 0", "set bits in IER (port 0x3f9), and OUT2 in MCR"
        return "COM1 has nothing to say", "nothing: it comes when a byte arrives, or the transmitter is empty"
    if irq == 8:
        if not view.rtc.control & 0x70:
            return (
                "the clock's interrupts are off: bits 4 to 6 of register B are 0",
                "set PIE, AIE or UIE in register B",
            )
        return "the clock has not come round yet", COMES_BY_ITSELF
    return f"the line of IRQ{irq} is low: no device requests anything", "set up the device so that it interrupts"


def _chip(
    chip: Pic8259State, name: str, number: int, first: int, request: Condition, *, running: bool
) -> Iterator[Condition]:
    """The conditions of one 8259 for its own input `number`; `running`: the line's handler is at work."""
    bit, irq = 1 << number, first + number
    ready = chip.init_state is InitState.READY
    data, command = ("0x21", "0x20") if name == "master" else ("0xa1", "0xa0")
    yield Condition(
        f"the {name} 8259 is initialised",
        ready,
        f"ICW1 to ICW4 are written; ICW2 is {chip.vector(0):#04x}" if ready else _expects(chip, name),
        "" if ready else f"write ICW1 to port {command}, and ICW2 to ICW4 to port {data}",
    )
    yield request
    masked = bool(chip.imr & bit)
    what = f"IRQ{irq}" if irq != CASCADE else "IRQ2, the slave's way,"
    yield Condition(
        f"not masked in the {name}",
        not masked,
        f"IMR of the {name} is {chip.imr:#04x}: bit {number} is {int(masked)}"
        + (f", and {what} is masked" if masked else ""),
        f"clear bit {number} of the mask at port {data}" if masked else "",
    )
    serving = pic8259.in_service(chip)
    state = "its handler is at work, and has sent no EOI so far" if running else "its handler has sent no EOI"
    before = "before the handler's IRET"
    if number == CASCADE and chip.master:
        what, before = "IRQ2, the slave's way, is in service", "as well, in the handlers of IRQ8 to IRQ15"
        state = "a handler of IRQ8 to IRQ15 has sent the master no EOI" + " so far" * running
    else:
        what = f"IRQ{irq} itself is in service"
    served = bool(chip.isr & bit) and not (chip.special_fully_nested and number == CASCADE and chip.master)
    yield Condition(
        f"not in service in the {name}",
        not served,
        f"ISR of the {name} is {chip.isr:#04x}: bit {number} is {int(bool(chip.isr & bit))}"
        + (f", and {what}: {state}" if served else ""),
        _eoi(command, before, running=running) if served else "",
    )
    higher = serving is not None and pic8259.priority(chip, serving) < pic8259.priority(chip, number)
    other = first + serving if serving is not None else 0
    yield Condition(
        f"nothing of higher priority in service in the {name}",
        not higher,
        f"ISR of the {name} is {chip.isr:#04x}"
        + (f": IRQ{other} goes before IRQ{irq}, and has no EOI" if higher else ""),
        f"send EOI in the handler of IRQ{other} (write 0x20 to port {command})" if higher else "",
    )
    chosen = pic8259.request(chip)
    first_other = chosen is not None and chosen != number and not chip.imr & bit and bool(chip.irr & bit)
    if first_other and chosen is not None:
        yield Condition(
            f"nothing of higher priority requested in the {name}",
            holds=False,
            found=f"IRQ{first + chosen} is requested as well and goes first",
            change="nothing: its turn comes behind that one",
        )


def _eoi(port: str, before: str, *, running: bool) -> str:
    if running:
        return f"let the handler come to its EOI (0x20 to port {port}), or add one in front of its IRET"
    return f"write 0x20 (EOI) to port {port} {before}"


def _cascade(view: View) -> Iterator[Condition]:
    """The chips' idea of how they are wired."""
    pair = view.pic
    wired = bool(pair.master.slaves >> CASCADE & 1) and not pair.slave.single and pair.slave.cascade & 7 == CASCADE
    yield Condition(
        "the cascade (ICW3)",
        wired,
        f"ICW3 of the master is {pair.master.cascade:#04x}, of the slave {pair.slave.cascade:#04x}"
        + ("" if wired else ", but the slave is wired to the master's IR2"),
        "" if wired else "write ICW3 = 0x04 to the master and 0x02 to the slave",
    )


def _expects(chip: Pic8259State, name: str) -> str:
    if chip.init_state is InitState.UNINITIALISED:
        return f"the {name} 8259 has had no ICW"
    return f"the {name} 8259 is in the midst of its initialisation and waits for {chip.init_state.name[8:]}"
