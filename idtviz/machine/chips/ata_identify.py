"""The 256 words with which an ATA drive describes itself.

Source: ATA/ATAPI-6 (T13 1410D), 8.15 and table 27.
"""

from __future__ import annotations

import struct

from idtviz.machine.chips.geometry import Geometry

MODEL, SERIAL, FIRMWARE = "IDTVIZ DISK", "IDTVIZ0000", "1"
MAX_MULTIPLE = 16
"""Sectors that READ MULTIPLE can transfer with one interrupt."""
LBA28_LIMIT = 0x0FFF_FFFF

_FIXED = 0x0040
_LBA = 0x0200
_VALID = 0x4000  # bit 14 set and bit 15 clear: the word is valid
_NOP, _WRITE_CACHE, _LOOK_AHEAD = 0x4000, 0x0020, 0x0040
_FLUSH_EXT, _FLUSH, _LBA48 = 0x2000, 0x1000, 0x0400


def default_translation(sectors: int) -> Geometry:
    """Cylinders, heads and sectors of the drive until INITIALIZE DEVICE PARAMETERS: 16 heads of 63 sectors."""
    return Geometry(min(max(1, sectors // (16 * 63)), 16383), 16, 63)


def identify(sectors: int, current: Geometry, multiple: int, device: int) -> bytes:
    """The answer of a drive of so many sectors, in its current translation and setting of SET MULTIPLE MODE."""
    default = default_translation(sectors)
    lba28 = min(sectors, LBA28_LIMIT)
    words = [0] * 256
    words[0] = _FIXED
    words[1], words[3], words[6] = default.cylinders, default.heads, default.sectors
    words[10:20] = _text(f"{SERIAL}{device}", 10)
    words[23:27] = _text(FIRMWARE, 4)
    words[27:47] = _text(MODEL, 20)
    words[47] = 0x8000 | MAX_MULTIPLE
    words[49], words[50] = _LBA, _VALID
    words[53] = 0x0003  # words 54 to 58 and 64 to 70 are valid
    words[54], words[55], words[56] = current.cylinders, current.heads, current.sectors
    words[57:59] = _dword(current.total)
    words[59] = 0x0100 | multiple if multiple else 0
    words[60:62] = _dword(lba28)
    words[64] = 0x0003  # PIO modes 3 and 4
    words[65:69] = [120] * 4  # nanoseconds a word
    words[80] = 0x007E  # ATA-1 to ATA/ATAPI-6
    words[82] = words[85] = _NOP | _WRITE_CACHE | _LOOK_AHEAD
    words[83] = words[86] = _VALID | _FLUSH_EXT | _FLUSH | _LBA48
    words[84] = words[87] = _VALID
    words[100:104] = struct.unpack("<4H", sectors.to_bytes(8, "little"))
    answer = struct.pack("<256H", *words)[:510] + b"\xa5"  # the integrity word: a signature, and what makes the sum 0
    return answer + bytes((-sum(answer) & 0xFF,))


def _text(text: str, words: int) -> tuple[int, ...]:
    """Two characters a word, the first one in the upper byte, filled up with blanks."""
    return struct.unpack(f">{words}H", text.ljust(2 * words).encode("ascii"))


def _dword(value: int) -> tuple[int, int]:
    return value & 0xFFFF, value >> 16
