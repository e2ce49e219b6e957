"""Bochs translates by 32-bit and PAE paging as our walk does: page faults, and accessed and dirty bits.

Every access is one instruction, without an IDT: a page fault is the first of a chain that ends in a shutdown.
"""

from __future__ import annotations

import pytest

from idtviz.x86.paging import Access, PagingMode, accessed_dirty_updates
from tests.machine.paging_worlds import CODE, CR3, PS, RW, STORED, US, XD, A, D, P, World, mark

from .bochs import judge
from .case import PAGE, Answer, Case, Segment, State

ALL = P | RW | US
READ, WRITE, FETCH = (Access(write=w, user=False, fetch=f) for w, f in ((False, False), (True, False), (False, True)))
USER_READ, USER_WRITE, USER_FETCH = (
    Access(write=access.write, user=True, fetch=access.fetch) for access in (READ, WRITE, FETCH)
)
AC = 1 << 18
PAGE_4_KIB = 0x2_0000


def bits_32(access: Access, directory: int = ALL, table: int = ALL, **control: bool) -> World:
    """PDE and PTE with these bits, without large pages."""
    return World(PagingMode.BITS_32, (0x2000 | directory, PAGE_4_KIB | table), access, **control)


def pse(access: Access, entry: int = ALL | PS, **control: bool) -> World:
    """A PDE that is this."""
    return World(PagingMode.BITS_32_PSE, (entry, 0), access, **control)


def pae(access: Access, directory: int = ALL, table: int = ALL, pointer: int = P, **control: bool) -> World:
    """PDPTE, PDE and PTE with these bits."""
    return World(PagingMode.PAE, (0x2000 | pointer, 0x3000 | directory, PAGE_4_KIB | table), access, **control)


def pae_large(access: Access, entry: int = ALL | PS, **control: bool) -> World:
    """A PDPTE, and a PDE that is this."""
    return World(PagingMode.PAE, (0x2000 | P, entry, 0), access, **control)


CASES: dict[str, tuple[World, int | None]] = {
    "32-bit: a ring-3 read": (bits_32(USER_READ), None),
    "32-bit: a ring-3 write": (bits_32(USER_WRITE), None),
    "32-bit: a ring-3 fetch": (bits_32(USER_FETCH), None),
    "32-bit: a ring-3 read of a supervisor page": (bits_32(USER_READ, table=P | RW), 0x5),
    "32-bit: a ring-3 write below a read-only PDE": (bits_32(USER_WRITE, P | US), 0x7),
    "32-bit: a ring-0 write to a read-only page": (bits_32(WRITE, table=P), 0x3),
    "32-bit: a ring-0 write to a read-only page with CR0.WP=0": (bits_32(WRITE, table=P, wp=False), None),
    "32-bit: a PDE that is not present": (bits_32(WRITE, 0), 0x2),
    "32-bit: a PTE that is not present": (bits_32(USER_READ, table=0), 0x4),
    "32-bit: a fetch is not reported with NXE": (bits_32(USER_FETCH, table=0), 0x4),
    "32-bit: a fetch is reported with SMEP": (bits_32(USER_FETCH, table=0, smep=True), 0x14),
    "32-bit: SMEP": (bits_32(FETCH, smep=True), 0x11),
    "32-bit: SMAP": (bits_32(READ, smap=True), 0x1),
    "32-bit: SMAP with AC": (bits_32(WRITE, smap=True, ac=True), None),
    "32-bit: PS is ignored without PSE": (bits_32(USER_READ, ALL | PS), None),
    "PSE: a read": (pse(USER_READ), None),
    "PSE: a write": (pse(WRITE), None),
    "PSE: a fetch": (pse(FETCH), None),
    "PSE: a write to a read-only page": (pse(USER_WRITE, P | US | PS), 0x7),
    "PSE: bit 21": (pse(USER_READ, ALL | PS | 1 << 21), 0xD),
    "PSE: address bits 39:32": (pse(WRITE, ALL | PS | 0x40_0000 | 0x9 << 13), None),
    "PSE: address bit 39": (pse(READ, ALL | PS | 1 << 20), None),
    "PAE: a ring-3 read": (pae(USER_READ), None),
    "PAE: a ring-3 write": (pae(USER_WRITE), None),
    "PAE: a fetch": (pae(FETCH), None),
    "PAE: a ring-3 write to a read-only page": (pae(USER_WRITE, table=P | US), 0x7),
    "PAE: a ring-3 read below a supervisor PDE": (pae(USER_READ, P | RW), 0x5),
    "PAE: a PDPTE that is not present": (pae(USER_WRITE, pointer=0), 0x6),
    "PAE: a PDE that is not present": (pae(FETCH, 0), 0x10),
    "PAE: a PTE that is not present": (pae(READ, table=0), 0x0),
    "PAE: XD": (pae(USER_FETCH, table=ALL | XD), 0x15),
    "PAE: XD in the PDE": (pae(FETCH, ALL | XD), 0x11),
    "PAE: XD without a fetch": (pae(WRITE, table=ALL | XD), None),
    "PAE: XD without NXE": (pae(USER_READ, table=ALL | XD, nxe=False), 0xD),
    "PAE: a fetch is not reported without NXE": (pae(FETCH, table=0, nxe=False), 0x0),
    "PAE: SMEP": (pae(FETCH, smep=True, nxe=False), 0x11),
    "PAE: bit 40": (pae(READ, table=ALL | 1 << 40), 0x9),
    "PAE: bit 52": (pae(READ, ALL | 1 << 52), 0x9),
    "PAE: bit 62": (pae(USER_WRITE, table=ALL | 1 << 62), 0xF),
    "PAE: a 2 MiB page read": (pae_large(USER_READ), None),
    "PAE: a 2 MiB page written": (pae_large(USER_WRITE, 1 << 39 | ALL | PS), None),
    "PAE: bit 13 of a 2 MiB page": (pae_large(USER_READ, ALL | PS | 1 << 13), 0xD),
}  # fmt: skip
"""The world, and the error code of the page fault, after the SDM; None where the access succeeds."""


