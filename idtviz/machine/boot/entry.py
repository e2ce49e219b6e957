"""The processor states in which images are entered. What is not named here is zero, IF too."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from idtviz.machine.boot import long_tables
from idtviz.machine.pc import Machine
from idtviz.machine.registers import RSP, Registers, Segment, Table
from idtviz.x86 import control
from idtviz.x86.flags import ALWAYS_SET

STACK_POINTER = 0x7000
"""RSP when a bare image is entered."""

_CODE, _DATA = 0x08, 0x10
_CODE64_FLAGS, _CODE32_FLAGS, _DATA_FLAGS = 0x00AF9B00, 0x00CF9B00, 0x00CF9300
_REAL_FLAGS = 0x00009300


def enter(machine: Machine, mode: str, entry: int, windows: Iterable[long_tables.Window] = ()) -> None:
    """Make the processor begin at `entry` in `mode`: `real`, `protected` or `long`.

    `windows`: what is mapped beside the first GiB, in long mode.
    """
    if mode == "long":
        state = _long(long_tables.write(machine.memory, windows))
    else:
        state = _real() if mode == "real" else flat(_CODE, _DATA)
    machine.cpu.load(replace(state, rip=entry))


def _blank(segment: Segment, cr0: int) -> Registers:
    unused = Segment(0, 0, 0, 0)
    general = [0] * 16
    general[RSP] = STACK_POINTER
    return Registers(
        general=tuple(general),
        rip=0,
        rflags=ALWAYS_SET,
        cpl=0,
        es=segment,
        cs=segment,
        ss=segment,
        ds=segment,
        fs=segment,
        gs=segment,
        ldtr=unused,
        tr=unused,
        gdtr=Table(0, 0),
        idtr=Table(0, 0),
        cr0=cr0,
        cr2=0,
        cr3=0,
        cr4=0,
        efer=0,
        interrupt_shadow=False,
    )


def _real() -> Registers:
    """All segments at 0 with limits of 64 KiB, the interrupt vector table at 0."""
    state = _blank(Segment(0, 0, 0xFFFF, _REAL_FLAGS), control.CR0_ET)
    return replace(state, idtr=Table(0, 0x3FF))


def flat(code: int, data: int) -> Registers:
    """Ring 0 of protected mode in flat segments of 4 GiB with these selectors, no paging, no GDT and no IDT."""
    state = _blank(Segment(data, 0, 0xFFFFFFFF, _DATA_FLAGS), control.CR0_ET | control.CR0_PE)
    return replace(state, cs=Segment(code, 0, 0xFFFFFFFF, _CODE32_FLAGS))


def _long(pml4: int) -> Registers:
    """64-bit mode in ring 0, no GDT and no IDT: the image brings its own."""
    cr0 = control.CR0_PG | control.CR0_WP | control.CR0_ET | control.CR0_PE
    unused = Segment(0, 0, 0, 0)
    return replace(
        _blank(Segment(_DATA, 0, 0xFFFFFFFF, _DATA_FLAGS), cr0),
        cs=Segment(_CODE, 0, 0xFFFFFFFF, _CODE64_FLAGS),
        fs=unused,
        gs=unused,
        cr3=pml4,
        cr4=control.CR4_PAE | control.CR4_OSFXSR,
        efer=control.EFER_LME | control.EFER_LMA | control.EFER_NXE | control.EFER_SCE,
    )
