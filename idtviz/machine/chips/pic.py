"""The two 8259A interrupt controllers of a PC/AT: the slave's INT drives the master's IR2.

Source: Intel 8259A data sheet; IBM PC/AT Technical Reference (ports, wiring); Intel 82371 data sheet (ELCR).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from idtviz.machine.chips import pic8259
from idtviz.machine.chips.chip import FLOATING, ByteChip
from idtviz.machine.chips.pic8259 import InitState, Pic8259State

MASTER_COMMAND, MASTER_DATA = 0x20, 0x21
SLAVE_COMMAND, SLAVE_DATA = 0xA0, 0xA1
MASTER_ELCR, SLAVE_ELCR = 0x4D0, 0x4D1

CASCADE = 2
"""The master's input that the slave's INT is wired to."""


@dataclass(frozen=True, slots=True)
class PicPairState:
    """Both controllers."""

    master: Pic8259State = field(default_factory=Pic8259State)
    slave: Pic8259State = field(default_factory=lambda: Pic8259State(master=False))


@dataclass(frozen=True, slots=True)
class Answer:
    """What an acknowledge gives: the vector, and the IRQ that it is for (None: spurious, or a floating bus)."""

    vector: int
    irq: int | None


POWER_ON = PicPairState()
"""Before any ICW: neither chip requests anything."""

AFTER_BIOS = PicPairState(
    master=Pic8259State(
        init_state=InitState.READY, icw1=0x11, vector_base=0x08, cascade=1 << CASCADE, mode_8086=True, imr=0xB8
    ),
    slave=Pic8259State(
        init_state=InitState.READY, icw1=0x11, vector_base=0x70, cascade=CASCADE, mode_8086=True, imr=0x8E, master=False
    ),
)
"""As a BIOS leaves them: IRQ0-7 at vectors 0x08-0x0F, IRQ8-15 at 0x70-0x77; timer, keyboard, cascade, floppy disk, RTC,
mouse, coprocessor and first disk enabled."""


class PicPair(ByteChip):
    """Sixteen interrupt request lines in, one INTR out."""

    def __init__(self, on_eoi: Callable[[str, int], None] | None = None, state: PicPairState = AFTER_BIOS) -> None:
        """Put the pair into `state`.

        `on_eoi` is told of each EOI command: "pic.master" or "pic.slave", and the IRQ (0-15) whose ISR bit it cleared,
        or -1 where it cleared none.
        """
        self.name: str = "pic"
        self.ports: tuple[int, ...] = (MASTER_COMMAND, MASTER_DATA, SLAVE_COMMAND, SLAVE_DATA, MASTER_ELCR, SLAVE_ELCR)
        self.state = state
        self._on_eoi = on_eoi
        self.on_int: Callable[[bool], None] = _ignore
        """Told each edge of the INT output, which is the processor's INTR where there is no local APIC."""

    @property
    def intr(self) -> bool:
        """The level of the processor's INTR pin."""
        return self.state.master.int_output

    def set_line(self, irq: int, level: bool) -> None:
        """Drive one of the lines IRQ0-IRQ15. IRQ2 is the cascade and has no line of its own."""
        if not 0 <= irq <= 15 or irq == CASCADE:
            raise ValueError(f"there is no interrupt request line {irq}")
        if irq < 8:
            self._become(master=pic8259.set_line(self.state.master, irq, level))
        else:
            self._become(slave=pic8259.set_line(self.state.slave, irq - 8, level))

    def acknowledge(self) -> int:
        """The processor's two INTA cycles: the vector that the controllers answer with (see `inta`)."""
        answer, state = inta(self.state)
        self._take(state)
        return answer.vector

    def irq_of_vector(self, vector: int) -> int | None:
        """The IRQ that the controllers would answer with this vector, as they are programmed now."""
        return irq_of_vector(self.state, vector)

    def become(self, state: PicPairState) -> None:
        """Take on registers from outside; the INT outputs and the cascade follow from them."""
        self._take(_wired(pic8259.settle(state.master), pic8259.settle(state.slave)))

    def waiting(self) -> list[tuple[int, str]]:
        """Each IRQ whose request is held back, with the reason."""
        reasons = ((irq, why_waiting(self.state, irq)) for irq in range(16))
        return [(irq, reason) for irq, reason in reasons if reason is not None]

    def read_byte(self, port: int) -> int:
        match port:
            case 0x20:
                value, master = pic8259.read_command(self.state.master)
                self._become(master=master)
            case 0x21:
                value, master = pic8259.read_data(self.state.master)
                self._become(master=master)
            case 0xA0:
                value, slave = pic8259.read_command(self.state.slave)
                self._become(slave=slave)
            case 0xA1:
                value, slave = pic8259.read_data(self.state.slave)
                self._become(slave=slave)
            case 0x4D0:
                value = self.state.master.elcr
            case _:
                value = self.state.slave.elcr
        return value

    def write_byte(self, port: int, value: int) -> None:
        match port:
            case 0x20:
                eoi, master = pic8259.write_command(self.state.master, value)
                self._become(master=master)
                self._report("pic.master", eoi, 0)
            case 0x21:
                self._become(master=pic8259.write_data(self.state.master, value))
            case 0xA0:
                eoi, slave = pic8259.write_command(self.state.slave, value)
                self._become(slave=slave)
                self._report("pic.slave", eoi, 8)
            case 0xA1:
                self._become(slave=pic8259.write_data(self.state.slave, value))
            case 0x4D0:  # timer, keyboard and cascade are always edge triggered
                self._become(master=pic8259.set_elcr(self.state.master, value & 0xF8))
            case _:  # so are the RTC and the coprocessor
                self._become(slave=pic8259.set_elcr(self.state.slave, value & 0xDE))

    def _report(self, controller: str, eoi: int | None, first: int) -> None:
        if eoi is not None and self._on_eoi is not None:
            self._on_eoi(controller, eoi if eoi < 0 else first + eoi)

    def _become(self, master: Pic8259State | None = None, slave: Pic8259State | None = None) -> None:
        """Take on new states of one chip or both."""
        master = self.state.master if master is None else master
        slave = self.state.slave if slave is None else slave
        if master is not self.state.master or slave is not self.state.slave:
            self._take(_wired(master, slave))

    def _take(self, state: PicPairState) -> None:
        level = self.intr
        self.state = state
        if self.intr != level:
            self.on_int(self.intr)


