"""The processor's local APIC: 4 KiB of registers at 0xFEE00000, or MSRs 0x800 to 0x83F in x2APIC mode.

Source: SDM 3A chapter 10. There is one processor: a message to any other APIC finds nobody.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from idtviz.machine.chips import lapic_registers as registers
from idtviz.machine.chips import lapic_state, lapic_timer
from idtviz.machine.chips.chip import Clock
from idtviz.machine.chips.lapic_state import (
    AFTER_BIOS,
    AFTER_RESET,
    ENABLE,
    ILLEGAL_REGISTER,
    MASKED,
    SEND_ILLEGAL_VECTOR,
    X2APIC,
    LapicState,
    Lvt,
)
from idtviz.machine.chips.memory_mapped import MemoryMappedChip
from idtviz.x86 import apic
from idtviz.x86.apic import APIC_BASE_MSR, X2APIC_MSRS, ApicBase, Icr, LvtEntry

_BASE_WRITABLE = ApicBase.page.mask | ApicBase.bsp.mask | ENABLE | X2APIC
_EVERYBODY = 0xFF


class Lapic(MemoryMappedChip):
    """Interrupts from the LINT pins, the timer, the I/O APIC and itself in; INTR and NMI of the processor out."""

    def __init__(
        self,
        clock: Clock,
        on_eoi: Callable[[int | None], None],
        on_nmi: Callable[[], None],
        note: Callable[[str], None],
        state: LapicState = AFTER_BIOS,
    ) -> None:
        """Put the chip into `state`.

        `on_eoi` is told of each EOI, with the vector whose ISR bit it cleared (None: no bit was set); `on_nmi` of each
        NMI for the processor; `note` of what the running code wanted and a real processor would have done.
        """
        self.name: str = "lapic"
        self.state = state
        self.on_eoi_broadcast: Callable[[int], None] = _ignore_vector
        """Told the vector of each EOI that ends a level-triggered interrupt: for the I/O APIC (SDM 3A 10.8.5)."""
        self.on_ready: Callable[[], None] = _ignore
        """Told when the APIC has been software-enabled and accepts interrupts."""
        self._asked_of: LapicState | None = None
        self._intr = False
        """What `intr` was in the state `_asked_of`; it is asked at each boundary."""
        self._clock = clock
        self._on_eoi = on_eoi
        self._on_nmi = on_nmi
        self._note = note

    # Towards the processor

    @property
    def intr(self) -> bool:
        """Whether the processor would be given an interrupt now, RFLAGS.IF aside."""
        if self.state is not self._asked_of:
            self._asked_of = state = self.state
            self._intr = lapic_state.extint_requested(state) or lapic_state.deliverable(state) is not None
        return self._intr

    def acknowledge(self) -> int | None:
        """The vector of the interrupt that the processor takes. None: run the INTA cycles of the 8259 pair."""
        vector, self.state = lapic_state.acknowledge(self.state)
        return vector

    @property
    def task_priority(self) -> int:
        """CR8: bits 7:4 of the TPR (SDM 3A 10.8.6.1)."""
        return self.state.tpr >> 4

    @task_priority.setter
    def task_priority(self, value: int) -> None:
        self.state = replace(self.state, tpr=(value & 0xF) << 4)

    # From pins, and from messages

    def set_lint0(self, level: bool) -> None:
        """The INT output of the 8259 pair."""
        self._set_lint(Lvt.LINT0, level)

    def set_lint1(self, level: bool) -> None:
        """The board's NMI."""
        self._set_lint(Lvt.LINT1, level)

    def accept(self, vector: int, *, level_triggered: bool) -> bool:
        """A fixed interrupt arrives; whether the APIC takes it."""
        taken, self.state = lapic_state.accept(self.state, vector, level_triggered=level_triggered)
        return taken

    def receive(self, mode: int, vector: int, destination: int, *, logical: bool, level_triggered: bool) -> bool:
        """A message of the I/O APIC, with a destination of 8 bits; whether this APIC takes it.

        SMI and INIT are not modelled, and not taken.
        """
        if self.state.x2apic and not logical and destination == _EVERYBODY:
            destination = 0xFFFF_FFFF
        if not lapic_state.destined(self.state, destination, logical=logical):
            return False
        match mode:
            case apic.FIXED | apic.LOWEST_PRIORITY:
                return self.accept(vector, level_triggered=level_triggered)
            case apic.NMI:
                self._on_nmi()
            case apic.EXTINT:
                self.state = replace(self.state, extint=True)
            case _:
                return False
        return True

    # Time

    def deadline(self) -> int | None:
        timer = self.state.timer
        if not timer.running or self.state.lvt[Lvt.TIMER] & MASKED:
            return None
        return lapic_timer.tick(timer.end, self._clock.hertz)

    def advance(self) -> None:
        """Bring the timer up to now. However many periods have passed, the IRR holds one interrupt of a vector."""
        expired, timer = lapic_timer.settle(self.state.timer, self._pulse(), periodic=self.state.periodic)
        if expired:
            self.state = lapic_state.fire(replace(self.state, timer=timer), Lvt.TIMER)

    def become(self, state: LapicState) -> None:
        """Take on registers from outside."""
        ready = self.state.software_enabled
        self.state = state
        if state.software_enabled and not ready:
            self.on_ready()

    def change(self, register: int, value: int) -> None:
        """Have a register that a write merely changes hold `value`: not EOI, nor what sends an interrupt."""
        self.advance()
        self.become(registers.write_register(self.state, register, value, self._pulse()))

    def value_of(self, register: int) -> int:
        """A register of `lapic_registers.READABLE`, without any effect."""
        return registers.read_register(self.state, register, self._pulse())

    # Registers in memory

    def read_memory(self, offset: int, size: int) -> int:
        """Four bytes at a multiple of 16. Any other access is undefined (SDM 3A 10.4.1), and gives 0 here."""
        if not self._in_memory:
            return (1 << 8 * size) - 1
        if size != 4 or offset & 0xF:
            return 0
        register = offset >> 4
        if register not in registers.READABLE:
            if register != registers.EOI:
                self.state = lapic_state.record_error(self.state, ILLEGAL_REGISTER)
            return 0
        self.advance()
        return registers.read_register(self.state, register, self._pulse())

    def write_memory(self, offset: int, size: int, value: int) -> None:
        """Four bytes at a multiple of 16. Any other access is undefined, and does nothing here."""
        if not self._in_memory or size != 4 or offset & 0xF:
            return
        register = offset >> 4
        if register not in registers.READABLE and register != registers.EOI:
            self.state = lapic_state.record_error(self.state, ILLEGAL_REGISTER)
            return
        if register == registers.ICR:
            value = self.state.icr >> 32 << 32 | value
        self._write(register, value)

    # Registers as MSRs

    def read_msr(self, number: int) -> int | None:
        """RDMSR of IA32_APIC_BASE or of an x2APIC register; None: #GP(0) (SDM 3A 10.12.1.3)."""
        if number == APIC_BASE_MSR:
            return self.state.base
        register = number - X2APIC_MSRS.start
        if not self.state.x2apic or register not in registers.X2APIC_READABLE:
            return None
        self.advance()
        return registers.read_register(self.state, register, self._pulse())

    def write_msr(self, number: int, value: int) -> bool:
        """WRMSR of IA32_APIC_BASE or of an x2APIC register; False: #GP(0), and nothing has changed.

        The registers cannot be moved to another physical address: a write that asks for it is refused with a note,
        where a processor would have moved them.
        """
        if number == APIC_BASE_MSR:
            return self._write_base(value)
        register = number - X2APIC_MSRS.start
        allowed = registers.X2APIC_WRITABLE.get(register)
        if not self.state.x2apic or allowed is None or value & ~allowed:
            return False
        self._write(register, value)
        return True

    @property
    def base(self) -> int:
        """IA32_APIC_BASE."""
        return self.state.base

    @property
    def _in_memory(self) -> bool:
        return self.state.enabled and not self.state.x2apic

    def _pulse(self) -> int:
        return lapic_timer.pulses(self._clock.now, self._clock.hertz)

    def _write(self, register: int, value: int) -> None:
        self.advance()
        match register:
            case registers.EOI:
                self._end_of_interrupt()
            case registers.ICR:
                sent = value & registers.ICR_WRITABLE | value >> 32 << 32
                self.state = replace(self.state, icr=sent)
                self._send(Icr(sent))
            case registers.SELF_IPI:
                self._send(Icr(vector=value, shorthand=1))
            case _:
                ready = self.state.software_enabled
                self.state = registers.write_register(self.state, register, value, self._pulse())
                if self.state.software_enabled and not ready:
                    self.on_ready()

    def _end_of_interrupt(self) -> None:
        vector, self.state = lapic_state.end_of_interrupt(self.state)
        self._on_eoi(vector)
        if vector is not None and self.state.tmr >> vector & 1:
            self.on_eoi_broadcast(vector)

    def _send(self, icr: Icr) -> None:
        """An interprocessor interrupt (SDM 3A 10.6.1). What table 10-3 calls invalid is not sent."""
        if icr.mode in (apic.FIXED, apic.LOWEST_PRIORITY) and icr.vector < apic.FIRST_LEGAL_VECTOR:
            self.state = lapic_state.record_error(self.state, SEND_ILLEGAL_VECTOR)
        match icr.shorthand:
            case 0:
                destination = icr.destination if self.state.x2apic else icr.destination >> 24
                here = lapic_state.destined(self.state, destination, logical=icr.logical)
            case 1 | 2:
                here = icr.mode == apic.FIXED
            case _:
                here = False
        if not here:
            return
        match icr.mode:
            case apic.FIXED | apic.LOWEST_PRIORITY:
                self.accept(icr.vector, level_triggered=False)
            case apic.NMI:
                self._on_nmi()
            case apic.INIT if icr.assert_:
                self._note("the processor sent INIT to itself, which is not modelled")

    def _set_lint(self, pin: Lvt, level: bool) -> None:
        rises, self.state = lapic_state.set_lint(self.state, pin, level)
        if not rises:
            return
        entry = LvtEntry(self.state.lvt[pin])
        if (entry.mode == apic.NMI and not entry.masked) if self.state.enabled else pin is Lvt.LINT1:
            self._on_nmi()

    def _write_base(self, value: int) -> bool:
        """IA32_APIC_BASE (SDM 3A 10.12.5): from x2APIC mode back to xAPIC mode leads only the way through disabled."""
        old = self.state
        turns_on_both = not old.enabled and bool(value & X2APIC)
        falls_back = old.x2apic and bool(value & ENABLE) and not value & X2APIC
        if value & ~_BASE_WRITABLE or turns_on_both or falls_back or (value & X2APIC and not value & ENABLE):
            return False
        if (value ^ old.base) & ApicBase.page.mask:
            where = value & ApicBase.page.mask
            self._note(f"the local APIC's registers cannot be moved to {where:#x} here: refused with #GP")
            return False
        self.advance()
        if not value & ENABLE:  # what it held is lost: enabled again, it is as after a reset
            self.state = replace(AFTER_RESET, base=value, lint0=old.lint0, lint1=old.lint1)
        elif value & X2APIC and not old.x2apic:  # the APIC ID is the processor's own again
            self.state = replace(self.state, base=value, identifier=AFTER_RESET.identifier, icr=0)
        else:
            self.state = replace(self.state, base=value)
        return True


def _ignore() -> None:
    """Nobody waits for the APIC."""


def _ignore_vector(_vector: int) -> None:
    """There is no I/O APIC."""
