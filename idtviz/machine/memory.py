"""Physical memory, and linear memory over the guest's own page tables."""

from __future__ import annotations

import ctypes
import mmap
from collections.abc import Callable

from idtviz.machine.registers import PagingRegisters, Registers
from idtviz.machine.remembered_walks import RememberedWalks
from idtviz.machine.unsupported import UnsupportedError
from idtviz.x86 import paging
from idtviz.x86.addresses import MASK32, MASK64, is_canonical
from idtviz.x86.control import EFER_LMA

PAGE = 4096
GENERAL_PROTECTION, PAGE_FAULT = 13, 14


class AccessFault(Exception):  # noqa: N818 -- a fault is what the processor raises, not an error of ours
    """An access by linear address that the processor answers with an exception.

    #PF, or #GP for a non-canonical address.
    """

    def __init__(self, vector: int, error_code: int, linear: int) -> None:
        super().__init__(f"vector {vector}, error code {error_code:#x}, address {linear:#x}")
        self.vector = vector
        self.error_code = error_code
        self.linear = linear


class Rom:
    """Read-only memory at physical `address`: its pages, and what belongs there."""

    def __init__(self, address: int, data: bytes) -> None:
        """`address` and the length of `data` are multiples of 4096."""
        self.address = address
        self.size = len(data)
        self._map = mmap.mmap(-1, self.size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self._anchor = ctypes.c_char.from_buffer(self._map)
        self.host_address = ctypes.addressof(self._anchor)
        self.data = data
        self.restore()

    def restore(self) -> None:
        """Put back what belongs there."""
        self._map[:] = self.data


class Memory:
    """RAM from physical address 0 upward, and ROMs in or above it.

    What lies elsewhere reads as all ones and drops writes, as an empty bus does.
    """

    def __init__(self, size: int) -> None:
        """`size` in bytes, a multiple of 4096."""
        self.size = size
        # Private: a page that nobody has written to takes no memory, and is quick to compare.
        self._map = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self.view = memoryview(self._map)
        self._anchor = ctypes.c_char.from_buffer(self._map)
        self.host_address = ctypes.addressof(self._anchor)
        self.walks = RememberedWalks()
        self.generation = 0
        """How many writes there were that did not come from guest code."""
        self.on_write: Callable[[int, int], None] = _ignore
        """Told (physical address, size) of each `write`: translated code may be stale."""
        self.on_put: Callable[[int, int], None] | None = None
        """Told (physical address, size) in front of each `put`, if anyone watches."""
        self.roms: tuple[Rom, ...] = ()
        self.on_rom: Callable[[Rom], None] = _ignore_rom
        """Told of each ROM that is put in."""
        self.a20 = True
        """The level of the A20 line: where it is low, address bit 20 reads as 0."""

    def add_rom(self, address: int, data: bytes) -> None:
        """Put a ROM at physical `address`, in place of RAM or above it; whole pages."""
        rom = Rom(address, data)
        if address < self.size:
            self.view[address : address + rom.size] = data
        self.roms = (*self.roms, rom)
        self.on_rom(rom)

    def rom_at(self, address: int) -> Rom | None:
        """The ROM that physical `address` lies in."""
        return next((rom for rom in self.roms if rom.address <= address < rom.address + rom.size), None)

    def read(self, address: int, size: int) -> bytes:
        """`size` bytes at physical `address`."""
        if not self.a20:
            address &= ~_A20
        end = address + size
        if end <= self.size:
            return bytes(self.view[address:end])
        found = bytearray(self.view[address : self.size])
        found += b"\xff" * (size - len(found))
        for rom in self.roms:
            low, high = max(address, rom.address), min(end, rom.address + rom.size)
            if low < high:
                found[low - address : high - address] = rom.data[low - rom.address : high - rom.address]
        return bytes(found)

    def write(self, address: int, data: bytes) -> None:
        """Store `data` at physical `address`; what falls outside RAM, or into a ROM, is dropped."""
        self.put(address, data)
        self.on_write(address, len(data))

    def put(self, address: int, data: bytes) -> None:
        """Like `write`, for a caller that looks after stale translations itself."""
        self.generation += 1
        if not self.a20:
            address &= ~_A20
        if self.on_put is not None:
            self.on_put(address, len(data))
        end = address + len(data)
        for rom in self.roms:
            if address < rom.address + rom.size and rom.address < end:
                self._put_around(rom, address, data)
                return
        if end <= self.size:
            self.view[address:end] = data
        elif address < self.size:
            self.view[address:] = data[: self.size - address]

    def _put_around(self, rom: Rom, address: int, data: bytes) -> None:
        below, above = rom.address - address, rom.address + rom.size - address
        if below > 0:
            self.put(address, data[:below])
        if above < len(data):
            self.put(address + above, data[above:])


_A20 = 1 << 20


def _ignore_rom(_rom: Rom) -> None:
    """Nobody maps it."""


def _ignore(_address: int, _size: int) -> None:
    """Nobody has translated code yet."""


class LinearMemory:
    """Memory as one moment's paging registers map it: what a delivery reads its tables from and pushes its frame to.

    Good until the next instruction runs. After a `write` code translated from those bytes is stale: see
    `Cpu.forget_code`.
    """

    def __init__(self, memory: Memory, registers: Registers | PagingRegisters) -> None:
        self._memory = memory
        self._registers = registers
        self._translations: dict[tuple[int, bool, bool], int] = {}
        """(linear page, write, user) -> physical page, as walked in `_generation`."""
        self._tables: set[int] = set()
        """Physical pages of the paging structures that these walks went through."""
        self._generation = memory.generation
        self.overwritten: list[tuple[int, bytes]] = []
        """Physical address and former bytes of each write, in order: what it takes to see memory as it was before."""
        self._long = bool(registers.efer & EFER_LMA)
        self._mask = MASK64 if self._long else MASK32
        """Linear addresses have 64 bits in long mode, and 32 without (SDM 1 3.3.1)."""

    def walk(self, linear: int, *, write: bool = False, user: bool = False, fetch: bool = False) -> paging.Walk:
        """The page walk for one byte, without any effect. Raises UnsupportedError with 5-level paging."""
        at = self._registers
        access = paging.Access(write=write, user=user, fetch=fetch)
        try:
            return self._memory.walks.walk(self._read_physical, at, linear, access)
        except paging.UnsupportedPagingError as error:
            raise UnsupportedError(f"memory at {linear:#x}: {error}") from error

    def read(self, linear: int, size: int, *, user: bool = False) -> bytes:
        """Read as the processor does, setting accessed bits. Raises AccessFault."""
        offset = linear % PAGE
        if offset + size <= PAGE and self._generation == self._memory.generation:
            page = self._translations.get((linear // PAGE, False, user))
            if page is not None:
                return self._read_physical(page + offset, size)
        parts = [self._read_physical(at, length) for at, length in self._ranges(linear, size, write=False, user=user)]
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def write(self, linear: int, data: bytes, *, user: bool = False) -> None:
        """Write as the processor does, setting accessed and dirty bits. Raises AccessFault with nothing written."""
        done = 0
        for at, length in self._ranges(linear, len(data), write=True, user=user):
            self._write_physical(at, data[done : done + length])
            done += length

    def probe(self, linear: int, size: int, *, write: bool) -> None:
        """Translate as a supervisor's access does, setting the bits that it sets. Raises AccessFault."""
        self._ranges(linear, size, write=write, user=False)

    def reload(self, registers: Registers) -> None:
        """Go on with the paging registers of `registers`: a task switch has loaded CR3."""
        self._registers = registers
        self._forget_translations()

    def is_accessed(self, linear: int) -> bool:
        """Whether `linear` is mapped, with every accessed bit on the way to it set already."""
        linear &= self._mask
        if not self._is_canonical(linear):
            return False
        walk = self.walk(linear, fetch=True)
        return walk.physical is not None and not paging.accessed_dirty_updates(walk, write=False)

    def peek(self, linear: int, size: int) -> bytes | None:
        """What stands there, for a person to look at: no permission asked, no accessed bit set.

        None where nothing is mapped, or where the paging is of a kind that is not modelled.
        """
        found = b""
        while len(found) < size:
            at = (linear + len(found)) & self._mask
            physical = self._peek_page(at)
            if physical is None:
                return None
            found += self._read_physical(physical, min(size - len(found), PAGE - at % PAGE))
        return found

    def _peek_page(self, linear: int) -> int | None:
        if not self._is_canonical(linear):
            return None
        try:
            return self.walk(linear).physical
        except UnsupportedError:
            return None

    def _is_canonical(self, linear: int) -> bool:
        return not self._long or is_canonical(linear)

    def _ranges(self, linear: int, size: int, *, write: bool, user: bool) -> list[tuple[int, int]]:
        """The physical (address, length) pieces of an access; every page is checked before any is touched."""
        ranges = []
        while size:
            linear &= self._mask
            if not self._is_canonical(linear):
                raise AccessFault(GENERAL_PROTECTION, 0, linear)
            offset = linear % PAGE
            length = min(size, PAGE - offset)
            ranges.append((self._translate(linear, write=write, user=user) + offset, length))
            linear += length
            size -= length
        return ranges

    def _translate(self, linear: int, *, write: bool, user: bool) -> int:
        """The physical page of an access that is made; accessed and dirty bits are set."""
        if self._generation != self._memory.generation:
            self._forget_translations()
        key = (linear // PAGE, write, user)
        page = self._translations.get(key)
        if page is None:
            walk = self.walk(linear, write=write, user=user)
            if walk.physical is None:
                raise AccessFault(PAGE_FAULT, walk.fault.value if walk.fault else 0, linear)
            for update in paging.accessed_dirty_updates(walk, write):
                self._write_physical(update.address, update.value.to_bytes(update.size, "little"))
            self._tables.update(entry.address // PAGE for entry in walk.entries)
            self._translations[key] = page = walk.physical & -PAGE
        return page

    def _forget_translations(self) -> None:
        self._translations.clear()
        self._tables.clear()
        self._generation = self._memory.generation

    def _read_physical(self, address: int, size: int) -> bytes:
        return self._memory.read(address, size)

    def _write_physical(self, address: int, data: bytes) -> None:
        """A write of ours leaves the translations good, unless it goes to the tables that they come from."""
        self.overwritten.append((address, self._memory.read(address, len(data))))
        self._memory.put(address, data)
        if address // PAGE not in self._tables and (address + len(data) - 1) // PAGE not in self._tables:
            self._generation += 1


class RehearsedMemory(LinearMemory):
    """Linear memory whose writes stay in an overlay: a delivery performed here leaves the machine as it was."""

    def __init__(self, memory: Memory, registers: Registers, after: LinearMemory | None = None) -> None:
        """`after`: memory whose writes are to be undone here: the rehearsal begins where those began."""
        super().__init__(memory, registers)
        self._written: dict[int, int] = {}
        for address, former in reversed(after.overwritten if after is not None else ()):
            self._written |= dict(enumerate(former, address))

    def disturb(self, address: int, data: bytes) -> None:
        """Memory at a physical address is other than it was, here too."""
        self._write_physical(address, data)

    def _read_physical(self, address: int, size: int) -> bytes:
        raw = super()._read_physical(address, size)
        if not self._written:
            return raw
        return bytes(self._written.get(address + index, byte) for index, byte in enumerate(raw))

    def _write_physical(self, address: int, data: bytes) -> None:
        for index, byte in enumerate(data):
            self._written[address + index] = byte
        self._forget_translations()
