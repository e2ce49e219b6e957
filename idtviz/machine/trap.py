"""What stops the engine."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from idtviz.x86.vectors import VECTORS


class TrapKind(Enum):
    """Why the engine stopped in front of, or right behind, an instruction."""

    EXCEPTION = "exception"
    SOFTWARE = "INT n, INT3 or INTO"
    HALT = "HLT"
    IRET = "IRET"
    TIME_STAMP = "RDTSC or RDTSCP"
    SYSTEM_CALL = "SYSCALL or SYSENTER"
    CPUID = "CPUID"


@dataclass(frozen=True, slots=True)
class Trap:
    """What stopped the engine. RIP is in front of the instruction, for a single-step #DB behind it.

    `vector` and `error_code` are those of an EXCEPTION.
    """

    kind: TrapKind
    vector: int = 0
    error_code: int = 0

    @property
    def name(self) -> str:
        """`#PF`, or the instruction."""
        return VECTORS[self.vector].mnemonic if self.kind is TrapKind.EXCEPTION else self.kind.value
