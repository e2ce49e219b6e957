"""What the watch sees of ports, memory and modes, and that a run ends behind it."""

from __future__ import annotations

import pytest

from idtviz.machine.pc import Machine
from idtviz.machine.watch import Bytes, MemoryWrite, ModeChange, PortAccess, Ports, Seen, Store, Watched
from tests.machine.bare import bare
from tests.oracle.long_mode import CODE, DATA, HIGH_HALF, PD, PDPT, PML4, PT, LongModeWorld, Page

PAGE = 0x1000
ELSEWHERE = 0x23000
"""A physical page that nothing else lies in."""


def machine_of(code: str, world: LongModeWorld | None = None) -> Machine:
    return bare((world or LongModeWorld()).with_(code=bytes.fromhex(code))).machine


def watching(machine: Machine, address: int, size: int = 8) -> Machine:
    machine.watch.watch(Watched(writes=frozenset((Bytes(address, size),))))
    return machine


def seen_in_run(machine: Machine, until: int = 1000) -> tuple[Seen, ...]:
    machine.watch.arm()
    machine.run(until)
    return machine.watch.disarm(machine.instructions)


def writes(machine: Machine, until: int = 1000) -> list[tuple[int, bytes]]:
    """The moment of each write up to the end of the run, and the watched bytes behind it."""
    found = []
    while machine.activity is None and not machine.halted and machine.instructions < until:
        for seen in seen_in_run(machine, until):
            assert isinstance(seen, MemoryWrite)
            found.append((machine.instructions, seen.new))
    return found


@pytest.mark.parametrize(
    ("name", "code", "completed"),
    [
        ("mov of 1 byte", "b0ff 88042507000200 90 f4", 2),
        ("mov of 2 bytes from in front", "90 c60425ffff010001 66c70425ffff01000101 90 f4", 3),
        ("mov of 4 bytes", "c7042502000200 01000000 90 f4", 1),
        ("mov of 8 bytes from the page before", "48c7c0ffffffff 48890425f9ff0100 90 f4", 2),
        ("lock cmpxchg", "b801000000 f0480fb1042500000200 90 f4", 2),
        ("xchg", "b801000000 4887042500000200 90 f4", 2),
        ("push", "bc08000200 50 90 f4", 2),
        ("call", "bc08000200 e800000000 90 f4", 2),
        ("movups over the start", "0f110425f8ff0100 90 f4", 1),
        ("fxsave", "0fae042500ff0100 90 f4", 1),
        ("bts", "480fba2c250000020005 90 f4", 1),
        ("stosq", "bf00000200 48ab 90 f4", 2),
        ("sgdt", "0f01042500000200 90 f4", 1),
        ("fstp", "d9e8 dd1c2500000200 90 f4", 2),
    ],
)
def test_a_run_ends_behind_whatever_stores_to_a_watched_byte(name: str, code: str, completed: int) -> None:
    world = LongModeWorld().with_page(DATA - PAGE)
    machine = watching(machine_of(code, world), DATA)
    stepped = watching(machine_of(code, world), DATA)
    (seen,) = seen_in_run(machine)
    assert isinstance(seen, MemoryWrite), name
    assert machine.instructions == completed
    for _ in range(completed):
        stepped.watch.arm()
        stepped.micro_step()
    assert stepped.watch.disarm(stepped.instructions) == (seen,)
    assert stepped.digest() == machine.digest()


def test_a_store_that_ends_in_front_of_the_watched_bytes_is_not_seen() -> None:
    machine = watching(machine_of("4889042500000200 4889042509000200 f4"), DATA + 8, 1)
    assert not seen_in_run(machine)
    assert machine.halted


def test_each_iteration_of_a_repeated_store_is_seen_by_itself() -> None:
    machine = watching(machine_of("b901000000 b804000000 89c1 bf00000200 f3aa f4"), DATA, 3)
    assert [moment for moment, _ in writes(machine)] == [5, 6, 7]


def test_a_write_under_another_linear_address_counts_for_the_same_byte() -> None:
    # mov rax, HIGH_HALF + DATA; mov byte [rax], 5
    code = "48b8" + (HIGH_HALF + DATA).to_bytes(8, "little").hex() + " c60005 f4"
    assert writes(watching(machine_of(code), DATA, 1)) == [(2, b"\x05")]


def test_a_write_that_raises_a_page_fault_is_not_seen() -> None:
    world = LongModeWorld().with_page(DATA, writable=False)
    machine = watching(machine_of("c6042500000200 05 f4", world), DATA, 1)
    assert not seen_in_run(machine)
    assert machine.activity is not None


def test_a_watched_page_is_followed_to_where_the_page_tables_move_it() -> None:
    entry = PT + DATA // PAGE * 8
    world = LongModeWorld(pages={**LongModeWorld().pages, PT: Page(accessed=True, dirty=True)})
    code = (
        f"b0 01 880425{DATA:08x} ".replace(f"{DATA:08x}", DATA.to_bytes(4, "little").hex())
        + f"c70425{entry.to_bytes(4, 'little').hex()}{(ELSEWHERE | 0x63).to_bytes(4, 'little').hex()} "  # remap
        + f"0f013c25{DATA.to_bytes(4, 'little').hex()} "  # invlpg
        + f"b002 880425{DATA.to_bytes(4, 'little').hex()} f4"
    )
    machine = watching(machine_of(code, world), DATA, 1)
    assert writes(machine) == [(2, b"\x01"), (6, b"\x02")]
    assert machine.memory.read(ELSEWHERE, 1) == b"\x02"


