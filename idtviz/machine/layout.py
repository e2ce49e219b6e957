"""The engine's private CPU state, reached in place.

Unicorn hands out registers one call at a time. The debugger reads and writes dozens of them at each interrupt, so this
module finds the engine's live ``CPUX86State`` in memory and lays a ``ctypes.Structure`` over it. The layout is that of
Unicorn 2.1.4 (QEMU 5.0.1 inside); nothing else in idtviz knows it, and `locate` proves every part by experiment before
anyone relies on it.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import struct
import sys
from dataclasses import dataclass

from unicorn import UC_HOOK_INTR, x86_const

from idtviz.machine.engine import VERSION, Engine, handle_address

SUPPORTED = "2.1.4"

INTERRUPT_HARD = 2
"""The bit of `interrupt_request` that stands for the INTR pin."""
GUEST = 1 << 21
"""The bit of `hflags` that makes the SVM intercepts count."""
INTERCEPT_INTR = 1
"""The bit of `intercept` that stops the engine where it would take an interrupt."""
WINDOW = 0x160
"""The exception number that the engine reports for that intercept."""

_HANDLE_BYTES = 2048  # of uc_struct: holds the pointer to the CPU and the instruction counter
_OBJECT_BYTES = 512 * 1024  # how far behind a pointer the CPU state may lie
_STATE_BYTES = 16 * 1024


class LayoutError(RuntimeError):
    """The installed engine is not laid out as this version of idtviz expects."""


class SegmentCache(ctypes.Structure):
    """A segment register with its hidden part; `flags` holds the descriptor's high doubleword (SDM 3A 3.4.3)."""

    _fields_ = (
        ("selector", ctypes.c_uint32),
        ("base", ctypes.c_uint64),
        ("limit", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
    )


class CpuState(ctypes.Structure):
    """The first part of CPUX86State."""

    _fields_ = (
        ("regs", ctypes.c_uint64 * 16),
        ("eip", ctypes.c_uint64),
        ("eflags", ctypes.c_uint64),
        ("cc_dst", ctypes.c_uint64),
        ("cc_src", ctypes.c_uint64),
        ("cc_src2", ctypes.c_uint64),
        ("cc_op", ctypes.c_uint32),
        ("df", ctypes.c_int32),
        ("hflags", ctypes.c_uint32),
        ("hflags2", ctypes.c_uint32),
        ("segs", SegmentCache * 6),
        ("ldt", SegmentCache),
        ("tr", SegmentCache),
        ("gdt", SegmentCache),
        ("idt", SegmentCache),
        ("cr", ctypes.c_uint64 * 9),
        ("a20_mask", ctypes.c_int32),
        ("bounds", ctypes.c_uint64 * 11),
        ("efer", ctypes.c_uint64),
    )


class ExceptionState(ctypes.Structure):
    """The part of CPUX86State around the debug registers, exceptions and intercepts."""

    _fields_ = (
        ("error_code", ctypes.c_int32),
        ("exception_is_int", ctypes.c_int32),
        ("exception_next_eip", ctypes.c_uint64),
        ("dr", ctypes.c_uint64 * 8),
        ("breakpoints", ctypes.c_uint64 * 4),
        ("old_exception", ctypes.c_int32),
        ("vm_vmcb", ctypes.c_uint64),
        ("tsc_offset", ctypes.c_uint64),
        ("intercept", ctypes.c_uint64),
    )


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the engine keeps what idtviz reads in place."""

    cpu: CpuState
    exception: ExceptionState
    counter: ctypes.c_uint64
    """Instructions begun by the present or last `emu_start`: one more than completed, unless an exit ended it."""
    limit: ctypes.c_uint64
    """How many instructions the present `emu_start` may complete."""
    interrupt_request: ctypes.c_uint32
    """Of CPUState: `INTERRUPT_HARD` asks for an interrupt at the first boundary that lets one through."""


def locate(engine: Engine) -> Layout:
    """Find and prove the state behind `engine`. Raises LayoutError where a proof fails. Leaves registers zero."""
    if ctypes.sizeof(ctypes.c_void_p) != 8 or sys.byteorder != "little":
        raise _unsupported("a 64-bit little-endian host is needed")
    try:
        handle = handle_address(engine)
    except (AttributeError, TypeError) as error:
        raise _unsupported("the binding keeps its handle elsewhere") from error
    address = _find_state(engine, handle)
    cpu = CpuState.from_address(address)
    _prove_registers(engine, cpu)
    exception = _find_exception_state(engine, address)
    counter = _find_counter(engine, handle)
    limit = _limit_behind(counter)
    request = _find_interrupt_request(engine, handle, cpu, exception)
    return Layout(cpu, exception, counter, limit, request)


_GENERAL = (
    *(x86_const.UC_X86_REG_RAX, x86_const.UC_X86_REG_RCX, x86_const.UC_X86_REG_RDX, x86_const.UC_X86_REG_RBX),
    *(x86_const.UC_X86_REG_RSP, x86_const.UC_X86_REG_RBP, x86_const.UC_X86_REG_RSI, x86_const.UC_X86_REG_RDI),
    *(x86_const.UC_X86_REG_R8 + index for index in range(8)),
)

_SEGMENTS = (
    *(x86_const.UC_X86_REG_ES, x86_const.UC_X86_REG_CS, x86_const.UC_X86_REG_SS),
    *(x86_const.UC_X86_REG_DS, x86_const.UC_X86_REG_FS, x86_const.UC_X86_REG_GS),
)
_HFLAGS_64 = 1 << 14 | 1 << 15  # LMA and CS64


def _unsupported(what: str) -> LayoutError:
    return LayoutError(f"unicorn {VERSION} cannot be used ({what}); idtviz supports unicorn {SUPPORTED}")


class _Reader:
    """Reads this process's memory through a pipe, so that an address that is not mapped is an error and no crash."""

    def __init__(self) -> None:
        self._out, self._in = os.pipe()

    def read(self, address: int, size: int) -> bytes:
        """The bytes at `address`: fewer than `size` where the mapping ends."""
        found = bytearray()
        while len(found) < size:
            start = address + len(found)
            length = min(size - len(found), 4096 - start % 4096)
            try:
                os.write(self._in, (ctypes.c_char * length).from_address(start))
            except OSError:
                break
            found += os.read(self._out, length)
        return bytes(found)

    def close(self) -> None:
        os.close(self._out)
        os.close(self._in)


def _find_state(engine: Engine, handle: int) -> int:
    """The address of CPUX86State: behind a pointer in uc_struct, where sixteen known values stand in a row."""
    _mark(engine, 0x1D7_0000_5EED_0000)
    pattern = struct.pack("<16Q", *range(0x1D7_0000_5EED_0000, 0x1D7_0000_5EED_0010))
    with contextlib.closing(_Reader()) as reader:
        words = reader.read(handle, _HANDLE_BYTES)
        pointers = [word for (word,) in struct.iter_unpack("<Q", words[: len(words) // 8 * 8])]
        # The CPU object itself is the pointer with the state close behind it: look near all of them before far.
        for reach in (_OBJECT_BYTES // 8, _OBJECT_BYTES):
            for pointer in dict.fromkeys(pointers):
                if pointer < 4096 or pointer >> 47 or pointer % 8:
                    continue
                memory = reader.read(pointer, reach)
                offset = memory.find(pattern)
                while offset >= 0:
                    address: int = pointer + offset
                    if _follows(engine, address):
                        return address
                    offset = memory.find(pattern, offset + 8)
    raise _unsupported("its CPU state was not found")


def _mark(engine: Engine, first: int) -> None:
    for index, register in enumerate(_GENERAL):
        engine.reg_write(register, first + index)


def _follows(engine: Engine, address: int) -> bool:
    """Whether what stands at `address` is the state itself: a copy of the pattern does not follow the registers."""
    found = (ctypes.c_uint64 * 16).from_address(address)
    follows = True
    for first in (0x1D7_0000_0B5E_0000, 0x1D7_0000_5EED_0000):
        _mark(engine, first)
        follows &= list(found) == list(range(first, first + 16))
    return follows


def _prove_registers(engine: Engine, cpu: CpuState) -> None:
    """Write through the public API and compare what stands in the structure, and the other way round."""
    for index, register in enumerate(_GENERAL):
        cpu.regs[index] = index
        if engine.reg_read(register) != index:
            raise _unsupported(f"general register {index} is not where it should be")
        cpu.regs[index] = 0
    for register, table in ((x86_const.UC_X86_REG_GDTR, cpu.gdt), (x86_const.UC_X86_REG_IDTR, cpu.idt)):
        engine.reg_write(register, (0, 0x1D70_1000, 0x123, 0))
        if (table.base, table.limit) != (0x1D70_1000, 0x123):
            raise _unsupported("a descriptor-table register is not where it should be")
        engine.reg_write(register, (0, 0, 0xFFFF, 0))
    for register, index in ((x86_const.UC_X86_REG_CR2, 2), (x86_const.UC_X86_REG_CR3, 3)):
        engine.reg_write(register, 0x1D70_2000)
        if cpu.cr[index] != 0x1D70_2000:
            raise _unsupported(f"CR{index} is not where it should be")
        engine.reg_write(register, 0)
    _prove_segments(engine, cpu)
    _prove_flags(engine, cpu)
    engine.msr_write(0xC0000080, 0x800)
    if cpu.efer & 0x800 == 0:
        raise _unsupported("EFER is not where it should be")
    engine.msr_write(0xC0000080, 0)
    engine.reg_write(x86_const.UC_X86_REG_RIP, 0x1D70)
    if cpu.eip != 0x1D70 or cpu.a20_mask != -1:
        raise _unsupported("RIP or the A20 mask is not where it should be")
    engine.reg_write(x86_const.UC_X86_REG_RIP, 0)


def _prove_segments(engine: Engine, cpu: CpuState) -> None:
    for index, register in enumerate(_SEGMENTS):
        before = cpu.segs[index].selector
        cpu.segs[index].selector = 0x1D70 + 8 * index
        if engine.reg_read(register) != 0x1D70 + 8 * index:
            raise _unsupported(f"segment register {index} is not where it should be")
        cpu.segs[index].selector = before
    for register, cache in ((x86_const.UC_X86_REG_LDTR, cpu.ldt), (x86_const.UC_X86_REG_TR, cpu.tr)):
        before = cache.selector, cache.base, cache.limit, cache.flags
        cache.selector, cache.base, cache.limit, cache.flags = 0x1D70, 0x1D70_3000, 0x456, 0x8900
        if engine.reg_read(register) != (0x1D70, 0x1D70_3000, 0x456, 0x8900):
            raise _unsupported("LDTR or TR is not where it should be")
        cache.selector, cache.base, cache.limit, cache.flags = before


def _prove_flags(engine: Engine, cpu: CpuState) -> None:
    """CF as the engine takes it apart, and hflags by the two bits that a handle for 64-bit code has from the start."""
    cpu.eflags, cpu.cc_src, cpu.cc_op, cpu.df = 0x602, 0x1, 1, -1
    if engine.reg_read(x86_const.UC_X86_REG_RFLAGS) != 0x603:
        raise _unsupported("RFLAGS is not where it should be")
    cpu.eflags, cpu.cc_src, cpu.df = 0x2, 0, 1
    if cpu.hflags & _HFLAGS_64 != _HFLAGS_64:
        raise _unsupported("its summary of the processor mode is not where it should be")


def _find_exception_state(engine: Engine, address: int) -> ExceptionState:
    marks = (0x1D70_0000_0000_DB00, 0x1D70_0000_0000_DB01)
    for register, mark in zip((x86_const.UC_X86_REG_DR0, x86_const.UC_X86_REG_DR1), marks, strict=True):
        engine.reg_write(register, mark)
    offset = ctypes.string_at(address, _STATE_BYTES).find(struct.pack("<2Q", *marks))
    for register in (x86_const.UC_X86_REG_DR0, x86_const.UC_X86_REG_DR1):
        engine.reg_write(register, 0)
    if offset < 16:
        raise _unsupported("its debug registers were not found")
    found = ExceptionState.from_address(address + offset - ExceptionState.dr.offset)
    if found.old_exception != -1 or found.intercept or found.vm_vmcb:
        raise _unsupported("its exception state is not where it should be")
    return found


def _find_counter(engine: Engine, handle: int) -> ctypes.c_uint64:
    """The counter has no getter: run two known counts of NOPs and look for the word that followed both."""
    page = 0x1000
    engine.mem_map(0, page)
    engine.mem_write(0, b"\x90" * page)
    candidates: set[int] | None = None
    for count in (1237, 523):
        engine.emu_start(0, page, count=count)
        words = ctypes.string_at(handle, _HANDLE_BYTES)
        here = {at for at in range(0, _HANDLE_BYTES, 8) if struct.unpack_from("<Q", words, at)[0] == count + 1}
        candidates = here if candidates is None else candidates & here
    engine.mem_unmap(0, page)
    engine.reg_write(x86_const.UC_X86_REG_RIP, 0)
    if not candidates or len(candidates) != 1:
        raise _unsupported("its instruction counter was not found")
    return ctypes.c_uint64.from_address(handle + candidates.pop())


def _limit_behind(counter: ctypes.c_uint64) -> ctypes.c_uint64:
    """The word behind the counter, which has just gone one beyond it."""
    found = ctypes.c_uint64.from_address(ctypes.addressof(counter) + 8)
    if found.value != counter.value - 1:
        raise _unsupported("the limit of its instruction counter was not found")
    return found


def _find_interrupt_request(engine: Engine, handle: int, cpu: CpuState, exception: ExceptionState) -> ctypes.c_uint32:
    """In the CPU object, whose state stands close behind it: the word behind `cflags_next_tb`, which holds -1."""
    state = ctypes.addressof(cpu)
    words = ctypes.string_at(handle, _HANDLE_BYTES)
    behind = [word for (word,) in struct.iter_unpack("<Q", words) if 0 < state - word < _OBJECT_BYTES]
    start = max(behind, default=0)
    head = struct.unpack(f"<{_HEAD_WORDS}I", ctypes.string_at(start, 4 * _HEAD_WORDS)) if start else ()
    places = [at for at in range(len(head) - 2) if head[at : at + 3] == (0xFFFFFFFF, 0, 0)]
    if len(places) != 1:
        raise _unsupported("its interrupt request was not found")
    request = ctypes.c_uint32.from_address(start + 4 * places[0] + 4)
    _prove_window(engine, cpu, exception, request)
    return request


_HEAD_WORDS = 32


def _prove_window(engine: Engine, cpu: CpuState, exception: ExceptionState, request: ctypes.c_uint32) -> None:
    """With a request and IF=0, STI and the instruction behind it run, and then the engine stops for the interrupt."""
    page, stops = 0x1000, []

    def on_window(_engine: object, number: int, _data: object) -> None:
        stops.append((number, cpu.eip))
        request.value = 0
        engine.emu_stop()

    engine.mem_map(0, page)
    engine.mem_write(0, b"\x90\xfb" + b"\x90" * 8)
    hook = engine.hook_add(UC_HOOK_INTR, on_window)
    hflags, eflags = cpu.hflags, cpu.eflags
    exception.intercept, cpu.hflags, cpu.eflags = INTERCEPT_INTR, hflags | GUEST, 2
    request.value = INTERRUPT_HARD
    engine.emu_start(0, page, count=6)
    request.value = exception.intercept = 0
    cpu.hflags, cpu.eflags, cpu.eip = hflags, eflags, 0
    exception.old_exception = -1
    engine.hook_del(hook)
    engine.mem_unmap(0, page)
    engine.ctl_flush_tb()
    if stops != [(WINDOW, 3)]:
        raise _unsupported("its interrupt request is not where it should be")
