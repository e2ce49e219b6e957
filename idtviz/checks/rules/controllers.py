"""Bugs in what is said to the interrupt controllers, and in what handlers leave behind in them and in the devices."""

from __future__ import annotations

from idtviz.checks.finding import Finding, Note, Severity
from idtviz.checks.rule import Findings, Rule
from idtviz.checks.rules.failures import halted_at
from idtviz.checks.rules.in_service import (
    at_iret,
    by_lapic,
    called,
    eoi_elsewhere,
    iret_of,
    irq_in_service,
    line_of,
    place_of,
    serves,
    side,
    still_in,
)
from idtviz.checks.scene import Passage, Scene
from idtviz.debugger.observing import Situation, interrupted_at
from idtviz.machine.chips.pic import CASCADE, PicPairState
from idtviz.machine.chips.pic8259 import InitState
from idtviz.machine.delivery.event import Source
from idtviz.machine.events import Delivered, EndOfInterrupt, Halted, Happened, LineChanged
from idtviz.x86.flags import IF
from idtviz.x86.vectors import VECTORS

FIRST_FREE_VECTOR = 32
"""Vectors below it belong to the processor (SDM 3A 6.2)."""
_PORTS = {"pic.master": "0x20", "pic.slave": "0xa0"}
_NAMES = {"pic.master": "the master 8259", "pic.slave": "the slave 8259", "lapic": "the local APIC"}


class MissingEoi(Rule):
    id = "PIC001"
    title = "A handler returns without EOI to the 8259"
    bug_class = 9
    severity = Severity.ERROR
    why = (
        "The acknowledge of an interrupt sets its bit in the 8259's in-service register (ISR), and as long as the bit "
        "is set the chip holds back that IRQ and all of lower priority. Only an EOI command clears it. One sees the "
        "first interrupt, and no other: with IRQ0, one tick and then nothing from any device."
    )
    fix = (
        "Send EOI before IRET: write 0x20 to port 0x20; for IRQ8 to IRQ15 write 0x20 to port 0xa0 as well. Send it on "
        "every way out of the handler."
    )
    source = "Intel 8259A data sheet, End of Interrupt (EOI)"

    def left(self, scene: Scene, passage: Passage) -> Findings:
        irq, after = irq_in_service(passage), passage.exit
        if irq is None or after is None or not serves(after.pic, irq):
            return
        if irq >= 8 and not after.pic.master.isr >> CASCADE & 1:
            return  # EOI to the master only: PIC002
        chip = after.pic.master if irq < 8 else after.pic.slave
        lower = [number for number in range(irq + 1, 8) if number != CASCADE] if irq < 8 else []
        held = f"IRQ{irq} and all of lower priority" if lower or irq >= 8 else f"IRQ{irq}"
        elsewhere = eoi_elsewhere(scene, passage, "lapic")
        at, *begins = at_iret(passage)
        yield self.found(
            scene,
            f"the handler of IRQ{irq} returns without EOI: bit {irq & 7} of the {side(irq)} 8259's ISR "
            f"({chip.isr:#04x}) is still set, and the chip holds back {held}",
            at,
            *([Note("its EOI went to the local APIC, but the 8259 delivered it", elsewhere)] if elsewhere else ()),
            *begins,
        )


class LapicMissingEoi(Rule):
    id = "PIC006"
    title = "A handler returns without EOI to the local APIC"
    bug_class = None
    severity = Severity.ERROR
    why = (
        "A vector that the processor takes from the local APIC has its bit in the ISR set, and the APIC offers none "
        "of the same or of a lower class (bits 7:4) until a write of the EOI register clears it. One sees the first "
        "interrupt, and no other of that class or below."
    )
    fix = (
        "Write 0 to the EOI register before IRET: offset 0xb0 from the APIC's base (0xfee000b0), or MSR 0x80b in "
        "x2APIC mode. An EOI to the 8259 does not reach the local APIC."
    )
    source = "SDM 3A 10.8.5"

    def left(self, scene: Scene, passage: Passage) -> Findings:
        after = passage.exit
        if after is None or after.lapic is None or not by_lapic(passage):
            return
        if after.lapic.isr >> passage.vector & 1:
            vector = passage.vector
            elsewhere = eoi_elsewhere(scene, passage, "pic")
            at, *begins = at_iret(passage)
            yield self.found(
                scene,
                f"the handler of {called(passage)} returns without EOI: bit {vector:#04x} of the local APIC's ISR is "
                f"still set, and the APIC offers no vector up to {vector | 15:#04x} any more",
                at,
                *([Note("its EOI went to the 8259, but the local APIC delivered it", elsewhere)] if elsewhere else ()),
                *begins,
            )


