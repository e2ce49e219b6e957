"""What the returns from a handler have in common, in every mode: IRET, IRETD and IRETQ."""

from __future__ import annotations

from idtviz.machine.delivery.procedure import Procedure
from idtviz.machine.delivery.stack import stack_of
from idtviz.machine.memory import LinearMemory
from idtviz.machine.registers import Registers
from idtviz.x86 import flags

STATUS = flags.CF | flags.PF | flags.AF | flags.ZF | flags.SF | flags.OF
RESTORED = STATUS | flags.TF | flags.DF | flags.NT | flags.RF | flags.AC | flags.ID
"""What every IRET takes from the popped image, whatever the ring, as far as its operand size reaches (SDM 2A IRET)."""


class Return(Procedure):
    """An IRET with operands of `size` bytes (2, 4 or 8)."""

    def __init__(self, before: Registers, memory: LinearMemory, size: int) -> None:
        self.size = size
        self.base = stack_of(before).address(before.rsp)
        """Linear address of the word that is popped first."""
        self.to: tuple[int, int] | None = None
        """CS and RIP as popped."""
        super().__init__(before, memory, ext=False)

    def over(self, memory: LinearMemory) -> Return:
        """The same return from its beginning, over other memory."""
        return type(self)(self.before, memory, self.size)

    def restored_flags(self, popped: int) -> int:
        """RFLAGS from the popped image in protected and long mode, as far as CPL and IOPL allow; VM stays."""
        at = self.before
        mask = RESTORED
        if at.cpl <= (at.rflags & flags.IOPL) >> 12:
            mask |= flags.IF
        if at.cpl == 0:
            mask |= flags.IOPL | flags.VIF | flags.VIP
        return self.merged(popped, mask)

    def merged(self, popped: int, mask: int) -> int:
        """RFLAGS with the bits of `mask` taken from the popped image, as far as the operand size reaches.

        A 16-bit image has no RF; as at the end of any instruction, RF is then clear (SDM 3B 17.3.1.1).
        """
        kept = ~mask
        if self.size == 2:
            mask &= 0xFFFF
            kept = ~mask & ~flags.RF
        return self.before.rflags & kept | popped & mask | flags.ALWAYS_SET
