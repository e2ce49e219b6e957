"""The registers of a VGA in text mode 3. Its text memory is the guest's RAM at 0xB8000, which the chip does not hold.

Source: IBM PS/2 Video Subsystem Technical Reference (VGA function); FreeVGA's register names. The register files are
stored and read back; of them only the cursor, the start address and the row offset have an effect here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from idtviz.machine.chips.chip import FLOATING, ByteChip, Clock
from idtviz.machine.chips.text_screen import Screen, decode_text

TEXT_MEMORY = 0xB8000
TEXT_MEMORY_SIZE = 0x8000

FRAMES_PER_SECOND = 70
SCAN_LINES = 449
VISIBLE_LINES = 400
RETRACE_LINES = range(412, 414)
LINE_CLOCKS = 900
VISIBLE_CLOCKS = 720

CURSOR_START, CURSOR_END = 0x0A, 0x0B
START_HIGH, START_LOW = 0x0C, 0x0D
CURSOR_HIGH, CURSOR_LOW = 0x0E, 0x0F
VERTICAL_RETRACE_END = 0x11
OFFSET = 0x13

_CRTC = bytes.fromhex("5f4f50825581bf1f 004f0d0e00000000 9c8e8f281f96b9a3 ff")
_SEQUENCER = bytes.fromhex("0300030002")
_GRAPHICS = bytes.fromhex("0000000000100e00ff")
_ATTRIBUTE = bytes.fromhex("0001020304051407 38393a3b3c3d3e3f 0c000f0800")
# The DAC holds the 64 colours of an EGA: index bits 2-0 are two thirds, bits 5-3 one third of red, green and blue.
_DAC = bytes(
    42 * (index >> shift & 1) + 21 * (index >> (shift + 3) & 1) for index in range(64) for shift in (2, 1, 0)
).ljust(768, b"\0")


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where the CRTC draws the cursor. `row` and `column` may lie off the screen: guests hide it so."""

    row: int
    column: int
    visible: bool
    first_line: int  # scan lines within the character cell
    last_line: int


@dataclass(frozen=True, slots=True)
class VgaState:
    """The register files as a BIOS leaves them for mode 3: 80x25, cursor at the top left, visible."""

    crtc_index: int = 0
    crtc: bytes = _CRTC
    sequencer_index: int = 0
    sequencer: bytes = _SEQUENCER
    graphics_index: int = 0
    graphics: bytes = _GRAPHICS
    attribute_index: int = 0x20  # bit 5: the palette belongs to the display
    attribute: bytes = _ATTRIBUTE
    attribute_data_next: bool = False  # the flip-flop of port 0x3C0
    miscellaneous: int = 0x67
    feature: int = 0
    enable: int = 1
    dac_mask: int = 0xFF
    dac_read: bool = False  # 0x3C7 was written last
    dac_index: int = 0
    dac_component: int = 0
    dac: bytes = _DAC

    @property
    def columns(self) -> int:
        return self.crtc[1] + 1

    @property
    def start_address(self) -> int:
        """The character cell of text memory that is shown at the top left."""
        return self.crtc[START_HIGH] << 8 | self.crtc[START_LOW]

    @property
    def cursor(self) -> Cursor:
        location = self.crtc[CURSOR_HIGH] << 8 | self.crtc[CURSOR_LOW]
        row, column = divmod((location - self.start_address) & 0xFFFF, self.columns)
        first, last = self.crtc[CURSOR_START] & 0x1F, self.crtc[CURSOR_END] & 0x1F
        visible = not self.crtc[CURSOR_START] & 0x20 and first <= last
        return Cursor(row, column, visible, first, last)


AFTER_BIOS = VgaState()


