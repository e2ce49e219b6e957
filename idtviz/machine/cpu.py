"""The processor: one Unicorn handle, stepped or run, stopping at everything that idtviz does itself.

Interrupts, IRET, HLT and RDTSC are ours. Unicorn stops for an exception by its hook. For INT n, INT1 and the other three the
engine's SVM intercepts are switched on, so that a run at full speed stops in front of each exactly as a single step does.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

import unicorn
from unicorn import Uc, UcError, x86_const
from unicorn.unicorn_py3.unicorn import UcContext

from idtviz.machine import layout
from idtviz.machine.memory import Memory
from idtviz.machine.registers import Registers, Segment, Table
from idtviz.x86 import flags
from idtviz.x86.addresses import MASK64

ReadPort = Callable[[int, int], int]
"""(port, size in bytes) -> value"""
WritePort = Callable[[int, int, int], None]
"""(port, size in bytes, value)"""

_PHYSICAL_LIMIT = 1 << 40

# AMD APM vol. 2, appendix C: intercept codes; the engine reports code n as exception 0x100 + n.
_INTERCEPT_BASE = 0x60
_KINDS = {0x6E: "TIME_STAMP", 0x74: "IRET", 0x75: "SOFTWARE", 0x78: "HALT", 0x87: "TIME_STAMP", 0x88: "DEBUG_TRAP"}
_GUEST = 1 << 21  # hflags: intercepts are consulted
_SHADOW = 1 << 3  # hflags: STI or MOV SS holds interrupts off for one instruction

_CS32, _SS32, _ADDSEG, _CS64 = 1 << 4, 1 << 5, 1 << 6, 1 << 15
_SEGMENT_ORDER = ("es", "cs", "ss", "ds", "fs", "gs")
_STATUS_FLAGS = flags.CF | flags.PF | flags.AF | flags.ZF | flags.SF | flags.OF
_CC_OP_EFLAGS = 1


class TrapKind(Enum):
    """Why the engine stopped in front of, or right behind, an instruction."""

    EXCEPTION = "exception"
    SOFTWARE = "INT n, INT3 or INTO"
    DEBUG_TRAP = "INT1"
    HALT = "HLT"
    IRET = "IRET"
    TIME_STAMP = "RDTSC or RDTSCP"


@dataclass(frozen=True, slots=True)
class Trap:
    """What stopped the engine; RIP is in front of the instruction. `vector` and `error_code` are those of an EXCEPTION."""

    kind: TrapKind
    vector: int = 0
    error_code: int = 0


class Cpu:
    """One x86-64 processor over `memory` and the I/O ports."""

    def __init__(self, memory: Memory, read_port: ReadPort, write_port: WritePort) -> None:
        self._uc = Uc(unicorn.UC_ARCH_X86, unicorn.UC_MODE_64)
        found = layout.locate(self._uc)
        self._memory = memory
        self._read_port = read_port
        self._write_port = write_port
        self._state = found.cpu
        self._exception = found.exception
        self._counter = found.counter
        self._trap: Trap | None = None
        self._stopped = False
        self._hook_error: BaseException | None = None
        self._start = self._uc.emu_start
        self._map(memory)
        self._hook()
        memory.on_write = self._drop_translations

    def _map(self, memory: Memory) -> None:
        self._uc.mem_map_ptr(0, memory.size, unicorn.UC_PROT_ALL, memory.host_address)
        hole = _PHYSICAL_LIMIT - memory.size
        self._uc.mmio_map(memory.size, hole, lambda uc, offset, size, data: (1 << 8 * size) - 1, None, _drop, None)

    def _hook(self) -> None:
        uc: Any = self._uc
        uc.ctl_exits_enabled(True)
        uc.ctl_set_exits([])
        uc.hook_add(unicorn.UC_HOOK_INTR, self._on_exception)
        uc.hook_add(unicorn.UC_HOOK_INSN, self._on_in, None, 1, 0, x86_const.UC_X86_INS_IN)
        uc.hook_add(unicorn.UC_HOOK_INSN, self._on_out, None, 1, 0, x86_const.UC_X86_INS_OUT)
        self._exception.intercept = sum(1 << code - _INTERCEPT_BASE for code in _KINDS)
        self._state.hflags |= _GUEST

    # Running

    @property
    def trap(self) -> Trap | None:
        """What ended the last `run`, if anything did."""
        return self._trap

    def run(self, count: int) -> int:
        """Run at most `count` instructions; returns how many completed. Look at `trap` for what stopped it."""
        self._trap = None
        self._stopped = False
        try:
            self._start(self._state.eip, 0, 0, count)
        except UcError as error:
            self._trap = self._trap_of(error)
        if self._hook_error is not None:
            error_, self._hook_error = self._hook_error, None
            raise error_
        begun = self._counter.value
        if self._trap is not None or self._stopped or begun > count:
            return begun - 1
        return begun  # an exit address: nothing was begun there

    def request_stop(self) -> None:
        """From a port access: end the run behind the instruction that made it."""
        self._stopped = True
        self._uc.emu_stop()

    @property
    def begun(self) -> int:
        """During a port access: instructions begun in this run, the accessing one included."""
        return self._counter.value

    def set_breakpoints(self, addresses: list[int]) -> None:
        """Addresses (RIP) in front of which `run` ends, at full speed."""
        self._uc.ctl_set_exits(addresses)

    def _on_exception(self, uc: Uc, number: int, user: object) -> None:
        exception = self._exception
        if number >= 0x100:
            self._trap = Trap(TrapKind[_KINDS[number - 0x100]])
        else:
            self._trap = Trap(TrapKind.EXCEPTION, number, exception.error_code & 0xFFFFFFFF)
        # Or the next fault would arrive as a double fault: that test is ours.
        exception.old_exception = -1
        uc.emu_stop()

    def _trap_of(self, error: UcError) -> Trap:
        """An engine error, as the exception that a processor raises there."""
        self._exception.old_exception = -1
        if error.errno in _UNDEFINED:
            return Trap(TrapKind.EXCEPTION, 6)
        raise error

    def _on_in(self, uc: Uc, port: int, size: int, user: object) -> int:
        try:
            return self._read_port(port, size)
        except BaseException as error:  # noqa: BLE001 -- carried over the engine's C frames and raised again in run()
            self._hook_error = error
            uc.emu_stop()
            return 0

    def _on_out(self, uc: Uc, port: int, size: int, value: int, user: object) -> None:
        try:
            self._write_port(port, size, value)
        except BaseException as error:  # noqa: BLE001 -- as above
            self._hook_error = error
            uc.emu_stop()

    def _drop_translations(self, address: int, size: int) -> None:
        """Neither a write through the map nor one through the API tells the engine that code may have changed."""
        self._uc.ctl_flush_tb()

    def forget_code(self, linear: int, size: int) -> None:
        """Bytes at `linear` were written by a delivery: drop what was translated from them.

        The engine looks the page up as a fetch of ring 0. A page that may not be fetched holds no translated code.
        """
        state, exception = self._state, self._exception
        cr2, hflags = state.cr[2], state.hflags
        state.hflags &= ~3
        self._uc.ctl_remove_cache(linear, linear + size)
        state.hflags = hflags
        state.cr[2] = cr2
        exception.old_exception = -1

    # Registers

    @property
    def rip(self) -> int:
        """The offset of the next instruction."""
        return self._state.eip

    @rip.setter
    def rip(self, value: int) -> None:
        self._state.eip = value

    @property
    def interrupts_enabled(self) -> bool:
        """IF is set and no STI or MOV SS shadow holds interrupts off."""
        return bool(self._state.eflags & flags.IF) and not self._state.hflags & _SHADOW

    @property
    def cr2(self) -> int:
        return self._state.cr[2]

    @cr2.setter
    def cr2(self, value: int) -> None:
        self._state.cr[2] = value

    def retire(self, length: int) -> None:
        """An instruction of `length` bytes that idtviz performed itself has completed: RIP moves, RF and the shadow end."""
        state = self._state
        state.eip = state.eip + length & MASK64
        state.hflags &= ~(_SHADOW | flags.RF)
        state.eflags &= ~flags.RF

    def set_time_stamp(self, ticks: int, *, processor_id: bool) -> None:
        """EDX:EAX := `ticks`, as RDTSC leaves it; for RDTSCP also ECX := IA32_TSC_AUX (`processor_id`)."""
        self._state.regs[0] = ticks & 0xFFFFFFFF
        self._state.regs[2] = ticks >> 32 & 0xFFFFFFFF
        if processor_id:
            self._state.regs[1] = self._uc.msr_read(_TSC_AUX) & 0xFFFFFFFF

    def run_native(self) -> int:
        """Run one instruction that is otherwise ours (IRET outside long mode) as the engine does it."""
        self._exception.intercept, ours = 0, self._exception.intercept
        self._uc.ctl_flush_tb()
        try:
            return self.run(1)
        finally:
            self._exception.intercept = ours

    def registers(self) -> Registers:
        """All registers, as a value."""
        state = self._state
        segments = [Segment(cache.selector, cache.base, cache.limit, cache.flags) for cache in state.segs]
        ldt, tr, gdt, idt = state.ldt, state.tr, state.gdt, state.idt
        control_registers = state.cr
        rflags = (
            state.cc_src & _STATUS_FLAGS | state.eflags & ~_STATUS_FLAGS | (flags.DF if state.df < 0 else 0)
            if state.cc_op == _CC_OP_EFLAGS
            else self._uc.reg_read(x86_const.UC_X86_REG_RFLAGS)
        )
        return Registers(
            general=tuple(state.regs),
            rip=state.eip,
            rflags=rflags | 2,
            cpl=state.hflags & 3,
            es=segments[0],
            cs=segments[1],
            ss=segments[2],
            ds=segments[3],
            fs=segments[4],
            gs=segments[5],
            ldtr=Segment(ldt.selector, ldt.base, ldt.limit, ldt.flags),
            tr=Segment(tr.selector, tr.base, tr.limit, tr.flags),
            gdtr=Table(gdt.base, gdt.limit),
            idtr=Table(idt.base, idt.limit),
            cr0=control_registers[0],
            cr2=control_registers[2],
            cr3=control_registers[3],
            cr4=control_registers[4],
            efer=state.efer,
            interrupt_shadow=bool(state.hflags & _SHADOW),
        )

    def load(self, registers: Registers, before: Registers | None = None) -> None:
        """Make `registers` the processor's. What equals `before` (the present state) is left as it is."""
        state = self._state
        for index, value in enumerate(registers.general):
            state.regs[index] = value
        state.eip = registers.rip
        self._load_flags(registers.rflags)
        for cache, name in zip(state.segs, _SEGMENT_ORDER, strict=True):
            segment: Segment = getattr(registers, name)
            if before is None or segment is not getattr(before, name):
                _store(cache, segment)
        if before is None or registers.tr is not before.tr:
            _store(state.tr, registers.tr)
        if before is None or registers.ldtr is not before.ldtr:
            _store(state.ldt, registers.ldtr)
        state.gdt.base, state.gdt.limit = registers.gdtr.base, registers.gdtr.limit
        state.idt.base, state.idt.limit = registers.idtr.base, registers.idtr.limit
        if before is None or _paging(registers) != _paging(before):
            self._load_control(registers)
        state.cr[2] = registers.cr2
        self._derive_hflags(registers)

    def _load_flags(self, rflags: int) -> None:
        state = self._state
        state.cc_src = rflags & _STATUS_FLAGS
        state.cc_op = _CC_OP_EFLAGS
        state.df = -1 if rflags & flags.DF else 1
        state.eflags = rflags & ~(_STATUS_FLAGS | flags.DF)

    def _load_control(self, registers: Registers) -> None:
        uc = self._uc
        uc.reg_write(x86_const.UC_X86_REG_CR4, registers.cr4)
        uc.msr_write(_EFER, registers.efer)
        uc.reg_write(x86_const.UC_X86_REG_CR3, registers.cr3)
        uc.reg_write(x86_const.UC_X86_REG_CR0, registers.cr0)

    def _derive_hflags(self, registers: Registers) -> None:
        """The engine's summary of CS, SS, CR0 and RFLAGS that selects how code is translated."""
        hflags = self._state.hflags & ~(
            3 | _SHADOW | _CS32 | _SS32 | _ADDSEG | _CS64 | flags.TF | flags.IOPL | flags.RF | flags.VM
        )
        hflags |= registers.cpl | _GUEST | registers.rflags & (flags.TF | flags.IOPL | flags.RF | flags.VM)
        if registers.interrupt_shadow:
            hflags |= _SHADOW
        if registers.mode == "long":
            hflags |= _CS32 | _SS32 | _CS64
        else:
            hflags |= _CS32 if registers.cs.flags & Segment.CODE_32 else 0
            hflags |= _SS32 if registers.ss.flags & Segment.CODE_32 else 0
            flat = registers.mode in ("protected", "compatibility") and registers.cs.flags & Segment.CODE_32
            if not flat or registers.ds.base or registers.es.base or registers.ss.base:
                hflags |= _ADDSEG
        self._state.hflags = hflags

    # State as a whole

    def snapshot(self) -> UcContext:
        """The complete processor state."""
        return self._uc.context_save()

    def restore(self, snapshot: UcContext) -> None:
        """Back to `snapshot`; RAM is the caller's. Translations and the TLB are dropped."""
        self._uc.context_restore(snapshot)
        self._uc.reg_write(x86_const.UC_X86_REG_CR3, self._state.cr[3])
        self._uc.ctl_flush_tb()

    def digest_into(self, digest: hashlib._Hash) -> None:
        """Feed every architectural register, in a fixed order, to `digest`."""
        at = self.registers()
        words = [*at.general, at.rip, at.rflags, at.cpl, at.cr0, at.cr2, at.cr3, at.cr4, at.efer, at.interrupt_shadow]
        for segment in (at.es, at.cs, at.ss, at.ds, at.fs, at.gs, at.ldtr, at.tr):
            words += [segment.selector, segment.base, segment.limit, segment.flags]
        words += [at.gdtr.base, at.gdtr.limit, at.idtr.base, at.idtr.limit]
        words += [self._exception.dr[index] for index in (0, 1, 2, 3, 6, 7)]
        words += [self._uc.msr_read(number) for number in _DIGESTED_MSRS]
        words += [int(self._uc.reg_read(number)) for number in _DIGESTED_WORDS]
        digest.update(struct.pack(f"<{len(words)}Q", *words))
        for number in _DIGESTED_VECTORS:
            digest.update(repr(self._uc.reg_read(number)).encode())


