"""The registers of the keyboard controller, the serial port, and the A20 gate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from idtviz.machine.board import Board
from idtviz.machine.chips import keyboard, uart
from idtviz.machine.chips.keyboard import KeyboardState
from idtviz.machine.edits.chip_register import ChipRegister, Registers


def chips() -> Mapping[str, Registers]:
    """The 8042, COM1, and the gate."""
    gate = ChipRegister(1, "whether address line 20 reaches memory", lambda board: int(board.a20), _gate_a20)
    return {"keyboard": _KEYBOARD, "com1": _COM1, "a20": {"": gate}}


def _gate_a20(board: Board, value: int) -> None:
    control, state = board.system_control, board.keyboard.state
    if not value:
        control.become(replace(control.state, port_a=control.state.port_a & ~keyboard.A20))
    port = state.output_port | keyboard.A20 if value else state.output_port & ~keyboard.A20
    board.keyboard.become(replace(state, output_port=port))


def _write_output(board: Board, value: int) -> None:
    board.keyboard.become(replace(board.keyboard.state, output=value))


def _write_output_port(board: Board, value: int) -> None:
    board.keyboard.become(replace(board.keyboard.state, output_port=value))


def _fill(board: Board, value: int) -> None:
    state: KeyboardState = board.keyboard.state
    full = keyboard.OBF if value else 0
    board.keyboard.become(replace(state, status=state.status & ~(keyboard.OBF | keyboard.AUX) | full))


def _command_byte(board: Board, value: int) -> None:
    state = board.keyboard.state
    status = state.status & ~keyboard.SYS | value & keyboard.CB_SYS
    board.keyboard.become(replace(state, command_byte=value, status=status))


_KEYBOARD: Registers = {
    "output": ChipRegister(
        8, "the byte that a read of port 0x60 gives", lambda board: board.keyboard.state.output, _write_output
    ),
    "output_full": ChipRegister(
        1,
        "OBF: a byte waits in the output buffer, which is IRQ1",
        lambda board: int(board.keyboard.state.output_full),
        _fill,
    ),
    "command_byte": ChipRegister(
        8,
        "bit 0 IRQ1 enabled, 4 keyboard off, 6 translation to set 1",
        lambda board: board.keyboard.state.command_byte,
        _command_byte,
    ),
    "output_port": ChipRegister(
        8,
        "bit 1 opens A20; bit 0 low holds the processor in reset",
        lambda board: board.keyboard.state.output_port,
        _write_output_port,
        lambda _board, value: None if value & keyboard.RESET_OFF else "bit 0 low resets the processor",
    ),
}


def _by_port(offset: int, width: int, meaning: str, name: str) -> ChipRegister:
    return ChipRegister(
        width,
        meaning,
        lambda board: int(getattr(board.com1.state, name)),
        lambda board, value: board.com1.write_byte(uart.COM1 + offset, value),
    )


def _divide(board: Board, value: int) -> None:
    board.com1.state = replace(board.com1.state, divisor=value)


_COM1: Registers = {
    "ier": ChipRegister(
        4,
        "interrupts enabled: bit 0 received, 1 transmitter, 2 line, 3 modem",
        lambda board: board.com1.state.ier,
        lambda board, value: board.com1.enable_interrupts(value),
    ),
    "lcr": _by_port(uart.LCR, 8, "line control; bit 7 is DLAB", "lcr"),
    "mcr": _by_port(uart.MCR, 5, "modem control; OUT2, bit 3, lets interrupts out", "mcr"),
    "scr": _by_port(uart.SCR, 8, "scratch", "scr"),
    "divisor": ChipRegister(16, "of the baud rate, 115200", lambda board: board.com1.state.divisor, _divide),
}
