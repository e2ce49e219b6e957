"""INT 16h: keys out of the BIOS's buffer.

Source: IBM PS/2 BIOS Interface Technical Reference, "Interrupt 16h: keyboard". The functions from 0x10 on know the
101-key keyboard; those below give the keys that it added as the older keyboard's, or not at all.
"""

from __future__ import annotations

from idtviz.machine.firmware import areas, key_arrival
from idtviz.machine.firmware.call import Call

_GREY = 0xE0
_LAST_OLD_KEY = 0x84
_KEYPAD_ENTER, _KEYPAD_SLASH = 0x1C, 0x35
_SLASH = 0x2F
_ENHANCED = 0x10


def take(call: Call) -> None:
    """Functions 0x00 and 0x10, asked for again and again until there is a key: ZF = 0 for the BIOS, and AX is one."""
    while (word := key_arrival.first(call, take=True)) is not None:
        key = word if call.ah & _ENHANCED else _as_old(word)
        if key is not None:
            call.ax = key
            call.steer(zero=False)
            return
    call.steer(zero=True)


def serve(call: Call) -> None:
    """The functions that do not wait."""
    match call.ah:
        case 0x01 | 0x11:
            _look(call)
        case 0x02:
            call.al = call.byte(areas.SHIFT_FLAGS)
        case 0x12:
            call.ax = call.byte(areas.SHIFT_FLAGS) | _extended_flags(call) << 8
        case 0x03:
            call.note(0x16, "the typematic rate stays as it is")
        case 0x05:
            call.al = 0 if key_arrival.put(call, call.cx) else 1
        case 0x09:
            call.al = 0x20  # functions 0x10 to 0x12 are there
        case _:
            call.note(0x16, "no such function; nothing happens")


def _look(call: Call) -> None:
    """Functions 0x01 and 0x11: the next key stays. The caller's ZF says that there is none."""
    enhanced = call.ah & _ENHANCED
    while (word := key_arrival.first(call, take=False)) is not None:
        key = word if enhanced else _as_old(word)
        if key is not None:
            call.ax = key
            break
        key_arrival.first(call, take=True)
    call.answer(zero=word is None)


def _as_old(word: int) -> int | None:
    """A key as the 83-key keyboard had it; None for one that it did not have."""
    code, character = word >> 8, word & 0xFF
    if code == _GREY:  # keypad Enter and keypad /
        return (_KEYPAD_SLASH if character == _SLASH else _KEYPAD_ENTER) << 8 | character
    if code > _LAST_OLD_KEY:
        return None
    if character == 0xF0 or (character == _GREY and code):
        return None if character == 0xF0 else code << 8
    return word


def _extended_flags(call: Call) -> int:
    """Left Ctrl and Alt, right Ctrl and Alt, then the keys of the locks that are down."""
    left, right = call.byte(areas.SHIFT_FLAGS_2), call.byte(areas.KEYBOARD_MODE)
    return left & 0x73 | right & (key_arrival.RIGHT_CTRL | key_arrival.RIGHT_ALT)
