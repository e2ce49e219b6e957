"""The engine, told to run so many instructions, stopping at everything that idtviz does itself.

Interrupts, IRET, HLT and RDTSC are ours. Unicorn stops for an exception by its hook. For INT n and the other three the
engine's SVM intercepts are switched on, so that a run at full speed stops in front of each as a single step does.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Protocol

import unicorn
from unicorn import x86_const

from idtviz.machine.decoding import Kind, code_bits, decode
from idtviz.machine.engine import Block, EngineError, open_engine
from idtviz.machine.layout import GUEST, INTERCEPT_INTR, WINDOW
from idtviz.machine.memory import PAGE, LinearMemory, Memory, Rom
from idtviz.machine.register_file import CC_OP_EFLAGS, CS64, SHADOW, STATUS_FLAGS, RegisterFile
from idtviz.machine.trap import Trap, TrapKind
from idtviz.x86 import control, flags


class Outside(Protocol):
    """What answers accesses that do not go to RAM: (port or physical address, size in bytes) -> value."""

    def read_port(self, port: int, size: int) -> int: ...
    def write_port(self, port: int, size: int, value: int) -> None: ...
    def read_memory(self, address: int, size: int) -> int: ...
    def write_memory(self, address: int, size: int, value: int) -> None: ...


_STALE = 2000
"""Translations that others have taken the place of, of some 20 to 50 KB each: the engine frees all or none."""
_PHYSICAL_LIMIT = 1 << 40
_ROM_SPACE = 0xFF00_0000
"""From here to 4 GiB there may be ROMs."""
READ_ONLY = unicorn.UC_PROT_READ | unicorn.UC_PROT_EXEC

# AMD APM vol. 2, appendix C: intercept codes; the engine reports code n as exception 0x100 + n.
_INTERCEPT_BASE = 0x60
_KINDS = {0x6E: "TIME_STAMP", 0x72: "CPUID", 0x74: "IRET", 0x75: "SOFTWARE", 0x78: "HALT", 0x87: "TIME_STAMP"}


class Runner(RegisterFile):
    """One engine handle over `memory` and what is `outside` of it.

    `on_block` is asked about each block of code that the engine has translated, before it runs for the first time: with
    its linear address and size. Where it says False, a guarded run stops in front of the block.
    """

    def __init__(self, memory: Memory, outside: Outside) -> None:
        super().__init__(open_engine())
        self._memory = memory
        self._outside = outside
        self._written_rom = False
        """Whether the run has ended in front of a write to a ROM."""
        self.on_block: Callable[[int, int], bool] = _pass_every_block
        self.stopped_in_front = False
        """Whether a guarded run has ended in front of a block that `on_block` did not let through."""
        self._guarded = False
        self._translations = 0
        self._translated: set[int] = set()
        """How often blocks have been translated since all were dropped; and where."""
        self._exit: int | None = None
        """Linear address at which the engine is to end a block, and the run."""
        self._anew = False
        """Whether all are to be dropped in front of the next run."""
        self._trap: Trap | None = None
        self._stopped_after: int | None = None
        self._hook_error: BaseException | None = None
        self._held_rip: int | None = None
        self._fetch_failed = False
        self._breakpoints: dict[int, int] = {}
        self.heeds_breakpoints = True
        """Whether breakpoints end a run; else they stay where they are, and it goes on."""
        self.leaving: int | None = None
        """Linear address of a breakpoint from which a run sets out: its first instruction is let through."""
        self._start = self._uc.emu_start
        self._map(memory)
        self._hook()
        memory.on_rom = self._map_rom

    def _map(self, memory: Memory) -> None:
        self._uc.mem_map_ptr(0, memory.size, unicorn.UC_PROT_ALL, memory.host_address)
        # In three parts: to put a ROM into a part takes the engine a time that goes with the size of the part.
        edges = (memory.size, _ROM_SPACE, 4 << 30, _PHYSICAL_LIMIT)
        for base, end in pairwise(edges):
            self._uc.mmio_map(base, end - base, self._on_load, base, self._on_store, base)

    def _map_rom(self, rom: Rom) -> None:
        self._uc.mem_unmap(rom.address, rom.size)
        self._uc.mem_map_ptr(rom.address, rom.size, READ_ONLY, rom.host_address)
        self.forget_all_code()

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
        engine.hook_add(unicorn.UC_HOOK_MEM_WRITE_PROT, self._on_rom_written)
        self._exception.intercept = INTERCEPT_INTR | sum(1 << code - _INTERCEPT_BASE for code in _KINDS)
        self._state.hflags |= GUEST

    # Running

    @property
    def trap(self) -> Trap | None:
        """What ended the last `run`, if anything did."""
        return self._trap

    def _linear(self, rip: int) -> int:
        """The linear address of code at `rip`; 64-bit mode takes the base of CS as 0 (SDM 3A 3.2.4)."""
        state = self._state
        return rip if state.hflags & CS64 else (state.segs[1].base + rip) & 0xFFFFFFFF

    def _run(self, count: int) -> int:
        self._trap = self._stopped_after = None
        self.stopped_in_front = self._fetch_failed = False
        if self._anew or self._translations - len(self._translated) > _STALE:
            self.forget_all_code()
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

    def end_behind(self) -> None:
        """From an access to a port or to memory: end the run behind the instruction that makes it.

        The run's count is made to end there. A stop would cut the instruction short: INS would not store what it read,
        and a load or a store would keep RIP where it is.
        """
        self._stopped_after = self._limit.value = self._counter.value

    @property
    def begun(self) -> int:
        """During a port access: instructions begun in this run, the accessing one included."""
        return self._counter.value

    def hook_instruction(self, linear: int, callback: Callable[..., None]) -> int:
        """Have `callback` called in front of the instruction at `linear`, in code translated from now on."""
        return self._uc.hook_add(unicorn.UC_HOOK_CODE, callback, None, linear, linear)

    def hook_writes(self, low: int, high: int, callback: Callable[..., None]) -> int:
        """Have `callback` called in front of each store that begins at physical `low` to `high`.

        Only code translated while there is such a hook calls it.
        """
        return self._uc.hook_add(unicorn.UC_HOOK_MEM_WRITE, callback, None, low, high)

    def unhook(self, handle: int) -> None:
        """Take away what `hook_instruction` or `hook_writes` set. Not during a run.

        The engine looks up the pages of the code that the hook stood in, as a fetch does: with paging on that may set
        CR2 or accessed bits of the guest, and would make the next page fault a double fault. What was translated there
        stays, so the caller has to drop it.
        """
        state, exception = self._state, self._exception
        cr0, cr2 = state.cr[0], state.cr[2]
        state.cr[0] = cr0 & ~control.CR0_PG
        self._uc.hook_del(handle)
        state.cr[0], state.cr[2] = cr0, cr2
        exception.old_exception = -1
        self.flush_tlb()

    def stop_in_front(self) -> None:
        """From `hook_instruction`'s callback: end a guarded run in front of the instruction."""
        if self._guarded:
            self.stopped_in_front = True
            self._stopped_after = self._counter.value - 1
            self._uc.emu_stop()

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
                self.unhook(self._breakpoints.pop(address))
        return changed

    @property
    def linear_rip(self) -> int:
        """Linear address of the next instruction."""
        return self._linear(self._state.eip)

    @property
    def at_breakpoint(self) -> bool:
        """Whether a breakpoint stands at the next instruction."""
        return self.heeds_breakpoints and bool(self._breakpoints) and self.linear_rip in self._breakpoints

    def _on_breakpoint(self, _engine: object, address: int, _size: int, _data: object) -> None:
        if not self.heeds_breakpoints or (address == self.leaving and self._counter.value == 1):
            return
        self._stopped_after = self._counter.value - 1
        self._uc.emu_stop()

    def _on_translated(self, _engine: object, block: Block, _previous: object, _data: object) -> None:
        """The engine has translated a block, which it is about to run."""
        self._translations += 1
        self._translated.add(block.pc)
        if self._counter.value and block.icount == 1 and self._writes_its_block(block):
            # It has been counted once; now it runs on its own. Kept, its block would run the next time without a word.
            self._anew = True
            self._stopped_after = self._limit.value = self._counter.value
            self._counter.value -= 1
            return
        try:
            passes = self.on_block(block.pc, block.size)
        except BaseException as error:  # noqa: BLE001 -- carried over the engine's C frames and raised again in run()
            self._hook_error = error
            passes = False
        if not passes and self._guarded:
            self.stopped_in_front = True
            self._stopped_after = self._counter.value
            self._uc.emu_stop()

    def _writes_its_block(self, block: Block) -> bool:
        """Whether a block of one instruction is there because that instruction writes into the block it stood in.

        The engine then drops the block in front of the store and begins the instruction anew. Else a block ends so soon
        at the end of a page, at an exit address, in a shadow, with TF set, at a branch: nothing of that may be so.
        """
        state = self._state
        ends_page = block.pc % PAGE + block.size >= PAGE
        ends_run = block.pc + block.size == self._exit
        if ends_page or ends_run or state.hflags & SHADOW or state.eflags & flags.TF:
            return False
        registers = self.registers()
        raw = LinearMemory(self._memory, registers).peek(block.pc, block.size)
        found = None if raw is None else decode(raw, code_bits(registers))
        if found is None or found.repeats or found.kind & ~(Kind.ALIGNED | Kind.FLOATING):
            return False
        return any(access.write for access in found.accesses)

    def _on_exception(self, _engine: object, number: int, _data: object) -> None:
        exception = self._exception
        if number == WINDOW:
            # At a boundary between blocks: nothing is unwound, and the flags are as they should be.
            self._request.value = 0
            exception.old_exception = -1
            self._stopped_after = self._counter.value
            self._uc.emu_stop()
            return
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

    def _recover_flags(self) -> None:
        """As in `_on_exception`; here the engine has already worked the flags out from what was not there."""
        if self._state.cc_op != CC_OP_EFLAGS:
            self._load_flags(self._state.eflags & ~STATUS_FLAGS | self._state.cc_src & STATUS_FLAGS)

    def _trap_of(self, error: EngineError) -> Trap:
        """An engine error, as the exception that a processor raises there."""
        self._exception.old_exception = -1
        self._recover_flags()
        self._fetch_failed = error.errno != unicorn.UC_ERR_INSN_INVALID
        if error.errno in _UNDEFINED:
            return Trap(TrapKind.EXCEPTION, _UNDEFINED_OPCODE)
        raise error

    def _on_in(self, _engine: object, port: int, size: int, _data: object) -> int:
        try:
            return self._outside.read_port(port, size)
        except BaseException as error:  # noqa: BLE001 -- carried over the engine's C frames and raised again in run()
            self._hook_error = error
            self._uc.emu_stop()
            return 0

    def _on_out(self, _engine: object, port: int, size: int, value: int, _data: object) -> None:
        try:
            self._outside.write_port(port, size, value)
        except BaseException as error:  # noqa: BLE001 -- as above
            self._hook_error = error
            self._uc.emu_stop()

    def _on_load(self, _engine: object, offset: int, size: int, base: int) -> int:
        try:
            return self._outside.read_memory(base + offset, size)
        except BaseException as error:  # noqa: BLE001 -- as above
            self._hook_error = error
            self._uc.emu_stop()
            return 0

    def _on_store(self, _engine: object, offset: int, size: int, value: int, base: int) -> None:
        try:
            self._outside.write_memory(base + offset, size, value)
        except BaseException as error:  # noqa: BLE001 -- as above
            self._hook_error = error
            self._uc.emu_stop()

    def _on_rom_written(
        self, _engine: object, _kind: int, _address: int, _size: int, _value: int, _data: object
    ) -> bool:
        """The engine would store, hook or not; a request to stop keeps it from completing the instruction."""
        self._written_rom = True
        self._stopped_after = self._counter.value - 1
        self._uc.emu_stop()
        return True

    def forget_all_code(self) -> None:
        """Drop every translation."""
        self._translations, self._anew = 0, False
        self._translated.clear()
        self._uc.ctl_flush_tb()


def _pass_every_block(_linear: int, _size: int) -> bool:
    return True


_SYSENTER_CS = 0x174
_ENABLED = True
_DEBUG, _UNDEFINED_OPCODE, _PROTECTION, _PAGE_FAULT = 1, 6, 13, 14
# A fetch from the empty bus reads FF FF: an undefined opcode.
_UNDEFINED = (unicorn.UC_ERR_INSN_INVALID, unicorn.UC_ERR_FETCH_PROT, unicorn.UC_ERR_FETCH_UNMAPPED)
