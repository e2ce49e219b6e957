"""The processor: one Unicorn handle, stepped or run, with the corners at which the engine differs from a processor."""

from __future__ import annotations

import unicorn

from idtviz.machine import operands
from idtviz.machine.engine import Snapshot
from idtviz.machine.layout import INTERRUPT_HARD
from idtviz.machine.memory import PAGE, LinearMemory, Memory
from idtviz.machine.runner import READ_ONLY, Outside, Runner
from idtviz.machine.trap import TrapKind
from idtviz.x86 import control, flags
from idtviz.x86.addresses import is_canonical
from idtviz.x86.error_codes import PageFaultCode


class Cpu(Runner):
    """One x86-64 processor."""

    def __init__(self, memory: Memory, outside: Outside) -> None:
        super().__init__(memory, outside)
        memory.on_write = self._drop_translations

    def run(self, count: int, *, guarded: bool = False, window: bool = False) -> int:
        """Run at most `count` instructions; returns how many completed. Look at `trap` for what stopped it.

        `window`: end the run at the first boundary at which RFLAGS.IF and the shadows let an interrupt through.
        """
        self._guarded = guarded
        self._request.value = INTERRUPT_HARD if window else 0
        state = self._state
        cr2: int = state.cr[2]
        # RF lasts for one instruction and is never seen by it; the engine keeps it longer (SDM 3B 17.3.1.1).
        resume: int = state.eflags & flags.RF
        if resume:
            self._set_rf(0)
        completed = self._run(count)
        if self._written_rom:
            completed += self._write_to_rom()
        if self._trap is not None and self._fetching():
            completed = self._run_to_fetch(count, completed, cr2)
        if resume and not completed:
            self._set_rf(resume)
        if completed:
            self.leaving = None
        self._request.value = 0
        return completed

    def _write_to_rom(self) -> int:
        """Run the instruction at RIP, which writes to a ROM; the ROM takes none of it. Returns 1 if it completed."""
        self._written_rom = False
        self._recover_flags()
        self._protect_roms(unicorn.UC_PROT_ALL)
        completed = self._run(1)
        for rom in self._memory.roms:
            rom.restore()
        self._protect_roms(READ_ONLY)
        self.forget_all_code()
        if self._trap is None:
            self._stopped_after = completed
        return completed

    def _protect_roms(self, permissions: int) -> None:
        for rom in self._memory.roms:
            self._uc.mem_protect(rom.address, rom.size, permissions)

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

    def _start_of_unfetched(self) -> int:
        """RIP of the instruction that could not be fetched: the one at RIP now, or a later one on its page."""
        trap, state = self._trap, self._state
        assert trap is not None
        rip: int = state.eip
        linear = self._linear(rip)
        registers = self.registers()
        memory = LinearMemory(self._memory, registers)
        if trap.vector == _PAGE_FAULT:
            length = state.cr[2] - linear
        else:
            # Off the end of RAM; unless it stands there already.
            physical = memory.walk(linear).physical
            length = PAGE - linear % PAGE if physical is not None and physical < self._memory.size else 0
        if not 0 < length <= PAGE:
            return rip
        raw = memory.peek(linear, length)
        return rip if raw is None else rip + operands.whole_instructions(raw, registers)

    def _run_up_to(self, stop: int, count: int) -> int:
        """Run to the instruction at `stop`, which ends the translated block."""
        self._uc.ctl_set_exits([stop])
        self._exit = self._linear(stop)
        completed = self._run(count)
        self._exit = None
        self._uc.ctl_set_exits([])
        self.forget_code(self._linear(stop), 1)
        if self._trap is not None and self._trap.kind is TrapKind.HALT and self._state.eip == stop:
            # The engine ends a run at an exit address by the code that performs HLT; nothing was begun there.
            self._trap = None
            return completed + 1
        return completed

    # Translated code

    def _drop_translations(self, physical: int, size: int) -> None:
        """Neither a write through the map nor one through the API tells the engine that code may have changed."""
        if self._state.cr[0] & control.CR0_PG or size > _MANY:
            self.forget_all_code()
        else:
            self.forget_code(physical, size)

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
        self.flush_tlb()
        self.forget_all_code()


_MANY = 1 << 20  # bytes, from which on it is quicker to drop every translation
_UNDEFINED_OPCODE, _PROTECTION, _PAGE_FAULT = 6, 13, 14
