"""INT 09h: a scan code from the keyboard becomes a key in the BIOS's buffer.

Source: IBM PS/2 BIOS Interface Technical Reference, "Interrupt 09h: keyboard" and the keyboard's data areas. All that
it remembers from one code to the next lies in those.
"""

from __future__ import annotations

from typing import Final

from idtviz.machine.firmware import areas, keymap
from idtviz.machine.firmware.call import Call

RIGHT_SHIFT, LEFT_SHIFT, CTRL, ALT, SCROLL_LOCK, NUM_LOCK, CAPS_LOCK, INSERT = (1 << bit for bit in range(8))
"""Byte 0x417: shift keys that are down, locks that are on."""
LEFT_CTRL, LEFT_ALT = 0x01, 0x02  # byte 0x418; its bits 4 to 7: the key of the lock is down
WAS_E1, WAS_E0, RIGHT_CTRL, RIGHT_ALT = 0x01, 0x02, 0x04, 0x08  # byte 0x496

_RELEASED = 0x80
_E0, _E1 = 0xE0, 0xE1
_CTRL, _ALT, _DELETE, _SCROLL = 0x1D, 0x38, 0x53, 0x46
_SHIFTS = {0x2A: LEFT_SHIFT, 0x36: RIGHT_SHIFT}
_LOCKS = {0x3A: CAPS_LOCK, 0x45: NUM_LOCK, 0x46: SCROLL_LOCK, 0x52: INSERT}
_ANSWERS = (0xFA, 0xFE)
"""What the keyboard says to a command: no keys."""
_CTRL_BREAK_KEY: Final = 0x0000
_WARM: Final = 0x1234


def serve(call: Call) -> None:
    """The code in AL. CF for the BIOS: Ctrl, Alt and Del are down; ZF: Ctrl and Break."""
    call.steer(carry=False, zero=False)
    code = call.al
    mode = call.byte(areas.KEYBOARD_MODE)
    if code in _ANSWERS:
        return
    if code in (_E0, _E1):
        call.set_byte(areas.KEYBOARD_MODE, mode | (WAS_E0 if code == _E0 else WAS_E1))
        return
    if mode & WAS_E1:
        # Pause: 1D, then 45, with the prefix in front of the first alone; it gives no key.
        if code & ~_RELEASED != _CTRL:
            call.set_byte(areas.KEYBOARD_MODE, mode & ~WAS_E1)
        return
    call.set_byte(areas.KEYBOARD_MODE, mode & ~WAS_E0)
    _key(call, code & ~_RELEASED, extended=bool(mode & WAS_E0), pressed=not code & _RELEASED)


def put(call: Call, word: int) -> bool:
    """Put a key into the buffer; False: it is full."""
    tail = call.word(areas.KEYS_TAIL)
    following = _following(call, tail)
    if following == call.word(areas.KEYS_HEAD):
        return False
    call.set_word(0x400 + tail, word)
    call.set_word(areas.KEYS_TAIL, following)
    return True


def first(call: Call, *, take: bool) -> int | None:
    """The next key in the buffer, which it leaves where `take` is set; None: the buffer is empty."""
    head = call.word(areas.KEYS_HEAD)
    if head == call.word(areas.KEYS_TAIL):
        return None
    if take:
        call.set_word(areas.KEYS_HEAD, _following(call, head))
    return call.word(0x400 + head)


def _following(call: Call, place: int) -> int:
    return call.word(areas.KEYS_START) if place + 2 >= call.word(areas.KEYS_END) else place + 2


