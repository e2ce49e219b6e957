"""Changes of code segment that are no interrupt: far CALL, JMP and RET, SYSCALL and SYSENTER."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from idtviz.machine.delivery import rules
from idtviz.machine.delivery.event import GENERAL_PROTECTION, Fault
from idtviz.machine.delivery.procedure import Procedure, Step
from idtviz.machine.delivery.returning import is_64_bit
from idtviz.machine.delivery.segments import mark_accessed
from idtviz.machine.delivery.stack import rsp_kept
from idtviz.machine.far_instructions import FarInstruction
from idtviz.machine.memory import LinearMemory
from idtviz.machine.registers import RSP, Registers, Segment
from idtviz.x86 import control, flags
from idtviz.x86.addresses import MASK32, MASK64, is_canonical
from idtviz.x86.descriptors import SegmentDescriptor
from idtviz.x86.selectors import Selector


class Transfer(Procedure):
    """The far instruction `instruction` at RIP; its faults have EXT clear. `end` is RIP behind it."""

    def __init__(self, before: Registers, memory: LinearMemory, instruction: FarInstruction) -> None:
        self.instruction = instruction
        self.end = before.rip + instruction.length & (MASK64 if before.mode == "long" else MASK32)
        super().__init__(before, memory, ext=False)

    def over(self, memory: LinearMemory) -> Transfer:
        """The same transfer from its beginning, over other memory."""
        return type(self)(self.before, memory, self.instruction)

    @property
    def name(self) -> str:
        """What the instruction is called: `CALL far`, `SYSCALL`."""
        return self.instruction.kind.value

    def arrive(self, cs: Segment, cpl: int, rip: int, rsp: int | None = None, **segments: Any) -> Registers:
        """Set `after`: the registers with this code segment, and what else has changed. RF ends with an instruction."""
        at = self.before
        general = list(at.general)
        long = cs.long and bool(at.efer & control.EFER_LMA)
        general[RSP] = rsp_kept(at, at.rsp if rsp is None else rsp, long=long)
        self.after = replace(
            at,
            general=tuple(general),
            rip=rip,
            rflags=at.rflags & ~flags.RF,
            cpl=cpl,
            cs=cs,
            interrupt_shadow=False,
            **segments,
        )
        return self.after


class FarTransfer(Transfer):
    """What a far CALL or JMP does alike, directly and through a call gate."""

    pushes = False
    """Whether a return address is left: CALL."""

    def check_address(self, code: SegmentDescriptor, offset: int) -> Step:
        """The check of the address gone to."""
        if is_64_bit(self.before, code):
            holds, bound = is_canonical(offset), "canonical"
        else:
            holds, bound = offset <= code.byte_limit, f"within the limit {code.byte_limit:#x}"
        lost = Fault(GENERAL_PROTECTION, 0)
        return self.check(rules.FAR_ADDRESS, holds, f"address gone to {bound}", f"{offset:#x}", lost)

    def load_code(self, selector: Selector, code: SegmentDescriptor, address: int, cpl: int | None = None) -> Step:
        """The step in which CS is loaded."""
        cpl = self.before.cpl if cpl is None else cpl
        mark_accessed(self, rules.FAR_LOAD, "load CS", code, address)
        return self.did(rules.FAR_LOAD, "load CS", f"{selector.value & ~3 | cpl:#x}, ring {cpl}")

    def enter(self, after: Registers) -> Step:
        """The last step."""
        return self.did(rules.FAR_ENTER, f"CS:RIP ← {after.cs.selector:#x}:{after.rip:#x}", f"ring {after.cpl}")
