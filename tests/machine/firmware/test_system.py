"""INT 11h, 12h, 14h, 15h, 17h, 1Ah: what the machine has, memory, waiting, the serial port, the clock."""

import struct

import pytest

from tests.machine.firmware.bios_calls import BUFFER, HERTZ, MIB, Caller, floppy

SMAP = 0x534D4150


@pytest.fixture
def caller() -> Caller:
    return Caller()


def memory_map(caller: Caller, size: int) -> list[tuple[int, ...]]:
    """What a program gets that asks until EBX is 0."""
    entries, ebx = [], 0
    while True:
        answer = caller.call(0x15, eax=0xE820, edx=SMAP, ecx=size, ebx=ebx, es=0, di=BUFFER)
        assert (answer.carry, answer.eax, answer.ecx) == (False, SMAP, size)
        entries.append(struct.unpack("<QQI" + ("I" if size == 24 else ""), caller.read(BUFFER, size)))
        ebx = answer.ebx
        if not ebx:
            return entries


def test_the_equipment_word_tells_of_the_floppy_drive_and_the_serial_port(caller: Caller) -> None:
    assert caller.call(0x11).ax & 0x0EC1 == 0x0201
    assert not Caller({0x80: floppy(2000)}).call(0x11).ax & 1


def test_conventional_memory_ends_below_the_extended_bios_data_area(caller: Caller) -> None:
    assert caller.call(0x12).ax == 639
    assert caller.word(0x40E) == 0x9FC0
    assert caller.call(0x15, ah=0xC1).registers.es.selector == 0x9FC0


def test_the_memory_map_is_told_entry_by_entry(caller: Caller) -> None:
    entries = memory_map(caller, 20)
    assert (0, 0x9FC00, 1) in entries
    assert (MIB, 15 * MIB, 1) in entries
    assert (0xF0000, 0x10000, 2) in entries


def test_an_entry_of_24_bytes_says_that_it_is_valid(caller: Caller) -> None:
    assert all(entry[3] == 1 for entry in memory_map(caller, 24))


@pytest.mark.parametrize("wrong", [{"edx": 0}, {"ecx": 16}, {"ebx": 99}])
def test_the_memory_map_is_refused_to_who_asks_wrongly(caller: Caller, wrong: dict[str, int]) -> None:
    asked = {"eax": 0xE820, "edx": SMAP, "ecx": 20, "ebx": 0, "es": 0, "di": BUFFER} | wrong
    answer = caller.call(0x15, **asked)
    assert (answer.carry, answer.ah) == (True, 0x86)


def test_the_older_calls_count_the_memory_above_one_mib_and_above_sixteen() -> None:
    caller = Caller(memory=32 * MIB)
    assert caller.call(0x15, ah=0x88).ax == 31 * 1024
    answer = caller.call(0x15, ax=0xE801)
    assert (answer.ax, answer.bx, answer.cx, answer.dx) == (0x3C00, 256, 0x3C00, 256)
    assert caller.call(0x15, ax=0xE881).ebx == 256


def test_a20_is_turned_off_and_on_and_asked_for(caller: Caller) -> None:
    caller.write(0x10_0500, b"high")
    assert caller.call(0x15, ax=0x2402).al == 1
    caller.call(0x15, ax=0x2400)
    assert caller.call(0x15, ax=0x2402).al == 0
    assert caller.read(0x10_0500, 4) == bytes(4)
    caller.call(0x15, ax=0x2401)
    assert caller.read(0x10_0500, 4) == b"high"
    assert caller.call(0x15, ax=0x2403).bx == 3


def test_a_block_is_moved_to_above_one_mib(caller: Caller) -> None:
    caller.write(BUFFER, b"moved up")

    def descriptor(base: int) -> bytes:
        return struct.pack("<HHBBBB", 0xFFFF, base & 0xFFFF, base >> 16 & 0xFF, 0x93, 0, base >> 24)

    caller.write(0x8000, bytes(16) + descriptor(BUFFER) + descriptor(0x34_5678) + bytes(16))
    answer = caller.call(0x15, ah=0x87, cx=4, es=0, si=0x8000)
    assert (answer.carry, answer.ah) == (False, 0)
    assert caller.read(0x34_5678, 8) == b"moved up"


def test_a_wait_lasts_as_long_as_it_says_in_virtual_time(caller: Caller) -> None:
    before = caller.machine.clock.now
    answer = caller.call(0x15, interrupts=True, ah=0x86, cx=0x000F, dx=0x4240)  # a second
    gone = (caller.machine.clock.now - before) / HERTZ
    assert not answer.carry
    assert 0.95 < gone < 1.1


def test_no_wait_is_over_at_once(caller: Caller) -> None:
    before = caller.machine.clock.now
    caller.call(0x15, ah=0x86, cx=0, dx=0)
    assert caller.machine.clock.now - before < 100