class EoiToOnePic(Rule):
    id = "PIC002"
    title = "EOI of IRQ8 to IRQ15 to one 8259 only"
    bug_class = 10
    severity = Severity.ERROR
    why = (
        "IRQ8 to IRQ15 pass through both chips: the slave has the line's ISR bit set, the master that of IR2, to which "
        "the slave is wired. While the slave's bit is set, this IRQ and those of lower priority on the slave do not "
        "come again; while the master's bit 2 is set, none of the slave's comes, nor IRQ3 to IRQ7."
    )
    fix = "Write 0x20 to port 0xa0 and to port 0x20 in the handlers of IRQ8 to IRQ15."
    source = "Intel 8259A data sheet, End of Interrupt (EOI)"

    def left(self, scene: Scene, passage: Passage) -> Findings:
        irq, after = irq_in_service(passage), passage.exit
        if irq is None or after is None or irq < 8:
            return
        slave, master = serves(after.pic, irq), bool(after.pic.master.isr >> CASCADE & 1)
        if slave == master or after.pic.master.special_fully_nested or after.pic.master.auto_eoi:
            return
        if slave:
            said = (
                f"the handler of IRQ{irq} sends EOI to the master only: bit {irq & 7} of the slave's ISR "
                f"({after.pic.slave.isr:#04x}) is still set, and the slave holds back IRQ{irq} and all of lower "
                "priority"
            )
        else:
            said = (
                f"the handler of IRQ{irq} sends EOI to the slave only: bit 2 of the master's ISR "
                f"({after.pic.master.isr:#04x}) is still set, and the master holds back IRQ3 to IRQ15"
            )
        sent = eoi_elsewhere(scene, passage, "pic.master" if slave else "pic.slave")
        iret = iret_of(passage)
        yield self.found(scene, said, sent or iret or passage.handler, Note("the handler returns here", iret))


class EoiForNothing(Rule):
    id = "PIC003"
    title = "EOI for an interrupt that is not in service"
    bug_class = 11
    severity = Severity.ERROR
    why = (
        "A plain (non-specific) EOI ends what has the highest priority in service. A spurious IRQ7 or IRQ15 sets no "
        "ISR bit of its own, and neither do INT n and exceptions: an EOI in their handlers ends nothing, or an "
        "interrupt whose handler is still at work and may then be interrupted by itself. The same goes for the local "
        "APIC's spurious vector."
    )
    fix = (
        "Take the EOI out of the handlers of exceptions and of INT n, and send it once in those of interrupts. In the "
        "handlers of IRQ7 and IRQ15 read the ISR first (write 0x0b to port 0x20 or 0xa0, then read that port): if bit "
        "7 is 0 the interrupt is spurious, and IRQ7 gets no EOI, IRQ15 one to the master alone."
    )
    source = "Intel 8259A data sheet, End of Interrupt (EOI), Edge and Level Triggered Modes (default IR7); SDM 3A 10.9"

    def __init__(self) -> None:
        self._taken: set[str] = set()
        """IRQs that were ended by another handler than their own, which will find nothing to end."""

    def happened(self, scene: Scene, event: Happened) -> Findings:
        if not isinstance(event, EndOfInterrupt) or not scene.passages:
            return
        passage, now = scene.passages[-1], scene.now
        if passage.entry.registers.mode == "real" and passage.delivered.event.source is Source.SOFTWARE:
            return  # a BIOS service is reached so
        if event.controller != "lapic":
            chip = now.pic.master if event.controller == "pic.master" else now.pic.slave
            if chip.auto_eoi or by_lapic(passage) or not still_in(scene, passage):
                return
            yield from self._pic(scene, passage, event)
        elif not by_lapic(passage) and still_in(scene, passage) and irq_in_service(passage) is None:
            if event.vector is None or passage.entry.lapic is None or passage.entry.lapic.isr >> event.vector & 1:
                yield self._wrong(scene, passage, event)
        elif by_lapic(passage) and event.vector is None and still_in(scene, passage):
            yield self._wrong(scene, passage, event)

    def _pic(self, scene: Scene, passage: Passage, event: EndOfInterrupt) -> Findings:
        """An EOI to an 8259 in a handler of something that no local APIC has delivered."""
        mine = irq_in_service(passage)
        if mine is None and line_of(passage) == 15 and event.controller == "pic.master" and event.irq == CASCADE:
            return  # a spurious IRQ15 is in service on the master
        if event.irq is not None:
            was = passage.entry.pic
            before = was.master.isr >> event.irq & 1 if event.irq < 8 else was.slave.isr >> (event.irq - 8) & 1
            own = mine == event.irq or (mine is not None and mine >= 8 and event.irq == CASCADE)
            if not own and before:
                yield self._wrong(scene, passage, event)
            return
        if mine is not None and (mine >= 8) != (event.controller == "pic.slave") and serves(scene.now.pic, mine):
            return  # on its way to both chips, or to the wrong one: what is left over shows at the IRET
        if called(passage) in self._taken:
            self._taken.discard(called(passage))
            return
        yield self._wrong(scene, passage, event)

    def _wrong(self, scene: Scene, passage: Passage, event: EndOfInterrupt) -> Finding:
        what, mine = called(passage), irq_in_service(passage)
        if passage.delivered.event.source is Source.EXTERNAL and mine is None and not by_lapic(passage):
            said = f"{what} is spurious (no ISR bit was set when it was acknowledged), but its handler sends EOI"
        elif passage.delivered.event.source is not Source.EXTERNAL:
            said = f"the handler of {what} sends EOI, but {what} did not come through an interrupt controller"
        elif event.controller == "lapic" or mine is None or not serves(scene.now.pic, mine):
            said = f"the handler of {what} sends EOI to {_NAMES[event.controller]} once more than it should"
        else:
            said = f"the handler of {what} sends a specific EOI for another line than its own"
        ended = event.ended if event.irq is not None or event.vector is not None else ""
        if event.irq is not None:
            self._taken.add(f"IRQ{event.irq}")
        then = (
            f": that ends {ended}, whose handler has not returned"
            if ended
            else ". Nothing is in service this time; if something is, that ends it too early"
        )
        return self.found(scene, said + then, place_of(passage, event) or passage.handler)


