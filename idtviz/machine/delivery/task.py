"""The hardware task switch (SDM 3A 7.3): a part of the procedures that may switch tasks.

A task gate in the IDT, IRET with NT=1, and far CALL and JMP to a TSS or task gate all go the same way:

    task = yield from find_task(self, SwitchKind.IRET, Selector(link))
    yield from TaskSwitch(self, SwitchKind.IRET, task, rip=behind, eflags=at.rflags).perform()

`perform` sets `committed`, `debug_trap` and, with its last step, `after` of the procedure that it is a part of.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from enum import Enum

from idtviz.machine.delivery import rules
from idtviz.machine.delivery.event import GENERAL_PROTECTION, INVALID_TSS, NOT_PRESENT, Fault
from idtviz.machine.delivery.procedure import Procedure, Step, Steps
from idtviz.machine.delivery.segments import compare
from idtviz.machine.delivery.task_registers import TaskRegisters
from idtviz.machine.registers import RSP, Segment
from idtviz.x86 import control, flags
from idtviz.x86.addresses import MASK32
from idtviz.x86.descriptors import TSS16_AVAILABLE, TSS16_BUSY, TSS_AVAILABLE, TSS_BUSY, SegmentDescriptor
from idtviz.x86.error_codes import selector_error
from idtviz.x86.selectors import Selector
from idtviz.x86.tss import Tss16, Tss32


class SwitchKind(Enum):
    """What switches tasks (SDM 3A 7.3)."""

    INTERRUPT = "interrupt"
    CALL = "CALL"
    JUMP = "JMP"
    IRET = "IRET"

    @property
    def nests(self) -> bool:
        """Whether the new task is linked to the old one, which stays busy."""
        return self in (SwitchKind.INTERRUPT, SwitchKind.CALL)


@dataclass(frozen=True, slots=True)
class NewTask:
    """The TSS to switch to: its selector, its descriptor, and the linear address of that in the GDT."""

    selector: Selector
    descriptor: SegmentDescriptor
    address: int

    @property
    def is_16_bit(self) -> bool:
        """Whether it is a TSS of the 80286."""
        return self.descriptor.type in (TSS16_AVAILABLE, TSS16_BUSY)


def find_task(procedure: Procedure, kind: SwitchKind, selector: Selector) -> Generator[Step, None, NewTask]:
    """The TSS that `selector` of a task gate or back link names, with every check of it (SDM 3A table 7-1)."""
    table = procedure.before.gdtr
    wrong = _wrong(procedure, kind, selector)
    last = selector.offset + 7
    inside = not selector.ti and last <= table.limit
    value = "TI=1" if selector.ti else compare(last, "≤", table.limit)
    yield procedure.check(rules.TASK_SELECTOR, inside, f"TSS selector {selector.value:#x} within the GDT", value, wrong)
    address = table.base + selector.offset & MASK32
    what = f"GDT[{selector.index}] read"
    found = SegmentDescriptor(procedure.read(rules.TASK_READ, what, address, 8))
    yield procedure.did(rules.TASK_READ, what, f"8 B @{address:x}")
    task = NewTask(selector, found, address)
    yield from check_task(procedure, kind, task)
    return task


def check_task(procedure: Procedure, kind: SwitchKind, task: NewTask) -> Steps:
    """The checks of a TSS descriptor that has been read: its type, and that it is present."""
    found = task.descriptor
    returns = kind is SwitchKind.IRET
    types = (TSS_BUSY, TSS16_BUSY) if returns else (TSS_AVAILABLE, TSS16_AVAILABLE)
    holds = found.is_system and found.type in types
    what = "busy TSS" if returns else "available TSS"
    yield procedure.check(rules.TASK_TYPE, holds, what, found.kind, _wrong(procedure, kind, task.selector))
    absent = Fault(NOT_PRESENT, selector_error(task.selector.value, procedure.ext))
    yield procedure.check(rules.TASK_PRESENT, found.present, "TSS present", f"P={int(found.present)}", absent)


def _wrong(procedure: Procedure, kind: SwitchKind, selector: Selector) -> Fault:
    vector = INVALID_TSS if kind is SwitchKind.IRET else GENERAL_PROTECTION
    return Fault(vector, selector_error(selector.value, procedure.ext))


class TaskSwitch:
    """One switch, as a part of `procedure`, from its registers `before` to the task `task`, which has been checked.

    `rip` and `eflags` are what the old task's TSS saves: where it goes on, and its flags (with RF for a fault).
    `error_code` is pushed on the new task's stack. Until `leave` is through, a fault finds the old task as it was (and
    what was written of the old TSS means nothing); behind it `committed` of the procedure holds the registers of the
    new task as far as they are loaded. DR7 is not among these registers: a switch clears its local enable bits (SDM 3B
    17.2.4), wherever `committed` is set.
    """

    def __init__(
        self,
        procedure: Procedure,
        kind: SwitchKind,
        task: NewTask,
        *,
        rip: int,
        eflags: int,
        error_code: int | None = None,
    ) -> None:
        self._procedure = procedure
        self._kind = kind
        self._task = task
        self._rip = rip
        self._eflags = eflags & ~flags.NT if kind is SwitchKind.IRET else eflags
        self._error_code = error_code
        self._state: Tss16 | Tss32 = Tss32(0)

    def perform(self) -> Steps:
        """The whole switch."""
        yield from self.leave()
        yield from self.enter()

    @property
    def stack_pointer(self) -> tuple[int, int]:
        """ESP of the new task, and the linear address of the field that it comes from; once `leave` is through."""
        field = Tss16.sp if self._task.is_16_bit else Tss32.esp
        committed = self._procedure.committed
        assert committed is not None
        return committed.rsp, self._task.descriptor.base + field.byte_offset & MASK32

    def leave(self) -> Steps:
        """Up to the commitment: the old task is saved, the state of the new one is read."""
        yield from self._check_limits()
        yield from self._check_pages()
        if not self._kind.nests:
            yield self._mark(rules.TASK_LEAVE, "old task available", self._old_descriptor, busy=False)
        yield from self._save()
        if self._kind.nests:
            link, selector = self._task.descriptor.base, self._procedure.before.tr.selector
            self._procedure.write(rules.TASK_LINK, "back link", link, selector, 2)
            yield self._procedure.did(rules.TASK_LINK, "back link", f"{selector:#x} → {link:x}")
        yield self._read_state()
        if self._kind is not SwitchKind.IRET:
            yield self._mark(rules.TASK_BUSY, "new task busy", self._task.address, busy=True)
        yield self._commit()

    def enter(self) -> Steps:
        """From the commitment on: what is loaded and checked in the new task."""
        yield from TaskRegisters(self._procedure, self._state).load(self._error_code)

    @property
    def _old_descriptor(self) -> int:
        at = self._procedure.before
        return at.gdtr.base + Selector(at.tr.selector).offset & MASK32

    @property
    def _leaves_16_bit(self) -> bool:
        """Whether the old task's TSS is one of the 80286; TR without a TSS counts as one, and is too small."""
        return self._procedure.before.tr.flags >> 8 & 0xF in (0, TSS16_AVAILABLE, TSS16_BUSY)

    def _check_limits(self) -> Steps:
        at, task, ext = self._procedure.before, self._task, self._procedure.ext
        size = Tss16.SIZE if task.is_16_bit else Tss32.SIZE
        old = _SAVED_16[-1] + 1 if self._leaves_16_bit else _SAVED_32[-1] + 3
        for what, limit, least, selector in (
            ("new TSS", task.descriptor.byte_limit, size - 1, task.selector.value),
            ("old TSS", at.tr.limit, old, at.tr.selector),
        ):
            small = Fault(INVALID_TSS, selector_error(selector, ext))
            value = compare(limit, "≥", least)
            yield self._procedure.check(rules.TASK_LIMIT, limit >= least, f"{what} large enough", value, small)

    def _check_pages(self) -> Steps:
        if not self._procedure.before.cr0 & control.CR0_PG:
            return
        new, old = self._task.descriptor.base, self._procedure.before.tr.base
        size = Tss16.SIZE if self._task.is_16_bit else Tss32.SIZE
        what = "the pages of the new TSS"
        self._procedure.probe(rules.TASK_PAGED, what, new, size)
        if self._kind.nests:
            self._procedure.probe(rules.TASK_PAGED, what, new, 2, write=True)
        yield self._procedure.did(rules.TASK_PAGED, what, f"@{new:x}")
        first, *_, last = _SAVED_16 if self._leaves_16_bit else _SAVED_32
        what = "the pages of the old TSS"
        self._procedure.probe(rules.TASK_PAGED, what, old + first & MASK32, last + 2 - first, write=True)
        yield self._procedure.did(rules.TASK_PAGED, what, f"@{old:x}")

    def _mark(self, rule: rules.Rule, text: str, descriptor: int, *, busy: bool) -> Step:
        """Set or clear the busy bit of the TSS descriptor at linear address `descriptor`."""
        address = descriptor + 4 & MASK32
        high = self._procedure.read(rule, text, address, 4)
        high = high | _BUSY if busy else high & ~_BUSY
        self._procedure.write(rule, text, address, high, 4)
        return self._procedure.did(rule, text, f"type {high >> 8 & 0xF:#x} → {address:x}")

    def _save(self) -> Steps:
        at = self._procedure.before
        narrow = self._leaves_16_bit
        general = (at.general[index] for index in range(8))
        words = [("EIP", self._rip), ("EFLAGS", self._eflags)]
        words += zip(("EAX", "ECX", "EDX", "EBX", "ESP", "EBP", "ESI", "EDI"), general, strict=True)
        pointers = len(words)
        words += [(name.upper(), getattr(at, name).selector) for name in ("es", "cs", "ss", "ds", "fs", "gs")]
        places = _SAVED_16 if narrow else _SAVED_32
        parts = (
            ("EIP and EFLAGS", 0, 2),
            ("the general registers", 2, pointers),
            ("the selectors", pointers, len(places)),
        )
        for what, first, last in parts:
            for index in range(first, last):
                size = 4 if index < pointers and not narrow else 2
                value = words[index][1] & (1 << 8 * size) - 1
                address = at.tr.base + places[index] & MASK32
                self._procedure.write(rules.TASK_SAVE, f"{what} saved", address, value, size)
            where = at.tr.base + places[first] & MASK32
            names = f"{words[0][1] & MASK32:#x}, {words[1][1] & MASK32:#x} " if first == 0 else ""
            yield self._procedure.did(rules.TASK_SAVE, f"{what} saved", f"{names}→ {where:x}")

    def _read_state(self) -> Step:
        base = self._task.descriptor.base
        what = "the state of the new task"
        if self._task.is_16_bit:
            first, size = Tss16.ip.byte_offset, Tss16.SIZE
        else:
            first, size = Tss32.cr3.byte_offset, Tss32.SIZE
        value = self._procedure.read(rules.TASK_STATE, what, base + first & MASK32, size - first) << 8 * first
        self._state = Tss16(value) if self._task.is_16_bit else Tss32(value)
        return self._procedure.did(rules.TASK_STATE, what, f"{size - first} B @{base + first & MASK32:x}")

    def _commit(self) -> Step:
        at, found, task = self._procedure.before, self._state, self._task
        if isinstance(found, Tss16):
            # The upper halves are undefined by the manual; processors are seen to set them, and Bochs does.
            low = (found.ax, found.cx, found.dx, found.bx, found.sp, found.bp, found.si, found.di)
            general = [0xFFFF0000 | word for word in low]
            eip, eflags = found.ip, found.flags
        else:
            general = [found.eax, found.ecx, found.edx, found.ebx, found.esp, found.ebp, found.esi, found.edi]
            eip, eflags = found.eip, found.eflags
        if self._kind.nests:
            eflags |= flags.NT
        fs, gs = (0, 0) if isinstance(found, Tss16) else (found.fs, found.gs)
        access = (task.descriptor.value >> 32 | _BUSY) & _CACHED
        committed = replace(
            at,
            general=(*general, *at.general[8:]),
            rip=eip,
            rflags=eflags & _EFLAGS | flags.ALWAYS_SET,
            # Nothing is known of the new CS and SS yet. As in Bochs, a fault before they are loaded counts as one of
            # ring 3, so that its handler gets a stack that does not depend on them; the manual leaves it open.
            cpl=3,
            es=_unloaded(found.es),
            cs=_unloaded(found.cs),
            ss=_unloaded(found.ss),
            ds=_unloaded(found.ds),
            fs=_unloaded(fs),
            gs=_unloaded(gs),
            ldtr=_unloaded(found.ldt),
            tr=Segment(task.selector.value, task.descriptor.base, task.descriptor.byte_limit, access),
            cr0=at.cr0 | control.CR0_TS,
            interrupt_shadow=False,
        )
        self._procedure.committed = committed
        text = f"TR ← {task.selector.value:#x} · CR0.TS ← 1"
        return self._procedure.did(rules.TASK_COMMIT, text, f"EIP {eip:#x}, ESP {committed.general[RSP]:#x}")


def _unloaded(selector: int) -> Segment:
    """A segment register whose selector is that of the new task, and whose descriptor is not loaded yet."""
    return Segment(selector, 0, 0, 0)


_BUSY = 1 << 9
"""The busy bit in the high doubleword of a TSS descriptor."""
_CACHED = 0x00F0FF00
_SAVED_16 = tuple(range(Tss16.ip.byte_offset, Tss16.ldt.byte_offset, 2))
"""Offsets of what is saved in a 16-bit TSS: IP, FLAGS, AX to DI, ES, CS, SS, DS."""
_SAVED_32 = tuple(range(Tss32.eip.byte_offset, Tss32.ldt.byte_offset, 4))
"""Offsets of what is saved in a 32-bit TSS: EIP, EFLAGS, EAX to EDI, ES, CS, SS, DS, FS, GS."""
_RESERVED_EFLAGS = 1 << 1 | 1 << 3 | 1 << 5 | 1 << 15
_EFLAGS = (flags.ID << 1) - 1 & ~_RESERVED_EFLAGS
