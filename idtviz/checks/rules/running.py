"""Bugs that keep a kernel from going on: loops that nothing ends, faults that come again, a HLT that nothing wakes."""

from __future__ import annotations

from collections.abc import Sequence

from idtviz.checks.finding import Finding, Note, Severity
from idtviz.checks.interrupted import interrupted
from idtviz.checks.rule import Findings, Rule
from idtviz.checks.rules.failures import halted_at
from idtviz.checks.rules.hidden import hidden_from_tcg
from idtviz.checks.rules.in_service import iret_of
from idtviz.checks.scene import Passage, Scene
from idtviz.debugger.observing import Instant, Situation
from idtviz.machine.chips import lapic_state, pic8259
from idtviz.machine.chips.pic import inta
from idtviz.machine.decoding import Kind
from idtviz.machine.delivery.event import PAGE_FAULT, Source
from idtviz.machine.events import Delivered, Halted, Happened
from idtviz.machine.operands import Operand
from idtviz.x86.error_codes import PageFaultCode
from idtviz.x86.flags import IF
from idtviz.x86.gates import Gate32, Gate64


class SpinsWithInterruptsOff(Rule):
    id = "RUN001"
    title = "A handler spins on memory that nobody can change"
    bug_class = 31
    severity = Severity.ERROR
    why = (
        "A handler that waits for a lock with IF=0 waits for the code that holds it. On one processor that is what it "
        "has interrupted, which goes on only when the handler has returned: both wait for ever. One sees a hang now "
        "and then, whenever the interrupt happens to fall between lock and unlock."
    )
    fix = (
        "All other code that takes this lock must hold it with interrupts off: PUSHF and CLI in front of the lock, "
        "POPF behind the unlock. Or let the handler only try the lock, and leave the work for later."
    )
    source = "SDM 3A 6.8.1, 8.10.6.1"

    def instant(self, scene: Scene, instant: Instant) -> Findings:
        if not scene.passages or instant.registers.rflags & IF:
            return
        passage = scene.passages[-1]
        seen = passage.instants
        if len(seen) < LOOKED_AT or len(seen) % _EACH:
            return
        loop = endless_loop(seen)
        read = None if loop is None else waits_for(loop, passage.frame.address if passage.frame else None)
        if loop is None or read is None:
            return
        at, operand = read
        yield self.found(
            scene,
            f"the handler of {passage.delivered.event.name} waits for {scene.name(operand.address)} to change, in a "
            f"loop of {len(loop)} instructions with IF=0: nothing else runs that could change it",
            at.registers.linear_rip,
            Note(
                f"it has interrupted the code at {scene.name(_origin(passage))}; if that holds the lock it cannot "
                "give it back",
                _origin(passage),
            ),
        )


class EndlessFault(Rule):
    id = "RUN002"
    title = "A fault comes again and again"
    bug_class = 32
    severity = Severity.ERROR
    why = (
        "A fault saves the address of the instruction that raised it, and IRET runs that instruction again. Where the "
        "handler has not removed the cause, the same fault comes at once, and for ever. One sees a hang in which the "
        "handler runs all the time."
    )
    fix = (
        "Have the handler remove the cause (map the page that CR2 names, with the rights that the error code asks for, "
        "and INVLPG where the entry was present before), step over the instruction by adding its length to the saved "
        "RIP, or not return at all."
    )
    source = "SDM 3A 6.5, 6.15"

    TIMES = 8

    def __init__(self) -> None:
        self._times = 0
        self._key: tuple[int, ...] | None = None
        self._returned = -1
        self._iret: int | None = None

    def entered(self, scene: Scene, delivered: Delivered) -> Findings:
        event = delivered.event
        if event.source is not Source.EXCEPTION:
            return
        key = event.vector, delivered.origin.cs, event.rip, event.error_code or 0, event.cr2 or 0
        again = key == self._key and delivered.instruction - self._returned <= 1
        self._times = self._times + 1 if again else 1
        self._iret = self._iret if again else None
        self._key, self._returned = key, -2
        if self._times == self.TIMES:
            yield self._again(scene, delivered)

    def left(self, scene: Scene, passage: Passage) -> Findings:  # noqa: ARG002
        returned, event = passage.returned, passage.delivered.event
        same = returned is not None and (returned.to.cs, returned.to.rip) == (passage.delivered.origin.cs, event.rip)
        if event.source is Source.EXCEPTION and returned is not None and same and event.rip == event.instruction_rip:
            self._returned = returned.instruction + 1
            self._iret = iret_of(passage) or self._iret
        yield from ()

    def _again(self, scene: Scene, delivered: Delivered) -> Finding:
        event, found = delivered.event, interrupted(delivered, scene.now)
        return self.found(
            scene,
            f"the handler of {event.name} returns to `{found.text}` at {scene.name(found.address)} without having "
            f"removed the cause: it faults again, {self.TIMES} times in a row with the same RIP{_unchanged(delivered)}",
            self._iret or scene.now.registers.linear_rip,
            Note("this instruction raises the fault", found.address),
            Note("the handler begins here", scene.now.registers.linear_rip),
        )


