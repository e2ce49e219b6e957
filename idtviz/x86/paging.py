"""Translation of linear addresses by 4-level paging, and the page faults it raises (SDM 3A 4.5 to 4.8)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

from .control import CR0_PG, CR0_WP, CR4_LA57, CR4_SMAP, CR4_SMEP, EFER_LMA, EFER_NXE
from .error_codes import PageFaultCode
from .fields import Bits, Field, Flag, Reserved, Structure

Read = Callable[[int, int], bytes]
"""Reads physical memory: `read(address, size)` gives `size` bytes."""

PHYSICAL_ADDRESS_BITS: Final = 40
"""MAXPHYADDR of the machine: bits 51:40 of an entry are reserved (SDM 3A 4.1.4)."""


class Level(StrEnum):
    """The paging structures, by the manual's names (SDM 3A 4.5.2)."""

    PML4 = "PML4"
    PDPT = "PDPT"
    PD = "PD"
    PT = "PT"


class _Entry(Structure):
    """The bits that all entries of 4-level paging share (SDM 3A 4.5.4)."""

    __slots__ = ()
    UNNAMED = "ignored"

    present = Flag(0, "P", "not present: any use raises #PF", "present")
    writable = Flag(1, "R/W", "read-only", "writable")
    user = Flag(2, "U/S", "supervisor only", "user")
    pwt = Flag(3, "PWT", "write-back", "write-through")
    pcd = Flag(4, "PCD", "cacheable", "not cacheable")
    accessed = Flag(5, "A", "not used for a translation yet", "used for a translation")
    nx = Flag(63, "XD", "instructions may be fetched", "no instruction fetches (reserved when EFER.NXE=0)")


class TableReference(_Entry):
    """An entry that refers to the next table (SDM 3A 4.5.4)."""

    __slots__ = ()
    SIZE = 8

    large = Flag(7, "PS", "refers to a table", "maps a page; reserved in a PML4E")
    frame = Bits((51, 12), name="table", meaning=lambda entry: f"the next table is at physical {entry.frame << 12:#x}")


class _Page(_Entry):
    """What the entries that map a page add."""

    __slots__ = ()

    dirty = Flag(6, "D", "not written yet", "written")
    global_ = Flag(8, "G", "dropped from the TLB with CR3", "global: stays in the TLB when CR4.PGE=1")
    protection_key = Bits((62, 59), name="protection key", meaning="not used while CR4.PKE=0")


class _LargePage(_Page):
    __slots__ = ()

    large = Flag(7, "PS", "refers to a table", "maps a page")
    pat = Flag(12, "PAT", "memory type from entries 0-3 of the PAT", "memory type from entries 4-7 of the PAT")


class Page1GiB(_LargePage):
    """A PDPTE that maps a 1 GiB page (SDM 3A 4.5.4)."""

    __slots__ = ()
    SIZE = 8

    reserved = Reserved(29, 13)
    frame = Bits((51, 30), name="page", meaning=lambda entry: f"1 GiB at physical {entry.frame << 30:#x}")


class Page2MiB(_LargePage):
    """A PDE that maps a 2 MiB page (SDM 3A 4.5.4)."""

    __slots__ = ()
    SIZE = 8

    reserved = Reserved(20, 13)
    frame = Bits((51, 21), name="page", meaning=lambda entry: f"2 MiB at physical {entry.frame << 21:#x}")


class Page4KiB(_Page):
    """A PTE, which maps a 4 KiB page (SDM 3A 4.5.4)."""

    __slots__ = ()
    SIZE = 8

    pat = Flag(7, "PAT", "memory type from entries 0-3 of the PAT", "memory type from entries 4-7 of the PAT")
    frame = Bits((51, 12), name="page", meaning=lambda entry: f"4 KiB at physical {entry.frame << 12:#x}")


