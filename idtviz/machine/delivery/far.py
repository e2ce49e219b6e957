"""Far CALL and JMP in every mode (SDM 2A CALL, JMP). Reads from top to bottom as the processor goes."""

from __future__ import annotations

from collections.abc import Generator

from idtviz.machine.delivery import rules
from idtviz.machine.delivery.call_gate import CallGate
from idtviz.machine.delivery.event import GENERAL_PROTECTION, NOT_PRESENT, STACK_FAULT, Fault
from idtviz.machine.delivery.far_return import FarReturn
from idtviz.machine.delivery.paragraphs import paragraph
from idtviz.machine.delivery.procedure import Step, Steps
from idtviz.machine.delivery.pushing import PushedWords
from idtviz.machine.delivery.returning import POINTER_NAMES, is_64_bit
from idtviz.machine.delivery.segments import compare, descriptor_table, segment
from idtviz.machine.delivery.stack import stack_of
from idtviz.machine.delivery.task import NewTask, SwitchKind, TaskSwitch, check_task, find_task
from idtviz.machine.delivery.transfer import FarTransfer, Transfer
from idtviz.machine.far_instructions import FarInstruction, Kind, MemoryPointer
from idtviz.machine.memory import LinearMemory
from idtviz.machine.registers import Registers
from idtviz.machine.segmentation import contains, is_readable
from idtviz.x86 import control, flags
from idtviz.x86.addresses import MASK32, MASK64
from idtviz.x86.descriptors import SegmentDescriptor
from idtviz.x86.error_codes import selector_error
from idtviz.x86.gates import TASK_GATE, Gate32
from idtviz.x86.selectors import Selector

_CALL_GATE_16, _CALL_GATE = 0x4, 0xC
_TASK_STATE_SEGMENTS = (0x1, 0x3, 0x9, 0xB)


