"""One 8259A as a value, and what each command word, line and acknowledge turns it into.

Source: Intel 8259A Programmable Interrupt Controller data sheet (231468-003). Nothing here knows of the second chip
of a PC; `pic.py` wires two of these together.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

ICW1_IC4 = 0x01  # ICW4 will follow
ICW1_SNGL = 0x02  # the only 8259A: no ICW3
ICW1_ADI = 0x04  # MCS-80/85: call addresses four apart, not eight
ICW1_LTIM = 0x08  # level triggered
ICW1 = 0x10  # D4 at A0=0 tells ICW1 from OCW2 and OCW3
OCW3 = 0x08  # D4=0 and D3 at A0=0

ICW4_UPM = 0x01  # 8086 mode
ICW4_AEOI = 0x02
ICW4_SFNM = 0x10


class InitState(IntEnum):
    """Where the chip is in its initialization sequence."""

    UNINITIALISED = 0
    EXPECTS_ICW2 = 2
    EXPECTS_ICW3 = 3
    EXPECTS_ICW4 = 4
    READY = 5


class Pic8259State(NamedTuple):
    """All of one 8259A. Bit n of `irr`, `isr`, `imr`, `lines` and `elcr` belongs to input IRn."""

    irr: int = 0
    isr: int = 0
    imr: int = 0
    lines: int = 0  # levels at the IR pins
    int_output: bool = False  # the INT pin
    init_state: InitState = InitState.UNINITIALISED
    icw1: int = 0
    vector_base: int = 0  # ICW2, T7-T3
    cascade: int = 0  # ICW3: a master's mask of inputs with a slave, or a slave's own ID
    mode_8086: bool = False  # ICW4, uPM
    auto_eoi: bool = False
    special_fully_nested: bool = False
    rotate_on_auto_eoi: bool = False
    lowest_priority: int = 7
    special_mask_mode: bool = False
    read_isr: bool = False  # OCW3: a read at A0=0 gives the ISR, not the IRR
    poll: bool = False  # OCW3: the next read is an acknowledge
    elcr: int = 0  # inputs that the chip set's ELCR makes level triggered
    master: bool = True  # the SP/EN pin

    @property
    def needs_icw4(self) -> bool:
        return bool(self.icw1 & ICW1_IC4)

    @property
    def single(self) -> bool:
        return bool(self.icw1 & ICW1_SNGL)

    @property
    def level_triggered(self) -> int:
        """The inputs whose level, not edge, makes a request."""
        return 0xFF if self.icw1 & ICW1_LTIM else self.elcr

    @property
    def slaves(self) -> int:
        """The inputs on which this chip leaves the vector to a slave."""
        return self.cascade if self.master and not self.single else 0

    def vector(self, irq: int) -> int:
        """The byte that the chip puts on the bus in the second INTA cycle for IRn.

        In MCS-80/85 mode that byte is the low half of a call address; an x86 takes it for a vector all the same.
        """
        if self.mode_8086:
            return self.vector_base | irq
        if self.icw1 & ICW1_ADI:
            return self.icw1 & 0xE0 | irq << 2
        return self.icw1 & 0xC0 | irq << 3


def priority(state: Pic8259State, irq: int) -> int:
    """How far IRn is from the top of the (rotating) order: 0 is served first, 7 last."""
    return (irq - state.lowest_priority - 1) & 7


def highest(state: Pic8259State, inputs: int) -> int | None:
    """The input with the highest priority among the bits of `inputs`."""
    if not inputs:
        return None
    for distance in range(1, 9):
        irq = (state.lowest_priority + distance) & 7
        if inputs >> irq & 1:
            return irq
    return None


def in_service(state: Pic8259State) -> int | None:
    """The interrupt in service that holds back those of its own and of lower priority."""
    blocking = state.isr & ~state.imr if state.special_mask_mode else state.isr
    return highest(state, blocking)


def request(state: Pic8259State) -> int | None:
    """The input that the priority resolver would have acknowledged now."""
    if not state.irr or state.init_state is not InitState.READY:
        return None
    irq = highest(state, state.irr & ~state.imr)
    if irq is None:
        return None
    serving = in_service(state)
    if serving is None or priority(state, irq) < priority(state, serving):
        return irq
    # Special fully nested mode: a slave in service may interrupt with a request of its own that is higher still.
    if irq == serving and state.special_fully_nested and state.slaves >> irq & 1:
        return irq
    return None


def settle(state: Pic8259State) -> Pic8259State:
    """Raise INT if there is a request. Only an acknowledge or ICW1 lowers it.

    That INT outlives the request is why spurious interrupts exist: the processor has been promised a vector, and when
    the line has dropped or was masked in the meantime the chip can only answer with IR7's.
    """
    if not state.int_output and request(state) is not None:
        return state._replace(int_output=True)
    return state


def set_line(state: Pic8259State, irq: int, level: bool) -> Pic8259State:
    """The chip after the pin IRn has been driven to `level`.

    A request needs its line to stay high until the first INTA, in both trigger modes: a line that drops takes its IRR
    bit with it.
    """
    bit = 1 << irq
    if bool(state.lines & bit) == level:
        return state
    if not level:
        return state._replace(lines=state.lines & ~bit, irr=state.irr & ~bit)
    return settle(state._replace(lines=state.lines | bit, irr=state.irr | bit))


def set_elcr(state: Pic8259State, elcr: int) -> Pic8259State:
    """The chip after a write to its edge/level control register: a line that is high now is a request in level mode."""
    return settle(state._replace(elcr=elcr, irr=state.irr | (state.lines & elcr)))


def acknowledge(state: Pic8259State) -> tuple[int | None, Pic8259State]:
    """The INTA cycles: the input that is acknowledged (None: spurious) and the chip after them."""
    irq = request(state)
    state = state._replace(int_output=False)
    if irq is None:
        return None, settle(state)
    bit = 1 << irq
    if not state.level_triggered & bit:
        state = state._replace(irr=state.irr & ~bit)
    if not state.auto_eoi:
        state = state._replace(isr=state.isr | bit)
    elif state.rotate_on_auto_eoi:
        state = state._replace(lowest_priority=irq)
    return irq, settle(state)


def write_command(state: Pic8259State, value: int) -> tuple[int | None, Pic8259State]:
    """A write at A0=0: ICW1, OCW2 or OCW3. Gives the input whose EOI it was (-1: no ISR bit fell; None: no EOI)."""
    if value & ICW1:
        return None, _write_icw1(state, value)
    if value & OCW3:
        return None, _write_ocw3(state, value)
    return _write_ocw2(state, value)


def write_data(state: Pic8259State, value: int) -> Pic8259State:
    """A write at A0=1: the next ICW of a sequence, or OCW1."""
    match state.init_state:
        case InitState.EXPECTS_ICW2:
            return _next_icw(state._replace(vector_base=value & 0xF8))
        case InitState.EXPECTS_ICW3:
            return _next_icw(state._replace(cascade=value))
        case InitState.EXPECTS_ICW4:
            state = state._replace(
                mode_8086=bool(value & ICW4_UPM),
                auto_eoi=bool(value & ICW4_AEOI),
                special_fully_nested=bool(value & ICW4_SFNM),
            )
            return _next_icw(state)
        case _:
            return settle(state._replace(imr=value))


def read_command(state: Pic8259State) -> tuple[int, Pic8259State]:
    """A read at A0=0: the IRR or the ISR, or the poll word."""
    if state.poll:
        return _read_poll(state)
    return (state.isr if state.read_isr else state.irr), state


def read_data(state: Pic8259State) -> tuple[int, Pic8259State]:
    """A read at A0=1: the IMR, or the poll word (a poll takes the next read, wherever it is)."""
    if state.poll:
        return _read_poll(state)
    return state.imr, state


def _write_icw1(state: Pic8259State, value: int) -> Pic8259State:
    # The edge sense circuit starts afresh: a line that is high already must drop and rise again to be seen.
    level_triggered = 0xFF if value & ICW1_LTIM else state.elcr
    return Pic8259State(
        irr=state.lines & level_triggered,
        lines=state.lines,
        init_state=InitState.EXPECTS_ICW2,
        icw1=value,
        vector_base=state.vector_base,
        cascade=0 if state.master else 7,
        elcr=state.elcr,
        master=state.master,
    )


def _next_icw(state: Pic8259State) -> Pic8259State:
    if state.init_state is InitState.EXPECTS_ICW2 and not state.single:
        return state._replace(init_state=InitState.EXPECTS_ICW3)
    if state.init_state is not InitState.EXPECTS_ICW4 and state.needs_icw4:
        return state._replace(init_state=InitState.EXPECTS_ICW4)
    return settle(state._replace(init_state=InitState.READY))


def _write_ocw2(state: Pic8259State, value: int) -> tuple[int | None, Pic8259State]:
    level = value & 7
    match value >> 5:  # R, SL, EOI
        case 0b001:  # non-specific EOI
            return _end(state, in_service(state), rotate=False)
        case 0b011:  # specific EOI
            return _end(state, level, rotate=False)
        case 0b101:  # rotate on non-specific EOI
            return _end(state, in_service(state), rotate=True)
        case 0b111:  # rotate on specific EOI
            return _end(state, level, rotate=True)
        case 0b100:  # rotate in automatic EOI mode, set
            return None, state._replace(rotate_on_auto_eoi=True)
        case 0b000:  # rotate in automatic EOI mode, clear
            return None, state._replace(rotate_on_auto_eoi=False)
        case 0b110:  # set priority
            return None, settle(state._replace(lowest_priority=level))
        case _:  # no operation
            return None, state


def _end(state: Pic8259State, irq: int | None, *, rotate: bool) -> tuple[int, Pic8259State]:
    if irq is None:
        return -1, state
    cleared = irq if state.isr >> irq & 1 else -1
    lowest_priority = irq if rotate else state.lowest_priority
    return cleared, settle(state._replace(isr=state.isr & ~(1 << irq), lowest_priority=lowest_priority))


def _write_ocw3(state: Pic8259State, value: int) -> Pic8259State:
    if value & 0x40:  # ESMM
        state = state._replace(special_mask_mode=bool(value & 0x20))
    if value & 0x02:  # RR
        state = state._replace(read_isr=bool(value & 0x01))
    return settle(state._replace(poll=bool(value & 0x04)))


def _read_poll(state: Pic8259State) -> tuple[int, Pic8259State]:
    irq, state = acknowledge(state._replace(poll=False))
    return (0 if irq is None else 0x80 | irq), state