class NotRemapped(Rule):
    id = "PIC004"
    title = "Interrupts come on the vectors of exceptions"
    bug_class = 12
    severity = Severity.ERROR
    why = (
        "A BIOS leaves the master 8259 with vectors 8 to 15, which fits real mode. In protected mode these are "
        "exceptions: the timer (IRQ0) comes on the vector of #DF, the keyboard (IRQ1) on vector 9. Interrupts push no "
        "error code, so a handler that takes one off the stack returns to the wrong place. One sees a double fault "
        "right behind STI, or #GP at the IRET."
    )
    fix = (
        "Initialise both 8259s before STI: write ICW1 (0x11) to ports 0x20 and 0xa0; then to ports 0x21 and 0xa1 ICW2 "
        "(0x20 and 0x28), ICW3 (0x04 and 0x02) and ICW4 (0x01). Or, where no line is used, mask all: 0xff to ports "
        "0x21 and 0xa1."
    )
    source = "Intel 8259A data sheet, ICW2; SDM 3A 6.2, table 6-1"

    def __init__(self) -> None:
        self._told = False
        self._foreseen: Finding | None = None

    def happened(self, scene: Scene, event: Happened) -> Findings:
        if self._told:
            return
        if isinstance(event, Delivered) and event.event.source is Source.EXTERNAL:
            if event.event.vector < FIRST_FREE_VECTOR and not event.event.real:
                self._told = True
                yield self._came(scene, event)
            return
        if not isinstance(event, Delivered | Halted):
            return
        if self._foreseen is not None:
            self._told = True
            yield self._foreseen
        elif not self._told:
            self._foreseen = self._foresee(scene, event)

    def _came(self, scene: Scene, delivered: Delivered) -> Finding:
        vector, irq = delivered.event.vector, delivered.event.irq
        exception = VECTORS[vector]
        name = delivered.event.name if irq is not None else f"an interrupt of {_origin_of(scene.now, vector)}"
        code = f". The handler of {exception.mnemonic} expects an error code, and an interrupt pushes none"
        code *= bool(exception.error_code)
        cause = "" if irq is None else f": {_bases(scene.now.pic)}"
        at = delivered.gate_address if delivered.to is None else scene.now.registers.linear_rip
        return self.found(
            scene,
            f"{name} came on vector {vector}, which is {exception.mnemonic}'s{cause}{code}",
            interrupted_at(delivered, scene.now.tables),
            Note(f"{'its gate' if delivered.to is None else 'the handler of ' + exception.mnemonic} is here", at),
        )

    def _foresee(self, scene: Scene, event: Delivered | Halted) -> Finding | None:
        """An interrupt would come on an exception's vector if one came now."""
        now = scene.now
        flags = event.origin.rflags if isinstance(event, Delivered) else now.registers.rflags
        mode = event.origin.mode if isinstance(event, Delivered) else now.registers.mode
        pic = now.pic
        if not flags & IF or mode == "real" or pic.master.init_state is not InitState.READY:
            return None
        if now.lapic is not None and not now.lapic.virtual_wire:
            return None
        irqs = [irq for irq in range(8) if irq != CASCADE and not pic.master.imr >> irq & 1]
        bad = [irq for irq in irqs if pic.master.vector(irq) < FIRST_FREE_VECTOR]
        if not bad:
            return None
        first = VECTORS[pic.master.vector(bad[0])]
        return self.found(
            scene,
            f"IF is 1 and IRQ{bad[0]} is not masked, but it would come on vector {first.number}, which is "
            f"{first.mnemonic}'s: {_bases(pic)}",
            halted_at(now) if isinstance(event, Halted) else now.registers.linear_rip,
        )


