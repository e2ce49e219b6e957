"""What the MC146818's time and alarm registers mean, and how they go on.

Source: Motorola MC146818A data sheet, "Time, calendar, and alarm locations" (table 3).
"""

from __future__ import annotations

from datetime import datetime, timedelta

SECONDS, SECONDS_ALARM, MINUTES, MINUTES_ALARM, HOURS, HOURS_ALARM, DAY_OF_WEEK, DAY, MONTH, YEAR = range(10)
REGISTER_B = 0x0B
CENTURY = 0x32
"""Not the chip's own: the byte of its RAM in which ACPI machines keep the century, in the time's own format."""

DM, HOURS_24 = 0x04, 0x02
"""Register B: binary instead of BCD; hours of 0 to 23 instead of 1 to 12 with bit 7 for PM."""
PM = 0x80
DONT_CARE = 0xC0
"""An alarm byte of 0xC0 or above matches always."""
DAY_SECONDS = 86_400


def number(byte: int, control: int) -> int:
    """The number in a time register; `control` is register B."""
    return byte if control & DM else (byte >> 4) * 10 + (byte & 0x0F)


def byte_of(value: int, control: int) -> int:
    """The register's byte for a number below 100."""
    return value if control & DM else value // 10 << 4 | value % 10


def hour_of(byte: int, control: int) -> int:
    """The hour, 0 to 23, in an hours register."""
    if control & HOURS_24:
        return number(byte, control)
    return number(byte & ~PM, control) % 12 + (12 if byte & PM else 0)


def hour_byte(hour: int, control: int) -> int:
    """The byte of the hours register for the hour 0 to 23."""
    if control & HOURS_24:
        return byte_of(hour, control)
    return byte_of((hour - 1) % 12 + 1, control) | (PM if hour >= 12 else 0)


def read(registers: bytes) -> datetime:
    """The date and time in the registers. Numbers that no clock shows are taken for the nearest that one does."""
    control = registers[REGISTER_B]
    century = number(registers[CENTURY], control)
    year = (century if 19 <= century <= 98 else 20) * 100 + number(registers[YEAR], control) % 100
    month = min(max(number(registers[MONTH], control), 1), 12)
    return datetime(year, month, 1) + timedelta(  # noqa: DTZ001 -- the chip knows no time zone
        days=max(number(registers[DAY], control), 1) - 1,
        hours=min(hour_of(registers[HOURS], control), 23),
        minutes=min(number(registers[MINUTES], control), 59),
        seconds=min(number(registers[SECONDS], control), 59),
    )


def write(registers: bytes, time: datetime) -> bytes:
    """The registers with the date and time in them. The day of the week is a counter of its own and stays."""
    control, changed = registers[REGISTER_B], bytearray(registers)
    changed[HOURS] = hour_byte(time.hour, control)
    for place, value in (
        (SECONDS, time.second),
        (MINUTES, time.minute),
        (DAY, time.day),
        (MONTH, time.month),
        (YEAR, time.year % 100),
    ):
        changed[place] = byte_of(value, control)
    return bytes(changed)


def advanced(registers: bytes, seconds: int) -> bytes:
    """The registers after so many update cycles."""
    before = read(registers)
    after = before + timedelta(seconds=seconds)
    changed = bytearray(write(registers, after))
    days = after.toordinal() - before.toordinal()
    if days:
        changed[DAY_OF_WEEK] = (changed[DAY_OF_WEEK] - 1 + days) % 7 + 1
    if after.year // 100 != before.year // 100:
        changed[CENTURY] = byte_of(after.year // 100, registers[REGISTER_B])
    return bytes(changed)


def until_alarm(registers: bytes) -> int | None:
    """Seconds until the time next matches the alarm, at least 1; None for an alarm that no time matches."""
    control = registers[REGISTER_B]
    hour, minute, second = (
        None if registers[place] >= DONT_CARE else meaning(registers[place], control)
        for place, meaning in ((HOURS_ALARM, hour_of), (MINUTES_ALARM, number), (SECONDS_ALARM, number))
    )
    if (hour or 0) > 23 or (minute or 0) > 59 or (second or 0) > 59:
        return None
    time = read(registers)
    now = time.hour * 3600 + time.minute * 60 + time.second
    then = now + 1
    while True:
        if hour is not None and then // 3600 % 24 != hour:
            then += 3600 - then % 3600
        elif minute is not None and then // 60 % 60 != minute:
            then += 60 - then % 60
        elif second is not None and then % 60 != second:
            then += (second - then) % 60
        else:
            return then - now