def _drop(uc: Uc, offset: int, size: int, value: int, data: object) -> None:
    """A write that nothing answers."""


def _store(cache: layout.SegmentCache, segment: Segment) -> None:
    cache.selector, cache.base, cache.limit, cache.flags = segment.selector, segment.base, segment.limit, segment.flags


def _paging(registers: Registers) -> tuple[int, ...]:
    return registers.cr0, registers.cr3, registers.cr4, registers.efer


_EFER = 0xC0000080
_TSC_AUX = 0xC0000103
# A fetch from the empty bus reads FF FF: an undefined opcode.
_UNDEFINED = (unicorn.UC_ERR_INSN_INVALID, unicorn.UC_ERR_FETCH_PROT, unicorn.UC_ERR_FETCH_UNMAPPED)
_DIGESTED_MSRS = (
    *(0x174, 0x175, 0x176, 0x277),  # SYSENTER_CS, _ESP, _EIP, PAT
    *(0xC0000081, 0xC0000082, 0xC0000083, 0xC0000084),  # STAR, LSTAR, CSTAR, FMASK
    *(0xC0000102, 0xC0000103),  # KERNEL_GS_BASE, TSC_AUX
)
_DIGESTED_WORDS = (
    x86_const.UC_X86_REG_FPSW,
    x86_const.UC_X86_REG_FPCW,
    x86_const.UC_X86_REG_FPTAG,
    x86_const.UC_X86_REG_MXCSR,
)
_DIGESTED_VECTORS = (
    *(x86_const.UC_X86_REG_FP0 + index for index in range(8)),
    *(x86_const.UC_X86_REG_XMM0 + index for index in range(16)),
)