class Vga(ByteChip):
    """Ports 0x3C0-0x3CF, 0x3D4, 0x3D5 and 0x3DA."""

    def __init__(self, clock: Clock, state: VgaState = AFTER_BIOS) -> None:
        self.name: str = "vga"
        self.ports: tuple[int, ...] = (*range(0x3C0, 0x3D0), 0x3D4, 0x3D5, 0x3DA)
        self.state = state
        self._clock = clock

    def screen(self, memory: bytes) -> Screen:
        """What is on the screen, given the 32 KiB at 0xB8000."""
        return screen(self.state, memory)

    def read_byte(self, port: int) -> int:  # noqa: C901 -- as many cases as registers
        state = self.state
        match port:
            case 0x3C0:
                return state.attribute_index
            case 0x3C1:
                return _register(state.attribute, state.attribute_index & 0x1F)
            case 0x3C2:  # input status 0: no vertical interrupt, switch sense of a colour display
                return 0x10
            case 0x3C3:
                return state.enable
            case 0x3C4:
                return state.sequencer_index
            case 0x3C5:
                return _register(state.sequencer, state.sequencer_index)
            case 0x3C6:
                return state.dac_mask
            case 0x3C7:
                return 3 if state.dac_read else 0
            case 0x3C8:
                return state.dac_index
            case 0x3C9:
                return self._read_dac()
            case 0x3CA:
                return state.feature
            case 0x3CC:
                return state.miscellaneous
            case 0x3CE:
                return state.graphics_index
            case 0x3CF:
                return _register(state.graphics, state.graphics_index)
            case 0x3D4:
                return state.crtc_index
            case 0x3D5:
                return _register(state.crtc, state.crtc_index)
            case 0x3DA:
                self.state = replace(state, attribute_data_next=False)
                return self._input_status_1()
            case _:
                return FLOATING

    def write_byte(self, port: int, value: int) -> None:  # noqa: C901 -- as above
        state = self.state
        match port:
            case 0x3C0:
                state = _write_attribute(state, value)
            case 0x3C2:
                state = replace(state, miscellaneous=value)
            case 0x3C3:
                state = replace(state, enable=value & 1)
            case 0x3C4:
                state = replace(state, sequencer_index=value & 7)
            case 0x3C5:
                state = replace(state, sequencer=_with(state.sequencer, state.sequencer_index, value))
            case 0x3C6:
                state = replace(state, dac_mask=value)
            case 0x3C7 | 0x3C8:
                state = replace(state, dac_index=value, dac_component=0, dac_read=port == 0x3C7)
            case 0x3C9:
                place = state.dac_index * 3 + state.dac_component
                state = _next_component(replace(state, dac=_with(state.dac, place, value & 0x3F)))
            case 0x3CE:
                state = replace(state, graphics_index=value & 0xF)
            case 0x3CF:
                state = replace(state, graphics=_with(state.graphics, state.graphics_index, value))
            case 0x3D4:
                state = replace(state, crtc_index=value & 0x1F)
            case 0x3D5:
                state = _write_crtc(state, value)
            case 0x3DA:
                state = replace(state, feature=value)
            case _:
                return
        self.state = state

    def _read_dac(self) -> int:
        state = self.state
        self.state = _next_component(state)
        return state.dac[state.dac_index * 3 + state.dac_component]

    def _input_status_1(self) -> int:
        """Bit 0: the display is off (either retrace); bit 3: vertical retrace. Both follow from the time of day."""
        clocks = self._clock.now * FRAMES_PER_SECOND * SCAN_LINES * LINE_CLOCKS // self._clock.hertz
        line, clock = divmod(clocks % (SCAN_LINES * LINE_CLOCKS), LINE_CLOCKS)
        blank = line >= VISIBLE_LINES or clock >= VISIBLE_CLOCKS
        return blank | (line in RETRACE_LINES) << 3


def screen(state: VgaState, memory: bytes) -> Screen:
    """The 80x25 cells that the CRTC shows of text memory, which wraps at its end."""
    columns = state.columns
    width = 4 * state.crtc[OFFSET] or 2 * columns
    ring = memory + memory
    rows = []
    for row in range(25):
        at = (2 * state.start_address + row * width) % len(memory)
        rows.append(ring[at : at + 2 * columns])
    return decode_text(b"".join(rows), columns, 25)


def _register(registers: bytes, index: int) -> int:
    return registers[index] if index < len(registers) else 0


def _with(registers: bytes, index: int, value: int) -> bytes:
    if index >= len(registers):
        return registers
    return registers[:index] + bytes((value,)) + registers[index + 1 :]


def _write_crtc(state: VgaState, value: int) -> VgaState:
    index = state.crtc_index
    if index < 8 and state.crtc[VERTICAL_RETRACE_END] & 0x80:
        # Registers 0-7 are write protected, but for the line compare bit of the overflow register.
        if index != 7:
            return state
        value = state.crtc[7] & ~0x10 | value & 0x10
    return replace(state, crtc=_with(state.crtc, index, value))


def _write_attribute(state: VgaState, value: int) -> VgaState:
    if not state.attribute_data_next:
        return replace(state, attribute_index=value & 0x3F, attribute_data_next=True)
    attribute = _with(state.attribute, state.attribute_index & 0x1F, value)
    return replace(state, attribute=attribute, attribute_data_next=False)


def _next_component(state: VgaState) -> VgaState:
    """The DAC moves from red to green to blue to the next colour by itself."""
    if state.dac_component < 2:
        return replace(state, dac_component=state.dac_component + 1)
    return replace(state, dac_component=0, dac_index=(state.dac_index + 1) & 0xFF)