class HiddenByTcg(Rule):
    id = "RUN003"
    title = "A fault that QEMU's TCG does not raise"
    bug_class = 33
    severity = Severity.ERROR
    why = (
        "QEMU without KVM does not check the limits and rights of data segments, and before version 7.2 not the "
        "alignment of 16-byte operands either, where processors raise #GP or #SS. The kernel works there, and dies on "
        "hardware, in Bochs and under KVM."
    )
    fix = (
        "Keep the access within the segment, or give the descriptor the limit and the W bit that it needs. Align a "
        "16-byte operand to 16 bytes, or use the unaligned form of the instruction (MOVUPS, MOVDQU)."
    )
    source = "SDM 3A 5.3, 5.5; SDM 1 4.1.1; QEMU target/i386/tcg, and issue 217 for the alignment"

    def entered(self, scene: Scene, delivered: Delivered) -> Findings:
        yield from self._see(scene, delivered)

    def failed(self, scene: Scene, delivered: Delivered) -> Findings:
        yield from self._see(scene, delivered)

    def _see(self, scene: Scene, delivered: Delivered) -> Findings:
        if delivered.event.source is not Source.EXCEPTION or delivered.event.caused_by is not None:
            return
        found = interrupted(delivered, scene.now)
        running = [it for it in scene.passages if it.delivered is not delivered]
        cause = hidden_from_tcg(delivered, found, in_handler=bool(running))
        if cause is not None:
            yield self.found(
                scene,
                f"`{found.text}` {cause}: a processor raises {delivered.event.name}, and QEMU's TCG"
                f"{' before 7.2' * ('aligned' in cause)} lets it pass",
                found.address,
            )


class NothingWakes(Rule):
    id = "RUN004"
    title = "HLT with IF=0, and an interrupt is waiting"
    bug_class = None
    severity = Severity.WARNING
    why = (
        "HLT ends with an interrupt, and with IF=0 the processor takes none but NMI and SMI: it waits for ever, though "
        "the controllers ask for an interrupt that has a gate. One sees a kernel that stops where it should idle."
    )
    fix = "Execute STI right in front of HLT: it takes effect behind the HLT, so no interrupt can come between the two."
    source = "SDM 2A HLT; SDM 2B STI"

    def __init__(self) -> None:
        self._interrupts = False

    def happened(self, scene: Scene, event: Happened) -> Findings:
        if isinstance(event, Delivered):
            self._interrupts |= event.event.source is Source.EXTERNAL
        if not isinstance(event, Halted) or self._interrupts or scene.passages:
            return
        now = scene.now
        if now.registers.rflags & IF or now.registers.mode == "real":
            return
        vector = _requested(now)
        gates = now.tables.idt.gates
        gate = gates[vector] if vector is not None and 32 <= vector < len(gates) else None
        if isinstance(gate, Gate64 | Gate32) and gate.present:
            yield self.found(
                scene,
                f"HLT with IF=0, while vector {vector:#x} is requested and has a gate: no interrupt was taken so far, "
                "and none can end this HLT",
                halted_at(now),
            )


