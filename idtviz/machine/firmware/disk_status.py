"""How a disk operation ended: what AH says, and the byte at 0x441 or 0x474 (IBM PC/AT Technical Reference)."""

from __future__ import annotations

from enum import IntEnum


class Status(IntEnum):
    """The statuses that this BIOS gives."""

    DONE = 0x00
    INVALID = 0x01
    WRITE_PROTECTED = 0x03
    NOT_FOUND = 0x04
    NOT_READY = 0x80
