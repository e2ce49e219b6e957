"""Kernels of a few instructions, as machines at their entry: what they do is known, and so is what it should cost."""

from __future__ import annotations

import struct
from dataclasses import replace

from idtviz.machine import boot
from idtviz.machine.pc import Machine
from idtviz.machine.registers import Table

MEMORY = 16 << 20
ENTRY = 0x100000
LOOP = bytes.fromhex("48ffc0 4801c3 90 ebf6")  # inc rax; add rbx, rax; nop; jmp back

_HANDLER, _IDT, _GDT = 0x2000, 0x3000, 0x4000
_TIMER_VECTOR = 8  # as a BIOS leaves the controllers
_TICK = bytes.fromhex("50 b020 e620 58 48cf")  # push rax; EOI; pop rax; iretq
_START_TIMER = bytes.fromhex("b034 e643 b0a9 e640 b004 e640")  # counter 0, mode 2, 1,193,182 Hz / 1193 = 1 kHz
_STI = b"\xfb"


def loop(hertz: int = 10_000_000) -> Machine:
    """A loop of four instructions, in 64-bit mode."""
    return _long_mode(LOOP, hertz)


def ticking(hertz: int) -> Machine:
    """The loop, interrupted a thousand times a second by the 8254."""
    return _long_mode(_START_TIMER + _STI + LOOP, hertz)


def deaf(hertz: int = 10_000_000) -> Machine:
    """The loop with IF=0, while the timer's interrupt waits."""
    return _long_mode(_START_TIMER + LOOP, hertz)


def counting(instructions: int) -> tuple[Machine, int]:
    """A loop that ends after about so many instructions; and the address that is reached then."""
    code = b"\xb9" + (instructions // 2).to_bytes(4, "little") + bytes.fromhex("ffc9 75fc")  # mov ecx, n; dec; jnz
    return _long_mode(code + LOOP, 10_000_000), ENTRY + len(code)


WRITTEN_ONCE, WRITTEN_OFTEN, WRITTEN_EARLY = 0x200000, 0x200100, 0x200200


def writer(hertz: int = 10_000_000) -> Machine:
    """Writes one word once, one a million times, and then a third as long as it runs."""
    code = b"".join(
        (
            b"\x48\xa3" + WRITTEN_ONCE.to_bytes(8, "little"),  # mov [once], rax
            b"\xbf" + WRITTEN_EARLY.to_bytes(4, "little") + b"\xb9" + (1_000_000).to_bytes(4, "little"),
            bytes.fromhex("48010f ffc9 75f9"),  # add [rdi], rcx; dec ecx; jnz
            b"\xbf" + WRITTEN_OFTEN.to_bytes(4, "little"),
            bytes.fromhex("480107 48ffc0 90 ebf7"),  # add [rdi], rax; inc rax; nop; jmp back
        )
    )
    return _long_mode(code, hertz)


def painter(hertz: int = 10_000_000) -> Machine:
    """Writes to one page after the other of the upper twelve MiB, round and round."""
    # mov edi, start; again: mov [rdi], rbx; add rdi, 4160; add rax, rdi; xor rbx, rax; cmp rdi, end; jb again; jmp
    code = bytes.fromhex("bf00004000 48891f 4881c740100000 4801f8 4831c3 4881ff0000fe00 72e7 ebe0")
    return _long_mode(code, hertz)


def _long_mode(code: bytes, hertz: int) -> Machine:
    machine = Machine(MEMORY, hertz)
    boot.enter(machine, "long", ENTRY)
    write = machine.memory.write
    write(ENTRY, code)
    write(_HANDLER, _TICK)
    gate = struct.pack("<HHBBHII", _HANDLER, 0x08, 0, 0x8E, 0, 0, 0)
    write(_IDT + 16 * _TIMER_VECTOR, gate)
    write(_GDT, struct.pack("<QQQ", 0, 0x00AF9B00_0000FFFF, 0x00CF9300_0000FFFF))
    at = machine.cpu.registers()
    machine.cpu.load(replace(at, gdtr=Table(_GDT, 23), idtr=Table(_IDT, 0xFFF)))
    return machine
