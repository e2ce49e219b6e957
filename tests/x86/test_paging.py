"""Translation of linear addresses by 4-level paging, each check from both sides."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idtviz.x86.control import (
    CR0_PE,
    CR0_PG,
    CR0_WP,
    CR4_LA57,
    CR4_PAE,
    CR4_SMAP,
    CR4_SMEP,
    EFER_LMA,
    EFER_LME,
    EFER_NXE,
)
from idtviz.x86.error_codes import PageFaultCode
from idtviz.x86.paging import (
    Access,
    EntryUpdate,
    Level,
    Page1GiB,
    Page2MiB,
    Page4KiB,
    PageEntry,
    TableReference,
    UnsupportedPagingError,
    Walk,
    accessed_dirty_updates,
    walk,
)

P, RW, US, A, D, PS = 1, 2, 4, 1 << 5, 1 << 6, 1 << 7
XD = 1 << 63
LINEAR = 0xFFFF_8123_4567_89AB
READ = Access(write=False, user=False, fetch=False)
WRITE = Access(write=True, user=False, fetch=False)
FETCH = Access(write=False, user=False, fetch=True)
USER_READ = Access(write=False, user=True, fetch=False)
USER_WRITE = Access(write=True, user=True, fetch=False)
USER_FETCH = Access(write=False, user=True, fetch=True)
ACCESSES = (READ, WRITE, FETCH, USER_READ, USER_WRITE, USER_FETCH)


@dataclass
class Tables:
    """Four tables that map LINEAR, one entry each: PML4 at 0x1000, PDPT at 0x2000, PD at 0x3000, PT at 0x4000."""

    flags: list[int] = field(default_factory=lambda: [P | RW | US] * 4)
    frames: tuple[int, ...] = (0x2000, 0x3000, 0x4000, 0x12_3456_7000)
    cr0: int = CR0_PG | CR0_WP | CR0_PE
    cr3: int = 0x1000
    cr4: int = CR4_PAE
    efer: int = EFER_LMA | EFER_LME | EFER_NXE
    linear: int = LINEAR

    def addresses(self) -> list[int]:
        """Where the entry of each level lies."""
        return [0x1000 * (n + 1) + ((self.linear >> shift) & 0x1FF) * 8 for n, shift in enumerate((39, 30, 21, 12))]

    def values(self) -> list[int]:
        return [flags | frame for flags, frame in zip(self.flags, self.frames, strict=True)]

    def walk(self, access: Access, *, ac: bool = False) -> Walk:
        memory = dict(zip(self.addresses(), self.values(), strict=True))

        def read(address: int, size: int) -> bytes:
            assert size == 8
            return memory[address].to_bytes(8, "little")

        return walk(
            read, cr0=self.cr0, cr3=self.cr3, cr4=self.cr4, efer=self.efer, linear=self.linear, access=access, ac=ac
        )

    def clear(self, level: int, bits: int) -> "Tables":
        self.flags[level] &= ~bits
        return self

    def set(self, level: int, bits: int) -> "Tables":
        self.flags[level] |= bits
        return self


def fault(result: Walk) -> tuple[str, ...] | None:
    """The names in the error code, or None for a translation; each excludes the other."""
    assert (result.physical is None) == (result.fault is not None)
    return None if result.fault is None else result.fault.names()


def test_four_entries_lead_from_cr3_to_the_page() -> None:
    tables = Tables()
    result = tables.walk(READ)
    assert result.physical == 0x12_3456_79AB
    assert result.page_size == 4096
    assert [entry.level for entry in result.entries] == [Level.PML4, Level.PDPT, Level.PD, Level.PT]
    assert [entry.address for entry in result.entries] == tables.addresses()
    assert [entry.value for entry in result.entries] == tables.values()
    assert (result.linear, result.writable, result.user, result.nx, result.fault) == (LINEAR, True, True, False, None)


def test_the_low_bits_of_cr3_are_not_part_of_the_address() -> None:
    tables = Tables(cr3=0x1FFF)
    assert tables.walk(READ).entries[0].address == tables.addresses()[0]


def test_a_2_mib_page_ends_the_walk_at_the_page_directory() -> None:
    result = Tables(frames=(0x2000, 0x3000, 0x4020_0000, 0)).set(2, PS).walk(READ)
    assert result.physical == 0x4020_0000 | (LINEAR & 0x1F_FFFF)
    assert (result.page_size, len(result.entries)) == (2 << 20, 3)
    assert result.entries[-1].large


def test_a_1_gib_page_ends_the_walk_at_the_page_directory_pointer_table() -> None:
    result = Tables(frames=(0x2000, 0x40_0000_0000, 0, 0)).set(1, PS).walk(READ)
    assert result.physical == 0x40_0000_0000 | (LINEAR & 0x3FFF_FFFF)
    assert (result.page_size, len(result.entries)) == (1 << 30, 2)


def test_without_cr0_pg_linear_addresses_are_physical() -> None:
    def unreadable(address: int, size: int) -> bytes:
        raise AssertionError("no entry is read")

    result = walk(unreadable, cr0=CR0_PE, cr3=0, cr4=0, efer=0, linear=0xB8000, access=USER_WRITE)
    assert (result.physical, result.entries, result.fault, result.page_size) == (0xB8000, (), None, 1 << 32)


def test_5_level_paging_is_refused() -> None:
    with pytest.raises(UnsupportedPagingError, match="only 4-level paging"):
        Tables(cr4=CR4_PAE | CR4_LA57).walk(READ)


@pytest.mark.parametrize("level", range(4))
@pytest.mark.parametrize(
    ("access", "names"),
    [
        (READ, ()),
        (WRITE, ("W",)),
        (FETCH, ("I",)),
        (USER_READ, ("U",)),
        (USER_WRITE, ("W", "U")),
        (USER_FETCH, ("U", "I")),
    ],
)
def test_an_entry_that_is_not_present_faults_with_p_clear_at_its_level(
    level: int, access: Access, names: tuple[str, ...]
) -> None:
    result = Tables().clear(level, P).walk(access)
    assert fault(result) == names
    assert len(result.entries) == level + 1
    assert result.page_size == 0


def test_an_entry_that_is_not_present_has_no_reserved_bits() -> None:
    assert fault(Tables().clear(3, P).set(3, 1 << 45).walk(READ)) == ()


@pytest.mark.parametrize("level", range(4))
def test_a_user_write_needs_r_w_in_every_entry(level: int) -> None:
    assert fault(Tables().walk(USER_WRITE)) is None
    result = Tables().clear(level, RW).walk(USER_WRITE)
    assert fault(result) == ("P", "W", "U")
    assert not result.writable
    assert fault(Tables().clear(level, RW).walk(USER_READ)) is None


@pytest.mark.parametrize("level", range(4))
def test_a_user_access_needs_u_s_in_every_entry(level: int) -> None:
    result = Tables().clear(level, US).walk(USER_READ)
    assert fault(result) == ("P", "U")
    assert not result.user
    assert fault(Tables().clear(level, US).walk(USER_FETCH)) == ("P", "U", "I")
    assert fault(Tables().clear(level, US).walk(READ)) is None


def test_a_supervisor_write_to_a_read_only_page_faults_only_with_cr0_wp() -> None:
    assert fault(Tables().clear(3, RW).walk(WRITE)) == ("P", "W")
    assert fault(Tables(cr0=CR0_PG | CR0_PE).clear(3, RW).walk(WRITE)) is None
    assert fault(Tables(cr0=CR0_PG | CR0_PE).clear(3, RW).walk(USER_WRITE)) == ("P", "W", "U")


@pytest.mark.parametrize("level", range(4))
def test_a_fetch_from_a_page_with_xd_in_any_entry_faults(level: int) -> None:
    result = Tables().set(level, XD).walk(FETCH)
    assert fault(result) == ("P", "I")
    assert result.nx
    assert fault(Tables().set(level, XD).walk(USER_FETCH)) == ("P", "U", "I")
    assert fault(Tables().set(level, XD).walk(WRITE)) is None


@pytest.mark.parametrize("level", range(4))
@pytest.mark.parametrize("access", ACCESSES)
def test_xd_is_a_reserved_bit_without_efer_nxe(level: int, access: Access) -> None:
    result = Tables(efer=EFER_LMA).set(level, XD).walk(access)
    assert result.fault is not None
    assert (result.fault.present, result.fault.reserved_bit) == (True, True)
    assert len(result.entries) == level + 1
    assert not result.nx


def test_a_fetch_is_reported_as_one_only_with_nxe_or_smep() -> None:
    assert fault(Tables(efer=EFER_LMA).clear(3, P).walk(FETCH)) == ()
    assert fault(Tables(efer=EFER_LMA, cr4=CR4_PAE | CR4_SMEP).clear(3, P).walk(FETCH)) == ("I",)
    assert fault(Tables().clear(3, P).walk(FETCH)) == ("I",)


def test_smep_stops_the_supervisor_from_executing_user_pages() -> None:
    smep = CR4_PAE | CR4_SMEP
    assert fault(Tables(cr4=smep).walk(FETCH)) == ("P", "I")
    assert fault(Tables().walk(FETCH)) is None
    assert fault(Tables(cr4=smep).clear(3, US).walk(FETCH)) is None
    assert fault(Tables(cr4=smep).walk(USER_FETCH)) is None
    assert fault(Tables(cr4=smep).walk(READ)) is None


def test_smap_stops_the_supervisor_from_using_user_pages_unless_ac_is_set() -> None:
    smap = CR4_PAE | CR4_SMAP
    assert fault(Tables(cr4=smap).walk(READ)) == ("P",)
    assert fault(Tables(cr4=smap).walk(WRITE)) == ("P", "W")
    assert fault(Tables(cr4=smap).walk(WRITE, ac=True)) is None
    assert fault(Tables().walk(WRITE)) is None
    assert fault(Tables(cr4=smap).clear(3, US).walk(WRITE)) is None
    assert fault(Tables(cr4=smap).walk(USER_WRITE)) is None
    assert fault(Tables(cr4=smap).walk(FETCH)) is None


def test_smap_holds_with_wp_clear_and_ac_does_not_lift_wp() -> None:
    assert fault(Tables(cr0=CR0_PG, cr4=CR4_PAE | CR4_SMAP).walk(WRITE)) == ("P", "W")
    assert fault(Tables(cr4=CR4_PAE | CR4_SMAP).clear(0, RW).walk(WRITE, ac=True)) == ("P", "W")


@pytest.mark.parametrize("level", range(4))
@pytest.mark.parametrize("bit", [40, 51])
def test_address_bits_above_maxphyaddr_are_reserved(level: int, bit: int) -> None:
    result = Tables().set(level, 1 << bit).walk(USER_WRITE)
    assert fault(result) == ("P", "W", "U", "RSVD")
    assert len(result.entries) == level + 1


@pytest.mark.parametrize("bit", [9, 11, 52, 58, 62])
def test_ignored_bits_are_ignored(bit: int) -> None:
    tables = Tables()
    for level in range(4):
        tables.set(level, 1 << bit)
    assert tables.walk(READ).physical == 0x12_3456_79AB


def test_address_bit_39_is_part_of_the_address() -> None:
    assert Tables(frames=(0x2000, 0x3000, 0x4000, 1 << 39)).walk(READ).physical == 1 << 39 | LINEAR & 0xFFF


def test_ps_is_reserved_in_a_pml4e_and_is_the_pat_bit_in_a_pte() -> None:
    assert fault(Tables().set(0, PS).walk(READ)) == ("P", "RSVD")
    assert Tables().set(3, PS).walk(READ).physical == 0x12_3456_79AB


@pytest.mark.parametrize(
    ("level", "bit", "names"),
    [
        (2, 12, None),
        (2, 13, ("P", "RSVD")),
        (2, 20, ("P", "RSVD")),
        (2, 21, None),
        (1, 12, None),
        (1, 13, ("P", "RSVD")),
        (1, 29, ("P", "RSVD")),
        (1, 30, None),
    ],
)
def test_the_low_frame_bits_of_a_large_page_are_reserved_except_pat(
    level: int, bit: int, names: tuple[str, ...] | None
) -> None:
    frames = (0x2000, 0x3000 if level == 2 else 0, 0, 0)
    result = Tables(frames=frames).set(level, PS | 1 << bit).walk(READ)
    assert fault(result) == names
    if names is None:
        size = result.page_size
        assert result.physical == ((1 << bit) & -size) + (LINEAR & (size - 1))


def test_a_reserved_bit_is_found_before_a_right_that_is_missing() -> None:
    assert fault(Tables().clear(0, US).set(3, 1 << 40).walk(USER_READ)) == ("P", "U", "RSVD")


@given(
    flags=st.tuples(*[st.sampled_from([P | x | y | z for x in (0, RW) for y in (0, US) for z in (0, XD)])] * 4),
    access=st.sampled_from(ACCESSES),
    wp=st.booleans(),
    smep=st.booleans(),
    smap=st.booleans(),
    ac=st.booleans(),
)
def test_access_rights_are_those_of_section_4_6_1(
    flags: tuple[int, ...], access: Access, wp: bool, smep: bool, smap: bool, ac: bool
) -> None:
    tables = Tables(flags=list(flags))
    tables.cr0 = CR0_PG | (CR0_WP if wp else 0)
    tables.cr4 = CR4_PAE | (CR4_SMEP if smep else 0) | (CR4_SMAP if smap else 0)
    user_address = all(entry & US for entry in flags)
    writable = all(entry & RW for entry in flags)
    executable = not any(entry & XD for entry in flags)
    if access.user:
        allowed = user_address and (writable or not access.write) and (executable or not access.fetch)
    elif access.fetch:
        allowed = executable and not (user_address and smep)
    else:
        allowed = (writable or not access.write or not wp) and (not user_address or not smap or ac)
    result = tables.walk(access, ac=ac)
    assert (result.fault is None) == allowed
    assert (result.writable, result.user, result.nx) == (writable, user_address, not executable)


def test_a_read_sets_accessed_in_every_entry_and_dirty_in_none() -> None:
    tables = Tables()
    updates = accessed_dirty_updates(tables.walk(READ), write=False)
    assert updates == tuple(
        EntryUpdate(address, value | A, 8) for address, value in zip(tables.addresses(), tables.values(), strict=True)
    )


def test_a_write_sets_dirty_in_the_entry_that_maps_the_page() -> None:
    tables = Tables(flags=[P | RW | US | A] * 4)
    updates = accessed_dirty_updates(tables.walk(WRITE), write=True)
    assert updates == (EntryUpdate(tables.addresses()[3], tables.values()[3] | D, 8),)


def test_a_write_to_a_large_page_sets_dirty_in_its_page_directory_entry() -> None:
    tables = Tables(frames=(0x2000, 0x3000, 0, 0)).set(2, PS)
    written = EntryUpdate(tables.addresses()[2], tables.flags[2] | A | D, 8)
    assert accessed_dirty_updates(tables.walk(WRITE), write=True)[-1] == written


def test_entries_that_are_accessed_and_dirty_already_are_not_written_again() -> None:
    assert accessed_dirty_updates(Tables(flags=[P | RW | A | D] * 4).walk(WRITE), write=True) == ()


def test_a_walk_that_faults_and_one_without_paging_change_nothing() -> None:
    assert accessed_dirty_updates(Tables().clear(3, RW).walk(WRITE), write=True) == ()
    assert accessed_dirty_updates(Walk(0, (), 0, 1 << 32, True, True, False, None), write=True) == ()
    assert accessed_dirty_updates(Walk(0, (), None, 0, False, False, False, PageFaultCode(0)), write=True) == ()


def test_a_page_entry_reads_its_own_bits_by_name() -> None:
    entry = PageEntry(Level.PT, 0x4000, XD | 0x12_3456_7000 | D | A | US | RW | P)
    assert (entry.present, entry.writable, entry.user, entry.nx) == (True, True, True, True)
    assert (entry.accessed, entry.dirty, entry.large, entry.frame) == (True, True, False, 0x12_3456_7000)
    empty = PageEntry(Level.PT, 0x4000, 0)
    assert not any((empty.present, empty.writable, empty.user, empty.nx, empty.accessed, empty.dirty, empty.frame))


def test_only_an_entry_that_maps_a_page_is_dirty_or_large() -> None:
    assert PageEntry(Level.PD, 0, P | D | PS).dirty
    assert not PageEntry(Level.PD, 0, P | D).dirty
    assert not PageEntry(Level.PT, 0, P | PS).large
    assert not PageEntry(Level.PML4, 0, P | PS).large


@pytest.mark.parametrize(
    ("level", "value", "structure", "frame"),
    [
        (Level.PML4, 0x2007, TableReference, 0x2000),
        (Level.PML4, 0x2087, TableReference, 0x2000),
        (Level.PDPT, 0x3007, TableReference, 0x3000),
        (Level.PDPT, 0x4000_1087, Page1GiB, 0x4000_0000),
        (Level.PD, 0x4007, TableReference, 0x4000),
        (Level.PD, 0x0020_1087, Page2MiB, 0x0020_0000),
        (Level.PT, 0x5087, Page4KiB, 0x5000),
    ],
)
def test_an_entry_is_shown_in_the_format_of_its_level_and_page_size(
    level: Level, value: int, structure: type, frame: int
) -> None:
    entry = PageEntry(level, 0x1000, value)
    assert type(entry.structure) is structure
    assert entry.frame == frame
    shown = next(field for field in entry.fields if field.name in ("table", "page"))
    assert shown.value << shown.low == frame
    assert shown.meaning.endswith(f"at physical {frame:#x}")