class CascadeMasked(Rule):
    id = "PIC005"
    title = "A line of the slave is open, and IRQ2 is masked on the master"
    bug_class = 13
    severity = Severity.ERROR
    why = (
        "The slave's INT output is wired to IR2 of the master: while bit 2 of the master's mask (IMR) is set, no "
        "request of IRQ8 to IRQ15 reaches the processor, whatever the slave's mask says."
    )
    fix = (
        "Clear bit 2 of the mask at port 0x21 when a line of the slave is opened. In the slave's own mask (port 0xa1) "
        "IRQ8 is bit 0: the bit of IRQn is n - 8."
    )
    source = "Intel 8259A data sheet, Cascade Mode, OCW1; IBM PC/AT Technical Reference, interrupts"

    PATIENCE = 10_000
    """Instructions for which a request has to wait before this is more than an order of two writes."""

    def __init__(self) -> None:
        self._since: dict[int, int] = {}

    def happened(self, scene: Scene, event: Happened) -> Findings:
        now = scene.now
        slave, master = now.pic.slave, now.pic.master
        ready = slave.init_state is InitState.READY and master.init_state is InitState.READY
        # An edge is told of in front of what it changes in the chips.
        rises = 1 << event.line >> 8 if isinstance(event, LineChanged) and event.level else 0
        held = (slave.irr | rises) & ~slave.imr if ready and master.imr >> CASCADE & 1 else 0
        waits = isinstance(event, Halted) and now.registers.rflags & IF
        for irq in range(8, 16):
            if not held >> (irq - 8) & 1:
                self._since.pop(irq, None)
            elif waits or event.instruction - self._since.setdefault(irq, event.instruction) >= self.PATIENCE:
                # With all of the slave's lines open none of them was opened for its own sake.
                severity = self.severity if slave.imr else Severity.WARNING
                yield self.found(
                    scene,
                    f"IRQ{irq} is requested and not masked in the slave (IMR {slave.imr:#04x}), but it does not get "
                    f"through: bit 2 of the master's IMR ({master.imr:#04x}) masks IRQ2, the slave's way to the "
                    "processor",
                    halted_at(now) if isinstance(event, Halted) else None,
                    severity=severity,
                )


class ScancodeNotRead(Rule):
    id = "DEV001"
    title = "The keyboard's handler does not read port 0x60"
    bug_class = 14
    severity = Severity.ERROR
    why = (
        "The 8042 raises IRQ1 when its output buffer is filled, and keeps the byte and the line until port 0x60 is "
        "read. Only then does it take the next scan code from the keyboard and raise the line anew. One sees a single "
        "interrupt, that of the first key."
    )
    fix = "Read port 0x60 in the handler of IRQ1, even where the scan code is of no interest: `in al, 0x60`."
    source = "IBM PS/2 Hardware Interface Technical Reference, Keyboard and Auxiliary Device Controller"

    def left(self, scene: Scene, passage: Passage) -> Findings:
        if line_of(passage) != 1 or passage.exit is None:
            return
        before, after = passage.entry.keyboard, passage.exit.keyboard
        same = (before.output, before.moved) == (after.output, after.moved)
        deferred = irq_in_service(passage) == 1 and passage.exit.pic.master.imr >> 1 & 1
        if before.line and after.line and same and not deferred:
            at, *begins = at_iret(passage)
            yield self.found(
                scene,
                f"the handler of IRQ1 returns without reading port 0x60: the scan code {after.output:#04x} is still in "
                "the keyboard controller's output buffer (OBF=1), and no other key gets in",
                at,
                *begins,
            )


def _bases(pic: PicPairState) -> str:
    """How the two chips are set."""
    master, slave = pic.master.vector(0), pic.slave.vector(0)
    left = ", as a BIOS leaves them for real mode" if (master, slave) == (0x08, 0x70) else ""
    return f"ICW2 of the 8259s is {master:#04x} and {slave:#04x}{left}"


def _origin_of(now: Situation, vector: int) -> str:
    served = now.lapic is not None and now.lapic.isr >> vector & 1
    return "the local APIC" if served else "the interrupt controllers"


RULES: tuple[type[Rule], ...] = (
    MissingEoi,
    EoiToOnePic,
    EoiForNothing,
    NotRemapped,
    CascadeMasked,
    LapicMissingEoi,
    ScancodeNotRead,
)
