"""The code behind a gate, read without running it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StubReturn:
    """An IRET that a handler comes to: its linear address, and the size in bytes of the words that it takes.

    `depth`: how many bytes lie between the stack pointer and where it pointed at the handler's first instruction.
    Positive: the handler has pushed more than it has popped; None: that is not known.
    """

    address: int
    size: int
    depth: int | None


@dataclass(frozen=True, slots=True)
class PushedConstant:
    """A constant that a stub pushes before it does anything else."""

    address: int
    value: int


@dataclass(frozen=True, slots=True)
class Stub:
    """The handler of `vector` at linear `address`, as far as its instructions could be followed.

    `whole`: all of them could, so that `returns` lists every IRET that there is. A handler that never returns lists
    none. `word`: bytes of a word of the frame that the gate makes the processor push.
    """

    vector: int
    address: int
    word: int = 8
    error_code: bool = False
    """Whether the processor pushes an error code for the vector."""
    shared: tuple[int, ...] = ()
    """The other vectors whose gates lead to the same address."""
    constants: tuple[PushedConstant, ...] = ()
    returns: tuple[StubReturn, ...] = ()
    strings: tuple[int, ...] = ()
    """String instructions, its callees' included, at which RFLAGS.DF is still the interrupted program's."""
    clears_direction: bool = False
    """Whether there is a CLD on any path."""
    swaps_gs: bool = False
    ring_3: bool = False
    """Whether the kernel can be interrupted in ring 3: there is a code segment for it, and a TSS."""
    ends_interrupt: bool = False
    """Whether it writes to an 8259's command port, as for an EOI."""
    whole: bool = False

    @property
    def excess(self) -> int | None:
        """Bytes that every IRET finds too many on the stack (negative: too few); None: not known, or not all alike.

        Without an error code IRET wants the stack as the handler found it, with one a word less.
        """
        depths = {found.depth for found in self.returns}
        if not self.whole or len(depths) != 1:
            return None
        (depth,) = depths
        return None if depth is None else depth + self.word * self.error_code