class _CallOrJump(FarTransfer):
    """To another code segment: directly, through a call gate, or to another task."""

    def perform(self) -> Steps:
        selector, offset = yield from self._far_pointer()
        if self.before.mode in ("real", "vm86"):
            yield from self._to_paragraph(selector, offset)
            return
        yield from self._to_descriptor(Selector(selector), offset)

    def _far_pointer(self) -> Generator[Step, None, tuple[int, int]]:
        """Selector and offset, from the instruction or from memory."""
        instruction = self.instruction
        if instruction.memory is None:
            assert instruction.pointer is not None
            selector, offset = instruction.pointer
            yield self.did(rules.FAR_POINTER, "far pointer of the instruction", f"{selector:#x}:{offset:#x}")
            return selector, offset
        operand, size = instruction.memory, instruction.operand_size
        rule = rules.FAR_POINTER_STACK if operand.segment == "ss" else rules.FAR_POINTER
        places = (operand.offset, operand.offset + size & operand.mask)
        yield from self._check_operand(operand, places)
        user = self.before.cpl == 3
        values = [
            self.read(rule, "far pointer read", self._linear(operand.segment, place), width, user=user)
            for place, width in zip(places, (size, 2), strict=True)
        ]
        yield self.did(
            rule, "far pointer read", f"{values[1]:#x}:{values[0]:#x} ← {self._linear(operand.segment, places[0]):x}"
        )
        return values[1], values[0]

    def _check_operand(self, operand: MemoryPointer, places: tuple[int, int]) -> Steps:
        """The far pointer lies within its segment; 64-bit mode does not ask."""
        if self.before.mode == "long":
            return
        found = getattr(self.before, operand.segment)
        inside = contains(found, places[0], self.instruction.operand_size) and contains(found, places[1], 2)
        holds = found.present and is_readable(found) and inside
        bad = Fault(STACK_FAULT if operand.segment == "ss" else GENERAL_PROTECTION, 0)
        what = f"far pointer within {operand.segment.upper()}"
        value = f"{operand.offset:#x}, limit {found.limit:#x}" if found.present else "the segment is null"
        yield self.check(rules.FAR_OPERAND, holds, what, value, bad)

    def _linear(self, name: str, offset: int) -> int:
        base: int = getattr(self.before, name).base
        if self.before.mode == "long":
            return offset + (base if name in ("fs", "gs") else 0) & MASK64
        return offset + base & MASK32

    def _to_paragraph(self, selector: int, offset: int) -> Steps:
        """Real-address and virtual-8086 mode."""
        at = self.before
        words = PushedWords(self, stack_of(at), at.rsp, self.instruction.operand_size, user=at.cpl == 3)
        if self.pushes:
            yield from words.room(2, Fault(STACK_FAULT, 0))
        lost, limit = Fault(GENERAL_PROTECTION, 0), at.cs.limit
        what = f"offset within the limit {limit:#x}"
        yield self.check(rules.FAR_ADDRESS, offset <= limit, what, compare(offset, "≤", limit), lost)
        if self.pushes:
            yield from self._push_return_address(words)
        yield self.did(rules.FAR_LOAD_PARAGRAPH, "load CS", f"{selector:#x}, base {selector << 4:#x}")
        yield self.enter(self.arrive(paragraph(at, at.cs, selector), at.cpl, offset, words.rsp(at.rsp)))

    def _to_descriptor(self, selector: Selector, offset: int) -> Steps:
        """Protected and long mode: what the selector names decides how it goes on."""
        wrong = Fault(GENERAL_PROTECTION, selector_error(selector.value, self.ext))
        null = Fault(GENERAL_PROTECTION, 0)
        yield self.check(rules.FAR_NULL, not selector.null, "selector not null", f"{selector.value:#x}", null)
        base, limit, name = descriptor_table(self.before, selector)
        last = selector.offset + 7
        value = "the LDTR is null" if limit is None else compare(last, "≤", limit)
        inside = limit is not None and last <= limit
        yield self.check(rules.FAR_LIMIT, inside, f"selector within the {name}", value, wrong)
        address = (base + selector.offset) & MASK64
        found = SegmentDescriptor(self.read(rules.FAR_READ, f"{name}[{selector.index}] read", address, 8))
        yield self.did(rules.FAR_READ, f"{name}[{selector.index}] read", f"8 B @{address:x}")
        long = bool(self.before.efer & control.EFER_LMA)
        gates = (_CALL_GATE,) if long else (_CALL_GATE, _CALL_GATE_16, TASK_GATE, *_TASK_STATE_SEGMENTS)
        right = found.is_code or (found.is_system and found.type in gates)
        what = "code segment or 64-bit call gate" if long else "code segment, call gate, task gate or TSS"
        yield self.check(rules.FAR_TYPE, right, what, found.kind, wrong)
        if found.is_code:
            yield from self._to_code(selector, found, address, offset)
            return
        yield from self._check_gate_use(selector, found)
        if found.type in (_CALL_GATE, _CALL_GATE_16):
            yield from CallGate(self, selector, found, address).perform()
        else:
            yield from self._to_task(selector, found, address)

    def _to_code(self, selector: Selector, found: SegmentDescriptor, address: int, offset: int) -> Steps:
        """To a code segment of the same ring, or a conforming one."""
        at = self.before
        error = selector_error(selector.value, self.ext)
        wrong = Fault(GENERAL_PROTECTION, error)
        bits = f"L={int(found.l)} D={int(found.db)}"
        if at.efer & control.EFER_LMA:
            yield self.check(rules.FAR_CODE_LONG, not (found.l and found.db), "not L=1 and D=1", bits, wrong)
        dpl, rpl, cpl = found.dpl, selector.rpl, at.cpl
        if found.conforming:
            fits, what = dpl <= cpl, f"conforming: DPL {dpl} ≤ CPL {cpl}"
        else:
            fits, what = rpl <= cpl and dpl == cpl, f"RPL {rpl} ≤ CPL {cpl}, DPL {dpl} = CPL"
        yield self.check(rules.FAR_CODE_DPL, fits, what, f"DPL {dpl}, RPL {rpl}, CPL {cpl}", wrong)
        absent, present = Fault(NOT_PRESENT, error), f"P={int(found.present)}"
        yield self.check(rules.FAR_CODE_PRESENT, found.present, "code segment present", present, absent)
        # Bochs pushes before it checks the address, on a stack of the mode that it goes to; the SDM does neither.
        words = PushedWords(self, stack_of(at), at.rsp, self.instruction.operand_size, user=cpl == 3)
        if self.pushes:
            yield from words.room(2, Fault(STACK_FAULT, 0))
        offset = offset if is_64_bit(at, found) else offset & MASK32
        yield self.check_address(found, offset)
        if self.pushes:
            yield from self._push_return_address(words)
        yield self.load_code(selector, found, address)
        cs = segment(selector.value & ~3 | cpl, found)
        yield self.enter(self.arrive(cs, cpl, offset, words.rsp(at.rsp)))

    def _push_return_address(self, words: PushedWords) -> Steps:
        yield from words.push(rules.CALL_PUSH_CS, "CS", self.before.cs.selector)
        yield from words.push(rules.CALL_PUSH_IP, POINTER_NAMES[self.instruction.operand_size][0], self.end)

    def _check_gate_use(self, selector: Selector, found: SegmentDescriptor) -> Steps:
        """The ring may use this gate or TSS."""
        dpl, rpl, cpl = found.dpl, selector.rpl, self.before.cpl
        wrong = Fault(GENERAL_PROTECTION, selector_error(selector.value, self.ext))
        holds = dpl >= cpl and dpl >= rpl
        what = f"DPL {dpl} ≥ CPL {cpl} and RPL {rpl}"
        yield self.check(rules.CALL_GATE_USE, holds, what, f"DPL {dpl}, CPL {cpl}, RPL {rpl}", wrong)

    def _to_task(self, selector: Selector, found: SegmentDescriptor, address: int) -> Steps:
        """To another task, by its TSS or through a task gate."""
        kind = SwitchKind.CALL if self.pushes else SwitchKind.JUMP
        if found.type == TASK_GATE:
            absent = Fault(NOT_PRESENT, selector_error(selector.value, self.ext))
            present = found.present
            yield self.check(rules.CALL_GATE_PRESENT, present, "task gate present", f"P={int(present)}", absent)
            task = yield from find_task(self, kind, Selector(Gate32(found.value).selector))
        else:
            where = f"TI={int(selector.ti)}"
            wrong = Fault(GENERAL_PROTECTION, selector_error(selector.value, self.ext))
            yield self.check(rules.TASK_SELECTOR, not selector.ti, "the TSS is one of the GDT", where, wrong)
            task = NewTask(selector, found, address)
            yield from check_task(self, kind, task)
        eflags = self.before.rflags & ~flags.RF
        yield from TaskSwitch(self, kind, task, rip=self.end, eflags=eflags).perform()


class FarCall(_CallOrJump):
    """CALL far."""

    pushes = True


class FarJump(_CallOrJump):
    """JMP far."""


_TRANSFERS: dict[Kind, type[Transfer]] = {Kind.CALL: FarCall, Kind.JUMP: FarJump, Kind.RETURN: FarReturn}


def far_transfer(instruction: FarInstruction, at: Registers, memory: LinearMemory) -> Transfer:
    """The far CALL, JMP or RET `instruction` that stands at RIP."""
    return _TRANSFERS[instruction.kind](at, memory, instruction)
