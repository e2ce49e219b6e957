"""Error codes that the processor pushes for some exceptions (SDM 3A 6.13, 4.7)."""

from typing import Final

from .fields import Bits, Flag, Structure
from .selectors import Selector

SEPARATOR: Final = " · "


class PageFaultCode(Structure):
    """The error code of #PF (SDM 3A 4.7, figure 4-12), as the eight bytes that 64-bit mode pushes."""

    __slots__ = ()
    SIZE = 8

    present = Flag(0, "P", "an entry was not present", "the page was present, the access was not allowed")
    write = Flag(1, "W/R", "read", "write")
    user = Flag(2, "U/S", "supervisor access", "user access")
    reserved_bit = Flag(3, "RSVD", "no reserved bit was set", "a reserved bit was set in an entry")
    fetch = Flag(4, "I/D", "data access", "instruction fetch")
    protection_key = Flag(5, "PK", "no protection key refused it", "a protection key refused it")
    shadow_stack = Flag(6, "SS", "not a shadow stack access", "shadow stack access")
    sgx = Flag(15, "SGX", "not refused by SGX", "refused by SGX access control")

    def names(self) -> tuple[str, ...]:
        """The flags that are set, lowest bit first, each by what 1 means: `("P", "W", "U")`."""
        return tuple(name.partition("/")[0] for name in reversed(super().names()))

    def explain(self) -> str:
        """The access and what refused it: `write · ring 3 · page not present`."""
        access = "fetch" if self.fetch else "write" if self.write else "read"
        if self.shadow_stack:
            access = f"shadow stack {access}"
        return SEPARATOR.join((access, "ring 3" if self.user else "supervisor", self._cause()))

    def _cause(self) -> str:
        if not self.present:
            return "page not present"
        if self.reserved_bit:
            return "reserved bit set in a page table entry"
        if self.protection_key:
            return "refused by the protection key"
        return "refused by SGX" if self.sgx else "not allowed by the page"


class SelectorErrorCode(Structure):
    """The error code of #TS, #NP, #SS and #GP: the selector or gate at fault (SDM 3A 6.13)."""

    __slots__ = ()
    SIZE = 8

    ext = Flag(0, "EXT", "the program's own instruction led here", "met while an event from outside it was delivered")
    idt = Flag(1, "IDT", "the index is into the GDT or LDT", "the index is into the IDT")
    ti = Flag(2, "TI", "the GDT (when IDT=0)", "the LDT (when IDT=0)")
    index = Bits((15, 3), name="index", meaning=lambda code: code._where())

    @property
    def table(self) -> str:
        """`IDT`, `LDT` or `GDT`: the table that the index is into."""
        return "IDT" if self.idt else "LDT" if self.ti else "GDT"

    @property
    def selector(self) -> Selector:
        """The selector that the code names, with RPL 0; without meaning when `idt` is set."""
        return Selector(self.value & 0xFFFC)

    def explain(self) -> str:
        """What is at fault, and whether the event came from outside: `IDT entry 8 · external`."""
        return self._where() + (f"{SEPARATOR}external" if self.ext else "")

    def _where(self) -> str:
        if self.idt:
            return f"IDT entry {self.index}"
        if self.selector.null:
            return "no selector"
        return f"{self.table} selector {self.selector.value:#x}"


_BRANCHES: Final = {
    1: "near RET",
    2: "far RET or IRET",
    3: "missing ENDBRANCH",
    4: "RSTORSSP without a token",
    5: "SETSSBSY without a token",
}
"""Values of CPEC, the cause of #CP (SDM 3A 6.15, Interrupt 21)."""


class ControlProtectionCode(Structure):
    """The error code of #CP: which check of control-flow enforcement failed (SDM 3A 6.15, Interrupt 21)."""

    __slots__ = ()
    SIZE = 8

    cpec = Bits((14, 0), name="CPEC", meaning=lambda code: _BRANCHES.get(code.cpec, "reserved"))
    encl = Flag(15, "ENCL", "not in an enclave", "in an enclave")

    def explain(self) -> str:
        """The check that failed: `missing ENDBRANCH`."""
        cause = _BRANCHES.get(self.cpec, f"control protection cause {self.cpec}")
        return cause + (f"{SEPARATOR}in an enclave" if self.encl else "")


class ZeroErrorCode(Structure):
    """The error code of #DF and #AC, which is always 0 (SDM 3A 6.15, Interrupts 8 and 17)."""

    __slots__ = ()
    SIZE = 8

    code = Bits((63, 0), name="error code", meaning=lambda code: code.explain())

    def explain(self) -> str:
        """`always 0`, or that it is not."""
        return "always 0" if self.value == 0 else f"{self.value:#x}, but the processor pushes 0"


class PlainErrorCode(Structure):
    """An error code that is one number: #VC's exit code, #SX's cause (APM 2 8.2), or one that no manual defines."""

    __slots__ = ()
    SIZE = 8

    code = Bits((63, 0), name="error code", meaning=lambda code: code.explain())

    def explain(self) -> str:
        """The number."""
        return f"code {self.value:#x}"


ErrorCode = PageFaultCode | SelectorErrorCode | ControlProtectionCode | ZeroErrorCode | PlainErrorCode

_FORMATS: Final[dict[int, type[ErrorCode]]] = {
    8: ZeroErrorCode,
    10: SelectorErrorCode,
    11: SelectorErrorCode,
    12: SelectorErrorCode,
    13: SelectorErrorCode,
    14: PageFaultCode,
    17: ZeroErrorCode,
    21: ControlProtectionCode,
}


def decode(vector: int, code: int) -> ErrorCode:
    """The error code `code` (0 .. 2^64-1) in the format of exception `vector`; a plain number if it has none."""
    return _FORMATS.get(vector, PlainErrorCode)(code)


def describe(vector: int, code: int) -> str:
    """The error code of exception `vector` in one short line: `write · ring 3 · page not present`."""
    return decode(vector, code).explain()


def idt_error(vector: int, ext: bool) -> int:
    """The code that names gate `vector` of the IDT: vector x 8 + 2, with EXT as given (SDM 3A 6.13)."""
    return SelectorErrorCode(index=vector, idt=True, ext=ext).value


def selector_error(selector: int, ext: bool) -> int:
    """The code that names `selector` without its RPL, with EXT as given (SDM 3A 6.13)."""
    return Selector(selector).value & ~3 | ext
