"""Bugs in the GDT and the TSS."""

from __future__ import annotations

from idtviz.checks.finding import Note, Severity
from idtviz.checks.rule import Findings, Rule
from idtviz.checks.rules import task_state
from idtviz.checks.rules.failures import beyond, code_segment, descriptor, failed_check, raised
from idtviz.checks.scene import Scene
from idtviz.debugger.observing import Tables, interrupted_at
from idtviz.debugger.tables import Descriptor
from idtviz.machine.delivery import rules as check
from idtviz.machine.events import Delivered
from idtviz.x86.selectors import Selector


class _Pushed(Rule):
    """A rule over a selector in a frame that IRET will load from the GDT in use."""

    def __init__(self) -> None:
        self._told: set[int] = set()

    def _tell(
        self, scene: Scene, delivered: Delivered, register: str, value: int, wrong: str, raises: str = "#GP"
    ) -> Findings:
        if value in self._told:
            return
        self._told.add(value)
        tables, selector = scene.now.tables, Selector(value)
        at = tables.gdt.base + (0 if beyond(tables, selector) or selector.ti else selector.offset)
        iret = "IRETQ" if delivered.origin.mode == "long" else "IRET"
        yield self.found(
            scene,
            f"{register} is {value:#x} when {delivered.event.name} comes, {wrong}: the frame holds it now, and the "
            f"{iret} that loads it will raise {raises}({value & ~3:#x})",
            at,
            Note(f"{delivered.event.name} came here", interrupted_at(delivered, tables)),
        )


class StaleStackSegment(_Pushed):
    id = "GDT001"
    title = "SS names no stack segment of the GDT in use"
    bug_class = 18
    severity = Severity.ERROR
    why = (
        "LGDT changes no segment register: SS goes on with the loader's selector and the descriptor that it was loaded "
        "with, and 64-bit mode hardly looks at either. A delivery in 64-bit mode pushes SS even where the ring stays "
        "the same, and IRETQ loads it again: now the selector is looked up in the new GDT. If it names no writable "
        "data segment of the right ring there, IRETQ raises #GP (#SS where P=0) with the selector as error code, in a "
        "handler that is without fault. SYSCALL loads SS without looking it up, too: with STAR[47:32] + 8."
    )
    fix = (
        "Load SS behind LGDT with the selector of the new GDT's data segment (`mov eax, 0x10; mov ss, eax`), or in "
        "64-bit mode in ring 0 with 0. If it was SYSCALL that loaded SS, make the GDT and IA32_STAR agree."
    )
    source = "SDM 3A 6.14.2, 6.14.3, 3.4.3; SDM 2A IRET; SDM 2B SYSCALL"

    def entered(self, scene: Scene, delivered: Delivered) -> Findings:
        frame, origin = delivered.frame, delivered.origin
        if frame is None or frame.ss is None or origin.mode not in ("long", "protected", "compatibility"):
            return
        selector = Selector(frame.ss & 0xFFFF)
        if selector.null:
            return
        wrong = _no_stack_segment(selector, scene.now.tables, origin.cpl)
        if wrong is not None:
            absent = wrong.endswith(_ABSENT)
            yield from self._tell(scene, delivered, "SS", selector.value, wrong, "#SS" if absent else "#GP")


