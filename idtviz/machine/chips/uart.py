"""A 16550 serial port.

Source: National Semiconductor PC16550D data sheet. A byte written is sent at once, so the transmitter is always
empty; the far end sends as fast as the guest reads, so nothing is overrun.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from idtviz.machine.chips.chip import ByteChip, Line
from idtviz.machine.chips.transcript import Transcript

COM1 = 0x3F8
FIFO_SIZE = 16
WIRE_LIMIT = 4096
"""Bytes that wait at the far end; what is queued beyond is refused."""

RBR_THR, IER, IIR_FCR, LCR, MCR, LSR, MSR, SCR = range(8)

IER_RECEIVED, IER_TRANSMITTER, IER_LINE, IER_MODEM = 1, 2, 4, 8
IIR_NONE, IIR_MODEM, IIR_TRANSMITTER, IIR_RECEIVED, IIR_LINE, IIR_TIMEOUT = 0x01, 0x00, 0x02, 0x04, 0x06, 0x0C
LCR_BREAK, LCR_DLAB = 0x40, 0x80
MCR_DTR, MCR_RTS, MCR_OUT1, MCR_OUT2, MCR_LOOP = 0x01, 0x02, 0x04, 0x08, 0x10
LSR_DR, LSR_OE, LSR_BI, LSR_THRE, LSR_TEMT = 0x01, 0x02, 0x10, 0x20, 0x40
LSR_ERRORS = 0x1E
CONNECTED = 0xB0
"""MSR: clear to send, data set ready and carrier detect, as from a far end that is always there."""
TRIGGER = (1, 4, 8, 14)
"""Bytes in the receive FIFO that raise the interrupt, by FCR bits 7-6."""


@dataclass(frozen=True, slots=True)
class UartState:
    """The registers, the receive FIFO, what waits on the wire and what was sent."""

    ier: int = 0
    fcr: int = 0
    lcr: int = 0
    mcr: int = 0
    errors: int = 0  # LSR bits 1-4
    msr: int = CONNECTED
    scr: int = 0
    divisor: int = 12
    transmitter_pending: bool = False  # THRE became true and neither an IIR read nor a write has taken note
    received: bytes = b""
    wire: bytes = b""
    line: bool = False  # the level of the interrupt line
    transcript: Transcript = field(default_factory=Transcript)

    @property
    def output(self) -> bytes:
        """The bytes transmitted, except those beyond the last MiB."""
        return self.transcript.output

    @property
    def held_back(self) -> bool:
        """Whether an interrupt is pending that OUT2 keeps from the line: on a PC it opens the gate to IRQ4."""
        return _pending(self) != IIR_NONE and not self.mcr & (MCR_OUT2 | MCR_LOOP)

    @property
    def fifo_size(self) -> int:
        return FIFO_SIZE if self.fcr & 1 else 1

    @property
    def lsr(self) -> int:
        return (LSR_DR if self.received else 0) | self.errors | LSR_THRE | LSR_TEMT

    @property
    def iir(self) -> int:
        """The highest interrupt that is enabled and pending, and the FIFO bits."""
        return _pending(self) | (0xC0 if self.fcr & 1 else 0)


class Uart(ByteChip):
    """Eight ports from `base`."""

    def __init__(self, line: Line, base: int = COM1, name: str = "com1") -> None:
        """`line` is the port's interrupt request line (IRQ4 for COM1), which OUT2 lets through."""
        self.name: str = name
        self.ports: tuple[int, ...] = tuple(range(base, base + 8))
        self.state = UartState()
        self._base = base
        self._line = line

    def receive(self, data: bytes) -> int:
        """The far end sends `data`. Returns how many bytes were taken; the wire is bounded."""
        room = WIRE_LIMIT - len(self.state.wire)
        self._become(_refill(replace(self.state, wire=self.state.wire + data[:room])))
        return min(room, len(data))

    def read_byte(self, port: int) -> int:
        state = self.state
        match port - self._base:
            case 0 if state.lcr & LCR_DLAB:  # DLL
                return state.divisor & 0xFF
            case 0:
                return self._read_rbr()
            case 1 if state.lcr & LCR_DLAB:  # DLM
                return state.divisor >> 8
            case 1:
                return state.ier
            case 2:
                if _pending(state) == IIR_TRANSMITTER:
                    self._become(replace(state, transmitter_pending=False))
                return state.iir
            case 3:
                return state.lcr
            case 4:
                return state.mcr
            case 5:
                if state.errors:
                    self._become(replace(state, errors=0))
                return state.lsr
            case 6:
                self._become(replace(state, msr=state.msr & 0xF0))
                return state.msr
            case _:
                return state.scr

    def write_byte(self, port: int, value: int) -> None:
        state = self.state
        match port - self._base:
            case 0 if state.lcr & LCR_DLAB:
                self._become(replace(state, divisor=state.divisor & 0xFF00 | value))
            case 0:
                self._transmit(value)
            case 1 if state.lcr & LCR_DLAB:
                self._become(replace(state, divisor=state.divisor & 0xFF | value << 8))
            case 1:
                self.enable_interrupts(value)
            case 2:
                self._become(_refill(_write_fcr(state, value)))
            case 3:
                self._become(replace(state, lcr=value))
            case 4:
                self._become(_write_mcr(state, value & 0x1F))
            case 7:
                self._become(replace(state, scr=value))
            case _:
                pass  # LSR and MSR are for reading

    def enable_interrupts(self, ier: int) -> None:
        """A write of the interrupt enable register, wherever DLAB points."""
        # Enabling the transmitter's interrupt while it is empty raises it at once.
        newly = bool(ier & ~self.state.ier & IER_TRANSMITTER)
        pending = self.state.transmitter_pending or newly
        self._become(replace(self.state, ier=ier & 0x0F, transmitter_pending=pending))

    def _read_rbr(self) -> int:
        state = self.state
        if not state.received:
            return 0
        value, rest = state.received[0], state.received[1:]
        # The line falls before the next byte arrives from the wire: an edge triggered controller must see a new edge.
        self._become(replace(state, received=rest))
        if not rest:
            self._become(_refill(self.state))
        elif self.state.line and _pending(self.state) == IIR_TIMEOUT:
            # Reading the FIFO ends its time-out, and the bytes that are left start the next.
            self.state = replace(self.state, line=False)
            self._line(False)  # noqa: FBT003 -- a level
            self._become(self.state)
        return value

    def _transmit(self, value: int) -> None:
        # THRE falls with the write and rises when the byte has gone, which is at once: a new edge of the interrupt.
        if self.state.line:
            self._become(replace(self.state, transmitter_pending=False))
        state = self.state
        if not state.mcr & MCR_LOOP:
            self._become(replace(state, transmitter_pending=True, transcript=state.transcript.append(value)))
            return
        state = replace(state, transmitter_pending=True)
        if len(state.received) < state.fifo_size:
            self._become(replace(state, received=state.received + bytes((value,))))
        elif state.fcr & 1:
            self._become(replace(state, errors=state.errors | LSR_OE))
        else:
            self._become(replace(state, errors=state.errors | LSR_OE, received=bytes((value,))))

    def _become(self, state: UartState) -> None:
        level = _pending(state) != IIR_NONE and state.mcr & (MCR_OUT2 | MCR_LOOP) == MCR_OUT2
        changed = level != state.line
        self.state = replace(state, line=level) if changed else state
        if changed:
            self._line(level)