_P: Final = _Entry.present.mask
_RW: Final = _Entry.writable.mask
_US: Final = _Entry.user.mask
_A: Final = _Entry.accessed.mask
_XD: Final = _Entry.nx.mask
_D: Final = _Page.dirty.mask
_PS: Final = TableReference.large.mask
_FRAME: Final = TableReference.frame.mask
_ABOVE_MAXPHYADDR: Final = _FRAME & ~((1 << PHYSICAL_ADDRESS_BITS) - 1)

_LEVELS: Final = (
    (Level.PML4, 39, _PS, 0),
    (Level.PDPT, 30, 0, _PS),
    (Level.PD, 21, 0, _PS),
    (Level.PT, 12, 0, _P),
)
"""For each level: its name, the lowest address bit of its index, bits reserved here, the bit that says: maps a page."""

_LARGE: Final[dict[Level, type[Page1GiB | Page2MiB]]] = {Level.PDPT: Page1GiB, Level.PD: Page2MiB}


class PageEntry(NamedTuple):
    """An entry that a walk read: which level, its physical address, its 8 bytes as a number."""

    level: Level
    address: int
    value: int

    @property
    def structure(self) -> TableReference | Page1GiB | Page2MiB | Page4KiB:
        """The entry in the format that its level and its PS bit give it."""
        if self.level is Level.PT:
            return Page4KiB(self.value)
        if self.large:
            return _LARGE[self.level](self.value)
        return TableReference(self.value)

    @property
    def fields(self) -> tuple[Field, ...]:
        """The fields of the entry, lowest bit first."""
        return self.structure.fields

    @property
    def present(self) -> bool:
        """P."""
        return self.value & _P != 0

    @property
    def writable(self) -> bool:
        """R/W of this entry alone."""
        return self.value & _RW != 0

    @property
    def user(self) -> bool:
        """U/S of this entry alone."""
        return self.value & _US != 0

    @property
    def nx(self) -> bool:
        """XD of this entry alone."""
        return self.value & _XD != 0

    @property
    def large(self) -> bool:
        """Whether the entry maps a 2 MiB or 1 GiB page."""
        return self.level in _LARGE and self.value & _PS != 0

    @property
    def accessed(self) -> bool:
        """A."""
        return self.value & _A != 0

    @property
    def dirty(self) -> bool:
        """D, which only an entry that maps a page has."""
        return (self.large or self.level is Level.PT) and self.value & _D != 0

    @property
    def frame(self) -> int:
        """Physical address of the table or page that the entry points to."""
        return self.value & type(self.structure).frame.mask


@dataclass(frozen=True, slots=True)
class Access:
    """What a walk is for. `user` is a user-mode access: with CPL 3, and not one that the processor makes by itself."""

    write: bool
    user: bool
    fetch: bool


class Walk(NamedTuple):
    """A translation: the entries read, what they allow together, and the physical address or the fault.

    `physical` is None exactly when `fault` is not. `page_size` is in bytes, 0 where the walk met no page, and 4 GiB
    without paging. `writable`, `user` and `nx` are those of the entries read so far, combined (SDM 3A 4.6).
    """

    linear: int
    entries: tuple[PageEntry, ...]
    physical: int | None
    page_size: int
    writable: bool
    user: bool
    nx: bool
    fault: PageFaultCode | None


class UnsupportedPagingError(NotImplementedError):
    """Paging of a kind that is not modelled: 32-bit, PAE or 5-level."""


def walk(
    read: Read,
    *,
    cr0: int,
    cr3: int,
    cr4: int,
    efer: int,
    linear: int,
    access: Access,
    ac: bool = False,
) -> Walk:
    """Translate `linear` for `access`, reading entries from physical memory with `read` (SDM 3A 4.5 to 4.7).

    `ac` is RFLAGS.AC for an explicit access, and False for one that the processor makes by itself, as in a delivery
    (SDM 3A 4.6.1). Nothing is written: see `accessed_dirty_updates`. Whether `linear` is canonical is for the caller to
    check. 1 GiB pages exist, protection keys do not. UnsupportedPagingError with CR0.PG=1 outside 4-level paging.
    """
    if not cr0 & CR0_PG:
        return Walk(linear, (), linear & 0xFFFF_FFFF, 1 << 32, True, True, False, None)  # noqa: FBT003
    if not efer & EFER_LMA or cr4 & CR4_LA57:
        raise UnsupportedPagingError("only 4-level paging can be walked: EFER.LMA=1 and CR4.LA57=0")
    return _walk_4_level(read, cr0=cr0, cr3=cr3, cr4=cr4, efer=efer, linear=linear, access=access, ac=ac)


