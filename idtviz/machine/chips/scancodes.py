"""Scan code set 1: what a PC's software reads from port 0x60 for the keys of a US keyboard.

Source: IBM PC/AT Technical Reference, "Keyboard"; IBM PS/2 Hardware Interface Technical Reference. A key's release is
its code with bit 7 set; the keys that the 101-key keyboard added are told from their older twins by a prefix of 0xE0.
"""

from __future__ import annotations

import re

EXTENDED = 0xE0
RELEASED = 0x80

_ROWS = (
    (0x02, "1234567890-="),
    (0x10, "qwertyuiop[]"),
    (0x1E, "asdfghjkl;'`"),
    (0x2B, "\\zxcvbnm,./"),
)
_SHIFTED = dict(zip('!@#$%^&*()_+{}:"~|<>?', "1234567890-=[];'`\\,./", strict=True))

_KEYS: dict[str, int] = {
    "esc": 0x01,
    "backspace": 0x0E,
    "tab": 0x0F,
    "enter": 0x1C,
    "ctrl": 0x1D,
    "shift": 0x2A,
    "rshift": 0x36,
    "alt": 0x38,
    "space": 0x39,
    "capslock": 0x3A,
    "numlock": 0x45,
    "scrolllock": 0x46,
    "f11": 0x57,
    "f12": 0x58,
    "rctrl": 0xE01D,
    "altgr": 0xE038,
    "home": 0xE047,
    "up": 0xE048,
    "pageup": 0xE049,
    "left": 0xE04B,
    "right": 0xE04D,
    "end": 0xE04F,
    "down": 0xE050,
    "pagedown": 0xE051,
    "insert": 0xE052,
    "delete": 0xE053,
    "super": 0xE05B,
    "menu": 0xE05D,
}
_KEYS |= {f"f{number}": 0x3A + number for number in range(1, 11)}
_KEYS |= {key: first + offset for first, row in _ROWS for offset, key in enumerate(row)}

_NAMES = {code: name for name, code in _KEYS.items()}
_KEYPAD = {
    0x37: "keypad *",
    0x4A: "keypad -",
    0x4E: "keypad +",
    0x53: "keypad .",
    0xE01C: "keypad enter",
    0xE035: "keypad /",
    0xE037: "print screen",
}
_NAMES |= {0x47 + offset: f"keypad {digit}" for offset, digit in enumerate("789")}
_NAMES |= {0x4B + offset: f"keypad {digit}" for offset, digit in enumerate("456")}
_NAMES |= {0x4F + offset: f"keypad {digit}" for offset, digit in enumerate("1230")}
_NAMES |= _KEYPAD

_CHARACTERS = {"\n": "enter", "\r": "enter", "\t": "tab", "\b": "backspace", " ": "space", "\x1b": "esc"}
_LITERAL = {"lt": "<", "gt": ">"}
_NAMED = re.compile(r"<([a-z0-9]+(?:\+[^\s<>]+)*)>")


def encode(text: str) -> bytes:
    """The scan codes of someone typing `text`: each key pressed and released, with shift held where it is needed.

    A name in angle brackets is a key or a chord: `<esc>`, `<f1>`, `<up>`, `<ctrl+c>`, `<ctrl+alt+delete>`; `<lt>` and
    `<gt>` are the brackets themselves where they could be taken for a name. Raises ValueError for a character or a
    name that is on no key.
    """
    codes = bytearray()
    position = 0
    while position < len(text):
        named = _NAMED.match(text, position)
        if named is None:
            codes += _chord(_keys_of(text[position]))
            position += 1
        else:
            codes += _chord(_keys_named(named[1]))
            position = named.end()
    return bytes(codes)


def describe(code: int) -> str:
    """One code in words: "h pressed", "shift released". A prefixed code is given whole, as in 0xE048."""
    if code == EXTENDED:
        return "extended key prefix"
    name = _NAMES.get(code & ~RELEASED)
    if name is None:
        return f"unknown key {code:#04x}"
    return f"{name} {'released' if code & RELEASED else 'pressed'}"


def _keys_of(character: str) -> list[int]:
    """The keys to hold, in order, for one character."""
    if character in _CHARACTERS:
        return [_KEYS[_CHARACTERS[character]]]
    if character in _SHIFTED:
        return [_KEYS["shift"], _KEYS[_SHIFTED[character]]]
    if character in _KEYS:
        return [_KEYS[character]]
    if "A" <= character <= "Z":
        return [_KEYS["shift"], _KEYS[character.lower()]]
    raise ValueError(f"no key of a US keyboard types {character!r}")


def _keys_named(name: str) -> list[int]:
    """The keys to hold for the inside of a pair of angle brackets."""
    if name in _LITERAL:
        return _keys_of(_LITERAL[name])
    keys: list[int] = []
    for part in name.split("+"):
        if part in _KEYS:
            found = [_KEYS[part]]
        elif len(part) == 1:
            found = _keys_of(part)
        else:
            raise ValueError(f"no key is called <{part}>")
        keys += [key for key in found if key not in keys]
    return keys


def _chord(keys: list[int]) -> bytes:
    """Press the keys in order, release them in the opposite order."""
    codes = bytearray()
    for key in keys:
        codes += _bytes(key)
    for key in reversed(keys):
        codes += _bytes(key | RELEASED)
    return bytes(codes)


def _bytes(code: int) -> bytes:
    return code.to_bytes(2, "big") if code > 0xFF else bytes((code,))
