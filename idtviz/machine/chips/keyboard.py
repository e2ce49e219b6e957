"""The 8042 keyboard controller, and the keyboard on its cable.

Source: IBM PS/2 Hardware Interface Technical Reference, "Keyboard and Auxiliary Device Controller" and "Keyboard";
IBM PC/AT Technical Reference. No mouse is attached: the auxiliary port tests well, what is sent to it times out, and
IRQ12 never comes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from idtviz.machine.chips import ps2
from idtviz.machine.chips.chip import ByteChip, Clock, Line
from idtviz.machine.chips.ps2 import Ps2KeyboardState

DATA = 0x60
STATUS = 0x64

OBF = 0x01  # output buffer full
SYS = 0x04  # system flag, a copy of the command byte's
CD = 0x08  # the last write was a command (port 0x64), not data
INHIBIT = 0x10  # 1: the keyboard lock is open
AUX = 0x20  # the output buffer holds a byte of the auxiliary device
TIMEOUT = 0x40

CB_IRQ1 = 0x01
CB_IRQ12 = 0x02
CB_SYS = 0x04
CB_KEYBOARD_OFF = 0x10
CB_AUX_OFF = 0x20
CB_TRANSLATE = 0x40

RESET_OFF = 0x01  # output port: 0 here holds the processor in reset
A20 = 0x02

TYPIST_LIMIT = 4096
"""Scan codes that wait to be typed; what is queued beyond is refused."""


@dataclass(frozen=True, slots=True)
class KeyboardState:
    """The controller's registers, and the keyboard with whoever types on it."""

    command_byte: int = CB_TRANSLATE | CB_SYS | CB_IRQ1
    output_port: int = 0xC0 | A20 | RESET_OFF
    output: int = 0  # the output buffer
    status: int = SYS | INHIBIT
    parameter_of: int | None = None  # the command whose parameter the next write to 0x60 is
    replies: tuple[tuple[int, int], ...] = ()  # bytes that wait for the output buffer, with their status bits
    break_prefix: bool = False  # the translation has seen 0xF0
    moved: int = 0  # the tick at which the last byte came over the cable
    line: bool = False  # the level of IRQ1
    typist: bytes = b""  # set 1 codes of keys that are still to be typed
    keyboard: Ps2KeyboardState = field(default_factory=Ps2KeyboardState)

    @property
    def output_full(self) -> bool:
        return bool(self.status & OBF)

    @property
    def a20(self) -> bool:
        """Whether address line 20 reaches memory."""
        return bool(self.output_port & A20)


AFTER_BIOS = KeyboardState()
"""As a BIOS leaves it: keyboard enabled, IRQ1 enabled, translation to set 1."""


class Keyboard(ByteChip):
    """Ports 0x60 and 0x64."""

    def __init__(
        self,
        clock: Clock,
        line: Line,
        on_gate: Callable[[bool], None],
        on_reset: Callable[[str], None],
        state: KeyboardState = AFTER_BIOS,
    ) -> None:
        """`line` is IRQ1. `on_gate` is told when the output port's request for A20 changes, `on_reset` how the guest
        has asked for a reset.
        """
        self.name: str = "keyboard"
        self.ports: tuple[int, ...] = (DATA, STATUS)
        self.state = state
        self._clock = clock
        self._line = line
        self._on_gate = on_gate
        self._on_reset = on_reset

    def type_scancodes(self, codes: bytes) -> int:
        """Someone types: `codes` of set 1 (see `scancodes.encode`). Returns how many were taken; the queue is bounded.

        A key waits until the keyboard has room and scans, so that a long text loses nothing. The keyboard sends each
        in the set that it is in, and the controller translates it back: with translation off the guest reads set 2.
        """
        room = TYPIST_LIMIT - len(self.state.typist)
        self.state = replace(self.state, typist=self.state.typist + codes[:room])
        return min(room, len(codes))

    def deadline(self) -> int | None:
        state = self.state
        if state.status & OBF or state.command_byte & CB_KEYBOARD_OFF:
            return None
        if state.keyboard.buffer or (state.typist and state.keyboard.scanning):
            return state.moved + self._clock.hertz // 1000
        return None

    def advance(self) -> None:
        """Let one byte come over the cable, if one is due: the serial line carries about one a millisecond."""
        due = self.deadline()
        if due is None or self._clock.now < due:
            return
        state, byte = _receive(self.state)
        if byte is None:
            self.state = state
        else:
            self._become(_put(replace(state, moved=self._clock.now), byte))

    def read_byte(self, port: int) -> int:
        if port == STATUS:
            return self.state.status
        value = self.state.output
        self._become(replace(self.state, status=self.state.status & ~(OBF | AUX | TIMEOUT)))
        if self.state.replies:
            self._become(_next_reply(self.state))
        return value

    def write_byte(self, port: int, value: int) -> None:
        if port == STATUS:
            state = replace(self.state, status=self.state.status | CD, parameter_of=None)
            self._become(_command(state, value))
            if value >= 0xF0 and not value & RESET_OFF:
                self._on_reset(f"a reset, by the 8042's command {value:#x}")
        else:
            parameter_of = self.state.parameter_of
            state = replace(self.state, status=self.state.status & ~CD, parameter_of=None)
            self._become(_data(state, parameter_of, value))
            if parameter_of == 0xD1 and not value & RESET_OFF:
                self._on_reset("a reset, by bit 0 of the 8042's output port")

    def become(self, state: KeyboardState) -> None:
        """Take on registers from outside; IRQ1 and A20 follow from them."""
        self._become(state)

    def _become(self, state: KeyboardState) -> None:
        level = state.status & (OBF | AUX) == OBF and bool(state.command_byte & CB_IRQ1)
        changed, gated = level != state.line, state.a20 != self.state.a20
        self.state = replace(state, line=level) if changed else state
        if changed:
            self._line(level)
        if gated:
            self._on_gate(state.a20)


