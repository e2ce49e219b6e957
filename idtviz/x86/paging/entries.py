"""The entries of the paging structures, in the formats of 32-bit, PAE and 4-level paging (SDM 3A 4.3 to 4.5)."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple

from idtviz.x86.fields import Bits, Field, Flag, Reserved, Structure

PHYSICAL_ADDRESS_BITS: Final = 40
"""MAXPHYADDR of the machine: address bits from 40 up are reserved in an entry (SDM 3A 4.1.4)."""


class PagingMode(StrEnum):
    """How linear addresses are translated (SDM 3A 4.1.1). CR4.PSE gives 32-bit paging a page size and an entry more."""

    NONE = "no paging"
    BITS_32 = "32-bit paging"
    BITS_32_PSE = "32-bit paging with 4-MByte pages"
    PAE = "PAE paging"
    LEVELS_4 = "4-level paging"

    @property
    def entry_size(self) -> int:
        """Bytes of an entry of a paging structure; 0 without paging."""
        if self is PagingMode.NONE:
            return 0
        return 4 if self in (PagingMode.BITS_32, PagingMode.BITS_32_PSE) else 8


class Level(StrEnum):
    """The paging structures, by the manual's names (SDM 3A 4.5.2)."""

    PML4 = "PML4"
    PDPT = "PDPT"
    PD = "PD"
    PT = "PT"


class _CacheBits(Structure):
    """The bits that all entries of all paging modes share."""

    __slots__ = ()
    UNNAMED = "ignored"

    present = Flag(0, "P", "not present: any use raises #PF", "present")
    pwt = Flag(3, "PWT", "write-back", "write-through")
    pcd = Flag(4, "PCD", "cacheable", "not cacheable")


class _Entry(_CacheBits):
    """What all add but the PDPTE of PAE paging."""

    __slots__ = ()

    writable = Flag(1, "R/W", "read-only", "writable")
    user = Flag(2, "U/S", "supervisor only", "user")
    accessed = Flag(5, "A", "not used for a translation yet", "used for a translation")


class _Entry64(_Entry):
    """What an entry of 8 bytes adds."""

    __slots__ = ()

    nx = Flag(63, "XD", "instructions may be fetched", "no instruction fetches (reserved when EFER.NXE=0)")


class _Page(_Entry):
    """What the entries that map a page add."""

    __slots__ = ()

    dirty = Flag(6, "D", "not written yet", "written")
    global_ = Flag(8, "G", "dropped from the TLB with CR3", "global: stays in the TLB when CR4.PGE=1")


class _SmallPage(_Page):
    __slots__ = ()

    pat = Flag(7, "PAT", "memory type from entries 0-3 of the PAT", "memory type from entries 4-7 of the PAT")


class _LargePage(_Page):
    __slots__ = ()

    large = Flag(7, "PS", "refers to a table", "maps a page")
    pat = Flag(12, "PAT", "memory type from entries 0-3 of the PAT", "memory type from entries 4-7 of the PAT")


class TableReference(_Entry64):
    """An entry of 4-level paging that refers to the next table (SDM 3A 4.5.4)."""

    __slots__ = ()
    SIZE = 8

    large = Flag(7, "PS", "refers to a table", "maps a page; reserved in a PML4E")
    frame = Bits((51, 12), name="table", meaning=lambda entry: f"the next table is at physical {entry.frame << 12:#x}")


class _KeyedPage(_Entry64):
    """What an entry of 4-level paging that maps a page adds."""

    __slots__ = ()

    protection_key = Bits((62, 59), name="protection key", meaning="not used while CR4.PKE=0")


class Page1GiB(_LargePage, _KeyedPage):
    """A PDPTE that maps a 1 GiB page (SDM 3A 4.5.4)."""

    __slots__ = ()
    SIZE = 8

    reserved = Reserved(29, 13)
    frame = Bits((51, 30), name="page", meaning=lambda entry: f"1 GiB at physical {entry.frame << 30:#x}")


