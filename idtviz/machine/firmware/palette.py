"""INT 10h AH=10h: the colours, in the attribute controller and in the DAC.

Source: IBM PS/2 BIOS Interface Technical Reference, "Set palette registers"; Video Subsystem, "Attribute controller".
"""

from __future__ import annotations

from idtviz.machine.firmware.call import Call

_STATUS, _ATTRIBUTE, _ATTRIBUTE_READ = 0x3DA, 0x3C0, 0x3C1
_DAC_READ, _DAC_WRITE, _DAC_DATA = 0x3C7, 0x3C8, 0x3C9
_TO_DISPLAY = 0x20
_MODE_CONTROL, _OVERSCAN, _BLINK = 0x10, 0x11, 0x08


def serve(call: Call) -> None:
    """Perform the subfunction in AL."""
    match call.al:
        case 0x00 | 0x01:
            _set_attribute(call, _OVERSCAN if call.al else call.bl & 0x1F, call.bh)
        case 0x02:
            colours = call.read(call.at("es", call.dx), 17)
            for index, value in enumerate(colours[:16]):
                _set_attribute(call, index, value)
            _set_attribute(call, _OVERSCAN, colours[16])
        case 0x03:
            kept = _attribute(call, _MODE_CONTROL) & ~_BLINK
            _set_attribute(call, _MODE_CONTROL, kept | (_BLINK if call.bl & 1 else 0))
        case 0x07 | 0x08:
            call.bh = _attribute(call, _OVERSCAN if call.al == 0x08 else call.bl & 0x1F)
        case 0x09:
            colours = bytes(_attribute(call, index) for index in (*range(16), _OVERSCAN))
            call.write(call.at("es", call.dx), colours)
        case 0x10:
            _set_dac(call, call.bx, bytes((call.dh, call.ch, call.cl)))
        case 0x12:
            _set_dac(call, call.bx, call.read(call.at("es", call.dx), 3 * call.cx))
        case 0x15:
            call.dh, call.ch, call.cl = _dac(call, call.bx, 1)
        case 0x17:
            call.write(call.at("es", call.dx), _dac(call, call.bx, call.cx))
        case _:
            call.note(0x10, "the colours stay as they are")


def _attribute(call: Call, index: int) -> int:
    call.inp(_STATUS)  # the next byte to the attribute controller is an index
    call.out(_ATTRIBUTE, index | _TO_DISPLAY)
    value = call.inp(_ATTRIBUTE_READ)
    call.inp(_STATUS)
    return value


def _set_attribute(call: Call, index: int, value: int) -> None:
    call.inp(_STATUS)
    call.out(_ATTRIBUTE, index)
    call.out(_ATTRIBUTE, value)
    call.inp(_STATUS)
    call.out(_ATTRIBUTE, _TO_DISPLAY)
    call.inp(_STATUS)


def _dac(call: Call, first: int, count: int) -> bytes:
    call.out(_DAC_READ, first)
    return bytes(call.inp(_DAC_DATA) for _ in range(3 * count))


def _set_dac(call: Call, first: int, colours: bytes) -> None:
    call.out(_DAC_WRITE, first)
    for value in colours:
        call.out(_DAC_DATA, value)
