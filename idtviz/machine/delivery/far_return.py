"""Far RET in every mode (SDM 2B RET). Reads from top to bottom as the processor goes."""

from __future__ import annotations

from idtviz.machine.delivery import rules
from idtviz.machine.delivery.event import GENERAL_PROTECTION, Fault
from idtviz.machine.delivery.paragraphs import paragraph
from idtviz.machine.delivery.procedure import Steps
from idtviz.machine.delivery.returning import (
    POINTER_NAMES,
    PoppedWords,
    check_return_address,
    check_return_code,
    check_return_stack,
    data_segments,
    drop_inner_segments,
    is_64_bit,
)
from idtviz.machine.delivery.segments import mark_accessed, segment
from idtviz.machine.delivery.stack import Stack
from idtviz.machine.delivery.transfer import Transfer
from idtviz.machine.registers import Segment
from idtviz.x86.addresses import MASK32
from idtviz.x86.descriptors import SegmentDescriptor
from idtviz.x86.selectors import Selector


class FarReturn(Transfer):
    """RET far, with or without parameters to release."""

    def perform(self) -> Steps:
        words = PoppedWords(self, self.instruction.operand_size)
        yield from words.room(2)
        ip = POINTER_NAMES[self.instruction.operand_size][0]
        if self.before.mode in ("real", "vm86"):
            rip = yield from words.pop(rules.POP_RIP, ip, 0)
            cs = yield from words.pop(rules.POP_CS, "CS", 1)
            yield from self._to_paragraph(words, cs & 0xFFFF, rip)
            return
        # The pseudo-code looks at the selectors on the stack before it pops anything.
        cs = yield from words.pop(rules.POP_CS, "CS", 1)
        rip = yield from words.pop(rules.POP_RIP, ip, 0)
        selector = Selector(cs & 0xFFFF)
        code, address = yield from check_return_code(self, selector)
        if selector.rpl == self.before.cpl:
            yield from self._to_same_ring(words, selector, code, address, rip)
        else:
            yield from self._to_outer_ring(words, selector, code, address, rip)

    def _to_paragraph(self, words: PoppedWords, selector: int, ip: int) -> Steps:
        """Real-address and virtual-8086 mode."""
        at = self.before
        limit, lost = at.cs.limit, Fault(GENERAL_PROTECTION, 0)
        yield self.check(rules.RETURN_RIP, ip <= limit, f"return address within the limit {limit:#x}", f"{ip:#x}", lost)
        yield self.did(rules.FAR_LOAD_PARAGRAPH, "load CS", f"{selector:#x}, base {selector << 4:#x}")
        rsp = words.rsp_behind(2, self.instruction.release)
        self.arrive(paragraph(at, at.cs, selector), at.cpl, ip, rsp)
        yield self.did(
            rules.RETURN_RELEASE, f"IP ← {ip:#x} · SP ← {rsp & 0xFFFF:#x}", f"{self.instruction.release} B released"
        )

    def _to_same_ring(
        self, words: PoppedWords, selector: Selector, code: SegmentDescriptor, address: int, rip: int
    ) -> Steps:
        at = self.before
        yield check_return_address(self, rip, code)
        mark_accessed(self, rules.FAR_LOAD, "load CS", code, address)
        yield self.did(rules.FAR_LOAD, "load CS", f"{selector.value:#x}, ring {at.cpl}")
        rsp = words.rsp_behind(2, self.instruction.release)
        rip = rip if is_64_bit(at, code) else rip & MASK32
        self.arrive(segment(selector.value, code), at.cpl, rip, rsp)
        yield self.did(
            rules.RETURN_RELEASE, f"RIP ← {rip:#x} · RSP ← {rsp:#x}", f"{self.instruction.release} B released"
        )

    def _to_outer_ring(
        self, words: PoppedWords, selector: Selector, code: SegmentDescriptor, address: int, rip: int
    ) -> Steps:
        at, release, cpl = self.before, self.instruction.release, selector.rpl
        yield from words.room(2, first=2, skip=release)
        sp = POINTER_NAMES[self.instruction.operand_size][1]
        ss_word = yield from words.pop(rules.POP_SS, "SS", 3, release)
        popped = yield from words.pop(rules.POP_RSP, sp, 2, release)
        stack_selector = Selector(ss_word & 0xFFFF)
        stack = yield from check_return_stack(self, stack_selector, cpl, code)
        yield check_return_address(self, rip, code)
        mark_accessed(self, rules.FAR_LOAD, "load CS and SS", code, address)
        if stack is None:
            ss = Segment(stack_selector.value, 0, 0, cpl << 13)
        else:
            mark_accessed(self, rules.FAR_LOAD, "load CS and SS", *stack)
            ss = segment(stack_selector.value, stack[0])
        yield self.did(rules.FAR_LOAD, "load CS and SS", f"{selector.value:#x}, {ss.selector:#x}, ring {cpl}")
        data = yield from drop_inner_segments(self, cpl, data_segments(at))
        long = is_64_bit(at, code)
        rsp = Stack(ss, flat=long).moved(at.rsp, popped + release)
        self.arrive(segment(selector.value, code), cpl, rip if long else rip & MASK32, rsp, ss=ss, **data)
        text = f"RIP ← {rip:#x} · RSP ← {rsp:#x}"
        yield self.did(rules.RETURN_RELEASE, text, f"ring {at.cpl} → {cpl}, {release} B released")
