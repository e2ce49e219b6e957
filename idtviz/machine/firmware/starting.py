"""INT 19h and INT 18h: the first sector of a drive, or the news that there is none.

Source: IBM PC/AT Technical Reference, "Bootstrap loader".
"""

from __future__ import annotations

from typing import Final

from idtviz.machine.firmware import areas, text
from idtviz.machine.firmware.call import Call

BOOT_SECTOR: Final = 0x7C00
SIGNATURE: Final = b"\x55\xaa"
"""The last two bytes of a sector that can be booted."""

_NOTHING = b"\r\nNothing to boot from.\r\n"


def boot(call: Call) -> None:
    """Load the sector; DL is its drive. CF for the BIOS: there is none, or it has no signature."""
    number = call.byte(areas.BOOT_DRIVE)
    drive = call.board.drives.get(number)
    call.dl = number
    sector = b"" if drive is None else drive.read(0)
    call.steer(carry=not sector.endswith(SIGNATURE))
    call.write(BOOT_SECTOR, sector)


def nothing(call: Call) -> None:
    """INT 18h."""
    for character in _NOTHING:
        text.teletype(call, call.byte(areas.ACTIVE_PAGE), character)