def test_a_wait_goes_on_over_midnight(caller: Caller) -> None:
    caller.write(0x46C, (0x1800AF).to_bytes(4, "little"))
    caller.call(0x15, interrupts=True, ah=0x86, cx=3, dx=0)
    assert 0 < caller.doubleword(0x46C) < 10
    assert caller.read(0x470, 1) == b"\1"


def test_the_configuration_table_names_an_at(caller: Caller) -> None:
    answer = caller.call(0x15, ah=0xC0)
    table = answer.registers.es.base + answer.bx
    assert caller.word(table) == 8
    assert caller.read(table + 2, 1) == caller.read(0xFFFFE, 1) == b"\xfc"


@pytest.mark.parametrize("ax", [0x5300, 0xD800, 0xC205, 0x0000, 0x2407, 0xE842])
def test_what_is_absent_says_so_with_carry_and_86h_and_a_line_in_the_log(caller: Caller, ax: int) -> None:
    answer = caller.call(0x15, ax=ax)
    assert (answer.carry, answer.ah) == (True, 0x86)
    assert f"AX={ax:#06x}" in caller.notes[-1]


@pytest.mark.parametrize("ah", [0x52, 0x80, 0x85, 0x90, 0x91])
def test_the_hooks_of_an_operating_system_do_nothing(caller: Caller, ah: int) -> None:
    assert not caller.call(0x15, ah=ah).carry


def test_the_ticks_are_counted_by_irq0_and_set_by_a_program(caller: Caller) -> None:
    caller.call(0x1A, ah=1, cx=0x0012, dx=0x3456)
    caller.call(0x15, interrupts=True, ah=0x86, cx=0, dx=1)
    answer = caller.call(0x1A, ah=0)
    assert (answer.cx << 16 | answer.dx, answer.al) == (0x123457, 0)


def test_midnight_is_told_once(caller: Caller) -> None:
    caller.call(0x1A, ah=1, cx=0x0018, dx=0x00AF)
    caller.call(0x15, interrupts=True, ah=0x86, cx=0, dx=1)
    assert [caller.call(0x1A, ah=0).al for _ in range(2)] == [1, 0]


def test_the_date_and_the_time_are_set_and_read_in_bcd(caller: Caller) -> None:
    caller.call(0x1A, ah=3, ch=0x23, cl=0x59, dh=0x58)
    caller.call(0x1A, ah=5, ch=0x19, cl=0x99, dh=0x12, dl=0x31)
    time, date = caller.call(0x1A, ah=2), caller.call(0x1A, ah=4)
    assert (time.carry, time.ch, time.cl, time.dh) == (False, 0x23, 0x59, 0x58)
    assert (date.ch, date.cl, date.dh, date.dl) == (0x19, 0x99, 0x12, 0x31)


def test_the_alarm_calls_int_4ah(caller: Caller) -> None:
    caller.write(0x4A * 4, (0x8800).to_bytes(4, "little"))
    caller.write(0x8800, bytes.fromhex("2e c606 0089 66 cf"))  # mov byte cs:[0x8900], 0x66; iret
    caller.call(0x1A, ah=3, ch=0, cl=0, dh=0)
    assert not caller.call(0x1A, ah=6, ch=0, cl=0, dh=2).carry
    assert caller.call(0x1A, ah=6, ch=0, cl=0, dh=2).carry
    caller.call(0x15, interrupts=True, ah=0x86, cx=0x002D, dx=0)
    assert caller.read(0x8900, 1) == b"\x66"
    caller.call(0x1A, ah=7)
    assert not caller.call(0x1A, ah=6, ch=1, cl=0, dh=0).carry


def test_there_is_no_pci_bios(caller: Caller) -> None:
    answer = caller.call(0x1A, ax=0xB101)
    assert (answer.carry, answer.ah) == (True, 0x81)


def test_a_byte_goes_out_by_the_serial_port_and_one_comes_in(caller: Caller) -> None:
    caller.call(0x14, ah=0, al=0xE3, dx=0)
    assert caller.machine.board.com1.state.divisor == 12
    caller.call(0x14, ah=1, al=ord("s"), dx=0)
    assert caller.machine.board.com1.state.output == b"s"
    assert caller.call(0x14, ah=2, dx=0).ah & 0x80
    caller.machine.receive_serial(b"r")
    assert caller.call(0x14, ah=3, dx=0).ah & 1
    answer = caller.call(0x14, ah=2, dx=0)
    assert (answer.ah, answer.al) == (0, ord("r"))


def test_a_serial_port_that_is_not_there_times_out(caller: Caller) -> None:
    assert caller.call(0x14, ah=1, al=0, dx=1).ah == 0x80
    assert caller.call(0x14, ah=1, al=0, dx=77).ah == 0x80


def test_there_is_no_printer(caller: Caller) -> None:
    assert caller.call(0x17, ah=0, al=0, dx=0).ah & 1
