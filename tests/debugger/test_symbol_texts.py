"""Symbols from the text files of linkers, assemblers and tutorials."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from idtviz.debugger import symbols
from idtviz.debugger.symbols import from_file, from_text
from tests.debugger import elves

SYSTEM_MAP = b"""\
0000000000000000 D __per_cpu_start
0000000000001000 D irq_stack
0000000000002000 D __per_cpu_end
0000000001000000 A phys_startup
ffffffff81000000 T _text
ffffffff81000040 t early
ffffffff82000000 D idt_table
                 U missing
"""
NM_WITH_SIZES = b"0000000000100000 0000000000000010 T _start\n0000000000100020 0000000000000008 t helper\n"
OBJDUMP = b"""\
kernel.elf:     file format elf64-x86-64

SYMBOL TABLE:
0000000000100000 l    d  .text\t0000000000000000 .text
0000000000000000 l    df *ABS*\t0000000000000000 kernel.c
0000000000100000 g     F .text\t0000000000000010 _start
0000000000200000 g     O .bss\t0000000000001000 .hidden stack
0000000000004000 g       *ABS*\t0000000000000000 SIZE
"""
GNU_LD = b"""\
Memory Configuration

Name             Origin             Length             Attributes
*default*        0x0000000000000000 0xffffffffffffffff

Linker script and memory map

LOAD kernel.o
                0x0000000000100000                . = 0x100000
                0x0000000000100000                kernel_begin = .

.text           0x0000000000100000      0x123
 *(.text*)
 .text          0x0000000000100000       0x40 boot.o
                0x0000000000100000                _start
 .text.interrupt_handler
                0x0000000000100040       0x40 kernel.o
                0x0000000000100048                interrupt_handler
 *fill*         0x0000000000100080        0x8 90909090

.bss            0x0000000000102000     0x1000
                0x0000000000102000                stack_bottom
                0x0000000000103000                PROVIDE (stack_top = .)
                [!provide]                        PROVIDE (unused = .)
"""
NASM = b"""\

- NASM Map file ---------------------------------------------------------------

Source file:  boot.asm
Output file:  boot.bin

-- Program origin -------------------------------------------------------------

00007C00

-- Symbols --------------------------------------------------------------------

---- No Section ---------------------------------------------------------------

Value     Name
00001000  STACK_SIZE

---- Section .text ------------------------------------------------------------

Real              Virtual           Name
            7C00              7C00  start
            7C1A              7C1A  start.loop

---- Section .data ------------------------------------------------------------

Real              Virtual           Name
            7C40              7C40  message
"""
BOCHS = b"# symbols for ldsym\n0x7c00 boot_start\n7c20 print_string\n\n0x100000\tkernel_main\n"


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (SYSTEM_MAP, {"_text": 0xFFFFFFFF81000000, "early": 0xFFFFFFFF81000040, "idt_table": 0xFFFFFFFF82000000}),
        (NM_WITH_SIZES, {"_start": 0x100000, "helper": 0x100020}),
        (OBJDUMP, {"_start": 0x100000, "stack": 0x200000}),
        (GNU_LD, {"_start": 0x100000, "interrupt_handler": 0x100048, "stack_bottom": 0x102000, "stack_top": 0x103000}),
        (NASM, {"start": 0x7C00, "start.loop": 0x7C1A, "message": 0x7C40}),
        (BOCHS, {"boot_start": 0x7C00, "print_string": 0x7C20, "kernel_main": 0x100000}),
    ],
    ids=["System.map", "nm -S", "objdump -t", "GNU ld", "NASM", "Bochs"],
)
def test_each_kind_of_file_gives_its_names(raw, expected):
    found = from_text(raw)
    assert {name: found.address_of(name) for name in expected} == expected
    assert {found.name(address + 4) for address in expected.values()} >= {
        f"{name}+0x4" for name in expected if name != "stack_top"
    }


def test_what_is_code_is_told_from_data():
    for raw, code, data in (
        (SYSTEM_MAP, "early", "idt_table"),
        (OBJDUMP, "_start", "stack"),
        (GNU_LD, "_start", "stack_bottom"),
        (NASM, "start", "message"),
    ):
        found = from_text(raw)
        assert found.at(found.address_of(code)).code
        assert not found.at(found.address_of(data)).code


@pytest.mark.parametrize(
    ("raw", "address"), [(SYSTEM_MAP, 0x1000), (SYSTEM_MAP, 0x1000000), (OBJDUMP, 0x4000), (NASM, 0x1000)]
)
def test_offsets_and_constants_name_no_address(raw, address):
    assert from_text(raw).name(address) is None


def test_sizes_end_a_symbol():
    assert from_text(NM_WITH_SIZES).name(0x100018) is None


def test_lines_of_windows_and_of_two_blanks_are_read_too():
    assert from_text(b"00007c00  start\r\n00007c10  next\r\n").address_of("next") == 0x7C10


@pytest.mark.parametrize(
    "raw",
    [b"", b"\0" * 100, b"dead beef and more prose\nthat says nothing\n" * 3, bytes(range(256)), b"7c00 a " * 10000],
)
def test_a_text_of_another_kind_has_no_names(raw):
    assert from_text(raw).all == ()


def test_a_file_of_symbols_may_be_an_elf_file_too():
    elf = elves.Elf([elves.code()], [elves.Entry("from_elf", 0x100000, kind=elves.FUNC, size=4)])
    assert from_file(elf.bytes()).name(0x100000) == "from_elf"
    assert from_file(b"7c00 from_text").name(0x7C00) == "from_text"


@settings(max_examples=200, deadline=None, derandomize=True)
@given(head=st.sampled_from([b"", NASM, GNU_LD, SYSTEM_MAP, OBJDUMP]), tail=st.binary(max_size=200))
def test_any_bytes_are_read_without_complaint(head, tail):
    found = symbols.from_text(head + tail)
    assert all(found.address_of(symbol.name) is not None for symbol in found.all)
