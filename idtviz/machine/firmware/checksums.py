"""The checksum of firmware tables: all bytes of a table add up to 0, modulo 256."""

from __future__ import annotations


def summed(table: bytes, at: int) -> bytes:
    """`table` with the byte at `at` such that the sum is 0."""
    rest = sum(table) - table[at]
    return table[:at] + bytes((-rest & 0xFF,)) + table[at + 1 :]
