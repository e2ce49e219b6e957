"""Physical memory, and linear memory over the guest's own page tables."""

from __future__ import annotations

import ctypes
import mmap
from collections.abc import Callable

from idtviz.machine.registers import Registers
from idtviz.x86 import paging
from idtviz.x86.addresses import MASK64, is_canonical

PAGE = 4096


class AccessFault(Exception):
    """An access by linear address that the processor answers with an exception (#PF, or #GP for a non-canonical address)."""

    def __init__(self, vector: int, error_code: int, linear: int) -> None:
        super().__init__(f"vector {vector}, error code {error_code:#x}, address {linear:#x}")
        self.vector = vector
        self.error_code = error_code
        self.linear = linear


class Memory:
    """RAM from physical address 0 upward. What lies above reads as all ones and drops writes, as an empty bus does."""

    def __init__(self, size: int) -> None:
        """`size` in bytes, a multiple of 4096."""
        self.size = size
        self._map = mmap.mmap(-1, size)
        self.view = memoryview(self._map)
        self._anchor = ctypes.c_char.from_buffer(self._map)
        self.host_address = ctypes.addressof(self._anchor)
        self.on_write: Callable[[int, int], None] = lambda address, size: None
        """Told (physical address, size) of each write that did not come from guest code: translated code may be stale."""

    def read(self, address: int, size: int) -> bytes:
        """`size` bytes at physical `address`."""
        end = address + size
        if end <= self.size:
            return bytes(self.view[address:end])
        inside = bytes(self.view[address : self.size])
        return inside + b"\xff" * (size - len(inside))

    def write(self, address: int, data: bytes) -> None:
        """Store `data` at physical `address`; what falls outside RAM is dropped."""
        data = data[: max(0, self.size - address)]
        if data:
            self.view[address : address + len(data)] = data
            self.on_write(address, len(data))


class LinearMemory:
    """Memory as one moment's paging registers map it: what a delivery reads its tables from and pushes its frame to."""

    def __init__(self, memory: Memory, registers: Registers) -> None:
        self._memory = memory
        self._registers = registers

    def walk(self, linear: int, *, write: bool = False, user: bool = False, fetch: bool = False) -> paging.Walk:
        """The page walk for one byte, without any effect."""
        at = self._registers
        access = paging.Access(write=write, user=user, fetch=fetch)
        return paging.walk(
            self._read_physical, cr0=at.cr0, cr3=at.cr3, cr4=at.cr4, efer=at.efer, linear=linear, access=access
        )

    def read(self, linear: int, size: int, *, user: bool = False) -> bytes:
        """Read as the processor does, setting accessed bits. Raises AccessFault."""
        parts = [self._read_physical(at, length) for at, length in self._ranges(linear, size, write=False, user=user)]
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def write(self, linear: int, data: bytes, *, user: bool = False) -> None:
        """Write as the processor does, setting accessed and dirty bits. Raises AccessFault before anything is written."""
        done = 0
        for at, length in self._ranges(linear, len(data), write=True, user=user):
            self._write_physical(at, data[done : done + length])
            done += length

    def peek(self, linear: int, size: int) -> bytes | None:
        """What stands there, for a person to look at: no permission asked, no accessed bit set; None where nothing is mapped."""
        found = b""
        while len(found) < size:
            at = (linear + len(found)) & MASK64
            walk = self.walk(at) if is_canonical(at) else None
            if walk is None or walk.physical is None:
                return None
            found += self._read_physical(walk.physical, min(size - len(found), PAGE - at % PAGE))
        return found

    def _ranges(self, linear: int, size: int, *, write: bool, user: bool) -> list[tuple[int, int]]:
        """The physical (address, length) pieces of an access; every page is checked before any is touched."""
        ranges = []
        while size:
            linear &= MASK64
            if not is_canonical(linear):
                raise AccessFault(13, 0, linear)
            length = min(size, PAGE - linear % PAGE)
            walk = self.walk(linear, write=write, user=user)
            if walk.physical is None:
                raise AccessFault(14, walk.fault.value if walk.fault else 0, linear)
            for address, value in paging.accessed_dirty_updates(walk, write):
                self._write_physical(address, value.to_bytes(8, "little"))
            ranges.append((walk.physical, length))
            linear += length
            size -= length
        return ranges

    def _read_physical(self, address: int, size: int) -> bytes:
        return self._memory.read(address, size)

    def _write_physical(self, address: int, data: bytes) -> None:
        self._memory.write(address, data)


class RehearsedMemory(LinearMemory):
    """Linear memory whose writes stay in an overlay: a delivery performed here leaves the machine as it was."""

    def __init__(self, memory: Memory, registers: Registers) -> None:
        super().__init__(memory, registers)
        self._written: dict[int, int] = {}

    def _read_physical(self, address: int, size: int) -> bytes:
        raw = super()._read_physical(address, size)
        if not self._written:
            return raw
        return bytes(self._written.get(address + index, byte) for index, byte in enumerate(raw))

    def _write_physical(self, address: int, data: bytes) -> None:
        for index, byte in enumerate(data):
            self._written[address + index] = byte