def inta(state: PicPairState) -> tuple[Answer, PicPairState]:
    """What the two INTA cycles give now, and the controllers after them.

    A request that is no longer there gives the vector of IRQ7 (or IRQ15) and sets no ISR bit. The master's part in a
    spurious IRQ15 is real: its ISR bit 2 is set. When ICW3 of the two chips disagree no chip answers, and the bus reads
    0xFF.
    """
    irq, master = pic8259.acknowledge(state.master)
    if irq is None:
        return Answer(master.vector(7), None), _wired(master, state.slave)
    if not master.slaves >> irq & 1:
        return Answer(master.vector(irq), irq), _wired(master, state.slave)
    if irq != CASCADE or state.slave.single or state.slave.cascade & 7 != irq:
        return Answer(FLOATING, None), _wired(master, state.slave)
    irq, slave = pic8259.acknowledge(state.slave)
    # The slave's INT falls during its INTA even if it rises again at once: the master must see that new edge.
    after = _wired(pic8259.set_line(master, CASCADE, level=False), slave)
    return (Answer(slave.vector(7), None) if irq is None else Answer(slave.vector(irq), 8 + irq)), after


def irq_of_vector(state: PicPairState, vector: int) -> int | None:
    """The IRQ (0-15) whose acknowledge would give `vector`, or None."""
    for irq in range(8):
        if not state.master.slaves >> irq & 1 and state.master.vector(irq) == vector:
            return irq
    if state.master.slaves >> CASCADE & 1 and state.slave.cascade & 7 == CASCADE:
        for irq in range(8):
            if state.slave.vector(irq) == vector:
                return 8 + irq
    return None


def why_waiting(state: PicPairState, irq: int) -> str | None:
    """Which condition of the controllers holds the request of IRQ0-IRQ15 back.

    None: there is no request on this line, or nothing holds it back (then INTR is high, and the rest is the processor's
    RFLAGS.IF). The words are meant for a panel.
    """
    if irq < 8:
        return _held_back(state.master, irq, "master", 0)
    reason = _held_back(state.slave, irq - 8, "slave", 8)
    if reason is not None or not state.slave.irr >> (irq - 8) & 1:
        return reason
    master = state.master
    if not master.irr >> CASCADE & 1:
        if master.init_state is not InitState.READY:
            return _not_ready(master, "master")
        return "the master has not seen a new edge on the cascade (IRQ2)"
    reason = _held_back(master, CASCADE, "master", 0)
    if reason is None:
        return _cascade_broken(state)
    if master.imr >> CASCADE & 1:
        return "the cascade is masked (IRQ2, IMR bit 2 of the master)"
    return reason


def _held_back(chip: Pic8259State, irq: int, name: str, first: int) -> str | None:
    """The same for one chip and its own input number."""
    if not chip.irr >> irq & 1:
        if chip.lines >> irq & 1 and not chip.isr >> irq & 1 and chip.init_state is not InitState.READY:
            return _not_ready(chip, name)
        return None
    if chip.init_state is not InitState.READY:
        return _not_ready(chip, name)
    if chip.imr >> irq & 1:
        return f"masked (IMR bit {irq} of the {name})"
    chosen = pic8259.request(chip)
    if chosen == irq:
        return None
    serving = pic8259.in_service(chip)
    if serving == irq:
        return f"IRQ{first + irq} itself is still in service (no EOI yet)"
    if serving is not None and pic8259.priority(chip, serving) < pic8259.priority(chip, irq):
        return f"IRQ{first + serving} of higher priority is in service (no EOI yet)"
    return f"IRQ{first + chosen} of higher priority goes first" if chosen is not None else None


def _not_ready(chip: Pic8259State, name: str) -> str:
    if chip.init_state is InitState.UNINITIALISED:
        return f"the {name} is not initialised"
    return f"the {name} is waiting for {chip.init_state.name.removeprefix('EXPECTS_')}"


def _cascade_broken(state: PicPairState) -> str | None:
    if not state.master.slaves >> CASCADE & 1:
        return "the master's ICW3 has no slave on IRQ2: it will answer for IRQ2 itself"
    if state.slave.single or state.slave.cascade & 7 != CASCADE:
        return f"the slave's ICW3 says ID {state.slave.cascade & 7}, but it is wired to IRQ2: no chip will answer"
    return None


def _wired(master: Pic8259State, slave: Pic8259State) -> PicPairState:
    """Both chips, with the wire from the slave's INT to the master's IR2 between them."""
    return PicPairState(pic8259.set_line(master, CASCADE, slave.int_output), slave)


def _ignore(_level: bool) -> None:
    """Nobody listens."""
