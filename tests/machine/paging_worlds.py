"""One access through chosen paging structures, for whoever performs it, and what our walk says of it.

The code is on a page of its own; TARGET is the address accessed. Every physical page holds, at the offset of TARGET,
`mov eax, <its page number>`, so that what was read or run tells where it was found.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from idtviz.machine.memory import PAGE, Memory
from idtviz.x86.control import (
    CR0_ET,
    CR0_PE,
    CR0_PG,
    CR0_WP,
    CR4_PAE,
    CR4_PSE,
    CR4_SMAP,
    CR4_SMEP,
    EFER_LMA,
    EFER_LME,
    EFER_NXE,
)
from idtviz.x86.paging import Access, EntryUpdate, PagingMode, Read, Walk, accessed_dirty_updates, walk

P, RW, US, A, D, PS, G, XD = 1, 2, 4, 1 << 5, 1 << 6, 1 << 7, 1 << 8, 1 << 63
RAM = 4 << 20
CR3, CODE, STORED = 0x1000, 0x10000, 0xDEAD_BEEF
OFFSET = 0x05_5678
TARGETS = {
    PagingMode.BITS_32: 0x4000_0000 | OFFSET,
    PagingMode.BITS_32_PSE: 0x4000_0000 | OFFSET,
    PagingMode.PAE: 0x8000_0000 | OFFSET,
    PagingMode.LEVELS_4: 0xFFFF_8000_8000_0000 | OFFSET,
}
SHIFTS = {
    PagingMode.BITS_32: (22, 12),
    PagingMode.BITS_32_PSE: (22, 12),
    PagingMode.PAE: (30, 21, 12),
    PagingMode.LEVELS_4: (39, 30, 21, 12),
}
_CONTROL = {
    PagingMode.BITS_32: (0, 0),
    PagingMode.BITS_32_PSE: (CR4_PSE, 0),
    PagingMode.PAE: (CR4_PAE, 0),
    PagingMode.LEVELS_4: (CR4_PAE, EFER_LMA | EFER_LME),
}


@dataclass(frozen=True, slots=True)
class World:
    """The entries that lead to TARGET, whole, from the first level down, and all else that decides about the access."""

    mode: PagingMode
    entries: tuple[int, ...]
    access: Access
    wp: bool = True
    smep: bool = False
    smap: bool = False
    nxe: bool = True
    ac: bool = False

    @property
    def eax(self) -> int:
        """EAX at the start."""
        return STORED if self.access.write else self.target & 0xFFFF_FFFF if self.access.fetch else 0

    @property
    def target(self) -> int:
        return TARGETS[self.mode]

    @property
    def size(self) -> int:
        return self.mode.entry_size

    @property
    def cr0(self) -> int:
        return CR0_PG | CR0_PE | CR0_ET | (CR0_WP if self.wp else 0)

    @property
    def cr4(self) -> int:
        return _CONTROL[self.mode][0] | (CR4_SMEP if self.smep else 0) | (CR4_SMAP if self.smap else 0)

    @property
    def efer(self) -> int:
        return _CONTROL[self.mode][1] | (EFER_NXE if self.nxe else 0)

    def tables(self) -> dict[int, int]:
        """Physical address -> entry, for TARGET and for the code. Table n of TARGET lies at 0x1000 * n."""
        shifts = SHIFTS[self.mode]
        entries = {}
        code_table = CR3
        index_mask = 0x3FF if self.size == 4 else 0x1FF
        for level, shift in enumerate(shifts):
            index = self.target >> shift & index_mask
            entries[CR3 + 0x1000 * level + index * self.size] = self.entries[level]
            below = CODE if shift == 12 else 0x5000 + 0x1000 * level
            bits = P if self.mode is PagingMode.PAE and level == 0 else P | RW | A | D | (US if self.access.user else 0)
            entries[code_table + (CODE >> shift & index_mask) * self.size] = below | bits
            code_table = below
        return entries

    def instruction(self) -> bytes:
        """The load or the store of EAX at TARGET, or the jump to it by EAX."""
        if self.access.fetch:
            return b"\xff\xe0"
        opcode = b"\xa3" if self.access.write else b"\xa1"
        return opcode + self.target.to_bytes(8 if self.mode is PagingMode.LEVELS_4 else 4, "little") + b"\xeb\xfe"

    def walk(self, read: Read) -> Walk:
        return walk(
            read,
            cr0=self.cr0,
            cr3=CR3,
            cr4=self.cr4,
            efer=self.efer,
            linear=self.target,
            access=self.access,
            ac=self.ac,
        )


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an access did: the exception, as (vector, error code, CR2), or EAX; and the bytes changed in memory."""

    fault: tuple[int, int, int] | None
    eax: int
    changes: dict[int, int]


def mark(physical: int) -> bytes:
    """The code that stands in the physical page of `physical`, at the offset of TARGET."""
    return struct.pack("<BI", 0xB8, physical // PAGE)


@cache
def _image() -> bytes:
    """Memory without tables."""
    ram = bytearray(RAM)
    for page in range(0, RAM, PAGE):
        ram[page + OFFSET % PAGE : page + OFFSET % PAGE + 5] = mark(page)
    return bytes(ram)


def fill(world: World, memory: Memory) -> bytes:
    """Put the world into `memory`, and return all of it."""
    memory.put(0, _image())
    for address, entry in world.tables().items():
        memory.put(address, entry.to_bytes(world.size, "little"))
    memory.write(CODE, world.instruction())
    return bytes(memory.view)


def changes(before: bytes, memory: Memory) -> dict[int, int]:
    """Physical address -> byte, where memory is not as `before`."""
    after = bytes(memory.view)
    if after == before:
        return {}
    pages = [page for page in range(0, RAM, PAGE) if before[page : page + PAGE] != after[page : page + PAGE]]
    return {at: after[at] for page in pages for at in range(page, page + PAGE) if before[at] != after[at]}


@cache
def _memory() -> Memory:
    return Memory(RAM)


def predicted(world: World, at_a_fault: Callable[[World, Walk], list[EntryUpdate]]) -> Outcome:
    """What our walk says; but what is written into its entries where it faults is for `at_a_fault` to say."""
    memory = _memory()
    before = fill(world, memory)
    found = world.walk(memory.read)
    for update in (
        at_a_fault(world, found) if found.physical is None else accessed_dirty_updates(found, world.access.write)
    ):
        memory.put(update.address, update.value.to_bytes(update.size, "little"))
    if found.physical is None:
        assert found.fault is not None
        return Outcome((14, found.fault.value, found.linear), world.eax, changes(before, memory))
    if world.access.fetch and found.physical >= RAM:
        # The empty bus: FF FF is no instruction.
        return Outcome((6, 0, 0), world.eax, changes(before, memory))
    if world.access.write:
        memory.put(found.physical, STORED.to_bytes(4, "little"))
        return Outcome(None, STORED, changes(before, memory))
    word = memory.read(found.physical, 4)
    eax = found.physical // PAGE if world.access.fetch else int.from_bytes(word, "little")
    return Outcome(None, eax, changes(before, memory))
