"""The engine translates as our walk says it does."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from idtviz.machine.cpu import Cpu
from idtviz.machine.memory import Memory
from idtviz.machine.pc import Machine
from idtviz.machine.registers import Registers, Segment
from idtviz.x86.control import CR0_ET, CR0_PE, CR4_PAE, EFER_LMA, EFER_LME
from idtviz.x86.flags import AC
from idtviz.x86.paging import Access, EntryUpdate, Level, PagingMode, Pdpte, Walk
from tests.machine.paging_worlds import (
    CODE,
    CR3,
    PS,
    RAM,
    RW,
    SHIFTS,
    US,
    XD,
    A,
    D,
    G,
    Outcome,
    P,
    World,
    changes,
    fill,
    predicted,
)

ACCESSES = [
    Access(write=kind == "write", user=user, fetch=kind == "fetch")
    for kind in ("read", "write", "fetch")
    for user in (False, True)
]
RARELY = st.sampled_from([False] * 11 + [True])


@st.composite
def entries(draw: st.DrawFn, mode: PagingMode) -> tuple[int, ...]:
    """Entries that mostly lead to a page, with any of their bits now and then."""
    found = []
    for level, shift in enumerate(SHIFTS[mode]):
        entry = 0 if draw(RARELY) else P
        entry |= draw(st.sampled_from([RW | US, RW | US, RW, US, 0]))
        entry |= draw(st.sampled_from([0, A, D, A | D])) | draw(st.sampled_from([0, G, 1 << 3, 1 << 4]))
        if draw(st.sampled_from([False, False, True])):
            entry |= PS
        if shift == 12:
            entry |= draw(st.sampled_from([0x2_0000, 0x34_5000, 0xF_F000]))
        elif entry & PS and shift < 30:
            entry |= draw(st.sampled_from([0, 0x20_0000])) if mode.entry_size == 8 else 0
        elif not entry & PS or mode is PagingMode.PAE:
            entry |= 0x1000 * (level + 2)
        if draw(RARELY):
            entry |= XD
        if draw(RARELY):
            entry |= 1 << draw(st.integers(9, 62))
        if mode is PagingMode.PAE and level == 0:
            # The engine does not know these reserved bits of a PDPTE; the SDM does (3A table 4-8).
            entry &= ~(Pdpte.reserved_low.mask | Pdpte.reserved_middle.mask)
        found.append(entry & (1 << 8 * mode.entry_size) - 1)
    return tuple(found)


@cache
def _cpu() -> tuple[Cpu, Memory]:
    machine = Machine(RAM, 1)
    return machine.cpu, machine.memory


def _registers(world: World, at: Registers) -> Registers:
    ring = 3 if world.access.user else 0
    kind = Segment.CODE_LONG if world.mode is PagingMode.LEVELS_4 else Segment.CODE_32
    code = Segment(8 | ring, 0, 0xFFFF_FFFF, 0x80_9B00 | ring << 13 | kind)
    data = Segment(16 | ring, 0, 0xFFFF_FFFF, 0xC0_9300 | ring << 13)
    return replace(
        at,
        general=(world.eax, *[0] * 15),
        rip=world.target if world.access.fetch else CODE,
        rflags=2 | (AC if world.ac else 0),
        cs=code,
        cpl=ring,
        ss=data,
        ds=data,
        es=data,
        cr0=world.cr0,
        cr2=0,
        cr3=CR3,
        cr4=world.cr4,
        efer=world.efer,
    )


def performed(world: World) -> Outcome:
    """What the engine does."""
    cpu, memory = _cpu()
    before = fill(world, memory)
    wanted = _registers(world, cpu.registers())
    # Long mode begins and ends where paging is turned on and off.
    cpu.load(replace(wanted, cr4=CR4_PAE, efer=EFER_LME | EFER_LMA))
    cpu.load(replace(wanted, cr0=CR0_PE | CR0_ET, efer=0))
    cpu.load(wanted)
    at = cpu.registers()
    assert (at.cr0, at.cr3, at.cr4, at.efer) == (world.cr0, CR3, world.cr4, world.efer)
    cpu.run(1)
    trap = cpu.trap
    fault = None if trap is None else (trap.vector, trap.error_code, cpu.cr2)
    return Outcome(fault, cpu.registers().general[0] & 0xFFFF_FFFF, changes(before, memory))


def written_at_a_fault(world: World, found: Walk) -> list[EntryUpdate]:
    """Where a walk faults, the engine has set A in the entries above the one at fault.

    And in a PDPTE that maps a 1 GiB page, which lets it pass in time: unless it is not present or has a reserved high
    bit. The SDM leaves open what becomes of A there (3A 4.8); Bochs sets none, and neither does our walk.
    """
    last = found.entries[-1]
    high = 0xFFF << 40 | (0 if world.nxe else XD)
    huge = last.level is Level.PDPT and last.large and last.present and not last.value & high
    passed = found.entries if huge else found.entries[:-1]
    return [EntryUpdate(entry.address, entry.value | A, entry.size) for entry in passed if not entry.is_pae_pdpte]


@pytest.mark.parametrize("mode", SHIFTS)
@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_an_access_through_any_tables_ends_as_the_walk_says(mode: PagingMode, data: st.DataObject) -> None:
    flags = data.draw(st.fixed_dictionaries(dict.fromkeys(("wp", "smep", "nxe", "ac"), st.booleans())))
    # The engine never enforces CR4.SMAP.
    world = World(mode, data.draw(entries(mode)), data.draw(st.sampled_from(ACCESSES)), **flags, smap=False)
    assert performed(world) == predicted(world, written_at_a_fault)
