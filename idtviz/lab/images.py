"""Which file is what, and how it is made into something that can be booted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from idtviz.lab.image_kinds import Kind
from idtviz.machine.boot import bare, bzimage, loader_gdt, multiboot, multiboot2, multiboot_header, rom
from idtviz.machine.boot.bootable import Bootable
from idtviz.machine.boot.elf import MAGIC as ELF_MAGIC
from idtviz.machine.boot.module import NO_EXTRAS, Extras
from idtviz.machine.boot.problem import ImageError
from idtviz.machine.objects.header import is_relocatable

EXPECTED: Final = (
    "a scenario (.toml), an ELF kernel, a Multiboot kernel, a bzImage, an object file with a handler, or a boot "
    "sector, floppy or disk that ends its first 512 bytes with 55 aa"
)

_SIGNATURE = slice(510, 512)


@dataclass(frozen=True, slots=True)
class Beside:
    """What goes with an image: of a kind that takes it."""

    extras: Extras = NO_EXTRAS
    initrd: bytes | None = None
    loader: str | None = None


def recognise(raw: bytes) -> Kind | None:
    """What the file is by its contents; None: nothing that can be booted. A ROM has no mark."""
    if is_relocatable(raw):
        return Kind.OBJECT
    if raw.startswith(ELF_MAGIC):
        return Kind.MULTIBOOT if _is_multiboot(raw) else Kind.ELF
    if bzimage.is_bzimage(raw):
        return Kind.BZIMAGE
    if raw[_SIGNATURE] == b"\x55\xaa":
        return Kind.BOOT_SECTOR
    return Kind.MULTIBOOT if _is_multiboot(raw) else None


def _is_multiboot(raw: bytes) -> bool:
    return multiboot_header.offset(raw) is not None or multiboot2.is_multiboot2(raw)


def parse(kind: Kind, raw: bytes, beside: Beside, mode: str | None = None) -> Bootable:
    """The image as something that can be booted; `mode` for a bare kernel. Raises ImageError."""
    if not raw:
        raise ImageError("the file is empty")
    match kind:
        case Kind.MULTIBOOT:
            return _multiboot(raw, beside)
        case Kind.BZIMAGE:
            return bzimage.parse(raw, beside.extras.command_line, beside.initrd)
        case Kind.BOOT_SECTOR | Kind.DISK:
            return _on_drive(raw, floppy=None if kind is Kind.BOOT_SECTOR else False)
        case Kind.ROM:
            return rom.parse(raw)
    return bare.parse(raw, mode)


def _on_drive(raw: bytes, *, floppy: bool | None) -> Bootable:
    from idtviz.machine.boot import boot_sector  # noqa: PLC0415 -- with the BIOS, which is much to load

    return boot_sector.parse(raw, floppy=floppy)


def _multiboot(raw: bytes, beside: Beside) -> Bootable:
    """Version 1 where the kernel has headers of both."""
    if multiboot_header.offset(raw) is None and multiboot2.is_multiboot2(raw):
        if beside.loader == loader_gdt.QEMU.loader:
            raise ImageError('QEMU loads no Multiboot2 kernels; expected loader = "grub"')
        return multiboot2.parse(raw, beside.extras)
    return multiboot.parse(raw, beside.extras, loader_gdt.MULTIBOOT[beside.loader or loader_gdt.QEMU.loader])
