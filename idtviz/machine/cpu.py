"""The processor: one Unicorn handle, stepped or run, stopping at everything that idtviz does itself.

Interrupts, IRET, HLT and RDTSC are ours. Unicorn stops for an exception by its hook. For INT n and the other three the
engine's SVM intercepts are switched on, so that a run at full speed stops in front of each as a single step does.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

import unicorn
from unicorn import x86_const

from idtviz.machine import layout, operands
from idtviz.machine.engine import EngineError, Snapshot, open_engine
from idtviz.machine.memory import PAGE, LinearMemory, Memory
from idtviz.machine.registers import Registers, Segment, Table
from idtviz.x86 import control, flags
from idtviz.x86.addresses import MASK64, is_canonical
from idtviz.x86.error_codes import PageFaultCode
from idtviz.x86.vectors import VECTORS

ReadPort = Callable[[int, int], int]
"""(port, size in bytes) -> value"""
WritePort = Callable[[int, int, int], None]
"""(port, size in bytes, value)"""

_PHYSICAL_LIMIT = 1 << 40

# AMD APM vol. 2, appendix C: intercept codes; the engine reports code n as exception 0x100 + n.
_INTERCEPT_BASE = 0x60
_KINDS = {0x6E: "TIME_STAMP", 0x74: "IRET", 0x75: "SOFTWARE", 0x78: "HALT", 0x87: "TIME_STAMP"}
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
    HALT = "HLT"
    IRET = "IRET"
    TIME_STAMP = "RDTSC or RDTSCP"
    SYSTEM_CALL = "SYSCALL or SYSENTER"


@dataclass(frozen=True, slots=True)
class Trap:
    """What stopped the engine. RIP is in front of the instruction, for a single-step #DB behind it.

    `vector` and `error_code` are those of an EXCEPTION.
    """

    kind: TrapKind
    vector: int = 0
    error_code: int = 0

    @property
    def name(self) -> str:
        """`#PF`, or the instruction."""
        return VECTORS[self.vector].mnemonic if self.kind is TrapKind.EXCEPTION else self.kind.value


class Cpu:
    """One x86-64 processor over `memory` and the I/O ports."""

    def __init__(self, memory: Memory, read_port: ReadPort, write_port: WritePort) -> None:
        self._uc = open_engine()
        found = layout.locate(self._uc)
        self._memory = memory
        self._read_port = read_port
        self._write_port = write_port
        self._state = found.cpu
        self._exception = found.exception
        self._counter = found.counter
        self._trap: Trap | None = None
        self._stopped_after: int | None = None
        self._hook_error: BaseException | None = None
        self._held_rip: int | None = None
        self._fetch_failed = False
        self._breakpoints: dict[int, int] = {}
        self._start = self._uc.emu_start
        self._map(memory)
        self._hook()
        memory.on_write = self._drop_translations

    def _map(self, memory: Memory) -> None:
        self._uc.mem_map_ptr(0, memory.size, unicorn.UC_PROT_ALL, memory.host_address)
        hole = _PHYSICAL_LIMIT - memory.size
        self._uc.mmio_map(memory.size, hole, _read_empty_bus, None, _write_empty_bus, None)

    def _hook(self) -> None:
        engine, instruction = self._uc, unicorn.UC_HOOK_INSN
        engine.ctl_exits_enabled(_ENABLED)
        engine.ctl_set_exits([])
        engine.hook_add(unicorn.UC_HOOK_INTR, self._on_exception)
        engine.hook_add(instruction, self._on_in, None, 1, 0, x86_const.UC_X86_INS_IN)
        engine.hook_add(instruction, self._on_out, None, 1, 0, x86_const.UC_X86_INS_OUT)
        engine.hook_add(instruction, self._on_syscall, None, 1, 0, x86_const.UC_X86_INS_SYSCALL)
        engine.hook_add(instruction, self._on_sysenter, None, 1, 0, x86_const.UC_X86_INS_SYSENTER)
        self._exception.intercept = sum(1 << code - _INTERCEPT_BASE for code in _KINDS)
        self._state.hflags |= _GUEST

    # Running

    @property
    def trap(self) -> Trap | None:
        """What ended the last `run`, if anything did."""
        return self._trap

    def run(self, count: int) -> int:
        """Run at most `count` instructions; returns how many completed. Look at `trap` for what stopped it."""
        cr2: int = self._state.cr[2]
        completed = self._run(count)
        if self._trap is None or not self._fetching():
            return completed
        # The engine translates ahead of what it runs: nothing was begun where the fetch failed, and what lies in front
        # of it on the page has still to be run. A fetch behind the last instruction asked for has not been tried yet.
        completed += 1
        start = self._start_of_unfetched()
        if completed == count or start != self._state.eip:
            self._trap = None
            self._state.cr[2] = cr2
        if completed < count and start != self._state.eip:
            completed += self._run_up_to(start, count - completed)
        return completed

    def _fetching(self) -> bool:
        """Whether what stopped the engine is the fetch of an instruction, and not its execution."""
        trap, state = self._trap, self._state
        assert trap is not None
        if trap.kind is not TrapKind.EXCEPTION:
            return False
        if trap.vector == _PROTECTION:
            return not is_canonical(state.eip)
        if trap.vector == _UNDEFINED_OPCODE:
            return self._fetch_failed
        if trap.vector != _PAGE_FAULT:
            return False
        if state.efer & control.EFER_NXE or state.cr[4] & control.CR4_SMEP:
            return bool(trap.error_code & PageFaultCode.fetch.mask)
        # Without these the error code does not tell. A fetch fails at RIP, or where the next page begins.
        ahead: int = state.cr[2] - (state.segs[1].base + state.eip)
        return ahead == 0 or (0 < ahead < PAGE and state.cr[2] % PAGE == 0)

    def _start_of_unfetched(self) -> int:
        """RIP of the instruction that could not be fetched: the one at RIP now, or a later one on its page."""
        trap, state = self._trap, self._state
        assert trap is not None
        rip: int = state.eip
        base: int = state.segs[1].base
        length = state.cr[2] - (rip + base)
        if trap.vector != _PAGE_FAULT or not 0 < length <= PAGE:
            return rip
        registers = self.registers()
        raw = LinearMemory(self._memory, registers).peek(rip + base, length)
        return rip if raw is None else rip + operands.whole_instructions(raw, registers)

    def _run_up_to(self, stop: int, count: int) -> int:
        """Run to the instruction at `stop`, which ends the translated block."""
        self._uc.ctl_set_exits([stop])
        completed = self._run(count)
        self._uc.ctl_set_exits([])
        self.forget_code(self._state.segs[1].base + stop, 1)
        if self._trap is not None and self._trap.kind is TrapKind.HALT and self._state.eip == stop:
            # The engine ends a run at an exit address by the code that performs HLT; nothing was begun there.
            self._trap = None
            return completed + 1
        return completed

    def _run(self, count: int) -> int:
        self._trap = None
        self._stopped_after = None
        self._fetch_failed = False
        try:
            self._start(self._state.eip, 0, 0, count)
        except EngineError as error:
            self._trap = self._trap_of(error)
        if self._hook_error is not None:
            error_, self._hook_error = self._hook_error, None
            raise error_
        if self._held_rip is not None:
            self._state.eip, self._held_rip = self._held_rip, None
        begun: int = self._counter.value
        trap = self._trap
        if trap is not None:
            # A single-step #DB comes behind the instruction that it is for; all else in front of it.
            return begun if trap.vector == _DEBUG else begun - 1
        return begun - 1 if self._stopped_after is None else self._stopped_after

    def request_stop(self) -> None:
        """From a port access: end the run behind the instruction that made it."""
        self._stopped_after = self._counter.value
        self._uc.emu_stop()

    @property
    def begun(self) -> int:
        """During a port access: instructions begun in this run, the accessing one included."""
        return self._counter.value

    def set_breakpoints(self, addresses: frozenset[int]) -> frozenset[int]:
        """Addresses (RIP) in front of which `run` ends, at full speed; returns those that come or go.

        The engine looks at them when it translates: code translated around one that came or went must be forgotten.
        """
        # Not the engine's exits: it looks up the page of each at every run, and so sets CR2 or accessed bits.
        changed = addresses ^ self._breakpoints.keys()
        for address in changed:
            if address in addresses:
                self._breakpoints[address] = self._uc.hook_add(
                    unicorn.UC_HOOK_CODE, self._on_breakpoint, None, address, address
                )
            else:
                self._uc.hook_del(self._breakpoints.pop(address))
        return changed

    def _on_breakpoint(self, _engine: object, _address: int, _size: int, _data: object) -> None:
        self._stopped_after = self._counter.value - 1
        self._uc.emu_stop()

    def _on_exception(self, _engine: object, number: int, _data: object) -> None:
        exception = self._exception
        if number >= 0x100:
            self._trap = Trap(TrapKind[_KINDS[number - 0x100]])
        else:
            self._trap = Trap(TrapKind.EXCEPTION, number, exception.error_code & 0xFFFFFFFF)
        # Or the next fault would arrive as a double fault: that test is ours.
        exception.old_exception = -1
        # A counted run works the flags out in front of each instruction. Unwinding forgets that: it puts back the name
        # of the operation that they came from, though its operands are gone.
        self._state.cc_op = _CC_OP_EFLAGS
        self._uc.emu_stop()

    def _on_syscall(self, _engine: object, _data: object) -> None:
        enabled = self._state.efer & control.EFER_SCE
        self._stop_in_front(Trap(TrapKind.SYSTEM_CALL) if enabled else Trap(TrapKind.EXCEPTION, _UNDEFINED_OPCODE))

    def _on_sysenter(self, _engine: object, _data: object) -> None:
        enabled = self._uc.msr_read(_SYSENTER_CS) & ~3 & 0xFFFF
        self._stop_in_front(Trap(TrapKind.SYSTEM_CALL) if enabled else Trap(TrapKind.EXCEPTION, _PROTECTION))

    def _stop_in_front(self, trap: Trap) -> None:
        """From an instruction hook: the engine would step over the instruction; `run` puts RIP back in front of it."""
        self._trap = trap
        self._held_rip = self._state.eip
        self._uc.emu_stop()

    def _trap_of(self, error: EngineError) -> Trap:
        """An engine error, as the exception that a processor raises there."""
        self._exception.old_exception = -1
        self._fetch_failed = error.errno != unicorn.UC_ERR_INSN_INVALID
        if error.errno in _UNDEFINED:
            return Trap(TrapKind.EXCEPTION, _UNDEFINED_OPCODE)
        raise error

    def _on_in(self, _engine: object, port: int, size: int, _data: object) -> int:
        try:
            return self._read_port(port, size)
        except BaseException as error:  # noqa: BLE001 -- carried over the engine's C frames and raised again in run()
            self._hook_error = error
            self._uc.emu_stop()
            return 0

    def _on_out(self, _engine: object, port: int, size: int, value: int, _data: object) -> None:
        try:
            self._write_port(port, size, value)
        except BaseException as error:  # noqa: BLE001 -- as above
            self._hook_error = error
            self._uc.emu_stop()

    def _drop_translations(self, _address: int, _size: int) -> None:
        """Neither a write through the map nor one through the API tells the engine that code may have changed."""
        self._uc.ctl_flush_tb()

    def forget_code(self, linear: int, size: int) -> None:
        """Bytes at `linear` have been written, not by guest code: drop what was translated from them.

        The engine looks the page up as a fetch does, so the page must have been accessed already: it sets the bit. A
        page that may not be fetched holds no translated code; with SMEP rings 0 and 3 fetch from different pages.
        """
        state, exception = self._state, self._exception
        cr2, hflags = state.cr[2], state.hflags
        while size > 0:
            length = min(size, PAGE - linear % PAGE)
            for cpl in (0, 3) if state.cr[4] & control.CR4_SMEP else (0,):
                state.hflags = hflags & ~3 | cpl
                self._uc.ctl_remove_cache(linear, linear + length)
            linear += length
            size -= length
        state.hflags = hflags
        state.cr[2] = cr2
        exception.old_exception = -1

    # Registers

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
    def interrupts_enabled(self) -> bool:
        """IF is set and no STI or MOV SS shadow holds interrupts off."""
        return bool(self._state.eflags & flags.IF) and not self._state.hflags & _SHADOW

    @property
    def interrupt_shadow(self) -> bool:
        """STI or MOV SS holds interrupts off until one more instruction has completed (SDM 3A 6.8.1, 6.8.3)."""
        return bool(self._state.hflags & _SHADOW)

    @property
    def may_check_alignment(self) -> bool:
        """CR0.AM is set in ring 3: with RFLAGS.AC, unaligned operands are #AC (SDM 3A 6.15, Interrupt 17)."""
        return self._state.hflags & 3 == 3 and bool(self._state.cr[0] & control.CR0_AM)

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

    def note_single_step(self) -> None:
        """DR6 of the #DB that TF raises behind an instruction (SDM 3B 17.2.3)."""
        self._exception.dr[6] |= _SINGLE_STEP

    def retire(self, length: int) -> None:
        """An instruction of `length` bytes that idtviz performed has completed: RIP moves, RF and the shadow end."""
        state = self._state
        state.eip = (state.eip + length) & MASK64
        state.hflags &= ~(_SHADOW | flags.RF)
        state.eflags &= ~flags.RF

    def set_time_stamp(self, ticks: int, *, processor_id: bool) -> None:
        """EDX:EAX := `ticks`, as RDTSC leaves it; for RDTSCP also ECX := IA32_TSC_AUX (`processor_id`)."""
        self._state.regs[0] = ticks & 0xFFFFFFFF
        self._state.regs[2] = ticks >> 32 & 0xFFFFFFFF
        if processor_id:
            self._state.regs[1] = self._uc.msr_read(_TSC_AUX) & 0xFFFFFFFF

    def registers(self) -> Registers:
        """All registers, as a value."""
        state = self._state
        segments = [Segment(cache.selector, cache.base, cache.limit, cache.flags) for cache in state.segs]
        ldt, tr, gdt, idt = state.ldt, state.tr, state.gdt, state.idt
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
        """Between two runs all flags stand in `eflags`; when one begins the engine takes some of them apart again."""
        state = self._state
        state.cc_src = rflags & _STATUS_FLAGS
        state.cc_op = _CC_OP_EFLAGS
        state.df = -1 if rflags & flags.DF else 1
        state.eflags = rflags

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

    def snapshot(self) -> Snapshot:
        """The complete processor state."""
        return self._uc.context_save()

    def restore(self, snapshot: Snapshot) -> None:
        """Back to `snapshot`; RAM is the caller's. Translations and the TLB are dropped."""
        self._uc.context_restore(snapshot)
        self._uc.reg_write(x86_const.UC_X86_REG_CR3, self._state.cr[3])
        self._uc.ctl_flush_tb()

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


def _read_empty_bus(_engine: object, _offset: int, size: int, _data: object) -> int:
    return (1 << 8 * size) - 1


def _write_empty_bus(_engine: object, _offset: int, _size: int, _value: int, _data: object) -> None:
    """A write that nothing answers."""


def _store(cache: layout.SegmentCache, segment: Segment) -> None:
    cache.selector, cache.base, cache.limit, cache.flags = segment.selector, segment.base, segment.limit, segment.flags


def _paging(registers: Registers) -> tuple[int, ...]:
    return registers.cr0, registers.cr3, registers.cr4, registers.efer


_EFER = 0xC0000080
_TSC_AUX = 0xC0000103
_SYSENTER_CS = 0x174
_ENABLED = True
_DEBUG, _UNDEFINED_OPCODE, _PROTECTION, _PAGE_FAULT = 1, 6, 13, 14
_SINGLE_STEP = 1 << 14  # DR6.BS
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
