"""What deliveries through a gate check alike, in long and in protected mode (SDM 3A 6.12.1)."""

from __future__ import annotations

from collections.abc import Generator

from idtviz.machine.delivery import rules
from idtviz.machine.delivery.delivery import Delivery
from idtviz.machine.delivery.event import GENERAL_PROTECTION, NOT_PRESENT, Fault
from idtviz.machine.delivery.procedure import Step, Steps
from idtviz.machine.delivery.segments import compare, descriptor_table
from idtviz.x86 import control
from idtviz.x86.addresses import MASK32, MASK64
from idtviz.x86.descriptors import SegmentDescriptor
from idtviz.x86.error_codes import idt_error, selector_error
from idtviz.x86.gates import Gate32, Gate64
from idtviz.x86.selectors import Selector


class GatedDelivery(Delivery):
    """A delivery that reads a gate, and by it the descriptor of the handler's code segment."""

    @property
    def new_cpl(self) -> int:
        """The handler's ring: that of its segment, or the present one for a conforming segment."""
        assert self.descriptor is not None
        return self.before.cpl if self.descriptor.conforming else self.descriptor.dpl

    def check_use(self, gate: Gate32 | Gate64) -> Steps:
        """Software may use the gate, and it is present."""
        cpl, dpl = self.before.cpl, gate.dpl
        entry = idt_error(self.event.vector, self.ext)
        if not self.event.external:
            wrong = Fault(GENERAL_PROTECTION, entry)
            what = f"software may use it: gate DPL {dpl} ≥ CPL {cpl}"
            yield self.check(rules.GATE_DPL, dpl >= cpl, what, compare(dpl, "≥", cpl), wrong)
        absent = Fault(NOT_PRESENT, entry)
        yield self.check(rules.GATE_PRESENT, gate.present, "gate present", f"P={int(gate.present)}", absent)

    def find_code(self, selector: Selector) -> Generator[Step, None, SegmentDescriptor]:
        """The descriptor that the gate's selector names: a code segment that is not less privileged than CPL."""
        at = self.before
        wrong = Fault(GENERAL_PROTECTION, selector_error(selector.value, self.ext))
        null = Fault(GENERAL_PROTECTION, int(self.ext))
        yield self.check(rules.SELECTOR_NULL, not selector.null, "selector not null", f"{selector.value:#x}", null)
        base, limit, name = descriptor_table(at, selector)
        last = selector.offset + 7
        value = "the LDTR is null" if limit is None else compare(last, "≤", limit)
        inside = limit is not None and last <= limit
        yield self.check(rules.SELECTOR_LIMIT, inside, f"selector within the {name}", value, wrong)
        self.descriptor_address = base + selector.offset & (MASK64 if at.efer & control.EFER_LMA else MASK32)
        what = f"{name}[{selector.index}] read"
        self.descriptor = found = SegmentDescriptor(self.read(rules.DESCRIPTOR_READ, what, self.descriptor_address, 8))
        yield self.did(rules.DESCRIPTOR_READ, what, f"8 B @{self.descriptor_address:x}")
        yield self.check(rules.DESCRIPTOR_CODE, found.is_code, "code segment", found.kind, wrong)
        dpl = found.dpl
        inner = dpl <= at.cpl
        what = f"DPL {dpl} ≤ CPL {at.cpl}" + (f" → enter ring {self.new_cpl}" if inner else "")
        yield self.check(rules.DESCRIPTOR_DPL, inner, what, compare(dpl, "≤", at.cpl), wrong)
        return found
