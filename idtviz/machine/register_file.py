"""The registers, read and written in place in the engine's own state."""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable, Sequence

from unicorn import UC_CTL_IO_WRITE, UC_CTL_TLB_FLUSH, x86_const

from idtviz.machine import layout
from idtviz.machine.delivery.system_call import SystemCallMsrs
from idtviz.machine.engine import Engine
from idtviz.machine.registers import PagingRegisters, Registers, Segment, Table, VectorRegisters
from idtviz.x86 import control, flags
from idtviz.x86.addresses import MASK64

# Bits of hflags, the engine's summary of the processor's mode.
SHADOW = 1 << 3  # STI or MOV SS holds interrupts off for one instruction
_CS32, _SS32, _ADDSEG, _LMA = 1 << 4, 1 << 5, 1 << 6, 1 << 14
CS64 = 1 << 15  # 64-bit mode

CC_OP_EFLAGS = 1
_DR6 = 6
_SEGMENT_ORDER = ("es", "cs", "ss", "ds", "fs", "gs")
_CS = 1
_CACHE = struct.Struct("<I4xQII")  # SegmentCache
_SEGMENTS = 8  # with LDTR and TR behind the six; GDTR and IDTR follow
_CACHES = _SEGMENTS + 2
STATUS_FLAGS = flags.CF | flags.PF | flags.AF | flags.ZF | flags.SF | flags.OF


