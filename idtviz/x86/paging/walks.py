"""The translation of a linear address, its page fault and the accessed and dirty bits it sets (SDM 3A 4.3 to 4.8)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

from idtviz.x86.addresses import MASK32
from idtviz.x86.control import CR0_PG, CR0_WP, CR4_LA57, CR4_PAE, CR4_PSE, CR4_SMAP, CR4_SMEP, EFER_LMA, EFER_NXE
from idtviz.x86.error_codes import PageFaultCode

from .entries import (
    PHYSICAL_ADDRESS_BITS,
    PS,
    RW,
    US,
    XD,
    A,
    D,
    Level,
    P,
    PaePage2MiB,
    PaePage4KiB,
    Page1GiB,
    Page2MiB,
    Page4MiB,
    PageEntry,
    PagingMode,
    Pdpte,
    TableReference,
)

Read = Callable[[int, int], bytes]
"""Reads physical memory: `read(address, size)` gives `size` bytes."""

_FRAME: Final = TableReference.frame.mask
_HIGH_BITS_4_MIB: Final = 0xFF << 13
"""Where a PDE that maps a 4 MiB page has bits 39:32 of the address (SDM 3A table 4-4)."""


class _Step(NamedTuple):
    """What a walk has to know about one level."""

    level: Level
    shift: int
    """The lowest address bit of its index; an entry that maps a page maps this many address bits."""
    indexes: int
    """Mask of the index: entries in the table, less 1."""
    maps_page: int
    """The bit that says: maps a page. 0 where none does."""
    reserved: int
    """Bits that are reserved in every entry."""
    reserved_in_page: int
    """Bits that are reserved as well in one that maps a page."""


_RESERVED: Final = _FRAME & ~((1 << PHYSICAL_ADDRESS_BITS) - 1)
_RESERVED_PAE: Final = PaePage4KiB.reserved_high.mask
_RESERVED_PDPTE: Final = Pdpte.reserved_low.mask | Pdpte.reserved_middle.mask | Pdpte.reserved_high.mask

_STEPS: Final = {
    PagingMode.BITS_32: (
        _Step(Level.PD, 22, 0x3FF, 0, 0, 0),
        _Step(Level.PT, 12, 0x3FF, P, 0, 0),
    ),
    PagingMode.BITS_32_PSE: (
        _Step(Level.PD, 22, 0x3FF, PS, 0, Page4MiB.reserved.mask),
        _Step(Level.PT, 12, 0x3FF, P, 0, 0),
    ),
    PagingMode.PAE: (
        _Step(Level.PDPT, 30, 0x3, 0, _RESERVED_PDPTE, 0),
        _Step(Level.PD, 21, 0x1FF, PS, _RESERVED_PAE, PaePage2MiB.reserved.mask),
        _Step(Level.PT, 12, 0x1FF, P, _RESERVED_PAE, 0),
    ),
    PagingMode.LEVELS_4: (
        _Step(Level.PML4, 39, 0x1FF, 0, _RESERVED | PS, 0),
        _Step(Level.PDPT, 30, 0x1FF, PS, _RESERVED, Page1GiB.reserved.mask),
        _Step(Level.PD, 21, 0x1FF, PS, _RESERVED, Page2MiB.reserved.mask),
        _Step(Level.PT, 12, 0x1FF, P, _RESERVED, 0),
    ),
}

_FIRST_TABLE: Final = {
    PagingMode.BITS_32: 0xFFFF_F000,
    PagingMode.BITS_32_PSE: 0xFFFF_F000,
    PagingMode.PAE: 0xFFFF_FFE0,
    PagingMode.LEVELS_4: _FRAME,
}
"""The bits of CR3 that are the address of the first table (SDM 3A tables 4-3, 4-7 and 4-12)."""


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


class EntryUpdate(NamedTuple):
    """An entry that a translation changes: its physical address, its new value, its size in bytes."""

    address: int
    value: int
    size: int


class UnsupportedPagingError(NotImplementedError):
    """Paging of a kind that is not modelled: 5-level."""


def paging_mode(*, cr0: int, cr4: int, efer: int) -> PagingMode:
    """The paging mode that the control registers select (SDM 3A 4.1.1). UnsupportedPagingError for 5-level paging."""
    if not cr0 & CR0_PG:
        return PagingMode.NONE
    if efer & EFER_LMA:
        if cr4 & CR4_LA57:
            raise UnsupportedPagingError("in long mode only 4-level paging can be walked, and CR4.LA57=1 has 5 levels")
        return PagingMode.LEVELS_4
    if cr4 & CR4_PAE:
        return PagingMode.PAE
    return PagingMode.BITS_32_PSE if cr4 & CR4_PSE else PagingMode.BITS_32


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
    """Translate `linear` for `access`, reading entries from physical memory with `read` (SDM 3A 4.3 to 4.7).

    `ac` is RFLAGS.AC for an explicit access, and False for one that the processor makes by itself, as in a delivery
    (SDM 3A 4.6.1). Nothing is written: see `accessed_dirty_updates`. Outside long mode `linear` is taken modulo 2^32;
    in it, whether `linear` is canonical is for the caller to check. 1 GiB pages exist, protection keys do not.

    With PAE paging a processor loads the four PDPTEs into registers when CR3 is written, and refuses reserved bits in
    them there with #GP (SDM 3A 4.4.1). Here they are read from memory at each walk, and reserved bits found by the
    walk raise #PF.

    UnsupportedPagingError for 5-level paging.
    """
    mode = paging_mode(cr0=cr0, cr4=cr4, efer=efer)
    if mode is PagingMode.NONE:
        return Walk(linear, (), linear & MASK32, 1 << 32, True, True, False, None)  # noqa: FBT003
    if mode is not PagingMode.LEVELS_4:
        linear &= MASK32
    nxe = efer & EFER_NXE if cr4 & CR4_PAE else 0
    entries, size, cause = _read_entries(read, mode, cr3 & _FIRST_TABLE[mode], linear, nxe)
    allowed, xd = _combine(entries)
    physical = None
    if cause is None:
        if _is_allowed(allowed, xd, access, cr0=cr0, cr4=cr4, ac=ac):
            physical = _page_address(entries[-1].value, size) | (linear & (size - 1))
        else:
            cause = PageFaultCode.present.mask
    fault = None if cause is None else _fault(cause, nxe, cr4, access)
    nx = nxe != 0 and xd != 0
    return Walk(linear, tuple(entries), physical, size, allowed & RW != 0, allowed & US != 0, nx, fault)


def _read_entries(
    read: Read, mode: PagingMode, table: int, linear: int, nxe: int
) -> tuple[list[PageEntry], int, int | None]:
    """The entries from `table` down, the size of the page met, and what raises #PF: at each P, then reserved bits."""
    entry_size = mode.entry_size
    not_enabled = 0 if nxe else XD
    entries: list[PageEntry] = []
    for level, shift, indexes, maps_page, reserved, reserved_in_page in _STEPS[mode]:
        address = table + ((linear >> shift) & indexes) * entry_size
        value = int.from_bytes(read(address, entry_size), "little")
        entries.append(PageEntry(level, address, value, mode))
        if not value & P:
            return entries, 0, 0
        size = 1 << shift if value & maps_page else 0
        if value & (reserved | not_enabled | (reserved_in_page if size else 0)):
            return entries, size, PageFaultCode.present.mask | PageFaultCode.reserved_bit.mask
        if size:
            return entries, size, None
        table = value & _FRAME
    raise AssertionError("an entry of the last level is not present or maps a page")


