"""Translation of linear addresses by 32-bit and PAE paging, each check from both sides."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from idtviz.x86.control import (
    CR0_PE,
    CR0_PG,
    CR0_WP,
    CR4_LA57,
    CR4_PAE,
    CR4_PSE,
    CR4_SMAP,
    CR4_SMEP,
    EFER_LMA,
    EFER_NXE,
)
from idtviz.x86.paging import (
    Access,
    EntryUpdate,
    Level,
    PaePage2MiB,
    PaePage4KiB,
    PaeTableReference,
    Page4KiB32,
    Page4MiB,
    PageEntry,
    PagingMode,
    Pdpte,
    TableReference32,
    UnsupportedPagingError,
    Walk,
    accessed_dirty_updates,
    paging_mode,
    walk,
)

P, RW, US, A, D, PS, XD = 1, 2, 4, 1 << 5, 1 << 6, 1 << 7, 1 << 63
PG = CR0_PG | CR0_PE
LINEAR = 0x8123_49AB
READ = Access(write=False, user=False, fetch=False)
WRITE = Access(write=True, user=False, fetch=False)
FETCH = Access(write=False, user=False, fetch=True)
USER_READ = Access(write=False, user=True, fetch=False)
USER_WRITE = Access(write=True, user=True, fetch=False)
USER_FETCH = Access(write=False, user=True, fetch=True)
ALL = P | RW | US


@dataclass
class Tables:
    """The entries that map LINEAR, one of each table: the first at CR3, the next at 0x2000, 0x3000."""

    entries: list[int]
    cr4: int
    cr3: int = 0x1000
    cr0: int = PG | CR0_WP
    efer: int = 0
    linear: int = LINEAR

    def walk(self, access: Access) -> Walk:
        shifts, size, mask = ((30, 21, 12), 8, 0x1FF) if self.cr4 & CR4_PAE else ((22, 12), 4, 0x3FF)
        tables = (self.cr3 & (-32 if size == 8 else -4096) & 0xFFFF_FFFF, 0x2000, 0x3000)
        linear = self.linear & 0xFFFF_FFFF
        places = [table + (linear >> shift & mask) * size for table, shift in zip(tables, shifts, strict=False)]
        memory = dict(zip(places, self.entries, strict=False))

        def read(address: int, length: int) -> bytes:
            return memory[address].to_bytes(length, "little")

        return walk(read, cr0=self.cr0, cr3=self.cr3, cr4=self.cr4, efer=self.efer, linear=self.linear, access=access)

    def set(self, level: int, bits: int) -> "Tables":
        self.entries[level] |= bits
        return self

    def clear(self, level: int, bits: int) -> "Tables":
        self.entries[level] &= ~bits
        return self


Make = Callable[..., Tables]


def bits_32(*entries: int, cr4: int = 0, **control: int) -> Tables:
    return Tables(list(entries or (0x2000 | ALL, 0xFEDC_B000 | ALL)), cr4, **control)


def pae(*entries: int, cr4: int = CR4_PAE, efer: int = EFER_NXE, **control: int) -> Tables:
    found = list(entries or (0x2000 | P, 0x3000 | ALL, 0x12_3456_7000 | ALL))
    return Tables(found, cr4, efer=efer, **control)


def fault(result: Walk) -> tuple[str, ...] | None:
    """The names in the error code, or None for a translation; each excludes the other."""
    assert (result.physical is None) == (result.fault is not None)
    return None if result.fault is None else result.fault.names()


@pytest.mark.parametrize(
    ("cr0", "cr4", "efer", "mode"),
    [
        (CR0_PE, CR4_PAE, EFER_LMA, PagingMode.NONE),
        (PG, 0, EFER_NXE, PagingMode.BITS_32),
        (PG, CR4_PSE, 0, PagingMode.BITS_32_PSE),
        (PG, CR4_PAE | CR4_PSE | CR4_LA57, 0, PagingMode.PAE),
        (PG, CR4_PAE, EFER_LMA, PagingMode.LEVELS_4),
    ],
)
def test_cr0_pg_cr4_pae_and_efer_lma_select_the_paging_mode(cr0: int, cr4: int, efer: int, mode: PagingMode) -> None:
    assert paging_mode(cr0=cr0, cr4=cr4, efer=efer) is mode


def test_cr4_la57_selects_5_level_paging_only_in_long_mode() -> None:
    with pytest.raises(UnsupportedPagingError, match="LA57=1"):
        paging_mode(cr0=PG, cr4=CR4_PAE | CR4_LA57, efer=EFER_LMA)


def test_two_entries_of_4_bytes_lead_from_cr3_to_the_page() -> None:
    result = bits_32(cr3=0x7_0000_1FFF).walk(READ)
    assert result.physical == 0xFEDC_B9AB
    assert [(entry.level, entry.address, entry.size) for entry in result.entries] == [
        (Level.PD, 0x1000 + 0x204 * 4, 4),
        (Level.PT, 0x2000 + 0x234 * 4, 4),
    ]
    assert (result.page_size, result.writable, result.user, result.nx) == (4096, True, True, False)


def test_three_entries_of_8_bytes_lead_from_cr3_to_the_page() -> None:
    result = pae(cr3=0x7_0000_103F).walk(READ)
    assert result.physical == 0x12_3456_79AB
    assert [(entry.level, entry.address, entry.size) for entry in result.entries] == [
        (Level.PDPT, 0x1020 + 2 * 8, 8),
        (Level.PD, 0x2000 + 0x9 * 8, 8),
        (Level.PT, 0x3000 + 0x34 * 8, 8),
    ]
    assert (result.page_size, result.writable, result.user, result.nx) == (4096, True, True, False)


@pytest.mark.parametrize("make", [bits_32, pae])
def test_a_linear_address_has_32_bits(make: Make) -> None:
    result = make(linear=0x9_8000_0000_0000 | LINEAR).walk(READ)
    assert result == make().walk(READ)
    assert result.linear == LINEAR


def test_ps_makes_a_4_mib_page_only_with_cr4_pse() -> None:
    large = bits_32(0xFEC0_0000 | ALL | PS, cr4=CR4_PSE).walk(READ)
    assert large.physical == 0xFEC0_0000 | LINEAR & 0x3F_FFFF
    assert (large.page_size, len(large.entries), large.entries[0].large) == (4 << 20, 1, True)
    small = bits_32().set(0, PS).walk(READ)
    assert small.physical == 0xFEDC_B9AB
    assert not small.entries[0].large
    assert bits_32(cr4=CR4_PSE).walk(READ).physical == 0xFEDC_B9AB


@pytest.mark.parametrize(("bit", "address"), [(13, 32), (16, 35), (20, 39)])
def test_bits_20_to_13_of_a_4_mib_page_are_address_bits_39_to_32(bit: int, address: int) -> None:
    result = bits_32(0x40_0000 | ALL | PS | 1 << bit, cr4=CR4_PSE).walk(READ)
    assert result.physical == 1 << address | 0x40_0000 | LINEAR & 0x3F_FFFF
    assert result.entries[0].frame == 1 << address | 0x40_0000


def test_bit_21_of_a_4_mib_page_is_reserved_and_bit_12_is_pat() -> None:
    assert fault(bits_32(ALL | PS | 1 << 21, cr4=CR4_PSE).walk(USER_WRITE)) == ("P", "W", "U", "RSVD")
    assert bits_32(ALL | PS | 1 << 12, cr4=CR4_PSE).walk(READ).physical == LINEAR & 0x3F_FFFF


def test_32_bit_paging_without_4_mib_pages_has_no_reserved_bits() -> None:
    entries = (0x2000 | ALL | 0xFF8, 0xFFFF_FFFF)
    assert bits_32(*entries).walk(READ).physical == 0xFFFF_F9AB


@pytest.mark.parametrize("bit", [*range(1, 3), *range(5, 9), 40, 51, 52, 62, 63])
def test_a_pdpte_has_its_own_reserved_bits(bit: int) -> None:
    result = pae().set(0, 1 << bit).walk(USER_READ)
    assert fault(result) == ("P", "U", "RSVD")
    assert len(result.entries) == 1
    assert fault(pae().set(0, 1 << bit).clear(0, P).walk(USER_READ)) == ("U",)


@pytest.mark.parametrize("bit", [3, 4, 9, 10, 11])
def test_the_other_low_bits_of_a_pdpte_are_not_reserved(bit: int) -> None:
    assert pae().set(0, 1 << bit).walk(READ).physical == 0x12_3456_79AB


def test_a_pdpte_restricts_no_access() -> None:
    assert fault(pae().walk(USER_WRITE)) is None
    pdpte = pae().walk(READ).entries[0]
    assert (pdpte.writable, pdpte.user, pdpte.nx) == (True, True, False)
    assert not PageEntry(Level.PDPT, 0, P | A | D | PS | XD, PagingMode.PAE).accessed
    assert not PageEntry(Level.PDPT, 0, P | A | D | PS | XD, PagingMode.PAE).large


def test_ps_makes_a_2_mib_page_with_pae_whatever_cr4_pse_is() -> None:
    for cr4 in (CR4_PAE, CR4_PAE | CR4_PSE):
        result = pae(0x2000 | P, 0x40_0020_0000 | ALL | PS, cr4=cr4).walk(READ)
        assert result.physical == 0x40_0020_0000 | LINEAR & 0x1F_FFFF
        assert (result.page_size, result.entries[-1].large) == (2 << 20, True)


@pytest.mark.parametrize(("bit", "names"), [(12, None), (13, ("P", "RSVD")), (20, ("P", "RSVD")), (21, None)])
def test_the_low_frame_bits_of_a_2_mib_page_are_reserved_except_pat(bit: int, names: tuple[str, ...] | None) -> None:
    assert fault(pae(0x2000 | P, ALL | PS | 1 << bit).walk(READ)) == names


@pytest.mark.parametrize("level", [1, 2])
@pytest.mark.parametrize("bit", [40, 51, 52, 58, 62])
def test_all_bits_from_maxphyaddr_to_62_are_reserved_with_pae(level: int, bit: int) -> None:
    result = pae().set(level, 1 << bit).walk(READ)
    assert fault(result) == ("P", "RSVD")
    assert len(result.entries) == level + 1
    assert pae().set(2, 1 << 39).walk(READ).physical == 0x92_3456_79AB


@pytest.mark.parametrize("level", [1, 2])
def test_xd_forbids_a_fetch_with_nxe_and_is_reserved_without(level: int) -> None:
    result = pae().set(level, XD).walk(USER_FETCH)
    assert (fault(result), result.nx) == (("P", "U", "I"), True)
    assert fault(pae().set(level, XD).walk(USER_WRITE)) is None
    assert fault(pae(efer=0).set(level, XD).walk(USER_READ)) == ("P", "U", "RSVD")
    assert fault(pae(efer=0).walk(USER_FETCH)) is None


@pytest.mark.parametrize(("tables", "levels"), [(bits_32, 2), (pae, 3)])
def test_an_entry_that_is_not_present_faults_with_p_clear(tables: Make, levels: int) -> None:
    for level in range(levels):
        result = tables().clear(level, P).walk(USER_WRITE)
        assert fault(result) == ("W", "U")
        assert (len(result.entries), result.page_size) == (level + 1, 0)


@pytest.mark.parametrize(("tables", "levels"), [(bits_32, (0, 1)), (pae, (1, 2))])
def test_r_w_and_u_s_of_every_entry_must_allow(tables: Make, levels: tuple[int, ...]) -> None:
    for level in levels:
        assert fault(tables().clear(level, RW).walk(USER_WRITE)) == ("P", "W", "U")
        assert fault(tables().clear(level, RW).walk(USER_READ)) is None
        assert fault(tables().clear(level, US).walk(USER_READ)) == ("P", "U")
        assert fault(tables().clear(level, US).walk(READ)) is None


@pytest.mark.parametrize(("tables", "cr4"), [(bits_32, 0), (pae, CR4_PAE)])
def test_wp_smep_and_smap_hold_outside_long_mode_too(tables: Make, cr4: int) -> None:
    assert fault(tables().clear(1, RW).walk(WRITE)) == ("P", "W")
    assert fault(tables(cr0=PG).clear(1, RW).walk(WRITE)) is None
    assert fault(tables(cr4=cr4 | CR4_SMEP).walk(FETCH)) == ("P", "I")
    assert fault(tables(cr4=cr4 | CR4_SMEP).clear(1, US).walk(FETCH)) is None
    assert fault(tables(cr4=cr4 | CR4_SMAP).walk(READ)) == ("P",)
    assert fault(tables(cr4=cr4 | CR4_SMAP).clear(1, US).walk(READ)) is None


def test_a_fetch_is_reported_as_one_with_smep_or_with_nxe_where_there_is_an_xd_bit() -> None:
    assert fault(bits_32(efer=EFER_NXE).clear(1, P).walk(FETCH)) == ()
    assert fault(bits_32(cr4=CR4_SMEP).clear(1, P).walk(FETCH)) == ("I",)
    assert fault(pae(efer=0).clear(1, P).walk(FETCH)) == ()
    assert fault(pae(efer=EFER_NXE).clear(1, P).walk(FETCH)) == ("I",)
    assert fault(pae(efer=0, cr4=CR4_PAE | CR4_SMEP).clear(1, P).walk(FETCH)) == ("I",)


def test_accessed_and_dirty_are_written_as_entries_of_4_bytes() -> None:
    result = bits_32().walk(WRITE)
    first, second = result.entries
    assert accessed_dirty_updates(result, write=True) == (
        EntryUpdate(first.address, first.value | A, 4),
        EntryUpdate(second.address, second.value | A | D, 4),
    )


def test_a_write_to_a_4_mib_page_sets_dirty_in_its_page_directory_entry() -> None:
    result = bits_32(ALL | PS, cr4=CR4_PSE).walk(WRITE)
    assert accessed_dirty_updates(result, write=True) == (EntryUpdate(0x1810, ALL | PS | A | D, 4),)


def test_a_pdpte_has_no_accessed_bit_to_set() -> None:
    result = pae().walk(READ)
    assert [update.address for update in accessed_dirty_updates(result, write=False)] == [
        entry.address for entry in result.entries[1:]
    ]


@pytest.mark.parametrize(
    ("mode", "level", "value", "structure", "frame"),
    [
        (PagingMode.BITS_32, Level.PD, 0x2087, TableReference32, 0x2000),
        (PagingMode.BITS_32_PSE, Level.PD, 0x2007, TableReference32, 0x2000),
        (PagingMode.BITS_32_PSE, Level.PD, 0x0040_3087, Page4MiB, 0x1_0040_0000),
        (PagingMode.BITS_32_PSE, Level.PT, 0x5087, Page4KiB32, 0x5000),
        (PagingMode.PAE, Level.PDPT, 0x2081, Pdpte, 0x2000),
        (PagingMode.PAE, Level.PD, 0x3007, PaeTableReference, 0x3000),
        (PagingMode.PAE, Level.PD, 0x0020_1087, PaePage2MiB, 0x0020_0000),
        (PagingMode.PAE, Level.PT, 0x5087, PaePage4KiB, 0x5000),
    ],
)
def test_an_entry_is_shown_in_the_format_of_its_paging_mode(
    mode: PagingMode, level: Level, value: int, structure: type, frame: int
) -> None:
    entry = PageEntry(level, 0x1000, value, mode)
    assert type(entry.structure) is structure
    assert entry.frame == frame
    assert sum(field.width for field in entry.fields) == 8 * entry.size
    shown = next(field for field in entry.fields if field.name.startswith(("table", "page")))
    assert shown.meaning.endswith(f"at physical {frame:#x}")


def test_the_reserved_bits_of_an_entry_say_so_when_they_are_set() -> None:
    for mode, level, value in (
        (PagingMode.BITS_32_PSE, Level.PD, PS | 1 << 21),
        (PagingMode.PAE, Level.PDPT, 1 << 1),
        (PagingMode.PAE, Level.PDPT, 1 << 8),
        (PagingMode.PAE, Level.PT, 1 << 62),
    ):
        entry = PageEntry(level, 0, value, mode)
        assert "reserved, but not 0" in [field.meaning for field in entry.fields]