class NmiReenabled(Rule):
    id = "RUN005"
    title = "IRET inside the NMI's handler lets the next NMI in"
    bug_class = None
    severity = Severity.WARNING
    why = (
        "While an NMI is handled the processor holds back the next one, until the first IRET: not that of the NMI's "
        "handler, but any. An exception inside the handler returns with one, and from then on a second NMI can "
        "interrupt the first: if the gate has an IST index, it overwrites the first one's frame."
    )
    fix = (
        "Keep exceptions out of the NMI's handler: no breakpoints, no page faults, no INT n. Or be ready for a nested "
        "NMI, as Linux is: a flag on the NMI's stack tells it, and a copy of the first frame outlasts it."
    )
    source = "SDM 3A 6.7.1"

    def left(self, scene: Scene, passage: Passage) -> Findings:
        outer = next((it for it in scene.passages if it.delivered.event.source is Source.NMI), None)
        if outer is None or passage.delivered.event.source is Source.NMI or passage.exit is None:
            return
        stack = outer.delivered.stack or ""
        ist = f" and overwrites its frame ({stack.removeprefix('tss.').upper()})" if "ist" in stack else ""
        yield self.found(
            scene,
            f"{passage.delivered.event.name} came inside the NMI's handler, and the IRET of its handler ends the "
            f"blocking of NMIs: the next one interrupts the NMI's handler{ist}",
            iret_of(passage) or passage.handler,
            Note(f"{passage.delivered.event.name} came here, in the NMI's handler", _origin(passage)),
        )


# Loops

LOOKED_AT = 192
"""Instructions of a handler, at least, before it is said to be in an endless loop."""
_EACH = 64
_LONGEST = 40
_IDEMPOTENT = ("xchg", "cmpxchg", "bts", "btr")
"""Writes that leave the same behind where all registers are the same again."""
_UNFORESEEN = Kind.PORT | Kind.MODEL_SPECIFIC
_DEVICES = range(0xFEC0_0000, 0xFEF0_0000)


def endless_loop(seen: Sequence[Instant]) -> Sequence[Instant] | None:
    """One round of the loop at the end of `seen`, where nothing can end it but an interrupt; else None.

    All registers are the same again behind each round, and what it writes to memory is the same each time.
    """
    if not seen:
        return None
    last = _state(seen[-1])
    period = next((n for n in range(1, _LONGEST) if len(seen) > n and _state(seen[-1 - n]) == last), None)
    if period is None:
        return None
    looked_at = max(3 * period, LOOKED_AT // 2)
    if len(seen) < looked_at + period:
        return None
    if any(_state(seen[-1 - n]) != _state(seen[-1 - n - period]) for n in range(looked_at)):
        return None
    loop = seen[-period:]
    return loop if all(_is_without_effect(instant) for instant in loop) else None


def waits_for(loop: Sequence[Instant], frame: int | None) -> tuple[Instant, Operand] | None:
    """The instruction of an endless loop that reads what it waits for; None where it waits for nothing in memory."""
    reads = [(at, it) for at in loop for it in at.operands if (it.modify or not it.write) and not it.stack]
    reads = [(at, it) for at, it in reads if frame is None or not 0 <= frame - it.address < 4096]
    return max(reads, key=lambda read: read[1].modify, default=None)


def _state(instant: Instant) -> tuple[tuple[int, ...], int, int]:
    at = instant.registers
    return at.general, at.rip, at.rflags


def _is_without_effect(instant: Instant) -> bool:
    decoded = instant.decoded
    if decoded is None or decoded.kind & _UNFORESEEN or decoded.mnemonic in ("hlt", "rdtsc"):
        return False
    if any(operand.address in _DEVICES for operand in instant.operands):
        return False
    return decoded.mnemonic in _IDEMPOTENT or not any(operand.modify for operand in instant.operands)


# What is said of an event


def _origin(passage: Passage) -> int:
    return interrupted(passage.delivered, passage.entry).address


def _unchanged(delivered: Delivered) -> str:
    """What was the same each time, besides RIP."""
    event = delivered.event
    if event.vector == PAGE_FAULT and event.cr2 is not None:
        code = PageFaultCode(event.error_code or 0)
        cause = "page not present" if not code.present else code.explain()
        return f", CR2 {event.cr2:#x} and error code {code.value:#x} ({cause})"
    return "" if event.error_code is None else f" and error code {event.error_code:#x}"


def _requested(now: Situation) -> int | None:
    """The vector that the controllers offer."""
    if now.lapic is not None:
        vector = lapic_state.deliverable(now.lapic)
        if vector is not None or not now.lapic.virtual_wire:
            return vector
    if pic8259.request(now.pic.master) is None:
        return None
    answer, _ = inta(now.pic)
    return None if answer.irq is None else answer.vector


RULES: tuple[type[Rule], ...] = (SpinsWithInterruptsOff, EndlessFault, HiddenByTcg, NothingWakes, NmiReenabled)
