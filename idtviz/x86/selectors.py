"""Segment selectors (SDM 3A 3.4.2)."""

from .fields import Bits, Flag, Structure


class Selector(Structure):
    """A segment selector: which descriptor, in which table, asked for with which privilege (SDM 3A 3.4.2)."""

    __slots__ = ()
    SIZE = 2

    rpl = Bits((1, 0), name="RPL", meaning=lambda selector: f"requested privilege level {selector.rpl}")
    ti = Flag(2, "TI", "the global descriptor table", "the local descriptor table")
    index = Bits((15, 3), name="index", meaning=lambda selector: f"byte {selector.offset:#x} of the {selector.table}")

    @property
    def offset(self) -> int:
        """Where the descriptor begins, in bytes from the base of its table: index x 8."""
        return self.value & ~7

    @property
    def table(self) -> str:
        """`GDT` or `LDT`."""
        return "LDT" if self.ti else "GDT"

    @property
    def null(self) -> bool:
        """Whether this is a null selector: GDT index 0, with any RPL. Loading it is legal, using it is not."""
        return self.value & ~3 == 0

    def explain(self) -> str:
        """One line: `GDT entry 1, RPL 0`, or `null selector`."""
        return "null selector" if self.null else f"{self.table} entry {self.index}, RPL {self.rpl}"