def read_from(case: Case, address: int, size: int) -> bytes:
    pages = case.pages()
    return bytes(pages[address & -PAGE][address % PAGE : address % PAGE + size])


def case_of(name: str, world: World) -> Case:
    """The world, with the page that the access leads to where it leads to one."""
    ring = 3 if world.access.user else 0
    code = Segment(8 | ring, 0, 0xFFFF_FFFF, 0xC0_9B00 | ring << 13, usable=True)
    data = Segment(16 | ring, 0, 0xFFFF_FFFF, 0xC0_9300 | ring << 13, usable=True)
    state = State(
        rip=CODE, rax=world.eax, rflags=2 | (AC if world.ac else 0),
        cr0=world.cr0, cr3=CR3, cr4=world.cr4, efer=world.efer, cs=code, ss=data, ds=data, es=data,
    )  # fmt: skip
    tables = [(address, entry.to_bytes(world.size, "little")) for address, entry in world.tables().items()]
    memory = (*tables, (CODE, world.instruction()))
    case = Case(name, state, memory, instructions=2 if world.access.fetch else 1, mode="protected")
    physical = world.walk(lambda address, size: read_from(case, address, size)).physical
    target = () if physical is None else ((physical, mark(physical)),)
    return Case(name, state, (*memory, *target), case.instructions, mode="protected")


@pytest.fixture(scope="module")
def judged() -> dict[str, tuple[Case, Answer]]:
    cases = [case_of(name, world) for name, (world, _) in CASES.items()]
    return {case.name: (case, answer) for case, answer in zip(cases, judge(cases), strict=True)}


@pytest.mark.parametrize("name", CASES)
def test_bochs_raises_the_page_fault_that_the_manual_and_our_walk_say(
    name: str, judged: dict[str, tuple[Case, Answer]]
) -> None:
    world, error_code = CASES[name]
    case, answer = judged[name]
    assert answer.error is None
    events = [(event.vector, event.error_code, event.cr2) for event in answer.events[:1]]
    assert events == ([] if error_code is None else [(14, error_code, world.target)])
    walk = world.walk(lambda address, size: read_from(case, address, size))
    assert (None if walk.fault is None else walk.fault.value) == error_code


@pytest.mark.parametrize("name", CASES)
def test_bochs_writes_the_accessed_and_dirty_bits_that_our_walk_says_and_uses_the_same_page(
    name: str, judged: dict[str, tuple[Case, Answer]]
) -> None:
    world, error_code = CASES[name]
    case, answer = judged[name]
    walk = world.walk(lambda address, size: read_from(case, address, size))
    expected = case.pages()
    updates = [
        (update.address, update.value.to_bytes(update.size, "little"))
        for update in accessed_dirty_updates(walk, world.access.write)
    ]
    if walk.physical is not None and world.access.write:
        updates.append((walk.physical, STORED.to_bytes(4, "little")))
    for address, raw in updates:
        expected[address & -PAGE][address % PAGE : address % PAGE + len(raw)] = raw
    assert answer.pages(case) == expected
    if error_code is None and not world.access.write:
        assert walk.physical is not None
        assert answer.final is not None
        found = walk.physical // PAGE if world.access.fetch else int.from_bytes(mark(walk.physical)[:4], "little")
        assert answer.final.rax == found & 0xFFFF_FFFF


def test_the_dirty_and_accessed_bits_of_a_page_come_from_one_write() -> None:
    world = pae(USER_WRITE)
    (answer,) = judge([case := case_of("written", world)])
    entries = [answer.words(case, address, 1)[0] for address in list(world.tables())[:5:2]]
    assert [entry & (A | D) for entry in entries] == [0, A, A | D]
