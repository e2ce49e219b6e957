"""The keyboard at the far end of the cable: what it sends and which commands it obeys.

Source: IBM PS/2 Hardware Interface Technical Reference, "Keyboard (101- and 102-key)"; the translation table is the
controller's, from the same book.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

ACK = 0xFA
RESEND = 0xFE
BREAK = 0xF0
EXTENDED = 0xE0
SELF_TEST_PASSED = 0xAA
OVERRUN = 0x00

BUFFER_SIZE = 16

# Set 1's code at the index of set 2's, in rows of 16; 0x80 and up is unchanged but for 0x83 (F7) and 0x84 (SysRq).
_SET_1_OF_SET_2 = bytes.fromhex(
    "ff 43 41 3f 3d 3b 3c 58 64 44 42 40 3e 0f 29 59 "
    "65 38 2a 70 1d 10 02 5a 66 71 2c 1f 1e 11 03 5b "
    "67 2e 2d 20 12 05 04 5c 68 39 2f 21 14 13 06 5d "
    "69 31 30 23 22 15 07 5e 6a 72 32 24 16 08 09 5f "
    "6b 33 25 17 18 0b 0a 60 6c 34 35 26 27 19 0c 61 "
    "6d 73 28 74 1a 0d 62 6e 3a 36 1c 1b 75 2b 63 76 "
    "55 56 77 78 79 7a 0e 7b 7c 4f 7d 4b 47 7e 7f 6f "
    "52 53 50 4c 4d 48 01 45 57 4e 51 4a 37 49 46 54"
)
_BEYOND = {0x83: 0x41, 0x84: 0x54}
_SET_2_OF_SET_1 = {code: index for index, code in enumerate(_SET_1_OF_SET_2)} | {0x41: 0x83, 0x54: 0x84}


@dataclass(frozen=True, slots=True)
class Ps2KeyboardState:
    """What the keyboard's own controller remembers."""

    buffer: bytes = b""  # bytes to send, at most 16
    scanning: bool = True
    scan_code_set: int = 2
    leds: int = 0  # bits 0-2: scroll lock, num lock, caps lock
    typematic: int = 0x2B  # 10.9 characters a second after half a second
    parameter_of: int | None = None
    last_sent: int = 0


def translate(byte: int) -> int:
    """The controller's translation of one byte of set 2 (a break prefix aside) to set 1."""
    if byte < 0x80:
        return _SET_1_OF_SET_2[byte]
    return _BEYOND.get(byte, byte)


def press(state: Ps2KeyboardState, code: int) -> Ps2KeyboardState:
    """A key goes down or up: `code` is a byte of set 1, which the keyboard sends in the set that it is in."""
    if code == EXTENDED or state.scan_code_set == 1:
        return _queue(state, bytes((code,)))
    make = _SET_2_OF_SET_1.get(code & 0x7F, code & 0x7F)
    return _queue(state, bytes((BREAK, make)) if code & 0x80 else bytes((make,)))


def send(state: Ps2KeyboardState) -> tuple[int, Ps2KeyboardState]:
    """The next byte on the cable. The buffer must not be empty."""
    byte = state.buffer[0]
    return byte, replace(state, buffer=state.buffer[1:], last_sent=byte)


def command(state: Ps2KeyboardState, value: int) -> Ps2KeyboardState:
    """A byte from the system: a command, or the parameter of the last one."""
    if state.parameter_of is not None and value < 0xE0:
        return _parameter(replace(state, parameter_of=None), state.parameter_of, value)
    state = replace(state, parameter_of=None)
    match value:
        case 0xED | 0xF0 | 0xF3:  # set indicators, select scan code set, set typematic rate
            return _queue(replace(state, parameter_of=value), bytes((ACK,)))
        case 0xEE:  # echo
            return _queue(state, b"\xee")
        case 0xF2:  # read ID
            return _queue(state, bytes((ACK, 0xAB, 0x83)))
        case 0xF4:  # enable, with an empty buffer
            return _queue(replace(state, buffer=b"", scanning=True), bytes((ACK,)))
        case 0xF5:  # default disable
            return _queue(Ps2KeyboardState(scanning=False, leds=state.leds), bytes((ACK,)))
        case 0xF6:  # set default
            return _queue(Ps2KeyboardState(scanning=state.scanning, leds=state.leds), bytes((ACK,)))
        case 0xFE:  # resend
            return _queue(state, bytes((state.last_sent,)))
        case 0xFF:  # reset
            return _queue(Ps2KeyboardState(), bytes((ACK, SELF_TEST_PASSED)))
        case _:
            return _queue(state, bytes((RESEND,)))


def _parameter(state: Ps2KeyboardState, of: int, value: int) -> Ps2KeyboardState:
    if of == 0xED:
        return _queue(replace(state, leds=value & 7), bytes((ACK,)))
    if of == 0xF3:
        return _queue(replace(state, typematic=value & 0x7F), bytes((ACK,)))
    if value == 0:
        return _queue(state, bytes((ACK, state.scan_code_set)))
    if value in (1, 2):
        return _queue(replace(state, scan_code_set=value), bytes((ACK,)))
    return _queue(state, bytes((RESEND,)))


def _queue(state: Ps2KeyboardState, codes: bytes) -> Ps2KeyboardState:
    if len(state.buffer) + len(codes) > BUFFER_SIZE:
        return replace(state, buffer=state.buffer[: BUFFER_SIZE - 1] + bytes((OVERRUN,)))
    return replace(state, buffer=state.buffer + codes)