class Page2MiB(_LargePage, _KeyedPage):
    """A PDE that maps a 2 MiB page (SDM 3A 4.5.4)."""

    __slots__ = ()
    SIZE = 8

    reserved = Reserved(20, 13)
    frame = Bits((51, 21), name="page", meaning=lambda entry: f"2 MiB at physical {entry.frame << 21:#x}")


class Page4KiB(_SmallPage, _KeyedPage):
    """A PTE, which maps a 4 KiB page (SDM 3A 4.5.4)."""

    __slots__ = ()
    SIZE = 8

    frame = Bits((51, 12), name="page", meaning=lambda entry: f"4 KiB at physical {entry.frame << 12:#x}")


class Pdpte(_CacheBits):
    """A PDPTE of PAE paging: no access rights, no accessed bit, no large page (SDM 3A 4.4.1, table 4-8)."""

    __slots__ = ()
    SIZE = 8

    reserved_low = Reserved(2, 1, "reserved 2:1")
    reserved_middle = Reserved(8, 5, "reserved 8:5")
    frame = Bits(
        (39, 12), name="table", meaning=lambda entry: f"the page directory is at physical {entry.frame << 12:#x}"
    )
    reserved_high = Reserved(63, 40, "reserved 63:40")


class PaeTableReference(_Entry64):
    """A PDE of PAE paging that refers to a page table (SDM 3A 4.4.2, table 4-10)."""

    __slots__ = ()
    SIZE = 8

    large = Flag(7, "PS", "refers to a table", "maps a 2 MiB page")
    frame = Bits((39, 12), name="table", meaning=lambda entry: f"the page table is at physical {entry.frame << 12:#x}")
    reserved_high = Reserved(62, 40, "reserved 62:40")


class PaePage2MiB(_LargePage, _Entry64):
    """A PDE of PAE paging that maps a 2 MiB page (SDM 3A 4.4.2, table 4-9)."""

    __slots__ = ()
    SIZE = 8

    reserved = Reserved(20, 13, "reserved 20:13")
    frame = Bits((39, 21), name="page", meaning=lambda entry: f"2 MiB at physical {entry.frame << 21:#x}")
    reserved_high = Reserved(62, 40, "reserved 62:40")


class PaePage4KiB(_SmallPage, _Entry64):
    """A PTE of PAE paging, which maps a 4 KiB page (SDM 3A 4.4.2, table 4-11)."""

    __slots__ = ()
    SIZE = 8

    frame = Bits((39, 12), name="page", meaning=lambda entry: f"4 KiB at physical {entry.frame << 12:#x}")
    reserved_high = Reserved(62, 40, "reserved 62:40")


class TableReference32(_Entry):
    """A PDE of 32-bit paging that refers to a page table (SDM 3A 4.3, table 4-5)."""

    __slots__ = ()
    SIZE = 4

    large = Flag(7, "PS", "refers to a table", "maps a 4 MiB page when CR4.PSE=1; ignored when CR4.PSE=0")
    frame = Bits((31, 12), name="table", meaning=lambda entry: f"the page table is at physical {entry.frame << 12:#x}")


class Page4MiB(_LargePage):
    """A PDE of 32-bit paging that maps a 4 MiB page, with bits 39:32 of its address low (SDM 3A 4.3, table 4-4)."""

    __slots__ = ()
    SIZE = 4

    reserved = Reserved(21, 21)
    frame = Bits((31, 22), (20, 13), name="page", meaning=lambda entry: f"4 MiB at physical {entry.frame << 22:#x}")


class Page4KiB32(_SmallPage):
    """A PTE of 32-bit paging, which maps a 4 KiB page (SDM 3A 4.3, table 4-6)."""

    __slots__ = ()
    SIZE = 4

    frame = Bits((31, 12), name="page", meaning=lambda entry: f"4 KiB at physical {entry.frame << 12:#x}")