def _put(state: KeyboardState, byte: int, extra: int = 0) -> KeyboardState:
    """Fill the output buffer; `extra` adds status bits (AUX, TIMEOUT)."""
    return replace(state, output=byte, status=state.status & ~(AUX | TIMEOUT) | OBF | extra)


def _reply(state: KeyboardState, byte: int, extra: int = 0) -> KeyboardState:
    """An answer of the controller itself: at once, or as soon as what is in the output buffer has been read."""
    if state.output_full:
        return replace(state, replies=(*state.replies, (byte, extra))[-16:])
    return _put(state, byte, extra)


def _next_reply(state: KeyboardState) -> KeyboardState:
    return _put(replace(state, replies=state.replies[1:]), *state.replies[0])


def _receive(state: KeyboardState) -> tuple[KeyboardState, int | None]:
    """Take bytes from the keyboard until one is for the output buffer; None when there was only a prefix."""
    keyboard, typist = state.keyboard, state.typist
    while True:
        if not keyboard.buffer:
            if not typist or not keyboard.scanning:
                break
            keyboard, typist = ps2.press(keyboard, typist[0]), typist[1:]
        byte, keyboard = ps2.send(keyboard)
        state = replace(state, keyboard=keyboard, typist=typist)
        if not state.command_byte & CB_TRANSLATE:
            return state, byte
        if byte != ps2.BREAK:
            release = 0x80 if state.break_prefix else 0
            return replace(state, break_prefix=False), ps2.translate(byte) | release
        state = replace(state, break_prefix=True)
    return state, None


def _set_command_byte(state: KeyboardState, value: int) -> KeyboardState:
    return replace(state, command_byte=value, status=state.status & ~SYS | value & CB_SYS)


def _command(state: KeyboardState, value: int) -> KeyboardState:  # noqa: C901 -- as many cases as commands
    """A command written to port 0x64."""
    match value:
        case 0x20:  # read command byte
            return _reply(state, state.command_byte)
        case 0x60 | 0xD1 | 0xD2 | 0xD3 | 0xD4:  # write command byte, output port, output buffers, auxiliary device
            return replace(state, parameter_of=value)
        case 0xA7:
            return replace(state, command_byte=state.command_byte | CB_AUX_OFF)
        case 0xA8:
            return replace(state, command_byte=state.command_byte & ~CB_AUX_OFF)
        case 0xA9 | 0xAB:  # test the auxiliary device's, the keyboard's lines: no fault
            return _reply(state, 0x00)
        case 0xAA:  # self-test: passed
            return _reply(_set_command_byte(state, state.command_byte | CB_SYS), 0x55)
        case 0xAD:
            return replace(state, command_byte=state.command_byte | CB_KEYBOARD_OFF)
        case 0xAE:
            return replace(state, command_byte=state.command_byte & ~CB_KEYBOARD_OFF)
        case 0xC0:  # read input port: the keyboard lock is open
            return _reply(state, 0x80)
        case 0xD0:  # read output port, whose bit 4 follows OBF
            return _reply(state, state.output_port & ~0x30 | state.output_full << 4)
        case 0xE0:  # read test inputs: clock and data idle
            return _reply(state, 0x03)
        case 0xDD:  # close and open A20, as the chip sets after the AT's have it
            return replace(state, output_port=state.output_port & ~A20)
        case 0xDF:
            return replace(state, output_port=state.output_port | A20)
        case _:  # a pulse of the output port's other bits leaves nothing behind
            return state


def _data(state: KeyboardState, parameter_of: int | None, value: int) -> KeyboardState:
    """A byte written to port 0x60: a parameter, or a command for the keyboard."""
    match parameter_of:
        case 0x60:
            return _set_command_byte(state, value)
        case 0xD1:
            return replace(state, output_port=value)
        case 0xD2:  # as if the keyboard had sent it
            return _reply(state, value)
        case 0xD3:  # as if the auxiliary device had sent it
            return _reply(state, value, AUX)
        case 0xD4:  # nobody answers on the auxiliary cable
            return _reply(state, 0xFE, AUX | TIMEOUT)
        case _:
            # Sending a byte to the keyboard takes the clock line back from a disabled interface.
            state = replace(state, command_byte=state.command_byte & ~CB_KEYBOARD_OFF)
            return replace(state, keyboard=ps2.command(state.keyboard, value))