def _key(call: Call, code: int, *, extended: bool, pressed: bool) -> None:
    if code in _SHIFTS:
        if not extended:  # else a shift that the keyboard makes up around the grey keys
            _set_bit(call, areas.SHIFT_FLAGS, _SHIFTS[code], on=pressed)
    elif code in (_CTRL, _ALT):
        _control_or_alt(call, code, extended=extended, pressed=pressed)
    elif code == _SCROLL and extended and pressed and call.byte(areas.SHIFT_FLAGS) & CTRL:
        call.set_byte(areas.BREAK, 0x80)
        call.set_word(areas.KEYS_HEAD, call.word(areas.KEYS_START))
        call.set_word(areas.KEYS_TAIL, call.word(areas.KEYS_START))
        put(call, _CTRL_BREAK_KEY)
        call.steer(zero=True)
    elif code in _LOCKS and not (code == _SCROLL and extended) and _is_lock(call, code, extended=extended):
        _lock(call, code, extended=extended, pressed=pressed)
    elif pressed:
        _character(call, code, extended=extended)


def _set_bit(call: Call, address: int, bit: int, *, on: bool) -> None:
    call.set_byte(address, call.byte(address) | bit if on else call.byte(address) & ~bit)


def _control_or_alt(call: Call, code: int, *, extended: bool, pressed: bool) -> None:
    """Either of two keys: the flag stands while one of them is down."""
    either, left, right = (CTRL, LEFT_CTRL, RIGHT_CTRL) if code == _CTRL else (ALT, LEFT_ALT, RIGHT_ALT)
    if extended:
        _set_bit(call, areas.KEYBOARD_MODE, right, on=pressed)
    else:
        _set_bit(call, areas.SHIFT_FLAGS_2, left, on=pressed)
    down = call.byte(areas.KEYBOARD_MODE) & right or call.byte(areas.SHIFT_FLAGS_2) & left
    _set_bit(call, areas.SHIFT_FLAGS, either, on=bool(down))
    typed = call.byte(areas.ALT_KEYPAD)
    if code == _ALT and not down and typed:
        call.set_byte(areas.ALT_KEYPAD, 0)
        put(call, typed)


def _is_lock(call: Call, code: int, *, extended: bool) -> bool:
    """Insert types a digit on the keypad while Num Lock is on, and with Ctrl or Alt it is a key like others."""
    held = call.byte(areas.SHIFT_FLAGS)
    if _LOCKS[code] != INSERT:
        return True
    digit = not extended and bool(held & NUM_LOCK) != bool(held & (LEFT_SHIFT | RIGHT_SHIFT))
    return not digit and not held & (CTRL | ALT)


def _lock(call: Call, code: int, *, extended: bool, pressed: bool) -> None:
    bit = _LOCKS[code]
    held = call.byte(areas.SHIFT_FLAGS_2) & bit
    _set_bit(call, areas.SHIFT_FLAGS_2, bit, on=pressed)
    if not pressed:
        return
    if not held:  # the keyboard repeats it
        call.set_byte(areas.SHIFT_FLAGS, call.byte(areas.SHIFT_FLAGS) ^ bit)
    if bit == INSERT:
        _character(call, code, extended=extended)


def _character(call: Call, code: int, *, extended: bool) -> None:
    held = call.byte(areas.SHIFT_FLAGS)
    if code == _DELETE and held & (CTRL | ALT) == CTRL | ALT:
        call.set_word(areas.WARM_BOOT, _WARM)
        call.steer(carry=True)
        return
    if held & ALT and not extended and keymap.KEYPAD.get(code, "").isdigit():
        call.set_byte(areas.ALT_KEYPAD, call.byte(areas.ALT_KEYPAD) * 10 + int(keymap.KEYPAD[code]))
        return
    key = (keymap.EXTENDED if extended else keymap.KEYS).get(code)
    if key is None:
        return
    shifted = bool(held & (LEFT_SHIFT | RIGHT_SHIFT))
    if not extended:
        shifted ^= bool(held & CAPS_LOCK and code in keymap.LETTERS)
        shifted ^= bool(held & NUM_LOCK and code in keymap.KEYPAD)
    word = key.alt if held & ALT else key.ctrl if held & CTRL else key.shifted if shifted else key.plain
    if word is not None:
        put(call, word)