class StaleCodeSegment(_Pushed):
    id = "GDT002"
    title = "CS names no code segment of the GDT in use"
    bug_class = None
    severity = Severity.ERROR
    why = (
        "LGDT does not change CS: the kernel goes on with the loader's selector and the descriptor that it was loaded "
        "with. Each delivery pushes that selector, and IRET loads it again: now it is looked up in the new GDT. If it "
        "names no code segment there, IRET raises #GP (#NP where P=0) with the selector as error code, in a handler "
        "that is without fault."
    )
    fix = "Load CS behind LGDT: a far JMP, or in 64-bit code push the selector and an address and execute `retfq`."
    source = "SDM 3A 3.4.3, 6.12.1; SDM 2A IRET, LGDT"

    def entered(self, scene: Scene, delivered: Delivered) -> Findings:
        frame, mode, tables = delivered.frame, delivered.origin.mode, scene.now.tables
        if frame is None or mode not in ("long", "protected", "compatibility"):
            return
        selector = Selector(frame.cs & 0xFFFF)
        found = descriptor(tables, selector)
        if beyond(tables, selector):
            wrong = f"which lies beyond the end of the {selector.table} (limit {_limit(tables, selector):#x})"
        elif found is None:
            return
        elif not found.is_code:
            wrong = f"which in the {selector.table} in use is {_what(found)}"
        elif not found.present:
            wrong = f"which in the {selector.table} in use is {_what(found)} {_ABSENT}"
        elif mode == "long" and not found.l:
            wrong = f"which in the {selector.table} in use is no 64-bit code segment (L=0)"
        else:
            return
        raises = "#NP" if wrong.endswith(_ABSENT) else "#GP"
        yield from self._tell(scene, delivered, "CS", selector.value, wrong, raises)


class GdtNotMapped(Rule):
    id = "GDT003"
    title = "The GDT is not mapped"
    bug_class = None
    severity = Severity.ERROR
    why = (
        "GDTR holds a linear address, and it is translated by the page tables in use when a descriptor is read: at "
        "every delivery, for the handler's code segment. When that page is not mapped the delivery ends in a page "
        "fault, and so does that of the page fault: #DF, and the shutdown. It happens when the GDT was loaded by its "
        "physical address, and the identity mapping was taken away."
    )
    fix = "Execute LGDT again with the address that the GDT has in the final page tables."
    source = "SDM 3A 3.5.1, 4.6.1"

    def failed(self, scene: Scene, delivered: Delivered) -> Findings:
        fault = delivered.fault
        if failed_check(delivered) not in (check.DESCRIPTOR_READ, check.STACK_READ) or fault is None:
            return
        if fault.cr2 is None:
            return
        gdt = scene.now.tables.gdt
        if not gdt.base <= fault.cr2 <= gdt.base + gdt.limit:
            return
        yield self.found(
            scene,
            f"GDTR points to {gdt.base:#x}, and that page is not mapped: {delivered.event.name} ended in "
            f"{raised(fault)}",
            gdt.base,
            Note(f"{delivered.event.name} came here", interrupted_at(delivered, scene.now.tables)),
        )


def _no_stack_segment(selector: Selector, tables: Tables, ring: int) -> str | None:
    """Why IRET will not take a selector for SS in `ring`; None: it will, or that is not known."""
    if beyond(tables, selector):
        return f"which lies beyond the end of the {selector.table} (limit {_limit(tables, selector):#x})"
    found = descriptor(tables, selector)
    if found is None:
        return None
    names = f"which in the {selector.table} in use is {_what(found)}"
    if not found.is_data or not found.writable:
        return f"{names}{' with W=0' * found.is_data}, not a writable data segment"
    if not found.present:
        return f"{names} {_ABSENT}"
    if found.dpl != ring:
        return f"{names} with DPL {found.dpl}, and the ring is {ring}"
    if selector.rpl != ring:
        return f"whose RPL is {selector.rpl}, and the ring is {ring}"
    return None


def _limit(tables: Tables, selector: Selector) -> int:
    table = tables.ldt if selector.ti else tables.gdt
    return 0 if table is None else table.limit


def _what(found: Descriptor) -> str:
    if not found.value:
        return "a null descriptor"
    if not found.s:
        return f"a system descriptor ({found.kind})"
    return "a data segment" if found.is_data else code_segment(found.kind)


_ABSENT = "with P=0"

RULES: tuple[type[Rule], ...] = (StaleStackSegment, StaleCodeSegment, GdtNotMapped, *task_state.RULES)