class RegisterFile:
    """Every register of the processor behind `engine`."""

    def __init__(self, engine: Engine) -> None:
        found = layout.locate(engine)
        self._uc = engine
        self._state = found.cpu
        self._exception = found.exception
        self._counter = found.counter
        self._limit = found.limit
        self._request = found.interrupt_request
        self._caches_at = ctypes.addressof(found.cpu.segs)
        self._caches_raw = b""
        """The segment caches and table registers that these were made from:"""
        self._segments: tuple[Segment, ...] = ()
        self._tables = Table(0, 0), Table(0, 0)
        self._status = int(found.exception.dr[6])
        """DR6; the engine writes its own to it where it single-steps, which idtviz does in its time."""
        self.changed = True
        """Set where registers were written from outside the running code, until someone takes note."""

    @property
    def rip(self) -> int:
        """The offset of the next instruction."""
        value: int = self._state.eip
        return value

    @rip.setter
    def rip(self, value: int) -> None:
        self._state.eip = value

    @property
    def cpl(self) -> int:
        """The current privilege level, 0 to 3."""
        level: int = self._state.hflags & 3
        return level

    @property
    def protection_enabled(self) -> bool:
        """CR0.PE: not real mode."""
        return bool(self._state.cr[0] & control.CR0_PE)

    @property
    def interrupts_enabled(self) -> bool:
        """IF is set and no STI or MOV SS shadow holds interrupts off."""
        return bool(self._state.eflags & flags.IF) and not self._state.hflags & SHADOW

    def cast_interrupt_shadow(self, *, cast: bool) -> None:
        """Have interrupts held off until one more instruction has completed, or not any more."""
        self._state.hflags = self._state.hflags & ~SHADOW | (SHADOW if cast else 0)

    @property
    def interrupt_flag(self) -> bool:
        """RFLAGS.IF."""
        return bool(self._state.eflags & flags.IF)

    @property
    def interrupt_shadow(self) -> bool:
        """STI or MOV SS holds interrupts off until one more instruction has completed (SDM 3A 6.8.1, 6.8.3)."""
        return bool(self._state.hflags & SHADOW)

    @property
    def single_steps(self) -> bool:
        """TF is set: #DB behind the next instruction."""
        return bool(self._state.eflags & flags.TF)

    @property
    def cr2(self) -> int:
        value: int = self._state.cr[2]
        return value

    @cr2.setter
    def cr2(self, value: int) -> None:
        self._state.cr[2] = value

    def debug_register(self, index: int) -> int:
        """DR`index`: 0-3, 6 (status) or 7 (control)."""
        value: int = self._exception.dr[index]
        return value

    def debug_registers(self) -> tuple[int, int, int, int, int]:
        """DR0 to DR3, and DR7."""
        dr = self._exception.dr
        return dr[0], dr[1], dr[2], dr[3], dr[7]

    def set_debug_register(self, index: int, value: int) -> None:
        """DR`index`: 0-3, 6 or 7; the engine itself takes no notice of them."""
        self._exception.dr[index] = value
        if index == _DR6:
            self._status = value
        self.changed = True

    @property
    def general(self) -> Sequence[int]:
        """The general registers as they are, in encoding order; during a run too."""
        registers: Sequence[int] = self._state.regs
        return registers

    def segment_base(self, name: str) -> int:
        """The base of a segment register, as addresses are made with it: in 64-bit mode only FS and GS have one."""
        if self._state.hflags & CS64 and name not in ("fs", "gs"):
            return 0
        base: int = self._state.segs[_SEGMENT_ORDER.index(name)].base
        return base

    def set_general(self, index: int, value: int) -> None:
        """A general register, by its number in encoding order."""
        self._state.regs[index] = value

    def system_call_msrs(self) -> SystemCallMsrs:
        """The model-specific registers that SYSCALL and SYSENTER go by."""
        read = self._uc.msr_read
        return SystemCallMsrs(
            star=read(0xC0000081),
            lstar=read(0xC0000082),
            cstar=read(0xC0000083),
            fmask=read(0xC0000084),
            sysenter_cs=read(0x174),
            sysenter_esp=read(0x175),
            sysenter_eip=read(0x176),
        )

    def paging_registers(self) -> PagingRegisters:
        """The registers that decide how a linear address is translated."""
        state = self._state
        cr = state.cr
        return PagingRegisters(cr[0], cr[3], cr[4], state.efer)

    def code_base(self) -> int:
        """What is added to RIP: 64-bit mode takes the base of CS as 0 (SDM 3A 3.2.4)."""
        base: int = 0 if self._state.hflags & CS64 else self._state.segs[1].base
        return base

    @property
    def cr3(self) -> int:
        value: int = self._state.cr[3]
        return value

    def retire(self, length: int) -> None:
        """An instruction of `length` bytes that idtviz performed has completed: RIP moves, RF and the shadow end."""
        state = self._state
        state.eip = (state.eip + length) & MASK64
        state.hflags &= ~(SHADOW | flags.RF)
        state.eflags &= ~flags.RF

    def read_msr(self, number: int) -> int:
        """A model-specific register that the engine keeps."""
        return int(self._uc.msr_read(number))

    def write_msr(self, number: int, value: int) -> None:
        """A model-specific register that the engine keeps, and a value that it can hold."""
        self._uc.msr_write(number, value)

    def set_a20(self, level: bool) -> None:
        """Drive the A20M# pin: where it is low, bit 20 of every physical address is 0 (SDM 3A 9.9.3 note)."""
        mask = -1 if level else ~(1 << 20)
        if self._state.a20_mask == mask:
            return
        self._state.a20_mask = mask
        self.flush_tlb()
        self._uc.ctl_flush_tb()

    def flush_tlb(self) -> None:
        """Forget every translation of a linear address: paging structures may have been changed from outside."""
        self._uc.ctl(UC_CTL_TLB_FLUSH, UC_CTL_IO_WRITE)

    def registers(self) -> Registers:
        """All registers, as a value."""
        state = self._state
        raw = ctypes.string_at(self._caches_at, _CACHES * _CACHE.size)
        if raw != self._caches_raw:
            self._caches_raw = raw
            self._segments = tuple(Segment(*_CACHE.unpack_from(raw, _CACHE.size * at)) for at in range(_SEGMENTS))
            gdt, idt = (_CACHE.unpack_from(raw, _CACHE.size * (_SEGMENTS + at)) for at in range(2))
            self._tables = Table(gdt[1], gdt[2]), Table(idt[1], idt[2])
        segments = self._segments
        control_registers = state.cr
        return Registers(
            general=tuple(state.regs),
            rip=state.eip,
            rflags=state.eflags | flags.ALWAYS_SET,
            cpl=state.hflags & 3,
            es=segments[0],
            cs=segments[1],
            ss=segments[2],
            ds=segments[3],
            fs=segments[4],
            gs=segments[5],
            ldtr=segments[6],
            tr=segments[7],
            gdtr=self._tables[0],
            idtr=self._tables[1],
            cr0=control_registers[0],
            cr2=control_registers[2],
            cr3=control_registers[3],
            cr4=control_registers[4],
            efer=state.efer,
            interrupt_shadow=bool(state.hflags & SHADOW),
        )

    def load(self, registers: Registers, before: Registers | None = None) -> None:
        """Make `registers` the processor's. What equals `before` (the present state) is left as it is."""
        self.changed = True
        state = self._state
        state.regs[:] = registers.general
        state.eip = registers.rip
        self._load_flags(registers.rflags)
        for cache, name in zip(state.segs, _SEGMENT_ORDER, strict=True):
            segment: Segment = getattr(registers, name)
            if before is None or segment is not getattr(before, name):
                _store(cache, segment)
        if registers.mode == "long":
            # 64-bit mode takes it as 0 (SDM 3A 3.4.4); the engine would fetch from base + RIP there too.
            state.segs[_CS].base = 0
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
        """Between two runs all flags stand in `eflags`; when one begins the engine takes some of them apart again."""
        state = self._state
        state.cc_src = rflags & STATUS_FLAGS
        state.cc_op = CC_OP_EFLAGS
        state.df = -1 if rflags & flags.DF else 1
        state.eflags = rflags

    def _load_control(self, registers: Registers) -> None:
        uc = self._uc
        uc.reg_write(x86_const.UC_X86_REG_CR4, registers.cr4)
        uc.msr_write(_EFER, registers.efer)
        uc.reg_write(x86_const.UC_X86_REG_CR3, registers.cr3)
        uc.reg_write(x86_const.UC_X86_REG_CR0, registers.cr0)
        # The engine itself changes LMA only where CR0.PG changes.
        self._state.efer = registers.efer

    def _derive_hflags(self, registers: Registers) -> None:
        """The engine's summary of CS, SS, CR0 and RFLAGS that selects how code is translated."""
        hflags = self._state.hflags & ~(
            3 | SHADOW | _CS32 | _SS32 | _ADDSEG | _LMA | CS64 | flags.TF | flags.IOPL | flags.RF | flags.VM
        )
        hflags |= registers.cpl | layout.GUEST | registers.rflags & (flags.TF | flags.IOPL | flags.RF | flags.VM)
        if registers.interrupt_shadow:
            hflags |= SHADOW
        if registers.efer & control.EFER_LMA:
            hflags |= _LMA
        if registers.mode == "long":
            hflags |= _CS32 | _SS32 | CS64
        else:
            hflags |= _CS32 if registers.cs.flags & Segment.CODE_32 else 0
            hflags |= _SS32 if registers.ss.flags & Segment.CODE_32 else 0
            flat = registers.mode in ("protected", "compatibility") and registers.cs.flags & Segment.CODE_32
            if not flat or registers.ds.base or registers.es.base or registers.ss.base:
                hflags |= _ADDSEG
        self._state.hflags = hflags

    def vector_registers(self) -> VectorRegisters:
        """x87 and SSE registers, as a value."""
        read = self._uc.reg_read
        return VectorRegisters(
            tuple(int(read(x86_const.UC_X86_REG_XMM0 + index)) for index in range(16)),
            tuple(read(x86_const.UC_X86_REG_FP0 + index) for index in range(8)),
            tuple(int(read(number)) for number in _DIGESTED_WORDS),
        )

    def set_vector_registers(self, xmm: Sequence[int], mxcsr: int) -> None:
        """XMM0 and those behind it, and MXCSR."""
        for index, value in enumerate(xmm):
            self._uc.reg_write(x86_const.UC_X86_REG_XMM0 + index, value)
        self._uc.reg_write(x86_const.UC_X86_REG_MXCSR, mxcsr)

    def digest_into(self, update: Callable[[bytes], object]) -> None:
        """Feed every architectural register, in a fixed order, to a hash's `update`."""
        at = self.registers()
        words = [*at.general, at.rip, at.rflags, at.cpl, at.cr0, at.cr2, at.cr3, at.cr4, at.efer, at.interrupt_shadow]
        for segment in (at.es, at.cs, at.ss, at.ds, at.fs, at.gs, at.ldtr, at.tr):
            words += [segment.selector, segment.base, segment.limit, segment.flags]
        words += [at.gdtr.base, at.gdtr.limit, at.idtr.base, at.idtr.limit]
        words += [self._exception.dr[index] for index in (0, 1, 2, 3, 6, 7)]
        words += [self._uc.msr_read(number) for number in _DIGESTED_MSRS]
        words += [int(self._uc.reg_read(number)) for number in _DIGESTED_WORDS]
        update(struct.pack(f"<{len(words)}Q", *words))
        for number in _DIGESTED_VECTORS:
            update(repr(self._uc.reg_read(number)).encode())


def _store(cache: layout.SegmentCache, segment: Segment) -> None:
    cache.selector, cache.base, cache.limit, cache.flags = segment.selector, segment.base, segment.limit, segment.flags


def _paging(registers: Registers) -> tuple[int, ...]:
    return registers.cr0, registers.cr3, registers.cr4, registers.efer


_EFER = 0xC0000080
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
