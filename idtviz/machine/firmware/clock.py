"""INT 1Ah: ticks since midnight, and the real-time clock.

Source: IBM PC/AT Technical Reference, "Time of day". There is no PCI BIOS.
"""

from __future__ import annotations

from typing import Final

from idtviz.machine.chips import rtc_time
from idtviz.machine.chips.cmos import REGISTER_B
from idtviz.machine.firmware import areas
from idtviz.machine.firmware.call import Call

CLOCK: Final = 0x1A
_INDEX, _DATA = 0x70, 0x71
_SET, _ALARM, _DAYLIGHT = 0x80, 0x20, 0x01  # register B
_PCI = 0xB1
_PCI_ABSENT = 0x81


def serve(call: Call) -> None:
    """Perform the function in AH."""
    match call.ah:
        case 0x00:
            ticks = call.doubleword(areas.TICKS)
            call.cx, call.dx = ticks >> 16, ticks
            call.al = call.byte(areas.MIDNIGHT)
            call.set_byte(areas.MIDNIGHT, 0)
            call.succeed()
        case 0x01:
            call.set_doubleword(areas.TICKS, call.cx << 16 | call.dx)
            call.set_byte(areas.MIDNIGHT, 0)
            call.succeed()
        case 0x02:
            call.ch, call.cl = _read(call, rtc_time.HOURS), _read(call, rtc_time.MINUTES)
            call.dh, call.dl = _read(call, rtc_time.SECONDS), _read(call, REGISTER_B) & _DAYLIGHT
            call.succeed()
        case 0x03:
            _set(call, {rtc_time.HOURS: call.ch, rtc_time.MINUTES: call.cl, rtc_time.SECONDS: call.dh})
            call.succeed()
        case 0x04:
            call.ch, call.cl = _read(call, rtc_time.CENTURY), _read(call, rtc_time.YEAR)
            call.dh, call.dl = _read(call, rtc_time.MONTH), _read(call, rtc_time.DAY)
            call.succeed()
        case 0x05:
            date = {rtc_time.CENTURY: call.ch, rtc_time.YEAR: call.cl, rtc_time.MONTH: call.dh, rtc_time.DAY: call.dl}
            _set(call, date)
            call.succeed()
        case 0x06:
            _set_alarm(call)
        case 0x07:
            _write(call, REGISTER_B, _read(call, REGISTER_B) & ~_ALARM)
            call.succeed()
        case _:
            if call.ah == _PCI:
                call.note(CLOCK, "no PCI BIOS")
                call.fail(_PCI_ABSENT)
            else:
                call.refuse(CLOCK, "no such function")


def _set(call: Call, registers: dict[int, int]) -> None:
    """The time stands still while it is set."""
    control = _read(call, REGISTER_B)
    _write(call, REGISTER_B, control | _SET)
    for register, value in registers.items():
        _write(call, register, value)
    _write(call, REGISTER_B, control & ~_SET)


def _set_alarm(call: Call) -> None:
    control = _read(call, REGISTER_B)
    if control & _ALARM:
        call.ah = 0
        call.answer(carry=True)  # one is set already
        return
    alarm = {rtc_time.HOURS_ALARM: call.ch, rtc_time.MINUTES_ALARM: call.cl, rtc_time.SECONDS_ALARM: call.dh}
    for register, value in alarm.items():
        _write(call, register, value)
    _write(call, REGISTER_B, control | _ALARM)
    call.succeed()


def _read(call: Call, register: int) -> int:
    call.out(_INDEX, register)
    return call.inp(_DATA)


def _write(call: Call, register: int, value: int) -> None:
    call.out(_INDEX, register)
    call.out(_DATA, value)