def test_a_page_that_is_not_there_yet_is_watched_from_the_instruction_on_that_maps_it() -> None:
    entry = PT + ELSEWHERE // PAGE * 8
    world = LongModeWorld(pages={**LongModeWorld().pages, PT: Page(accessed=True, dirty=True)})
    code = (
        f"c70425{entry.to_bytes(4, 'little').hex()}{(ELSEWHERE | 0x63).to_bytes(4, 'little').hex()} "
        f"b003 880425{ELSEWHERE.to_bytes(4, 'little').hex()} f4"
    )
    assert writes(watching(machine_of(code, world), ELSEWHERE, 1)) == [(3, b"\x03")]


def test_a_watched_address_is_looked_up_again_in_another_address_space() -> None:
    # Two spaces that differ in where DATA lies; the code writes there in each, and ends where it began.
    other = 0x5000, 0x6000, 0x7000, 0x1B000
    load = "48c7c0{} 0f22d8 "
    store = "c60425" + DATA.to_bytes(4, "little").hex()
    code = (
        store + "01 "
        + load.format(other[0].to_bytes(4, "little").hex()) + store + "02 "
        + load.format(PML4.to_bytes(4, "little").hex()) + store + "03 f4"
    )  # fmt: skip
    machine = machine_of(code)
    memory = machine.memory
    for old, new, below, index in (
        (PML4, other[0], other[1], 0),
        (PDPT, other[1], other[2], 0),
        (PD, other[2], other[3], 0),
    ):
        memory.write(new, memory.read(old, PAGE))
        memory.write(new + 8 * index, (below | 0x63).to_bytes(8, "little"))
    memory.write(other[3], memory.read(PT, PAGE))
    memory.write(other[3] + DATA // PAGE * 8, (ELSEWHERE | 0x63).to_bytes(8, "little"))
    assert writes(watching(machine, DATA, 1)) == [(1, b"\x01"), (4, b"\x02"), (7, b"\x03")]
    assert (memory.read(DATA, 1), memory.read(ELSEWHERE, 1)) == (b"\x03", b"\x02")


def test_nothing_is_seen_and_no_run_ends_while_the_watch_is_disarmed() -> None:
    machine = watching(machine_of("48890425 00000200 e680 f4"), DATA)
    machine.watch.watch(Watched(frozenset((Ports(0x80, 0x80),)), frozenset((Bytes(DATA, 8),)), modes=True))
    machine.watch.disarm(0)
    machine.run(1000)
    assert machine.halted


def test_ports_are_told_apart_by_number_and_direction() -> None:
    code = "e460 e664 e680 f4"
    read, written, every = Ports(0x60, 0x64, write=False), Ports(0x64, 0x64, read=False), Ports(0, 0xFFFF)
    found = {}
    for ports in (read, written, every):
        machine = machine_of(code)
        machine.watch.watch(Watched(ports=frozenset((ports,))))
        found[ports] = [
            (seen.port, seen.written, machine.instructions)
            for _ in range(4)
            for seen in seen_in_run(machine)
            if isinstance(seen, PortAccess)
        ]
    assert found[read] == [(0x60, False, 1)]
    assert found[written] == [(0x64, True, 2)]
    assert found[every] == [(0x60, False, 1), (0x64, True, 2), (0x80, True, 3)]


def test_a_port_wider_than_a_byte_covers_the_ones_behind_it() -> None:
    assert Ports(0x62, 0x62).covers(0x60, 4, written=False)
    assert not Ports(0x64, 0x64).covers(0x60, 4, written=False)
    assert not Ports(0x62, 0x62, read=False).covers(0x60, 4, written=False)


def test_a_change_of_ring_is_seen_behind_the_instruction_or_step_that_made_it() -> None:
    machine = machine_of("cc f4", LongModeWorld(cpl=3))
    machine.watch.watch(Watched(modes=True))
    seen: tuple[Seen, ...] = ()
    while not seen:
        machine.watch.arm()
        machine.micro_step()
        seen = machine.watch.disarm(machine.instructions)
        assert not seen or machine.activity is None
    assert seen == (ModeChange(("long", 3), ("long", 0)),)


def test_a_breakpoint_is_not_heeded_while_the_watch_is_disarmed() -> None:
    machine = machine_of("90 90 90 f4")
    machine.set_breakpoints(frozenset((CODE + 1,)))
    machine.watch.disarm(0)
    machine.run(2)
    assert machine.instructions == 2


def outside_ram(code: str) -> Machine:
    """A machine whose page at DATA leads to the local APIC's addresses, where no RAM is."""
    machine = machine_of(code)
    machine.memory.write(PT + (DATA >> 12) * 8, (0xFEE00000 | 3).to_bytes(8, "little"))
    return machine


def test_a_store_outside_ram_is_told_with_its_value_and_one_in_ram_with_what_it_changed() -> None:
    code = "c70425b000020078563412 90 f4"  # mov dword ptr [DATA + 0xb0], 0x12345678; nop; hlt
    stored = Store(DATA + 0xB0, bytes.fromhex("78563412"))
    for machine, outside in ((outside_ram(code), stored), (machine_of(code), None)):
        (seen,) = seen_in_run(watching(machine, DATA + 0xB0))
        assert isinstance(seen, MemoryWrite)
        assert seen.outside == outside
        assert (seen.new == seen.old) == (outside is not None)


def test_of_several_stores_outside_ram_none_is_told_as_the_one() -> None:
    machine = watching(outside_ram("0f0104257e000200 90 f4"), DATA + 0x7E, 10)  # sgdt [DATA + 0x7e]: limit, then base
    (seen,) = seen_in_run(machine)
    assert isinstance(seen, MemoryWrite)
    assert seen.outside == Store(DATA + 0x7E, b"")
