"""Linear addresses (SDM 1 3.3.1, 3.3.7.1)."""

from typing import Final

MASK32: Final = (1 << 32) - 1
"""All bits of a linear address outside 64-bit mode (SDM 1 3.3.1)."""

MASK64: Final = (1 << 64) - 1
"""All bits of a 64-bit register."""

LINEAR_ADDRESS_BITS: Final = 48
"""Width of a linear address that 4-level paging translates."""

_HALF: Final = 1 << (LINEAR_ADDRESS_BITS - 1)


def is_canonical(address: int) -> bool:
    """Whether bits 63:47 of `address` are all equal, as 4-level paging demands (SDM 1 3.3.7.1).

    `address` is taken modulo 2^64, so that a sum that wraps needs no mask.
    """
    return (address + _HALF) & MASK64 < 2 * _HALF
