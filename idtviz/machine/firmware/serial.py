"""INT 14h: the serial port, and INT 17h: no printer.

Source: IBM PC/AT Technical Reference, "RS232 I/O" and "Printer I/O". Nobody waits for a byte here: without one the
function ends at once, as if its time-out had passed.
"""

from __future__ import annotations

from typing import Final

from idtviz.machine.chips import uart
from idtviz.machine.firmware import areas
from idtviz.machine.firmware.call import Call

_TIMED_OUT = 0x80
_DIVISORS = (1047, 768, 384, 192, 96, 48, 24, 12)
"""Of 115,200 Hz, for 110, 150, 300, 600, 1200, 2400, 4800 and 9600 baud."""
_PORTS: Final = 4
_LINES: Final = uart.MCR_DTR | uart.MCR_RTS


def serve(call: Call) -> None:
    """Perform the function in AH on the serial port numbered DX; its status goes to AH and AL."""
    base = call.word(areas.COM_PORTS + 2 * call.dx) if call.dx < _PORTS else 0
    if not base:
        call.ah = _TIMED_OUT
        return
    match call.ah:
        case 0x00:
            call.out(base + uart.LCR, uart.LCR_DLAB)
            divisor = _DIVISORS[call.al >> 5]
            call.out(base, divisor)
            call.out(base + 1, divisor >> 8)
            call.out(base + uart.LCR, call.al & 0x1F)
            call.out(base + uart.MCR, _LINES)
            _status(call, base)
        case 0x01:
            call.out(base, call.al)
            call.ah = call.inp(base + uart.LSR)
        case 0x02:
            line = call.inp(base + uart.LSR)
            if line & uart.LSR_DR:
                call.al = call.inp(base)
                call.ah = line & uart.LSR_ERRORS
            else:
                call.ah = line | _TIMED_OUT
        case 0x03:
            _status(call, base)
        case _:
            call.note(0x14, "no such function; nothing happens")


def _status(call: Call, base: int) -> None:
    call.ah, call.al = call.inp(base + uart.LSR), call.inp(base + uart.MSR)


def no_printer(call: Call) -> None:
    """INT 17h."""
    call.note(0x17, "there is no printer")
    call.ah = _TIMED_OUT | 0x01
