"""What a person watches while code runs: ports, memory, registers, the mode and the ring.

A run ends behind the instruction that did it, a single step shows it just the same. Memory is watched by linear
address: whatever bytes the present page tables put there. The page tables are watched with it, so that a page that
moves is followed from the very next instruction on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from idtviz.machine.bus import Bus
from idtviz.machine.cpu import Cpu
from idtviz.machine.decoding import Kind
from idtviz.machine.memory import PAGE, LinearMemory, Memory
from idtviz.machine.processor import Processor
from idtviz.machine.register_watch import RegisterWrite
from idtviz.machine.registers import PagingRegisters
from idtviz.machine.unsupported import UnsupportedError
from idtviz.x86.addresses import MASK32, MASK64, is_canonical
from idtviz.x86.control import EFER_LMA

_REACH = 7
"""How far in front of a byte a store may begin that changes it: the engine stores eight bytes at a time."""
_A20 = 1 << 20


@dataclass(frozen=True, slots=True)
class Ports:
    """Ports `first` to `last`, and which way the data goes."""

    first: int
    last: int
    read: bool = True
    write: bool = True

    def covers(self, port: int, size: int, *, written: bool) -> bool:
        """Whether an access of `size` bytes touches one of them."""
        return port <= self.last and self.first < port + size and (self.write if written else self.read)


@dataclass(frozen=True, slots=True)
class Bytes:
    """`size` bytes at linear `address`."""

    address: int
    size: int


@dataclass(frozen=True, slots=True)
class Watched:
    """What is to be watched; equal values ask for the same."""

    ports: frozenset[Ports] = frozenset()
    writes: frozenset[Bytes] = frozenset()
    modes: bool = False
    """The mode and the ring."""
    registers: frozenset[str] = frozenset()
    """By their full names, which are `register_writes.REGISTERS`."""


@dataclass(frozen=True, slots=True)
class PortAccess:
    """An IN or OUT of the instruction at linear `rip`."""

    rip: int
    port: int
    size: int
    value: int
    written: bool


@dataclass(frozen=True, slots=True)
class Store:
    """`data` stored at linear `address`; empty where it is not known."""

    address: int
    data: bytes


@dataclass(frozen=True, slots=True)
class MemoryWrite:
    """Watched bytes were written, by the instruction at linear `rip` or, where that is None, by a step.

    `outside`: what was stored, if no RAM keeps it there but a device takes it, or nothing does; `old` and `new` are
    then what an empty bus reads.
    """

    rip: int | None
    place: Bytes
    old: bytes
    new: bytes
    outside: Store | None = None


@dataclass(frozen=True, slots=True)
class ModeChange:
    """Mode and ring before and after."""

    before: tuple[str, int]
    after: tuple[str, int]


Seen = PortAccess | MemoryWrite | RegisterWrite | ModeChange


@dataclass(frozen=True, slots=True)
class _Piece:
    """A stretch of linear memory on one page, and where it lies physically."""

    place: Bytes
    linear: int
    physical: int
    size: int


@dataclass(slots=True)
class _Touched:
    """Bytes that an instruction is about to write: what they were, and when `now` instructions had completed."""

    rip: int | None
    old: bytes
    now: int
    store: Store


class Watch:
    """The watch over one machine. Without anything to watch it costs nothing."""

    def __init__(self, cpu: Cpu, memory: Memory, bus: Bus, processor: Processor) -> None:
        self._cpu = cpu
        self._memory = memory
        self._bus = bus
        self._look_also_at = processor.look_also_at
        self._registers = processor.register_watch
        bus.on_stored = self._registers.stored
        self._watched = Watched()
        self._armed = False
        self._pieces: tuple[_Piece, ...] = ()
        self._tables: tuple[range, ...] = ()
        """Physical addresses of the paging-structure entries that the pieces were found by."""
        self._found_by: PagingRegisters | None = None
        """The paging registers that the pieces were found with; None: they have to be found again."""
        self._hooks: dict[tuple[int, int], int] = {}
        """By the first and the last physical address at which a store may begin that matters."""
        self._accesses: list[PortAccess] = []
        self._touched: dict[Bytes, _Touched] = {}
        self._where: tuple[str, int] = ("", 0)

    def watch(self, watched: Watched) -> None:
        """Watch this, and nothing else. Not during a run."""
        if watched == self._watched:
            return
        before, self._watched = self._watched, watched
        self._bus.on_access = self._on_access if watched.ports else None
        if bool(before.writes) != bool(watched.writes):
            self._memory.on_put = self._on_put if watched.writes else None
            self._look_also_at(Kind.PAGE_TABLES if watched.writes else Kind.PLAIN)
        if before.registers != watched.registers:
            self._registers.watch(watched.registers)
        if before.writes != watched.writes:
            self._pieces, self._tables, self._found_by = (), (), None
            self._hook(set())

    def forget(self) -> None:
        """The machine is somewhere else: the page tables may be others."""
        self._found_by = None
        self._registers.forget()

    # One move

    def arm(self) -> None:
        """The machine is about to move: see what it does, and end a run behind it. Breakpoints are heeded as well."""
        self._armed = self._cpu.heeds_breakpoints = True
        self._cpu.leaving = self._cpu.linear_rip
        self._accesses.clear()
        self._touched.clear()
        self._registers.arm()
        if self._watched.writes:
            self._follow()
        if self._watched.modes:
            self._where = self._mode_and_ring()

    def met(self) -> bool:
        """Asked between the parts of a run: whether it is to end here."""
        if not self._armed:
            return False
        if self._watched.writes:
            self._follow()
        changed = self._watched.modes and self._where != self._mode_and_ring()
        return changed or bool(self._accesses or self._touched) or self._registers.met()

    def disarm(self, now: int) -> tuple[Seen, ...]:
        """The machine has moved, and `now` instructions have completed: what was seen since `arm`, in no order."""
        self._armed = self._cpu.heeds_breakpoints = False
        seen: list[Seen] = [*self._accesses, *self._registers.disarm()]
        for place, touched in self._touched.items():
            if touched.rip is None or touched.now < now:
                outside = touched.store if self._is_outside(place) else None
                seen.append(MemoryWrite(touched.rip, place, touched.old, self._read(place), outside))
        if self._watched.modes:
            where = self._mode_and_ring()
            if where != self._where:
                seen.append(ModeChange(self._where, where))
        return tuple(seen)

    def _mode_and_ring(self) -> tuple[str, int]:
        return self._cpu.registers().mode, self._cpu.cpl

    # Ports

    def _on_access(self, port: int, size: int, value: int, *, written: bool) -> None:
        if self._armed and any(ports.covers(port, size, written=written) for ports in self._watched.ports):
            self._accesses.append(PortAccess(self._cpu.linear_rip, port, size, value, written))
            self._cpu.end_behind()

    # Memory

    def _follow(self) -> None:
        """Find the watched bytes in physical memory again, if they may have moved."""
        registers = self._cpu.paging_registers()
        if registers == self._found_by:
            return
        pieces, tables = [], []
        linear = LinearMemory(self._memory, registers)
        for piece, entries in self._walk(linear, long=bool(registers.efer & EFER_LMA)):
            tables += entries
            if piece is not None:
                pieces.append(piece)
        self._pieces, self._tables, self._found_by = tuple(pieces), tuple(tables), registers
        stretches = (range(piece.physical, piece.physical + piece.size) for piece in pieces)
        self._hook(
            {(max(found.start & -PAGE, found.start - _REACH), found.stop - 1) for found in (*stretches, *tables)}
        )

    def _hook(self, wanted: set[tuple[int, int]]) -> None:
        """Have the engine tell of stores that begin in these stretches of physical memory, and no others."""
        if wanted and not self._hooks:
            # Code that was translated without a hook calls none.
            self._cpu.forget_all_code()
        for stretch in self._hooks.keys() - wanted:
            self._cpu.unhook(self._hooks.pop(stretch))
        for low, high in wanted - self._hooks.keys():
            self._hooks[low, high] = self._cpu.hook_writes(low, high, self._on_store)

    def _walk(self, memory: LinearMemory, *, long: bool) -> Iterator[tuple[_Piece | None, list[range]]]:
        """The watched bytes page by page, with a margin in front, and the entries that lead to each page."""
        mask = MASK64 if long else MASK32
        for place in self._watched.writes:
            start, end = place.address - min(_REACH, place.address), place.address + place.size
            while start < end:
                size = min(end - start, PAGE - start % PAGE)
                at = start & mask
                if not long or is_canonical(at):
                    yield self._walk_page(memory, place, at, size)
                start += size

    def _walk_page(self, memory: LinearMemory, place: Bytes, at: int, size: int) -> tuple[_Piece | None, list[range]]:
        try:
            walk = memory.walk(at)
        except UnsupportedError:
            return None, []
        entries = [range(self._line(entry.address), self._line(entry.address) + entry.size) for entry in walk.entries]
        piece = None if walk.physical is None else _Piece(place, at, self._line(walk.physical), size)
        return piece, entries

    def _line(self, physical: int) -> int:
        return physical if self._memory.a20 else physical & ~_A20

    def _on_store(self, _engine: object, _kind: int, address: int, size: int, value: int, _data: object) -> None:
        """The engine is about to store, perhaps across the end of a page; `address` is where it begins."""
        moved = self._moves(address, size)
        touched: list[tuple[Bytes, int]] = []
        for piece in self._pieces:
            if address // PAGE == piece.physical // PAGE:
                start, place = piece.linear + address - piece.physical, piece.place
                if start < place.address + place.size and place.address < start + size:
                    touched.append((place, start))
        if self._armed and (moved or touched):
            rip, data = self._cpu.linear_rip, (value & (1 << 8 * size) - 1).to_bytes(size, "little")
            for place, start in touched:
                self._touch(place, rip, self._bus.now, Store(start, data))
            self._cpu.end_behind()

    def _on_put(self, address: int, size: int) -> None:
        """A store that no instruction on the engine makes."""
        self._moves(address, size)
        for piece in self._pieces:
            start = piece.physical + max(0, piece.place.address - piece.linear)
            if self._armed and address < piece.physical + piece.size and start < address + size:
                self._touch(piece.place, None, 0, Store(piece.place.address, b""))

    def _moves(self, address: int, size: int) -> bool:
        """Whether a store may change where the watched bytes lie."""
        moves = any(address < table.stop and table.start < address + size for table in self._tables)
        if moves:
            self._found_by = None
        return moves

    def _touch(self, place: Bytes, rip: int | None, now: int, store: Store) -> None:
        known = self._touched.get(place)
        if known is None:
            self._touched[place] = _Touched(rip, self._read(place), now, store)
        elif known.store != store:
            known.store = Store(place.address, b"")  # of several stores none is the one

    def _is_outside(self, place: Bytes) -> bool:
        """Whether watched bytes lie neither in RAM nor in a ROM."""
        found = [piece.physical for piece in self._pieces if piece.place == place]
        return any(at >= self._memory.size and self._memory.rom_at(at) is None for at in found)

    def _read(self, place: Bytes) -> bytes:
        """The watched bytes as they are; those that are not mapped read as 0."""
        found = bytearray(place.size)
        for piece in self._pieces:
            if piece.place == place:
                raw = self._memory.read(piece.physical, piece.size)
                skip = max(0, place.address - piece.linear)
                offset = piece.linear + skip - place.address
                found[offset : offset + piece.size - skip] = raw[skip:]
        return bytes(found)
