"""Ports that keep what is written to them, and have nothing behind them here: DMA, POST codes, the IMCR, a delay.

Source: IBM PC/AT Technical Reference (8237A DMA controllers at 0x00 and 0xC0, page registers at 0x80, the manufacturing
checkpoint in the first of these); Intel MultiProcessor Specification 1.4, 3.6.2.1 (IMCR at 0x22 and 0x23). Nobody asks
for DMA on this board, so a channel's programming is only kept. Kernels write to 0x80 and 0xED to let time pass.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from idtviz.machine.chips.chip import FLOATING, ByteChip

DMA_1, DMA_2, PAGES = range(0x10), range(0xC0, 0xE0), range(0x80, 0x90)
DMA_1_STATUS, DMA_2_STATUS = 0x08, 0xD0
IMCR_INDEX, IMCR_DATA = 0x22, 0x23
POST, DELAY = 0x80, 0xED


@dataclass(frozen=True, slots=True)
class LatchesState:
    """What each port was last written with, in the order of the chip's ports."""

    values: bytes


class Latches(ByteChip):
    """Reading gives back what was written; a DMA controller's status says that no channel has done anything."""

    def __init__(self) -> None:
        self.name: str = "latches"
        self.ports: tuple[int, ...] = (*DMA_1, IMCR_INDEX, IMCR_DATA, *PAGES, *DMA_2, DELAY)
        self.state = LatchesState(bytes(len(self.ports)))
        self._place = {port: place for place, port in enumerate(self.ports)}

    def read_byte(self, port: int) -> int:
        if port in (DMA_1_STATUS, DMA_2_STATUS):
            return 0
        return FLOATING if port == DELAY else self.state.values[self._place[port]]

    def write_byte(self, port: int, value: int) -> None:
        place, values = self._place[port], self.state.values
        if values[place] != value:
            self.state = replace(self.state, values=values[:place] + bytes((value,)) + values[place + 1 :])
