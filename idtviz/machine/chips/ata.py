"""An ATA channel with up to two hard disks, programmed by PIO.

Source: ATA/ATAPI-6 (T13 1410D): the protocols of clause 9.5 to 9.7 (PIO data-in, PIO data-out, non-data), commands of
clause 8. A command sets BSY for `LATENCY`, and so does every further block; then the device asks for attention. Bytes
wait in no cache: a sector is on the drive when its interrupt comes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from idtviz.machine.chips import ata_commands as commands
from idtviz.machine.chips.ata_identify import MAX_MULTIPLE, default_translation, identify
from idtviz.machine.chips.ata_state import (
    ABRT,
    BSY,
    DIAGNOSTIC_PASSED,
    DRQ,
    ERR,
    HOB,
    IDNF,
    NIEN,
    READY,
    SRST,
    AtaState,
    Channel,
    DeviceState,
    Pending,
    TaskFile,
    Transfer,
)
from idtviz.machine.chips.chip import FLOATING, ByteChip, Clock, Line
from idtviz.machine.chips.drive import SECTOR, Drive
from idtviz.machine.chips.geometry import Geometry

PRIMARY, SECONDARY = 0x1F0, 0x170
CONTROL_OFFSET = 0x206
LATENCY = 100
"""Microseconds of virtual time for which a device is busy."""

DATA, ERROR_FEATURES, COUNT, LOW, MID, HIGH, DEVICE, STATUS_COMMAND = range(8)
_DEEP = {ERROR_FEATURES: "features", COUNT: "count", LOW: "low", MID: "mid", HIGH: "high"}


class Ata(ByteChip):
    """The eight ports of the command block from `base`, and the control block's one."""

    def __init__(
        self,
        clock: Clock,
        line: Line,
        drives: tuple[Drive | None, Drive | None] = (None, None),
        base: int = PRIMARY,
        name: str = "ata0",
    ) -> None:
        """`line` is the channel's interrupt (IRQ14 for the first); `drives` are device 0 and device 1."""
        self.name: str = name
        self.ports: tuple[int, ...] = (*range(base, base + 8), base + CONTROL_OFFSET)
        self.state = AtaState(Channel((_at_power_on(drives[0]), _at_power_on(drives[1]))))
        self._drives = drives
        self._present = drives != (None, None)
        self._clock = clock
        self._line = line
        self._base = base

    def deadline(self) -> int | None:
        return self.state.channel.deadline

    def advance(self) -> None:
        channel = self.state.channel
        if channel.deadline is None or self._clock.now < channel.deadline:
            return
        pending = channel.pending
        self._become(replace(channel, deadline=None, pending=Pending.NOTHING))
        match pending:
            case Pending.COMMAND:
                self._perform()
            case Pending.NEXT_READ:
                self._next_block()
                self._offer()
            case Pending.WRITTEN:
                self._store()
            case _:
                self._signature()

    # The registers

    def read(self, port: int, size: int) -> int:
        return self._read_data(size) if port == self._base and self._present else super().read(port, size)

    def write(self, port: int, size: int, value: int) -> None:
        if port == self._base:
            self._write_data(size, value)
        else:
            super().write(port, size, value)

    def read_byte(self, port: int) -> int:
        if not self._present:
            return FLOATING
        self.advance()
        channel = self.state.channel
        register = port - self._base
        match register:
            case 0x206:  # alternate status
                return self.state.status
            case 7:
                if channel.intrq:
                    self._become(replace(channel, intrq=False))
                return self.state.status
            case 1:
                answering = channel.selected or channel.devices[0]
                return answering.error if answering else 0
            case 6:
                return channel.task.device | 0xA0
            case _:
                value: int = getattr(channel.task, _DEEP[register])
                return value >> 8 if channel.control & HOB else value & 0xFF

    def write_byte(self, port: int, value: int) -> None:
        if not self._present:
            return
        self.advance()
        register = port - self._base
        if register == CONTROL_OFFSET:
            self._control(value)
            return
        channel = replace(self.state.channel, control=self.state.channel.control & ~HOB)
        if self.state.status & BSY or channel.control & SRST:
            return  # a busy device owns its registers
        if register == STATUS_COMMAND:
            self._command(channel, value)
        elif register == DEVICE:
            self._become(replace(channel, task=replace(channel.task, device=value)))
        else:
            self._become(replace(channel, task=channel.task.pushed(_DEEP[register], value)))

    def _control(self, value: int) -> None:
        channel = self.state.channel
        before, channel = channel.control, replace(channel, control=value & (HOB | SRST | NIEN))
        if value & SRST:
            self.state = replace(self.state, transfer=Transfer())
            channel = _each(channel, lambda device: replace(device, status=BSY))
            channel = replace(channel, pending=Pending.NOTHING, deadline=None, intrq=False, command=None)
        elif before & SRST:
            channel = self._later(channel, Pending.RESET)
        self._become(channel)

    def _command(self, channel: Channel, command: int) -> None:
        if channel.selected is None and command != commands.EXECUTE_DEVICE_DIAGNOSTIC:
            return  # device 0 does not perform the commands of the one that is absent
        self.state = replace(self.state, transfer=Transfer())
        channel = _each(channel, _without_data)
        busy = _each(channel, _busy) if command == commands.EXECUTE_DEVICE_DIAGNOSTIC else _busy_selected(channel)
        self._become(self._later(replace(busy, command=command, intrq=False), Pending.COMMAND))

    # The data register

    def _read_data(self, size: int) -> int:
        self.advance()
        transfer = self.state.transfer
        if not self.state.status & DRQ or transfer.wanted:
            return (1 << 8 * size) - 1
        end = transfer.position + size
        value = int.from_bytes(transfer.data[transfer.position : end], "little")
        self.state = AtaState(self.state.channel, Transfer(transfer.data, end))
        if end >= len(transfer.data):
            self._block_read()
        return value

    def _write_data(self, size: int, value: int) -> None:
        self.advance()
        transfer = self.state.transfer
        if not self.state.status & DRQ or not transfer.wanted:
            return
        data = transfer.data + value.to_bytes(size, "little")
        self.state = AtaState(self.state.channel, Transfer(data, 0, transfer.wanted))
        if len(data) >= transfer.wanted:
            self._become(self._later(_busy_selected(self.state.channel), Pending.WRITTEN))

    def _block_read(self) -> None:
        """The last word of a block has been read."""
        channel, device = self.state.channel, self._device
        self.state = AtaState(channel, Transfer())
        if channel.remaining:
            self._become(self._later(_busy_selected(channel), Pending.NEXT_READ))
        else:
            self._become(channel.with_selected(replace(device, status=READY)))

    # Commands

    def _perform(self) -> None:
        """BSY has stood long enough: do the command."""
        channel = self.state.channel
        command, task = channel.command, channel.task
        assert command is not None
        if command == commands.EXECUTE_DEVICE_DIAGNOSTIC:
            self._signature()
            self._become(replace(self.state.channel, intrq=True))
            return
        device = self._device
        if command in commands.READS or command in commands.WRITES or command in commands.VERIFIES:
            self._transfer(command)
            return
        match command:
            case commands.IDENTIFY_DEVICE:
                sectors = self._drive.sectors
                self._ready_to_read(identify(sectors, device.translation, device.multiple, task.selected))
            case commands.INITIALIZE_DEVICE_PARAMETERS if task.count & 0xFF:
                heads, track = (task.device & 0x0F) + 1, task.count & 0xFF
                cylinders = min(max(1, self._drive.sectors // (heads * track)), 0xFFFF)
                self._done(replace(device, translation=Geometry(cylinders, heads, track)))
            case 0xC6 if task.count & 0xFF in (0, 1, 2, 4, 8, MAX_MULTIPLE):  # SET commands.MULTIPLE MODE
                self._done(replace(device, multiple=task.count & 0xFF))
            case commands.CHECK_POWER_MODE:  # active
                self._become(replace(channel, task=task.pushed("count", 0xFF)))
                self._done(device)
            case 0xEF if _feature_exists(task):  # SET commands.FEATURES
                self._done(device)
            case _ if command in commands.NOTHING_TO_DO:
                self._done(device)
            case _:
                self._fail(ABRT)

    def _transfer(self, command: int) -> None:
        """A command that names sectors: find them, and begin."""
        channel, device, drive = self.state.channel, self._device, self._drive
        extended = command in commands.EXTENDED
        lba = channel.task.lba(device.translation, extended=extended)
        count = channel.task.sectors(extended=extended)
        block = device.multiple if command in commands.MULTIPLE else 1
        if not block or (command in commands.WRITES and drive.read_only):
            self._fail(ABRT)
        elif lba is None:
            self._fail(IDNF)
        elif command in commands.VERIFIES:
            self._become(replace(channel, lba=lba, remaining=0))
            self._done(device) if drive.holds(lba, count) else self._fail(IDNF, max(lba, drive.sectors))
        else:
            self._become(replace(channel, lba=lba, remaining=count, block=block))
            self._offer() if command in commands.READS else self._ask(intrq=False)

    def _offer(self) -> None:
        """Read the next block from the drive and raise the interrupt."""
        channel, device = self.state.channel, self._device
        count = self._block()
        if not count:
            self._fail(IDNF, channel.lba)
            return
        self._become(replace(channel, remaining=channel.remaining - count))
        self._become(self.state.channel.with_selected(replace(device, sectors_read=device.sectors_read + count)))
        self._ready_to_read(self._drive.read(channel.lba, count))

    def _ready_to_read(self, data: bytes) -> None:
        channel = self.state.channel.with_selected(replace(self._device, status=READY | DRQ, error=0))
        self.state = AtaState(channel, Transfer(data))
        self._become(replace(channel, intrq=True))

    def _ask(self, *, intrq: bool) -> None:
        """Ask for the next block. The first one is asked for without an interrupt."""
        channel = self.state.channel
        count = self._block()
        if not count:
            self._fail(IDNF, channel.lba)
            return
        channel = channel.with_selected(replace(self._device, status=READY | DRQ, error=0))
        self.state = AtaState(channel, Transfer(wanted=count * SECTOR))
        self._become(replace(channel, remaining=channel.remaining - count, intrq=intrq))

    def _store(self) -> None:
        """A block has been written to the drive."""
        data, channel, device = self.state.transfer.data, self.state.channel, self._device
        count = len(data) // SECTOR
        self._drive.write(channel.lba, data[: count * SECTOR])
        self.state = AtaState(channel, Transfer())
        device = replace(device, sectors_written=device.sectors_written + count)
        self._become(channel.with_selected(device))
        if channel.remaining:
            self._next_block()
            self._ask(intrq=True)
        else:
            self._done(device)

    def _next_block(self) -> None:
        channel = self.state.channel
        self._become(replace(channel, lba=min(channel.lba + channel.block, self._drive.sectors)))

    def _block(self) -> int:
        """Sectors in the next block: as many as a block has, as are left, and as the drive holds."""
        channel = self.state.channel
        return max(0, min(channel.block, channel.remaining, self._drive.sectors - channel.lba))

    # How a command ends

    def _done(self, device: DeviceState) -> None:
        channel = self.state.channel.with_selected(replace(device, status=READY, error=0))
        self._become(replace(channel, intrq=True))

    def _fail(self, error: int, lba: int | None = None) -> None:
        """The command ends with `error`, and with the sector's address where one is to blame."""
        channel, device = self.state.channel, self._device
        task = channel.task
        if lba is not None:
            task = task.at(lba, device.translation, extended=channel.command in commands.EXTENDED)
        channel = channel.with_selected(replace(device, status=READY | ERR, error=error))
        self._become(replace(channel, task=task, remaining=0, intrq=True))

    def _signature(self) -> None:
        """What a reset and the diagnostic leave in the registers: an ATA device, and all is well (clause 9.12)."""
        channel = _each(
            self.state.channel,
            lambda device: replace(device, status=READY, error=DIAGNOSTIC_PASSED, multiple=0),
        )
        self._become(replace(channel, task=TaskFile(device=0), remaining=0))

    # Inside

    @property
    def _drive(self) -> Drive:
        drive = self._drives[self.state.channel.task.selected]
        assert drive is not None
        return drive

    @property
    def _device(self) -> DeviceState:
        device = self.state.channel.selected
        assert device is not None
        return device

    def _later(self, channel: Channel, pending: Pending) -> Channel:
        deadline = self._clock.now + max(1, self._clock.hertz * LATENCY // 1_000_000)
        return replace(channel, pending=pending, deadline=deadline)

    def _become(self, channel: Channel) -> None:
        level = channel.intrq and not channel.control & NIEN
        changed = level != channel.line
        self.state = AtaState(replace(channel, line=level) if changed else channel, self.state.transfer)
        if changed:
            self._line(level)


def _at_power_on(drive: Drive | None) -> DeviceState | None:
    return None if drive is None else DeviceState(default_translation(drive.sectors))


def _busy(device: DeviceState) -> DeviceState:
    return replace(device, status=BSY)


def _without_data(device: DeviceState) -> DeviceState:
    return replace(device, status=device.status & ~DRQ)


def _busy_selected(channel: Channel) -> Channel:
    assert channel.selected is not None
    return channel.with_selected(_busy(channel.selected))


def _each(channel: Channel, change: Callable[[DeviceState], DeviceState]) -> Channel:
    """The channel with every attached device changed."""
    first, second = channel.devices
    return replace(channel, devices=(first and change(first), second and change(second)))


def _feature_exists(task: TaskFile) -> bool:
    subcommand = task.features & 0xFF
    return subcommand in commands.FEATURES or (
        subcommand == commands.SET_TRANSFER_MODE and task.count & 0xFF in commands.PIO_MODES
    )
