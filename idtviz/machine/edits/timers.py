"""The registers of the 8254 and of the real-time clock (8254 and MC146818A data sheets)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from idtviz.machine.board import Board
from idtviz.machine.chips import cmos, pit, rtc
from idtviz.machine.chips.pit_counter import CounterState
from idtviz.machine.edits.chip_register import ChipRegister, Registers

_MODES = 6
_LOW, _HIGH, _BOTH = 1, 2, 3


def chips() -> Mapping[str, Registers]:
    """Counters, the clock, and its bytes."""
    counters = {f"pit[{index}]": _counter(index) for index in range(3)}
    return {**counters, "cmos": {f"[{place:#x}]": _byte(place) for place in range(cmos.SIZE)}}


def _counter(index: int) -> Registers:
    def state(board: Board) -> CounterState:
        return board.pit.state.counters[index]

    def write_reload(board: Board, value: int) -> None:
        _program(board, index, state(board).mode, value)

    def write_mode(board: Board, value: int) -> None:
        _program(board, index, value, state(board).register)

    def refuses_reload(board: Board, value: int) -> str | None:
        counter = state(board)
        if counter.access == _LOW and value >> 8:
            return "the counter takes the low byte only (RW = 1)"
        if counter.access == _HIGH and value & 0xFF:
            return "the counter takes the high byte only (RW = 2)"
        if counter.bcd and any(value >> shift & 0xF > 9 for shift in (0, 4, 8, 12)):
            return "the counter counts in BCD, four decimal digits"
        return None

    return {
        "reload": ChipRegister(
            16,
            "count register; 0 stands for 65536",
            lambda board: state(board).register,
            write_reload,
            refuses_reload,
        ),
        "mode": ChipRegister(
            3,
            "0 terminal count, 1 one-shot, 2 rate generator, 3 square wave, 4 and 5 strobes",
            lambda board: state(board).mode,
            write_mode,
            lambda _board, value: None if value < _MODES else "there are modes 0 to 5",
        ),
    }


def _program(board: Board, index: int, mode: int, reload: int) -> None:
    """A control word and a count, as the guest would write them."""
    counter, chip = board.pit.state.counters[index], board.pit
    access = counter.access or _BOTH
    chip.write_byte(pit.CONTROL, index << 6 | access << 4 | mode << 1 | int(counter.bcd))
    if access & _LOW:
        chip.write_byte(0x40 + index, reload & 0xFF)
    if access & _HIGH:
        chip.write_byte(0x40 + index, reload >> 8)


def _byte(place: int) -> ChipRegister:
    def write(board: Board, value: int) -> None:
        chip = board.rtc
        before = chip.state
        chip.state = replace(before, index=place)
        chip.write_byte(rtc.DATA, value)
        chip.state = replace(chip.state, index=before.index)

    def refuses(_board: Board, value: int) -> str | None:
        if place in (cmos.REGISTER_C, cmos.REGISTER_D):
            return "that register is read-only"
        if place == cmos.REGISTER_A and value & rtc.UIP:
            return "bit 7 of register A, UIP, is read-only"
        if place == cmos.REGISTER_B and value & rtc.SET and value & rtc.UIE:
            return "SET clears UIE in register B"
        return None

    return ChipRegister(
        8,
        _NAMES.get(place, "a byte of the battery-backed RAM"),
        lambda board: board.rtc.state.cmos[place],
        write,
        refuses,
    )


_NAMES = {
    0x00: "seconds",
    0x01: "seconds of the alarm",
    0x02: "minutes",
    0x03: "minutes of the alarm",
    0x04: "hours",
    0x05: "hours of the alarm",
    0x06: "day of the week",
    0x07: "day of the month",
    0x08: "month",
    0x09: "year",
    0x0A: "register A: divider and rate of the periodic interrupt",
    0x0B: "register B: which interrupts are enabled, and the format of the time",
    0x0C: "register C: which interrupts have come",
    0x0D: "register D: the battery has held",
}