def _pending(state: UartState) -> int:
    """The IIR's ID of the highest pending interrupt: line status, received data, transmitter, modem status."""
    if state.ier & IER_LINE and state.errors & LSR_ERRORS:
        return IIR_LINE
    if state.ier & IER_RECEIVED and state.received:
        # Below the trigger level the FIFO's time-out would come four characters later; there is no such wait here.
        full = not state.fcr & 1 or len(state.received) >= TRIGGER[state.fcr >> 6]
        return IIR_RECEIVED if full else IIR_TIMEOUT
    if state.ier & IER_TRANSMITTER and state.transmitter_pending:
        return IIR_TRANSMITTER
    if state.ier & IER_MODEM and state.msr & 0x0F:
        return IIR_MODEM
    return IIR_NONE


def _refill(state: UartState) -> UartState:
    """Bytes arrive from the wire while there is room for them."""
    if not state.wire or state.mcr & MCR_LOOP:
        return state
    room = state.fifo_size - len(state.received)
    return replace(state, received=state.received + state.wire[:room], wire=state.wire[room:])


def _write_fcr(state: UartState, value: int) -> UartState:
    # Turning the FIFOs on or off clears them, and so does bit 1; the other bits count only with bit 0.
    if (value ^ state.fcr) & 1 or value & 0x02:
        state = replace(state, received=b"")
    return replace(state, fcr=value & 0xC9 if value & 1 else 0)


def _write_mcr(state: UartState, value: int) -> UartState:
    """Set the modem outputs; in loop mode they are the modem inputs, and a change of those is noted."""
    inputs = CONNECTED
    if value & MCR_LOOP:
        inputs = (
            (0x10 if value & MCR_RTS else 0)
            | (0x20 if value & MCR_DTR else 0)
            | (0x40 if value & MCR_OUT1 else 0)
            | (0x80 if value & MCR_OUT2 else 0)
        )
    before = state.msr & 0xF0
    changed = (inputs ^ before) >> 4
    # The ring indicator is noted only when it goes away.
    delta = changed & 0b1011 | changed & 0b0100 & before >> 4
    return _refill(replace(state, mcr=value, msr=inputs | state.msr & 0x0F | delta))
