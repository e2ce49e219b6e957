"""What the BIOS puts into its buffer for a key: scan code and character, by the shift keys that are down.

Source: IBM PS/2 BIOS Interface Technical Reference, "Keyboard: scan code and character combinations" (US keyboard).
"""

from __future__ import annotations

from typing import Final, NamedTuple


class Key(NamedTuple):
    """A word each: AH the scan code, AL the character. None: the combination gives nothing."""

    plain: int | None
    shifted: int | None
    ctrl: int | None
    alt: int | None


_ROWS = (
    (0x10, "qwertyuiop[]", "QWERTYUIOP{}"),
    (0x1E, "asdfghjkl;'`", 'ASDFGHJKL:"~'),
    (0x2B, "\\zxcvbnm,./", "|ZXCVBNM<>?"),
)
_DIGITS = (0x02, "1234567890-=", "!@#$%^&*()_+")
_CTRL_CHARACTERS = {"[": 0x1B, "\\": 0x1C, "]": 0x1D, "6": 0x1E, "-": 0x1F}
_CTRL_2, _ALT_1 = 0x0300, 0x78
_GREY_ALT = {0x47: 0x97, 0x48: 0x98, 0x49: 0x99, 0x4B: 0x9B, 0x4D: 0x9D, 0x4F: 0x9F, 0x50: 0xA0, 0x51: 0xA1,
             0x52: 0xA2, 0x53: 0xA3}  # fmt: skip
_KEYPAD_CTRL = {0x47: 0x77, 0x48: 0x8D, 0x49: 0x84, 0x4A: 0x8E, 0x4B: 0x73, 0x4C: 0x8F, 0x4D: 0x74, 0x4E: 0x90,
                0x4F: 0x75, 0x50: 0x91, 0x51: 0x76, 0x52: 0x92, 0x53: 0x93}  # fmt: skip
KEYPAD: Final = dict(zip(range(0x47, 0x54), "789-456+1230.", strict=True))
"""The character of each key of the keypad, while Num Lock is on."""
_GREY = 0xE0


def _row(first: int, plain: str, shifted: str) -> dict[int, Key]:
    keys = {}
    for code, (lower, upper) in enumerate(zip(plain, shifted, strict=True), first):
        word = code << 8
        control = ord(upper) & 0x1F if upper.isalpha() else _CTRL_CHARACTERS.get(lower)
        keys[code] = Key(word | ord(lower), word | ord(upper), None if control is None else word | control, word)
    return keys


def _digits() -> dict[int, Key]:
    keys = _row(*_DIGITS)
    for place, code in enumerate(sorted(keys)):
        keys[code] = keys[code]._replace(alt=_ALT_1 + place << 8)
    keys[0x03] = keys[0x03]._replace(ctrl=_CTRL_2)
    return keys


def _function_keys() -> dict[int, Key]:
    keys = {code: Key(*(code + add << 8 for add in (0, 0x19, 0x23, 0x2D))) for code in range(0x3B, 0x45)}
    for code in (0x57, 0x58):  # F11, F12
        keys[code] = Key(*(code + add << 8 for add in (0x2E, 0x30, 0x32, 0x34)))
    return keys


def _keypad() -> dict[int, Key]:
    keys = {}
    for code, character in KEYPAD.items():
        digit, cursor = code << 8 | ord(character), code << 8
        always = character in "+-"
        middle = code == 0x4C
        plain = digit if always else cursor | (0xF0 if middle else 0)
        keys[code] = Key(plain, digit, _KEYPAD_CTRL[code] << 8, cursor if always else None)
    return keys


KEYS: Final[dict[int, Key]] = {
    0x01: Key(0x011B, 0x011B, 0x011B, 0x0100),  # Esc
    0x0E: Key(0x0E08, 0x0E08, 0x0E7F, 0x0E00),  # Backspace
    0x0F: Key(0x0F09, 0x0F00, 0x9400, 0xA500),  # Tab
    0x1C: Key(0x1C0D, 0x1C0D, 0x1C0A, 0x1C00),  # Enter
    0x37: Key(0x372A, 0x372A, 0x9600, 0x3700),  # keypad *
    0x39: Key(0x3920, 0x3920, 0x3920, 0x3920),  # Space
    0x56: Key(0x565C, 0x567C, None, None),  # the 102nd key
    **_digits(),
    **{code: key for row in _ROWS for code, key in _row(*row).items()},
    **_function_keys(),
    **_keypad(),
}
"""By the scan code of set 1."""

EXTENDED: Final[dict[int, Key]] = {
    0x1C: Key(0xE00D, 0xE00D, 0xE00A, 0xA600),  # keypad Enter
    0x35: Key(0xE02F, 0xE02F, 0x9500, 0xA400),  # keypad /
    **{
        code: Key(code << 8 | _GREY, code << 8 | _GREY, _KEYPAD_CTRL[code] << 8 | _GREY, alt << 8)
        for code, alt in _GREY_ALT.items()
    },
}
"""The same behind the prefix 0xE0."""

LETTERS: Final = frozenset(code for first, plain, _ in _ROWS for code, key in enumerate(plain, first) if key.isalpha())
"""The keys that Caps Lock shifts."""
