"""The registers of the two 8259s (8259A data sheet)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from idtviz.machine.board import Board
from idtviz.machine.chips import pic8259
from idtviz.machine.chips.pic8259 import Pic8259State
from idtviz.machine.edits.chip_register import ChipRegister, Registers

_REGISTERS = {
    "irr": (8, "interrupt requests: bit n for input n"),
    "imr": (8, "masks: a request whose bit is 1 waits"),
    "isr": (8, "in service: each waits for its EOI"),
    "vector_base": (8, "ICW2: the vector of input 0"),
    "cascade": (8, "ICW3: inputs with a slave, or the slave's own number"),
    "mode_8086": (1, "ICW4: answers with a vector, as an x86 needs it"),
    "auto_eoi": (1, "ICW4: an acknowledge is its own EOI"),
    "special_fully_nested": (1, "ICW4: a slave in service may interrupt itself"),
    "rotate_on_auto_eoi": (1, "the input served last becomes the lowest in priority"),
    "lowest_priority": (3, "the input that is served last"),
    "special_mask_mode": (1, "inputs that are in service and masked hold nothing back"),
    "read_isr": (1, "a read of the command port gives the ISR, not the IRR"),
    "poll": (1, "the next read is an acknowledge"),
}
_ELCR = {"master": 0xF8, "slave": 0xDE}


def chips() -> Mapping[str, Registers]:
    """Both controllers."""
    return {f"pic.{side}": _registers(side) for side in ("master", "slave")}


def _registers(side: str) -> Registers:
    found = {name: _register(side, name, width, meaning) for name, (width, meaning) in _REGISTERS.items()}
    return {**found, "elcr": _elcr(side)}


def _register(side: str, name: str, width: int, meaning: str) -> ChipRegister:
    def write(board: Board, value: int) -> None:
        _become(board, side, _state(board, side)._replace(**{name: bool(value) if width == 1 else value}))  # type: ignore[arg-type]

    def refuses(_board: Board, value: int) -> str | None:
        if name == "vector_base" and value & 7:
            return "its low three bits come from the number of the input"
        return None

    return ChipRegister(width, meaning, lambda board: int(getattr(_state(board, side), name)), write, refuses)


def _elcr(side: str) -> ChipRegister:
    allowed = _ELCR[side]
    return ChipRegister(
        8,
        "inputs that are level triggered",
        lambda board: _state(board, side).elcr,
        lambda board, value: _become(board, side, pic8259.set_elcr(_state(board, side), value)),
        lambda _board, value: f"only {allowed:#x} can be level triggered" if value & ~allowed else None,
    )


def _state(board: Board, side: str) -> Pic8259State:
    return board.pic.state.master if side == "master" else board.pic.state.slave


def _become(board: Board, side: str, chip: Pic8259State) -> None:
    pair = board.pic.state
    board.pic.become(replace(pair, master=chip) if side == "master" else replace(pair, slave=chip))
