"""INT 15h: memory, A20, waiting and what else the AT gathered here.

Source: IBM PC/AT Technical Reference, "System services"; ACPI 6.4 chapter 15 for E820h; IBM PS/2 BIOS Interface
Technical Reference for AH=24h and C0h to C1h.
"""

from __future__ import annotations

from typing import Final

from idtviz.machine.firmware import areas, rom
from idtviz.machine.firmware.call import Call
from idtviz.machine.firmware.memory_map import kibibytes, regions

SYSTEM: Final = 0x15
_A20_PORT, _A20 = 0x92, 0x02
_KEYBOARD_DATA, _KEYBOARD_COMMAND = 0x60, 0x64
_WRITE_OUTPUT_PORT, _OUTPUT_PORT = 0xD1, 0xDD
_A20_BY_KEYBOARD_AND_PORT = 0x3
_SIGNATURE = int.from_bytes(b"SMAP", "big")
_ENTRY, _EXTENDED_ENTRY = 20, 24
_VALID = (1).to_bytes(4, "little")
_MOVE_TABLE, _SOURCE, _TARGET = 0x30, 0x10, 0x18
"""INT 15h AH=87h: a table of six descriptors at ES:SI, the third and the fourth to be read here."""
_MICROSECONDS_A_TICK = 54_925


def serve(call: Call) -> None:
    """The functions that do not wait."""
    match call.ah:
        case 0x24:
            _a20(call)
        case 0x4F:
            call.answer(carry=True)  # the code stays as it is and is worked on
        case 0x52 | 0x80 | 0x81 | 0x82 | 0x85 | 0x90 | 0x91:
            call.succeed()  # hooks for an operating system
        case 0x87:
            _move_block(call)
        case 0x88:
            _, above = kibibytes(call.machine.memory.size)
            call.ax = min(above, 0xFFFF)
            call.answer(carry=False)
        case 0xC0:
            offset = rom.offset_of("bios_configuration")
            assert offset is not None
            call.load_es(rom.SEGMENT)
            call.bx = offset
            call.succeed()
        case 0xC1:
            call.load_es(areas.EBDA >> 4)
            call.answer(carry=False)
        case 0xE8:
            _memory(call)
        case 0x53 | 0xC2 | 0xD8:
            call.refuse(SYSTEM, "no power management, no PS/2 mouse, no EISA")
        case _:
            call.refuse(SYSTEM, "no such function")


def _a20(call: Call) -> None:
    match call.al:
        case 0x00 | 0x01:
            # The gate is open while either says so: the 8042's output port, or system control port A.
            call.out(_KEYBOARD_COMMAND, _WRITE_OUTPUT_PORT)
            call.out(_KEYBOARD_DATA, _OUTPUT_PORT | (_A20 if call.al else 0))
            call.out(_A20_PORT, _A20 if call.al else 0)
            call.succeed()
        case 0x02:
            call.al = 1 if call.board.a20 else 0
            call.succeed()
        case 0x03:
            call.bx = _A20_BY_KEYBOARD_AND_PORT
            call.succeed()
        case _:
            call.refuse(SYSTEM, "no such function")


def _move_block(call: Call) -> None:
    """CX words from one place below 4 GiB to another, as two descriptors say; A20 counts for nothing."""
    table = call.at("es", call.si)
    descriptors = call.read(table, _MOVE_TABLE)
    source, target = (_base(descriptors[place : place + 8]) for place in (_SOURCE, _TARGET))
    memory = call.machine.memory
    level, memory.a20 = memory.a20, True
    call.write(target, call.read(source, 2 * call.cx))
    memory.a20 = level
    call.succeed()


def _base(descriptor: bytes) -> int:
    """Where the segment of a descriptor begins (SDM 3A figure 3-8)."""
    return int.from_bytes(descriptor[2:5] + descriptor[7:8], "little")


def _memory(call: Call) -> None:
    match call.al:
        case 0x01 | 0x81:
            _, above = kibibytes(call.machine.memory.size)
            low, high = min(above, 0x3C00), max(0, above - 0x3C00) // 64
            if call.al == 0x01:
                call.ax = call.cx = low
                call.bx = call.dx = min(high, 0xFFFF)
            else:
                call.eax = call.ecx = low
                call.ebx = call.edx = high
            call.answer(carry=False)
        case 0x20:
            _memory_map(call)
        case _:
            call.refuse(SYSTEM, "no such function")


def _memory_map(call: Call) -> None:
    """One entry of 20 bytes, or of 24 with the flag that it is valid, at ES:DI; EBX counts them."""
    entries = regions(call.machine.memory.size)
    index = call.ebx
    if call.edx != _SIGNATURE or call.ecx < _ENTRY or index >= len(entries):
        call.fail(0x86)
        return
    entry = entries[index].packed()
    if call.ecx >= _EXTENDED_ENTRY:
        entry += _VALID
    call.write(call.at("es", call.di), entry)
    call.eax = _SIGNATURE
    call.ecx = len(entry)
    call.ebx = index + 1 if index + 1 < len(entries) else 0
    call.answer(carry=False)


def begin_wait(call: Call) -> None:
    """AH=86h: CX:DX microseconds, rounded up to whole ticks of the timer, from now on."""
    ticks = -(-(call.cx << 16 | call.dx) // _MICROSECONDS_A_TICK)
    call.set_doubleword(areas.WAIT_START, call.doubleword(areas.TICKS))
    call.set_doubleword(areas.WAIT_TICKS, ticks)
    call.answer(carry=False)


def look_at_wait(call: Call) -> None:
    """ZF for the BIOS: the wait is over."""
    gone = (call.doubleword(areas.TICKS) - call.doubleword(areas.WAIT_START)) % areas.TICKS_A_DAY
    call.steer(zero=gone >= call.doubleword(areas.WAIT_TICKS))


def equipment(call: Call) -> None:
    """INT 11h."""
    call.ax = call.word(areas.EQUIPMENT)


def memory_size(call: Call) -> None:
    """INT 12h: KiB below the extended BIOS data area."""
    call.ax = call.word(areas.MEMORY_KIB)
