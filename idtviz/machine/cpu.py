"""The processor: one Unicorn handle, stepped or run, stopping at everything that idtviz does itself.

Interrupts, IRET, HLT and RDTSC are ours. Unicorn stops for an exception by its hook. For INT n and the other three the
engine's SVM intercepts are switched on, so that a run at full speed stops in front of each as a single step does.
"""

from __future__ import annotations

from collections.abc import Callable

import unicorn
from unicorn import x86_const

from idtviz.machine import operands
from idtviz.machine.engine import Block, EngineError, Snapshot, open_engine
from idtviz.machine.memory import PAGE, LinearMemory, Memory
from idtviz.machine.register_file import CC_OP_EFLAGS, CS64, GUEST, STATUS_FLAGS, RegisterFile
from idtviz.machine.trap import Trap, TrapKind
from idtviz.x86 import control, flags
from idtviz.x86.addresses import is_canonical
from idtviz.x86.error_codes import PageFaultCode

ReadPort = Callable[[int, int], int]
"""(port, size in bytes) -> value"""
WritePort = Callable[[int, int, int], None]
"""(port, size in bytes, value)"""

_PHYSICAL_LIMIT = 1 << 40

# AMD APM vol. 2, appendix C: intercept codes; the engine reports code n as exception 0x100 + n.
_INTERCEPT_BASE = 0x60
_KINDS = {0x6E: "TIME_STAMP", 0x74: "IRET", 0x75: "SOFTWARE", 0x78: "HALT", 0x87: "TIME_STAMP"}


