"""Kernels in the format of Linux, a bzImage, entered by the 32-bit boot protocol.

Source: Linux Documentation/arch/x86/boot.rst (boot protocol 2.02 to 2.15), zero-page.rst. ESP is undefined by it: here
it is the top of 4 KiB of low memory that nothing else lies in.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from idtviz.machine.board import NO_DRIVES
from idtviz.machine.boot import after_bios, boot_params, entry, image
from idtviz.machine.boot.boot_params import SetupHeader
from idtviz.machine.boot.image import Image, Part
from idtviz.machine.boot.loader_gdt import LINUX
from idtviz.machine.boot.module import text
from idtviz.machine.boot.placement import Placement
from idtviz.machine.boot.problem import ImageError
from idtviz.machine.firmware import tables
from idtviz.machine.memory import PAGE
from idtviz.machine.pc import Machine
from idtviz.machine.registers import RSP

_MAGIC = b"HdrS"
_MAGIC_AT, _BOOT_FLAG_AT = 0x202, 0x1FE
_BOOT_FLAG = b"\x55\xaa"
_SECTOR = 512
_DEFAULT_SETUP_SECTORS = 4
_OLDEST = 0x0202
_RELOCATABLE, _INIT_SIZE, _COMMAND_LINE_SIZE = 0x0205, 0x020A, 0x0206
_INITRD_LIMIT = 0x0203
_LOADED_AT: Final = 0x100000
_SHORT_COMMAND_LINE: Final = 255
_LOW_INITRD_LIMIT: Final = 0x37FF_FFFF
"""The highest address of an initial RAM disk before protocol 2.03 said so itself."""
_RSI = 6

_STACK_AT, _GDT_AT, _PARAMS_AT, _COMMAND_LINE_AT = 0x6000, 0x8000, 0x1_0000, 0x2_0000
_STACK_SIZE = 0x1000


@dataclass(frozen=True, slots=True)
class BzImage:
    """A kernel that is entered in protected mode, with `boot_params` at ESI."""

    image: Image
    header: SetupHeader
    command_line: bytes
    initrd: bytes
    params_at: int
    command_line_at: int
    gdt_at: int
    stack_top: int
    initrd_limit: int
    end: int

    kind = "bzimage"
    mode = "protected"
    drives = NO_DRIVES

    @property
    def room(self) -> int:
        """Bytes of RAM that it needs at least."""
        return self.end

    def boot(self, machine: Machine) -> None:
        """Load it, with the initial RAM disk as high as may be, and enter it."""
        memory = machine.memory
        image.check_room(memory, self.end)
        after_bios.leave(machine)
        image.copy(memory, self.image)
        initrd_at = (min(memory.size, self.initrd_limit) - len(self.initrd)) & -PAGE if self.initrd else 0
        memory.write(initrd_at, self.initrd)
        memory.write(self.command_line_at, self.command_line)
        memory.write(self.gdt_at, LINUX.raw)
        beside = boot_params.Beside(self.command_line_at, initrd_at, len(self.initrd), tables.ACPI_AT)
        memory.write(self.params_at, boot_params.build(self.header, beside, memory.size))
        state = LINUX.enter(entry.flat(LINUX.code, LINUX.data), self.gdt_at)
        general = list(state.general)
        general[_RSI], general[RSP] = self.params_at, self.stack_top
        machine.cpu.load(replace(state, general=tuple(general), rip=self.image.entry))


def is_bzimage(raw: bytes) -> bool:
    """Whether the file has the setup header of a Linux kernel."""
    return raw[_MAGIC_AT : _MAGIC_AT + 4] == _MAGIC and raw[_BOOT_FLAG_AT : _BOOT_FLAG_AT + 2] == _BOOT_FLAG


def parse(raw: bytes, command_line: str = "", initrd: bytes | None = None) -> BzImage:
    """A kernel with a setup header. Raises ImageError."""
    if not is_bzimage(raw):
        raise ImageError("there is no setup header: no HdrS at 0x202, or no 55 aa at 0x1fe")
    header = boot_params.setup_header(raw)
    if header.version < _OLDEST:
        raise ImageError(f"the boot protocol is {_shown(header.version)}; expected at least {_shown(_OLDEST)}")
    if not header.loaded_high:
        raise ImageError("this is a zImage, which is loaded low; expected a bzImage (bit 0 of loadflags)")
    kernel = _image(raw, header)
    said = text(command_line, "the command line")
    limit = header.command_line_size if header.version >= _COMMAND_LINE_SIZE else _SHORT_COMMAND_LINE
    if len(said) - 1 > limit:
        raise ImageError(f"the command line has {len(said) - 1} characters; this kernel takes {limit}")
    placement = Placement(kernel, strict=True)
    stack_top = placement.low(_STACK_SIZE, PAGE, _STACK_AT) + _STACK_SIZE
    gdt_at = placement.low(len(LINUX.raw), 16, _GDT_AT)
    params_at = placement.low(PAGE, PAGE, _PARAMS_AT)
    command_line_at = placement.low(len(said), 16, _COMMAND_LINE_AT)
    initrd = initrd or b""
    initrd_limit = header.initrd_address_max if header.version >= _INITRD_LIMIT else _LOW_INITRD_LIMIT
    if initrd:
        placement.high(len(initrd), PAGE, initrd_limit + 1)
    places = (params_at, command_line_at, gdt_at, stack_top, initrd_limit + 1, placement.end)
    return BzImage(kernel, header, said, initrd, *places)


def _image(raw: bytes, header: SetupHeader) -> Image:
    """The protected-mode kernel at the address that it prefers, with the memory that it needs to begin."""
    start = ((header.setup_sectors or _DEFAULT_SETUP_SECTORS) + 1) * _SECTOR
    data = raw[start:]
    if not data:
        raise ImageError(f"the file ends before the protected-mode kernel, which begins at {start:#x}")
    if header.version >= _INIT_SIZE and header.relocatable:
        at = header.preferred_address
        return Image((Part(at, data, max(len(data), header.init_size)),), at, 32)
    at = _LOADED_AT
    if header.version >= _RELOCATABLE and header.relocatable and header.alignment:
        at = -(-at // header.alignment) * header.alignment
    size = max(len(data), header.init_size if header.version >= _INIT_SIZE else 0)
    start_at = at if header.relocatable and header.version >= _RELOCATABLE else header.code32_start
    if not at <= start_at < at + size:
        raise ImageError(f"the entry point {start_at:#x} (code32_start) lies outside of the kernel at {at:#x}")
    return Image((Part(at, data, size),), start_at, 32)


def _shown(version: int) -> str:
    return f"{version >> 8}.{version & 0xFF:02}"
