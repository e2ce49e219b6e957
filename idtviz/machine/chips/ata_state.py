"""What an ATA channel and its two devices remember, with the names of the registers' bits.

Source: ATA/ATAPI-6 (T13 1410D), clause 7 (registers) and 9.16 (one device alone on the cable).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import IntEnum

from idtviz.machine.chips.geometry import Geometry

BSY, DRDY, DSC, DRQ, ERR = 0x80, 0x40, 0x10, 0x08, 0x01  # status
IDNF, ABRT, DIAGNOSTIC_PASSED = 0x10, 0x04, 0x01  # error
HOB, SRST, NIEN = 0x80, 0x04, 0x02  # device control
LBA, DEV = 0x40, 0x10  # device
READY = DRDY | DSC


class Pending(IntEnum):
    """What is due when BSY falls."""

    NOTHING = 0
    COMMAND = 1
    NEXT_READ = 2
    WRITTEN = 3
    RESET = 4


@dataclass(frozen=True, slots=True)
class TaskFile:
    """The registers that take a command's parameters. Each of the 16-bit ones is two bytes deep: previous, current."""

    features: int = 0
    count: int = 1
    low: int = 1
    mid: int = 0
    high: int = 0
    device: int = 0

    @property
    def selected(self) -> int:
        """0 or 1."""
        return int(bool(self.device & DEV))

    def pushed(self, name: str, value: int) -> TaskFile:
        """A byte was written to the register `name`; the one before moves up."""
        return replace(self, **{name: (getattr(self, name) & 0xFF) << 8 | value})

    def sectors(self, *, extended: bool) -> int:
        """The sector count, in which 0 stands for one more than fits."""
        return self.count or 0x10000 if extended else self.count & 0xFF or 0x100

    def lba(self, translation: Geometry, *, extended: bool) -> int | None:
        """The first sector's address; None for a cylinder, head and sector that the translation does not have."""
        low, mid, high = self.low & 0xFF, self.mid & 0xFF, self.high & 0xFF
        if extended:
            upper = self.low >> 8 | self.mid >> 8 << 8 | self.high >> 8 << 16
            return upper << 24 | high << 16 | mid << 8 | low
        if self.device & LBA:
            return (self.device & 0x0F) << 24 | high << 16 | mid << 8 | low
        return translation.lba(high << 8 | mid, self.device & 0x0F, low)

    def at(self, lba: int, translation: Geometry, *, extended: bool) -> TaskFile:
        """The registers with the address of the sector at which a command failed."""
        if extended:
            low, mid, high = ((lba >> 24 + shift & 0xFF) << 8 | lba >> shift & 0xFF for shift in (0, 8, 16))
            return replace(self, low=low, mid=mid, high=high)
        if self.device & LBA:
            upper, low, mid, high = lba >> 24 & 0x0F, lba & 0xFF, lba >> 8 & 0xFF, lba >> 16 & 0xFF
        else:
            cylinder, upper, low = translation.chs(lba)
            mid, high = cylinder & 0xFF, cylinder >> 8 & 0xFF
        return replace(self, low=low, mid=mid, high=high, device=self.device & 0xF0 | upper)


@dataclass(frozen=True, slots=True)
class DeviceState:
    """One device's own: status, error, settings, and how much it has done."""

    translation: Geometry
    status: int = READY
    error: int = DIAGNOSTIC_PASSED
    multiple: int = 0
    sectors_read: int = 0
    sectors_written: int = 0


@dataclass(frozen=True, slots=True)
class Channel:
    """Everything but the data that is just being transferred. `devices` has None where no drive is attached."""

    devices: tuple[DeviceState | None, DeviceState | None]
    task: TaskFile = field(default_factory=TaskFile)
    control: int = 0
    command: int | None = None  # the last one
    pending: Pending = Pending.NOTHING
    deadline: int | None = None
    lba: int = 0  # of the first sector of the block that is being transferred, or was last
    remaining: int = 0  # sectors after the block that is being transferred
    block: int = 1  # sectors a block
    intrq: bool = False
    line: bool = False  # the level of the interrupt line

    @property
    def selected(self) -> DeviceState | None:
        """The device that the device register selects."""
        return self.devices[self.task.selected]

    def with_selected(self, device: DeviceState) -> Channel:
        """The channel with another state of the selected device."""
        first, second = self.devices
        return replace(self, devices=(first, device) if self.task.selected else (device, second))


@dataclass(frozen=True, slots=True)
class Transfer:
    """A block on its way through the data register: read up to `position`, or written up to `wanted` bytes."""

    data: bytes = b""
    position: int = 0
    wanted: int = 0


@dataclass(frozen=True, slots=True)
class AtaState:
    """The channel and the block. They are apart because the block changes with every word."""

    channel: Channel
    transfer: Transfer = field(default_factory=Transfer)

    @property
    def status(self) -> int:
        """What the status register reads; 0 for the absent one of two devices."""
        selected = self.channel.selected
        return 0 if selected is None else selected.status

    @property
    def words_left(self) -> int:
        """16-bit words of the block that are still to be transferred."""
        transfer = self.transfer
        return max(len(transfer.data) - transfer.position, transfer.wanted - len(transfer.data)) // 2