class Cpu(RegisterFile):
    """One x86-64 processor over `memory` and the I/O ports.

    `on_block` is asked about each block of code that the engine has translated, before it runs for the first time: with
    its linear address and size. Where it says False, a guarded run stops in front of the block.
    """

    def __init__(self, memory: Memory, read_port: ReadPort, write_port: WritePort) -> None:
        super().__init__(open_engine())
        self._memory = memory
        self._read_port = read_port
        self._write_port = write_port
        self.on_block: Callable[[int, int], bool] = _pass_every_block
        self.stopped_in_front = False
        """Whether a guarded run has ended in front of a block that `on_block` did not let through."""
        self._guarded = False
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
        engine.hook_add(unicorn.UC_HOOK_EDGE_GENERATED, self._on_translated)
        engine.hook_add(instruction, self._on_in, None, 1, 0, x86_const.UC_X86_INS_IN)
        engine.hook_add(instruction, self._on_out, None, 1, 0, x86_const.UC_X86_INS_OUT)
        engine.hook_add(instruction, self._on_syscall, None, 1, 0, x86_const.UC_X86_INS_SYSCALL)
        engine.hook_add(instruction, self._on_sysenter, None, 1, 0, x86_const.UC_X86_INS_SYSENTER)
        self._exception.intercept = sum(1 << code - _INTERCEPT_BASE for code in _KINDS)
        self._state.hflags |= GUEST

    # Running

    @property
    def trap(self) -> Trap | None:
        """What ended the last `run`, if anything did."""
        return self._trap

    def run(self, count: int, *, guarded: bool = False) -> int:
        """Run at most `count` instructions; returns how many completed. Look at `trap` for what stopped it."""
        self._guarded = guarded
        state = self._state
        cr2: int = state.cr[2]
        # RF lasts for one instruction and is never seen by it; the engine keeps it longer (SDM 3B 17.3.1.1).
        resume: int = state.eflags & flags.RF
        if resume:
            self._set_rf(0)
        completed = self._run(count)
        if self._trap is not None and self._fetching():
            completed = self._run_to_fetch(count, completed, cr2)
        if resume and not completed:
            self._set_rf(resume)
        return completed

    def _set_rf(self, value: int) -> None:
        self._state.eflags = self._state.eflags & ~flags.RF | value
        self._state.hflags = self._state.hflags & ~flags.RF | value

    def _run_to_fetch(self, count: int, completed: int, cr2: int) -> int:
        """A fetch has failed; `cr2` is CR2 from before the run. Returns how many of `count` have completed now."""
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
        no_execute = state.efer & control.EFER_NXE and state.cr[4] & control.CR4_PAE
        if no_execute or state.cr[4] & control.CR4_SMEP:
            return bool(trap.error_code & PageFaultCode.fetch.mask)
        # Without these the error code does not tell. A fetch fails at RIP, or where the next page begins.
        ahead: int = state.cr[2] - self._linear(state.eip)
        return ahead == 0 or (0 < ahead < PAGE and state.cr[2] % PAGE == 0)

    def _linear(self, rip: int) -> int:
        """The linear address of code at `rip`; 64-bit mode takes the base of CS as 0 (SDM 3A 3.2.4)."""
        state = self._state
        return rip if state.hflags & CS64 else (state.segs[1].base + rip) & 0xFFFFFFFF

    def _start_of_unfetched(self) -> int:
        """RIP of the instruction that could not be fetched: the one at RIP now, or a later one on its page."""
        trap, state = self._trap, self._state
        assert trap is not None
        rip: int = state.eip
        linear = self._linear(rip)
        length = state.cr[2] - linear
        if trap.vector != _PAGE_FAULT or not 0 < length <= PAGE:
            return rip
        registers = self.registers()
        raw = LinearMemory(self._memory, registers).peek(linear, length)
        return rip if raw is None else rip + operands.whole_instructions(raw, registers)

    def _run_up_to(self, stop: int, count: int) -> int:
        """Run to the instruction at `stop`, which ends the translated block."""
        self._uc.ctl_set_exits([stop])
        completed = self._run(count)
        self._uc.ctl_set_exits([])
        self.forget_code(self._linear(stop), 1)
        if self._trap is not None and self._trap.kind is TrapKind.HALT and self._state.eip == stop:
            # The engine ends a run at an exit address by the code that performs HLT; nothing was begun there.
            self._trap = None
            return completed + 1
        return completed

    def _run(self, count: int) -> int:
        self._trap = self._stopped_after = None
        self.stopped_in_front = self._fetch_failed = False
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

    @property
    def ended_early(self) -> bool:
        """Whether something ended the last `run` before its count did: a trap, a breakpoint, a request."""
        return self._trap is not None or self._stopped_after is not None

    def request_stop(self) -> None:
        """From a port access: end the run behind the instruction that made it."""
        self._stopped_after = self._counter.value
        self._uc.emu_stop()

    @property
    def begun(self) -> int:
        """During a port access: instructions begun in this run, the accessing one included."""
        return self._counter.value

    def set_breakpoints(self, addresses: frozenset[int]) -> frozenset[int]:
        """Linear addresses in front of which `run` ends, at full speed; returns those that come or go.

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

    @property
    def linear_rip(self) -> int:
        """Linear address of the next instruction."""
        return self._linear(self._state.eip)

    @property
    def at_breakpoint(self) -> bool:
        """Whether a breakpoint stands at the next instruction."""
        return bool(self._breakpoints) and self.linear_rip in self._breakpoints

    def _on_breakpoint(self, _engine: object, _address: int, _size: int, _data: object) -> None:
        self._stopped_after = self._counter.value - 1
        self._uc.emu_stop()

    def _on_translated(self, _engine: object, block: Block, _previous: object, _data: object) -> None:
        """The engine has translated a block, which it is about to run."""
        try:
            passes = self.on_block(block.pc, block.size)
        except BaseException as error:  # noqa: BLE001 -- carried over the engine's C frames and raised again in run()
            self._hook_error = error
            passes = False
        if not passes and self._guarded:
            self.stopped_in_front = True
            self._stopped_after = self._counter.value
            self._uc.emu_stop()

    def _on_exception(self, _engine: object, number: int, _data: object) -> None:
        exception = self._exception
        if number >= 0x100:
            self._trap = Trap(TrapKind[_KINDS[number - 0x100]])
        else:
            self._trap = Trap(TrapKind.EXCEPTION, number, exception.error_code & 0xFFFFFFFF)
        # Or the next fault would arrive as a double fault: that test is ours.
        exception.old_exception = -1
        if number == _DEBUG:
            exception.dr[6] = self._status
        else:
            # A counted run works the flags out in front of each instruction. Unwinding forgets that: it puts back the
            # name of the operation that they came from, though its operands are gone. The single-step trap comes behind
            # its instruction, and unwinds nothing.
            self._state.cc_op = CC_OP_EFLAGS
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
        self._state.cc_op = CC_OP_EFLAGS  # as in `_on_exception`
        self._uc.emu_stop()

    def _trap_of(self, error: EngineError) -> Trap:
        """An engine error, as the exception that a processor raises there."""
        self._exception.old_exception = -1
        if self._state.cc_op != CC_OP_EFLAGS:
            # As in `_on_exception`; here the engine has already worked the flags out from what was not there.
            self._load_flags(self._state.eflags & ~STATUS_FLAGS | self._state.cc_src & STATUS_FLAGS)
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

    def forget_all_code(self) -> None:
        """Drop every translation."""
        self._uc.ctl_flush_tb()

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

    # State as a whole

    def snapshot(self) -> Snapshot:
        """The complete processor state."""
        return self._uc.context_save()

    def restore(self, snapshot: Snapshot) -> None:
        """Back to `snapshot`; RAM is the caller's. Translations and the TLB are dropped."""
        self.changed = True
        self._uc.context_restore(snapshot)
        self._status = int(self._exception.dr[6])
        self._uc.reg_write(x86_const.UC_X86_REG_CR3, self._state.cr[3])
        self._uc.ctl_flush_tb()


def _pass_every_block(_linear: int, _size: int) -> bool:
    return True


def _read_empty_bus(_engine: object, _offset: int, size: int, _data: object) -> int:
    return (1 << 8 * size) - 1


def _write_empty_bus(_engine: object, _offset: int, _size: int, _value: int, _data: object) -> None:
    """A write that nothing answers."""


_SYSENTER_CS = 0x174
_ENABLED = True
_DEBUG, _UNDEFINED_OPCODE, _PROTECTION, _PAGE_FAULT = 1, 6, 13, 14
# A fetch from the empty bus reads FF FF: an undefined opcode.
_UNDEFINED = (unicorn.UC_ERR_INSN_INVALID, unicorn.UC_ERR_FETCH_PROT, unicorn.UC_ERR_FETCH_UNMAPPED)
