"""Translation of linear addresses by 32-bit, PAE and 4-level paging, and the page faults it raises (SDM 3A chapter 4).

`entries` has the formats of the paging-structure entries, `walks` the translation.
"""

from .entries import (
    PHYSICAL_ADDRESS_BITS,
    Level,
    PaePage2MiB,
    PaePage4KiB,
    PaeTableReference,
    Page1GiB,
    Page2MiB,
    Page4KiB,
    Page4KiB32,
    Page4MiB,
    PageEntry,
    PagingMode,
    Pdpte,
    TableReference,
    TableReference32,
)
from .walks import Access, EntryUpdate, Read, UnsupportedPagingError, Walk, accessed_dirty_updates, paging_mode, walk

__all__ = [
    "PHYSICAL_ADDRESS_BITS",
    "Access",
    "EntryUpdate",
    "Level",
    "PaePage2MiB",
    "PaePage4KiB",
    "PaeTableReference",
    "Page1GiB",
    "Page2MiB",
    "Page4KiB",
    "Page4KiB32",
    "Page4MiB",
    "PageEntry",
    "PagingMode",
    "Pdpte",
    "Read",
    "TableReference",
    "TableReference32",
    "UnsupportedPagingError",
    "Walk",
    "accessed_dirty_updates",
    "paging_mode",
    "walk",
]
