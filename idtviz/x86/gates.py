"""What a vector selects: 16-byte gates of 64-bit mode, 8-byte gates of protected mode, and the real-mode IVT."""

from typing import Any, Final

from .fields import Bits, Flag, Reserved, Structure
from .selectors import Selector

TASK_GATE: Final = 0x5
INTERRUPT_GATE_16: Final = 0x6
TRAP_GATE_16: Final = 0x7
INTERRUPT_GATE: Final = 0xE
TRAP_GATE: Final = 0xF

_KINDS_64: Final = {
    0x2: "LDT",
    0x5: "task",
    0x9: "TSS available",
    0xB: "TSS busy",
    0xC: "call",
    INTERRUPT_GATE: "interrupt",
    TRAP_GATE: "trap",
}
"""Meaning of the type field, S=0, in 64-bit mode (SDM 3A table 3-2); types not listed are reserved, and 5 is too."""

_KINDS_32: Final = {
    0x1: "TSS16 available",
    0x2: "LDT",
    0x3: "TSS16 busy",
    0x4: "call16",
    TASK_GATE: "task",
    INTERRUPT_GATE_16: "interrupt16",
    TRAP_GATE_16: "trap16",
    0x9: "TSS32 available",
    0xB: "TSS32 busy",
    0xC: "call",
    INTERRUPT_GATE: "interrupt",
    TRAP_GATE: "trap",
}
"""Meaning of the type field, S=0, in protected mode (SDM 3A table 3-2); types not listed are reserved."""

NOT_A_GATE: Final = "code or data"
"""Kind of a descriptor with S=1 in the IDT: no gate at all."""


def _type(gate: Any) -> str:
    kind: str = gate.kind
    return f"{kind} gate" if gate.type in (4, 5, 6, 7, 0xC, 0xE, 0xF) and not gate.s else kind


def _ist(gate: "Gate64") -> str:
    if gate.ist == 0:
        return "no stack switch by the interrupt stack table"
    return f"RSP is loaded from IST{gate.ist} of the TSS"


def _dpl(gate: Any) -> str:
    return f"INT n, INT3 and INTO may use the gate from ring {gate.dpl}" + (" and inner rings" if gate.dpl else " only")


class _Gate(Structure):
    """The bits that lie alike in 8-byte and 16-byte gates."""

    __slots__ = ()

    selector = Bits((31, 16), name="segment selector", meaning=lambda gate: Selector(gate.selector).explain())
    type = Bits((43, 40), name="type", meaning=_type)
    s = Flag(44, "S", "system descriptor, as a gate must be", "code or data descriptor: not a gate")
    dpl = Bits((46, 45), name="DPL", meaning=_dpl)
    present = Flag(47, "P", "not present: delivery through the gate raises #NP", "present")

    @property
    def clears_if(self) -> bool:
        """Whether delivery clears IF: through an interrupt gate it does, through a trap gate not (SDM 3A 6.12.1.3)."""
        return self.is_interrupt_gate

    @property
    def is_interrupt_gate(self) -> bool:
        """Whether the gate is an interrupt gate, of any width."""
        return not self.s and self.type in (INTERRUPT_GATE, INTERRUPT_GATE_16)


class Gate64(_Gate):
    """An entry of the IDT in 64-bit mode, 16 bytes (SDM 3A 6.14.1)."""

    __slots__ = ()
    SIZE = 16

    offset = Bits((15, 0), (63, 48), (95, 64), name="offset", meaning="linear address of the handler")
    ist = Bits((34, 32), name="IST", meaning=_ist)
    reserved = Reserved(39, 35)
    reserved_high = Reserved(127, 96, "reserved dword")

    @property
    def must_be_zero(self) -> int:
        """Bits 12:8 of the fourth dword, where a type field would be; delivery raises #GP unless they are 0."""
        return (self.reserved_high >> 8) & 0x1F

    @property
    def kind(self) -> str:
        """`interrupt` or `trap`; for what 64-bit mode refuses, the name of what the type field says."""
        return NOT_A_GATE if self.s else _KINDS_64.get(self.type, "reserved")

    @property
    def is_interrupt_gate(self) -> bool:
        """Whether S=0 and the type is 0xE; 16-bit gates do not exist in 64-bit mode."""
        return not self.s and self.type == INTERRUPT_GATE


class Gate32(_Gate):
    """An entry of the IDT in protected mode, or a call gate, 8 bytes (SDM 3A 6.11, figure 6-2)."""

    __slots__ = ()
    SIZE = 8

    raw_offset = Bits((15, 0), (63, 48), name="offset", meaning=lambda gate: gate._offset_meaning())
    count = Bits((36, 32), name="count", meaning=lambda gate: gate._count_meaning())
    reserved = Reserved(39, 37)

    @property
    def kind(self) -> str:
        """`interrupt`, `trap`, `task`, `interrupt16`, `trap16`, `call`, ... as the type field says."""
        return NOT_A_GATE if self.s else _KINDS_32.get(self.type, "reserved")

    @property
    def is_16_bit(self) -> bool:
        """Whether the gate is of the 80286 kind: 16-bit offset, 16-bit words on the stack."""
        return not self.s and self.type in (0x4, INTERRUPT_GATE_16, TRAP_GATE_16)

    @property
    def offset(self) -> int:
        """Offset of the handler in its code segment; 16 bits wide for 16-bit gates, whose upper word is not used."""
        return self.raw_offset & 0xFFFF if self.is_16_bit else self.raw_offset

    def _offset_meaning(self) -> str:
        if not self.s and self.type == TASK_GATE:
            return "not used by a task gate"
        return "offset of the handler in its segment" + (" (upper word not used)" if self.is_16_bit else "")

    def _count_meaning(self) -> str:
        if not self.s and self.type in (0x4, 0xC):
            return f"{self.count} parameters are copied to the inner stack"
        return "not used"


class IvtEntry(Structure):
    """An entry of the interrupt vector table of real mode, 4 bytes: a far pointer (SDM 3B 20.1.4)."""

    __slots__ = ()
    SIZE = 4

    offset = Bits((15, 0), name="offset", meaning="IP of the handler")
    segment = Bits((31, 16), name="segment", meaning="CS of the handler")

    @property
    def linear(self) -> int:
        """Linear address of the handler, segment x 16 + offset; up to 0x10ffef, before any A20 gate."""
        return (self.segment << 4) + self.offset
