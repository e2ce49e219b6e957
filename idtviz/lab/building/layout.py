"""The linker script of an image that brings none."""

from __future__ import annotations

from idtviz.lab.building.target import Target

_SCRIPT = """\
/* The parts of an image from {at:#x} on, {how}. Physical and linear addresses are the same. */
ENTRY(_start)

SECTIONS
{{
    . = {at:#x};
    .text   {align}: {{ KEEP(*(.multiboot .multiboot.* .multiboot_header)) *(.text.start) *(.text .text.*) }}
    .rodata {align}: {{ *(.rodata .rodata.*) }}
    .data   {align}: {{ *(.data .data.*) }}
    .bss    {align}: {{ *(.bss .bss.*) *(COMMON) }}
{room}
    /DISCARD/ : {{ *(.note.*) *(.comment) *(.eh_frame) }}
}}
"""
_FIRST_64_KIB = '    ASSERT(. <= 0x10000, "the image reaches beyond the first 64 KiB, where a segment of 0 ends")\n'


def script(target: Target) -> str:
    """A linker script: each part on pages of its own, so that it can have rights of its own, if there are pages."""
    paged = target.bits != 16 and not target.plain
    return _SCRIPT.format(
        at=target.at,
        how="each on pages of its own" if paged else "one behind the other",
        align="ALIGN(4096) " if paged else "",
        room=_FIRST_64_KIB if target.bits == 16 and target.at < 0x10000 else "",
    )
