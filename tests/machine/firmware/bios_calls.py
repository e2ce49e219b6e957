"""A PC at its boot sector, whose program is one INT after another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from idtviz.machine.boot import boot_sector
from idtviz.machine.chips import scancodes
from idtviz.machine.events import Happened, Noted
from idtviz.machine.pc import Machine
from idtviz.machine.registers import Registers, Segment
from idtviz.x86 import flags

HERTZ = 10_000_000
MIB = 1 << 20
PROGRAM = 0x7C00
BUFFER = 0x9000
_ORDER = {"a": 0, "c": 1, "d": 2, "b": 3}
_POINTERS = {"sp": 4, "bp": 5, "si": 6, "di": 7}
_REAL_DATA = 0x9300


def floppy(sectors: int = 2880) -> bytes:
    """Each sector is filled with its own number; the first can be booted."""
    image = bytearray(b"".join(bytes((lba & 0xFF,)) * 512 for lba in range(sectors)))
    image[510:512] = b"\x55\xaa"
    return bytes(image)


class Answer:
    """What the caller finds behind its INT: `answer.ax`, `answer.ch`, `answer.esi`..., CF and ZF."""

    def __init__(self, registers: Registers) -> None:
        self.registers = registers
        self.carry = bool(registers.rflags & flags.CF)
        self.zero = bool(registers.rflags & flags.ZF)

    def __getattr__(self, name: str) -> int:
        index, shift, bits = _place(name)
        return self.registers.general[index] >> shift & (1 << bits) - 1


def _place(name: str) -> tuple[int, int, int]:
    """Number, shift and width of a register by its name."""
    whole = name.removeprefix("e")
    wide = 32 if len(name) == 3 else 16
    if whole in _POINTERS:
        return _POINTERS[whole], 0, wide
    if whole[0] not in _ORDER or whole[1:] not in ("x", "l", "h"):
        raise AttributeError(name)
    index = _ORDER[whole[0]]
    return {"x": (index, 0, wide), "l": (index, 0, 8), "h": (index, 8, 8)}[whole[1]]


class Caller:
    """Runs programs of a few bytes on a PC that has just booted."""

    def __init__(self, drives: Mapping[int, bytes] | None = None, memory: int = 16 * MIB) -> None:
        drives = {0x00: floppy()} if drives is None else drives
        self.machine = Machine(memory, HERTZ, drives=drives)
        first = min(drives)
        self.notes: list[str] = []
        self.machine.on_event = self._on_event
        boot_sector.parse(drives[first], floppy=first == 0).boot(self.machine)

    def _on_event(self, event: Happened) -> None:
        if isinstance(event, Noted):
            self.notes.append(event.text)

    def call(self, number: int, *, interrupts: bool = False, keys: str = "", **registers: int) -> Answer:
        """INT `number` with these registers, and no IRQ unless `interrupts`; `keys` are typed meanwhile."""
        self.start(bytes((0xCD, number, 0xFA, 0xF4)), interrupts=interrupts, **registers)  # int number; cli; hlt
        self.run(keys)
        return Answer(self.machine.cpu.registers())

    def start(self, program: bytes, *, interrupts: bool = False, **registers: int) -> None:
        """Put a program where the boot sector was, and the processor in front of it."""
        self.machine.memory.write(PROGRAM, program)
        before = self.machine.cpu.registers()
        general = list(before.general)
        segments = {name: registers.pop(name) for name in ("ds", "es") if name in registers}
        for name, value in registers.items():
            index, shift, bits = _place(name)
            general[index] = general[index] & ~((1 << bits) - 1 << shift) | value << shift
        general[_POINTERS["sp"]] = 0x6F00
        data = {name: Segment(value, value << 4, 0xFFFF, _REAL_DATA) for name, value in segments.items()}
        code = Segment(0, 0, 0xFFFF, 0x9B00)
        enabled = before.rflags | flags.IF if interrupts else before.rflags & ~flags.IF
        at_program = replace(before, general=tuple(general), cs=code, rip=PROGRAM, rflags=enabled)
        self.machine.cpu.load(replace(at_program, ds=data.get("ds", before.ds), es=data.get("es", before.es)))
        self.machine.processor.halted = False

    def run(self, keys: str = "", limit: int = 200_000) -> None:
        """Until the program has ended; `keys` are typed where the processor first halts."""
        machine = self.machine
        end = machine.instructions + limit
        while not machine.stuck or keys:
            assert machine.instructions < end, "the program does not end"
            if machine.halted and keys:
                machine.type_scancodes(scancodes.encode(keys))
                keys = ""
            if machine.activity is not None or machine.halted:
                machine.micro_step()
            else:
                machine.run(end)

    def type_keys(self, keys: str) -> None:
        """Type while a program waits for interrupts, until the keyboard has nothing more to send."""
        machine = self.machine
        machine.type_scancodes(scancodes.encode(keys))
        self.call(0x15, interrupts=True, ah=0x86, cx=0x0003, dx=0)

    def read(self, address: int, size: int) -> bytes:
        return self.machine.memory.read(address, size)

    def word(self, address: int) -> int:
        return int.from_bytes(self.read(address, 2), "little")

    def doubleword(self, address: int) -> int:
        return int.from_bytes(self.read(address, 4), "little")

    def write(self, address: int, data: bytes) -> None:
        self.machine.memory.write(address, data)

    @property
    def screen(self) -> str:
        return self.machine.board.vga.screen(self.read(0xB8000, 0x8000)).text

    @property
    def cursor(self) -> tuple[int, int]:
        cursor = self.machine.board.vga.state.cursor
        return cursor.row, cursor.column

    def print(self, text: str) -> None:
        for character in text.encode("cp437"):
            self.call(0x10, ah=0x0E, al=character, bx=0)
