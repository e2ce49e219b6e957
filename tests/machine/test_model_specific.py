"""RDMSR, WRMSR, MOV CR8 and CPUID: what is there, what is refused, and what the log says of it."""

from __future__ import annotations

import pytest

from idtviz.machine.events import Noted
from idtviz.machine.pc import Machine
from idtviz.machine.registers import RAX, RBX, RCX, RDX
from tests.machine.bare import LOOP, Watched, bare
from tests.oracle import ours
from tests.oracle.long_mode import CODE, LongModeWorld

RDMSR, WRMSR, CPUID, RDTSC = "0f32", "0f30", "0fa2", "0f31"
WAYS = ("step_to", "run_to")
APIC_BASE = 0xFEE0_0900


def started(code: str, *, apic: bool = False, **registers: int) -> Watched:
    world = LongModeWorld(code=bytes.fromhex(code) + LOOP, registers=registers)
    if not apic:
        return bare(world)
    machine = Machine(ours.MEMORY, 10_000_000, apic=True)
    ours.load(machine, world.case("with APICs"))
    return Watched(machine)


def edx_eax(watched: Watched) -> int:
    general = watched.machine.cpu.general
    return general[RDX] << 32 | general[RAX]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("number", [0xC0000081, 0xC0000082, 0xC0000100, 0xC0000102, 0x174, 0x175, 0x277, 0x200])
def test_a_register_holds_what_was_written(way: str, number: int) -> None:
    value = {0x277: 0x0006_0406, 0x174: 0x10}.get(number, 0x1_2340)
    watched = started(WRMSR + "31c0 31d2" + RDMSR, rcx=number, rax=value, rdx=0)
    getattr(watched, way)(4)
    assert edx_eax(watched) == value
    assert watched.vectors == []


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("code", [RDMSR, WRMSR])
def test_a_register_that_is_not_there_is_a_protection_fault_and_a_line_in_the_log(way: str, code: str) -> None:
    watched = started(code, rcx=0x1234, rax=0, rdx=0)
    getattr(watched, way)(3)
    assert watched.vectors[0] == 13
    assert watched.deliveries[0].origin.rip == CODE
    notes = [event.text for event in watched.events if isinstance(event, Noted)]
    assert len(notes) == 1
    assert "0x1234" in notes[0]


@pytest.mark.parametrize("number", [0xC0000082, 0xC0000100, 0x176])
def test_an_address_that_is_not_canonical_is_refused(number: int) -> None:
    watched = started(WRMSR, rcx=number, rax=0, rdx=0x8000_0000)
    watched.step_to(3)
    assert watched.vectors[0] == 13


def test_lme_cannot_change_while_paging_is_on() -> None:
    watched = started(WRMSR, rcx=0xC0000080, rax=0, rdx=0)
    watched.step_to(3)
    assert watched.vectors[0] == 13


def test_ring_3_may_not_read_one() -> None:
    world = LongModeWorld(cpl=3, code=bytes.fromhex(RDMSR) + LOOP, registers={"rcx": 0x277})
    watched = bare(world)
    watched.step_to(3)
    assert watched.vectors[0] == 13


@pytest.mark.parametrize("way", WAYS)
def test_the_time_stamp_counter_goes_on_from_what_was_written(way: str) -> None:
    watched = started(WRMSR + "9090" + RDTSC, rcx=0x10, rax=1_000_000, rdx=0)
    getattr(watched, way)(4)
    assert edx_eax(watched) == 1_000_003
    state = watched.machine.snapshot()
    fresh = started(WRMSR + "9090" + RDTSC, rcx=0x10, rax=1_000_000, rdx=0)
    fresh.machine.restore(state)
    assert fresh.machine.snapshot().processor == state.processor


@pytest.mark.parametrize("way", WAYS)
def test_cr8_is_the_task_priority_of_the_local_apic(way: str) -> None:
    watched = started("440f22c0 440f20c3", apic=True, rax=9)  # mov cr8, rax; mov rbx, cr8
    getattr(watched, way)(2)
    lapic = watched.machine.board.lapic
    assert lapic is not None
    assert lapic.state.tpr == 0x90
    assert watched.machine.cpu.general[RBX] == 9


def test_cr8_has_four_bits() -> None:
    watched = started("440f22c0", apic=True, rax=0x10)
    watched.step_to(3)
    assert watched.vectors[0] == 13


@pytest.mark.parametrize("apic", [False, True])
def test_the_apic_is_where_cpuid_says_it_is(apic: bool) -> None:
    watched = started(CPUID + "b91b000000" + RDMSR, apic=apic, rax=1, rcx=0)
    watched.step_to(1)
    features = watched.machine.cpu.general[RDX]
    assert bool(features >> 9 & 1) is apic
    watched.step_to(4)
    assert watched.vectors[:1] == ([] if apic else [13])
    if apic:
        assert edx_eax(watched) == APIC_BASE


def test_cpuid_names_its_maker_and_forgets_the_upper_halves() -> None:
    watched = started(CPUID, rax=0xFFFF_FFFF_0000_0000, rcx=0, rbx=1 << 40)
    watched.step_to(1)
    general = watched.machine.cpu.general
    name = b"".join(general[register].to_bytes(8, "little")[:4] for register in (RBX, RDX, RCX))
    assert name == b"GenuineIntel"
    assert general[RBX] >> 32 == 0


def test_a_leaf_beyond_the_last_gives_what_the_last_one_does() -> None:
    beyond, last = started(CPUID, rax=0x500, rcx=0), started(CPUID, rax=0xD, rcx=0)
    for watched in (beyond, last):
        watched.step_to(1)
    assert list(beyond.machine.cpu.general)[:4] == list(last.machine.cpu.general)[:4]


@pytest.mark.parametrize("way", WAYS)
def test_random_numbers_are_an_undefined_opcode_as_cpuid_says(way: str) -> None:
    watched = started("0fc7f0")  # rdrand eax
    getattr(watched, way)(3)
    assert watched.vectors[0] == 6


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("code", "ecx"), [("660f31", 7), ("480f31", 7), ("0f01f9", 0), ("660f01f9", 0)])
def test_rdtscp_alone_sets_ecx_whatever_prefixes_there_are(code: str, ecx: int, way: str) -> None:
    watched = started(code, rcx=7)
    getattr(watched, way)(1)
    assert watched.machine.cpu.general[RCX] == ecx