def _walk_4_level(
    read: Read, *, cr0: int, cr3: int, cr4: int, efer: int, linear: int, access: Access, ac: bool
) -> Walk:
    """Walk PML4, PDPT, PD and PT (SDM 3A 4.5.4): at each P first, then reserved bits; access rights at the end."""
    nxe = efer & EFER_NXE
    reserved = _ABOVE_MAXPHYADDR if nxe else _ABOVE_MAXPHYADDR | _XD
    table = cr3 & _FRAME
    allowed = _RW | _US
    forbidden = 0
    size = 0
    physical = None
    refusal: int | None = None
    entries: list[PageEntry] = []
    for level, shift, reserved_here, maps_page in _LEVELS:
        address = table + ((linear >> shift) & 0x1FF) * 8
        value = int.from_bytes(read(address, 8), "little")
        entries.append(PageEntry(level, address, value))
        if not value & _P:
            refusal = 0
            break
        allowed &= value
        forbidden |= value
        if value & maps_page:
            size = 1 << shift
        if value & (reserved | reserved_here | (size - 1 & ~0x1FFF if size else 0)):
            refusal = PageFaultCode.present.mask | PageFaultCode.reserved_bit.mask
            break
        if size:
            if _is_allowed(allowed, forbidden & _XD, access, cr0=cr0, cr4=cr4, ac=ac):
                physical = (value & _FRAME & -size) | (linear & (size - 1))
            else:
                refusal = PageFaultCode.present.mask
            break
        table = value & _FRAME
    fault = None if refusal is None else _fault(refusal, nxe, cr4, access)
    nx = nxe != 0 and forbidden & _XD != 0
    return Walk(linear, tuple(entries), physical, size, allowed & _RW != 0, allowed & _US != 0, nx, fault)


def _is_allowed(allowed: int, xd: int, access: Access, *, cr0: int, cr4: int, ac: bool) -> bool:
    """Access rights (SDM 3A 4.6.1): `allowed` has R/W and U/S if all entries have them, `xd` is XD if any has it."""
    user_page = allowed & _US
    if access.user and not user_page:
        return False
    if access.fetch:
        return not xd and (access.user or not user_page or not cr4 & CR4_SMEP)
    if not access.user and user_page and cr4 & CR4_SMAP and not ac:
        return False
    if not access.write or allowed & _RW:
        return True
    return not access.user and not cr0 & CR0_WP


def _fault(cause: int, nxe: int, cr4: int, access: Access) -> PageFaultCode:
    """The error code (SDM 3A 4.7): the cause, and the access. I/D is reported only where fetches are checked at all."""
    code = cause
    if access.write:
        code |= PageFaultCode.write.mask
    if access.user:
        code |= PageFaultCode.user.mask
    if access.fetch and (nxe or cr4 & CR4_SMEP):
        code |= PageFaultCode.fetch.mask
    return PageFaultCode(code)


def accessed_dirty_updates(walk: Walk, write: bool) -> tuple[tuple[int, int], ...]:
    """The entries that a completed translation changes, as (physical address, new value), in the order of the walk.

    A is set in every entry used, D in the one that maps the page when the access is a write (SDM 3A 4.8). A walk that
    faults changes nothing, as in Bochs; the SDM leaves that open for the entries above the one at fault.
    """
    if walk.fault is not None:
        return ()
    updates = []
    last = len(walk.entries) - 1
    for place, entry in enumerate(walk.entries):
        value = entry.value | _A | (_D if write and place == last else 0)
        if value != entry.value:
            updates.append((entry.address, value))
    return tuple(updates)
