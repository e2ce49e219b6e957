"""One call of the BIOS: the caller's registers, memory and FLAGS, as a service reads and answers them."""

from __future__ import annotations

import struct
from dataclasses import replace
from typing import Final

from idtviz.machine.pc import Machine
from idtviz.machine.registers import RAX, RBX, RCX, RDX, RSP, Segment
from idtviz.x86 import flags
from idtviz.x86.addresses import MASK32

RBP, RSI, RDI = 5, 6, 7

UNSUPPORTED: Final = 0x86
"""What AH says of a function that is not there (IBM PC/AT Technical Reference, INT 15h)."""

_SEGMENT_MASK = 0xFFFF


class _Part:
    """Some bits of a general register: AL, AH, AX, EAX. The rest of it stays as it is."""

    def __init__(self, register: int, bits: int, shift: int = 0) -> None:
        self._register = register
        self._mask = (1 << bits) - 1
        self._shift = shift

    def __get__(self, call: Call, _owner: type[Call]) -> int:
        return call.general[self._register] >> self._shift & self._mask

    def __set__(self, call: Call, value: int) -> None:
        kept = call.general[self._register] & ~(self._mask << self._shift)
        call.general[self._register] = kept | (value & self._mask) << self._shift


class Call:
    """A VMCALL in the BIOS. What is assigned here is the processor's after `finish`."""

    al, ah, ax, eax = _Part(RAX, 8), _Part(RAX, 8, 8), _Part(RAX, 16), _Part(RAX, 32)
    bl, bh, bx, ebx = _Part(RBX, 8), _Part(RBX, 8, 8), _Part(RBX, 16), _Part(RBX, 32)
    cl, ch, cx, ecx = _Part(RCX, 8), _Part(RCX, 8, 8), _Part(RCX, 16), _Part(RCX, 32)
    dl, dh, dx, edx = _Part(RDX, 8), _Part(RDX, 8, 8), _Part(RDX, 16), _Part(RDX, 32)
    si, di, bp, edi = _Part(RSI, 16), _Part(RDI, 16), _Part(RBP, 16), _Part(RDI, 32)

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.board = machine.board
        self._before = machine.cpu.registers()
        self.general = list(self._before.general)
        """The general registers in encoding order."""
        self._es = self._before.es
        self._flags = self._before.rflags
        self._linear = machine.linear(self._before)
        self._chips_touched = False

    # Memory

    def at(self, segment: str, offset: int) -> int:
        """The linear address of an offset in the segment that `ds`, `es` or the like selects."""
        base: int = getattr(self._before, segment).base
        return base + (offset & _SEGMENT_MASK) & MASK32

    def read(self, address: int, size: int) -> bytes:
        """Bytes at a linear address."""
        return self._linear.read(address, size)

    def write(self, address: int, data: bytes) -> None:
        """Store at a linear address; code that stood there is not what it was."""
        if data:
            self._linear.write(address, data)
            self.machine.cpu.forget_code(address, len(data))

    def byte(self, address: int) -> int:
        """The byte at a linear address."""
        return self.read(address, 1)[0]

    def word(self, address: int) -> int:
        """The 16 bits at a linear address."""
        return int.from_bytes(self.read(address, 2), "little")

    def doubleword(self, address: int) -> int:
        """The 32 bits at a linear address."""
        return int.from_bytes(self.read(address, 4), "little")

    def set_byte(self, address: int, value: int) -> None:
        """Store 8 bits at a linear address."""
        self.write(address, bytes((value & 0xFF,)))

    def set_word(self, address: int, value: int) -> None:
        """Store 16 bits at a linear address."""
        self.write(address, struct.pack("<H", value & 0xFFFF))

    def set_doubleword(self, address: int, value: int) -> None:
        """Store 32 bits at a linear address."""
        self.write(address, struct.pack("<I", value & MASK32))

    # Ports

    def inp(self, port: int) -> int:
        """A byte from an I/O port."""
        return self.board.read(port, 1)

    def out(self, port: int, value: int) -> None:
        """A byte to an I/O port."""
        self.board.write(port, 1, value & 0xFF)
        self._chips_touched = True

    # Answers

    def load_es(self, selector: int) -> None:
        """ES as real mode loads it: the base is 16 times the selector, limit and rights stay."""
        self._es = replace(self._before.es, selector=selector, base=selector << 4)

    def answer(self, *, carry: bool | None = None, zero: bool | None = None) -> None:
        """Set flags that the caller finds behind its INT: in the FLAGS that lie on the stack for IRET."""
        address = self._saved_flags
        self.set_word(address, _with(self.word(address), carry, zero))

    def steer(self, *, carry: bool | None = None, zero: bool | None = None) -> None:
        """Set flags for the BIOS's own code behind the VMCALL."""
        self._flags = _with(self._flags, carry, zero)

    def succeed(self, ah: int = 0) -> None:
        """CF = 0 and a status in AH."""
        self.ah = ah
        self.answer(carry=False)

    def fail(self, ah: int) -> None:
        """CF = 1 and what went wrong in AH."""
        self.ah = ah
        self.answer(carry=True)

    def refuse(self, number: int, text: str) -> None:
        """A function that this BIOS does not have: CF = 1, AH = 0x86, and a line in the log."""
        self.note(number, text)
        self.fail(UNSUPPORTED)

    def note(self, number: int, text: str) -> None:
        """A line in the log, once for each function: INT `number` and AX as it was."""
        function = self._before.general[RAX] & 0xFFFF
        self.machine.processor.note(
            "bios", number << 16 | function, f"BIOS, INT {number:#04x} AX={function:#06x}: {text}"
        )

    @property
    def _saved_flags(self) -> int:
        """Where FLAGS lie while the handler has pushed nothing yet: above IP and CS."""
        stack = self._before.ss
        mask = MASK32 if stack.flags & Segment.CODE_32 else 0xFFFF
        return stack.base + (self._before.general[RSP] + 4 & mask) & MASK32

    def finish(self) -> None:
        """The processor goes on with what was assigned."""
        cpu, before = self.machine.cpu, self._before
        if self._chips_touched:
            self.machine.chips_touched()
        if self._es is not before.es or self._flags != before.rflags:
            after = replace(before, general=tuple(self.general), rflags=self._flags, es=self._es)
            cpu.load(after, before)
            return
        for index, value in enumerate(self.general):
            if value != before.general[index]:
                cpu.set_general(index, value)


def _with(value: int, carry: bool | None, zero: bool | None) -> int:
    for level, flag in ((carry, flags.CF), (zero, flags.ZF)):
        if level is not None:
            value = value | flag if level else value & ~flag
    return value