Reference = TableReference | PaeTableReference | TableReference32 | Pdpte
Page = Page1GiB | Page2MiB | Page4KiB | PaePage2MiB | PaePage4KiB | Page4MiB | Page4KiB32

P: Final = _Entry.present.mask
RW: Final = _Entry.writable.mask
US: Final = _Entry.user.mask
A: Final = _Entry.accessed.mask
D: Final = _Page.dirty.mask
PS: Final = TableReference.large.mask
XD: Final = _Entry64.nx.mask

_SMALL: Final[dict[PagingMode, type[Page]]] = {
    PagingMode.BITS_32: Page4KiB32,
    PagingMode.BITS_32_PSE: Page4KiB32,
    PagingMode.PAE: PaePage4KiB,
    PagingMode.LEVELS_4: Page4KiB,
}
_LARGE: Final[dict[tuple[PagingMode, Level], type[Page]]] = {
    (PagingMode.BITS_32_PSE, Level.PD): Page4MiB,
    (PagingMode.PAE, Level.PD): PaePage2MiB,
    (PagingMode.LEVELS_4, Level.PD): Page2MiB,
    (PagingMode.LEVELS_4, Level.PDPT): Page1GiB,
}
_REFERENCE: Final[dict[PagingMode, type[Reference]]] = {
    PagingMode.BITS_32: TableReference32,
    PagingMode.BITS_32_PSE: TableReference32,
    PagingMode.PAE: PaeTableReference,
    PagingMode.LEVELS_4: TableReference,
}


class PageEntry(NamedTuple):
    """An entry that a walk read: which level, its physical address, its bytes as a number, and the paging mode."""

    level: Level
    address: int
    value: int
    mode: PagingMode = PagingMode.LEVELS_4

    @property
    def format(self) -> type[Reference | Page]:
        """The format that the paging mode, the level and the PS bit give the entry."""
        if self.level is Level.PT:
            return _SMALL[self.mode]
        if self.large:
            return _LARGE[self.mode, self.level]
        return Pdpte if self.is_pae_pdpte else _REFERENCE[self.mode]

    @property
    def structure(self) -> Reference | Page:
        """The entry in its format."""
        return self.format(self.value)

    @property
    def fields(self) -> tuple[Field, ...]:
        """The fields of the entry, lowest bit first."""
        return self.structure.fields

    @property
    def size(self) -> int:
        """In bytes: 4 or 8."""
        return self.mode.entry_size

    @property
    def present(self) -> bool:
        """P."""
        return self.value & P != 0

    @property
    def writable(self) -> bool:
        """R/W of this entry alone. A PDPTE of PAE paging has none, and forbids nothing."""
        return self.is_pae_pdpte or self.value & RW != 0

    @property
    def user(self) -> bool:
        """U/S of this entry alone. A PDPTE of PAE paging has none, and forbids nothing."""
        return self.is_pae_pdpte or self.value & US != 0

    @property
    def nx(self) -> bool:
        """XD of this entry alone. A PDPTE of PAE paging has none."""
        return not self.is_pae_pdpte and self.value & XD != 0

    @property
    def large(self) -> bool:
        """Whether the entry maps a 2 MiB, 4 MiB or 1 GiB page."""
        return self.value & PS != 0 and (self.mode, self.level) in _LARGE

    @property
    def accessed(self) -> bool:
        """A, which a PDPTE of PAE paging does not have."""
        return not self.is_pae_pdpte and self.value & A != 0

    @property
    def dirty(self) -> bool:
        """D, which only an entry that maps a page has."""
        return self.value & D != 0 and (self.level is Level.PT or self.large)

    @property
    def frame(self) -> int:
        """Physical address of the table or page that the entry points to."""
        return self.structure.frame << self.format.frame.low

    @property
    def is_pae_pdpte(self) -> bool:
        """Whether the entry is a PDPTE of PAE paging, which has no R/W, U/S, XD, A or PS (SDM 3A table 4-8)."""
        return self.mode is PagingMode.PAE and self.level is Level.PDPT