def _combine(entries: list[PageEntry]) -> tuple[int, int]:
    """R/W and U/S if all entries have them, and XD if any has it (SDM 3A 4.6). One not present restricts nothing."""
    allowed = RW | US
    forbidden = 0
    for entry in entries:
        if entry.present and not entry.is_pae_pdpte:
            allowed &= entry.value
            forbidden |= entry.value
    return allowed, forbidden & XD


def _page_address(value: int, size: int) -> int:
    """Physical address of the page that an entry maps. Only a 4 MiB page has address bits among the low ones."""
    if size == 4 << 20:
        return (value & -size) | (value & _HIGH_BITS_4_MIB) << 19
    return value & _FRAME & -size


def _is_allowed(allowed: int, xd: int, access: Access, *, cr0: int, cr4: int, ac: bool) -> bool:
    """Access rights (SDM 3A 4.6.1): `allowed` has R/W and U/S if all entries have them, `xd` is XD if any has it."""
    user_page = allowed & US
    if access.user and not user_page:
        return False
    if access.fetch:
        return not xd and (access.user or not user_page or not cr4 & CR4_SMEP)
    if not access.user and user_page and cr4 & CR4_SMAP and not ac:
        return False
    if not access.write or allowed & RW:
        return True
    return not access.user and not cr0 & CR0_WP


def _fault(cause: int, nxe: int, cr4: int, access: Access) -> PageFaultCode:
    """The error code (SDM 3A 4.7): the cause, and the access. I/D is reported only where fetches are checked at all.

    `nxe` is EFER.NXE where entries have an XD bit: not with 32-bit paging.
    """
    code = cause
    if access.write:
        code |= PageFaultCode.write.mask
    if access.user:
        code |= PageFaultCode.user.mask
    if access.fetch and (nxe or cr4 & CR4_SMEP):
        code |= PageFaultCode.fetch.mask
    return PageFaultCode(code)


def accessed_dirty_updates(walk: Walk, write: bool) -> tuple[EntryUpdate, ...]:
    """The entries that a completed translation changes, in the order of the walk.

    A is set in every entry used, D in the one that maps the page when the access is a write (SDM 3A 4.8). A PDPTE of
    PAE paging has neither. A walk that faults changes nothing, as in Bochs; the SDM leaves that open for the entries
    above the one at fault.
    """
    if walk.fault is not None:
        return ()
    updates = []
    last = len(walk.entries) - 1
    for place, entry in enumerate(walk.entries):
        if entry.is_pae_pdpte:
            continue
        value = entry.value | A | (D if write and place == last else 0)
        if value != entry.value:
            updates.append(EntryUpdate(entry.address, value, entry.size))
    return tuple(updates)
