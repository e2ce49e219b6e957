"""The registers of the local APIC and the I/O APIC (SDM 3A chapter 10; 82093AA data sheet)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from idtviz.machine.board import Board
from idtviz.machine.chips import lapic_registers as registers
from idtviz.machine.chips.ioapic import IoApic
from idtviz.machine.chips.ioapic_state import PINS
from idtviz.machine.chips.lapic import Lapic
from idtviz.machine.chips.lapic_state import MASKED, Lvt
from idtviz.machine.edits.chip_register import ChipRegister, Registers
from idtviz.x86.apic import FIRST_LEGAL_VECTOR, LvtEntry, Redirection

_VECTOR_SETS = {
    "irr": "requested, and not yet taken",
    "isr": "in service: waits for its EOI",
    "tmr": "level triggered: its EOI goes to the I/O APIC too",
}


def chips() -> Mapping[str, Registers]:
    """Both APICs, of a machine that has them."""
    sets = {f"lapic.{name}": _vectors(name, meaning) for name, meaning in _VECTOR_SETS.items()}
    return {"lapic": _LAPIC, **sets, "ioapic": {f"[{pin}]": _entry(pin) for pin in range(PINS)}}


def _lapic(board: Board) -> Lapic:
    assert board.lapic is not None
    return board.lapic


def _ioapic(board: Board) -> IoApic:
    assert board.ioapic is not None
    return board.ioapic


def _register(number: int, width: int, meaning: str, shift: int = 0, allowed: int | None = None) -> ChipRegister:
    def refuses(_board: Board, value: int) -> str | None:
        outside = value & ~allowed if allowed is not None else 0
        return f"bits {outside:#x} are reserved" if outside else None

    return ChipRegister(
        width,
        meaning,
        lambda board: _lapic(board).value_of(number) >> shift,
        lambda board, value: _lapic(board).change(number, value << shift),
        refuses,
    )


def _lvt(source: Lvt) -> ChipRegister:
    number, writable = registers.LVT + source, registers.LVT_WRITABLE[source]

    def refuses(board: Board, value: int) -> str | None:
        wrong = (value ^ _lapic(board).value_of(number)) & ~writable
        if wrong:
            return f"bits {wrong:#x} are read-only or reserved"
        if not value & MASKED and not _lapic(board).state.software_enabled:
            return "it stays masked while the local APIC is software-disabled (bit 8 of svr)"
        return None

    return ChipRegister(
        32,
        f"LVT entry: {source.name.lower()}",
        lambda board: _lapic(board).value_of(number),
        lambda board, value: _lapic(board).change(number, value),
        refuses,
        LvtEntry,
        LvtEntry.remote_irr.mask,
    )


_LAPIC: Registers = {
    "id": _register(registers.ID, 8, "APIC ID", 24),
    "tpr": _register(registers.TPR, 8, "task priority: classes up to bits 7:4 wait"),
    "ldr": _register(registers.LDR, 8, "logical ID", 24),
    "dfr": _register(registers.DFR, 4, "model of logical IDs: 0xf flat, 0 cluster", 28),
    "svr": _register(registers.SVR, 9, "spurious vector; bit 8 enables the local APIC"),
    **{f"lvt_{source.name.lower()}": _lvt(source) for source in Lvt},
    "timer_initial": _register(registers.INITIAL_COUNT, 32, "initial count: writing it starts the timer, 0 stops it"),
    "timer_divide": _register(registers.DIVIDE_CONFIGURATION, 4, "divide configuration: bits 3, 1 and 0", allowed=0xB),
}


def _vectors(name: str, meaning: str) -> Registers:
    return {f"[{vector:#x}]": _vector(name, vector, meaning) for vector in range(FIRST_LEGAL_VECTOR, 256)}


def _vector(name: str, vector: int, meaning: str) -> ChipRegister:
    def write(board: Board, value: int) -> None:
        state = _lapic(board).state
        others = getattr(state, name) & ~(1 << vector)
        _lapic(board).become(replace(state, **{name: others | value << vector}))

    return ChipRegister(1, meaning, lambda board: getattr(_lapic(board).state, name) >> vector & 1, write)


def _entry(pin: int) -> ChipRegister:
    def write(board: Board, value: int) -> None:
        chip = _ioapic(board)
        entries = chip.state.entries
        chip.become(replace(chip.state, entries=(*entries[:pin], value, *entries[pin + 1 :])))

    def refuses(_board: Board, value: int) -> str | None:
        wrong = value & (Redirection.reserved.mask | Redirection.status.mask)
        return f"bits {wrong:#x} are read-only or reserved" if wrong else None

    return ChipRegister(
        64,
        f"redirection of pin {pin}",
        lambda board: _ioapic(board).state.entries[pin],
        write,
        refuses,
        Redirection,
        Redirection.remote_irr.mask,
    )
