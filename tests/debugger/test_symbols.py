"""Names of addresses: which of several is the best, where each ends, and how mangled ones read."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from idtviz.debugger import symbols
from idtviz.debugger.symbols import Symbols
from idtviz.debugger.symbols.readable import brief, readable
from tests.debugger import elves
from tests.debugger.elves import Elf, Entry

TEXT, DATA = 0x100000, 0x200000
HIGH = 0xFFFF_FFFF_8010_0000


def read(*entries: Entry, sections: list[elves.Section] | None = None, **more: object) -> Symbols:
    return symbols.from_elf(Elf(sections or [elves.code(), elves.data()], list(entries), **more).bytes())


def test_a_function_names_its_bytes_and_nothing_behind_them():
    found = read(Entry("handler", TEXT, kind=elves.FUNC, size=0x20))
    assert [found.name(TEXT + offset) for offset in (-1, 0, 0x1F, 0x20)] == [None, "handler", "handler+0x1f", None]


def test_a_label_without_a_size_names_what_follows_up_to_the_end_of_its_section():
    found = read(Entry("entry", TEXT + 0xF00))
    assert found.name(TEXT + 0xFFF) == "entry+0xff"
    assert found.name(TEXT + 0x1000) == "entry+0x100", "an interrupt after the last instruction returns here"
    assert found.name(TEXT + 0x1001) is None


def test_a_global_function_is_preferred_to_a_local_label_at_the_same_address():
    found = read(
        Entry("label", TEXT),
        Entry("alias", TEXT, kind=elves.FUNC, binding=elves.WEAK, size=8),
        Entry("function", TEXT, kind=elves.FUNC, binding=elves.GLOBAL, size=8),
        Entry("global_label", TEXT, binding=elves.GLOBAL),
    )
    assert found.name(TEXT) == "function"
    assert {name: found.address_of(name) for name in ("label", "alias", "function", "global_label")} == dict.fromkeys(
        ("label", "alias", "function", "global_label"), TEXT
    )


def test_a_function_goes_on_behind_an_object_inside_it():
    found = read(
        Entry("outer", TEXT, kind=elves.FUNC, size=0x100), Entry("table", TEXT + 0x10, kind=elves.OBJECT, size=0x10)
    )
    assert found.name(TEXT + 0x18) == "table+0x8"
    assert found.name(TEXT + 0x20) == "outer+0x20"


@pytest.mark.parametrize(
    "entry",
    [
        Entry("STACK_SIZE", 0x4000, elves.ABSOLUTE),
        Entry("percpu", 0, ".percpu", elves.OBJECT, size=0x2000),
        Entry("text", TEXT, kind=elves.SECTION),
        Entry("kernel.c", 0, elves.ABSOLUTE, elves.FILE),
        Entry("thread", 0x10, ".data", elves.TLS, size=0x2000),
        Entry("extern", 0, 0),
        Entry(".L12", TEXT),
        Entry("$x", TEXT),
    ],
    ids=lambda entry: entry.name,
)
def test_what_is_no_name_of_an_address_names_none(entry):
    sections = [elves.code(), elves.data(), elves.data(address=0, name=".percpu", size=0x2000)]
    found = read(entry, sections=sections)
    assert [found.name(address) for address in (0, 0x10, 0x1000, 0x4000, TEXT, TEXT + 4)] == [None] * 6


def test_an_absolute_symbol_can_still_be_asked_for_by_name():
    assert read(Entry("kernel_base", 0x4000, elves.ABSOLUTE)).address_of("kernel_base") == 0x4000


def test_the_ends_that_a_linker_marks_name_only_themselves():
    found = read(Entry("_edata", DATA, ".data", binding=elves.GLOBAL), Entry("stack", DATA + 0x10, ".data"))
    assert [found.name(DATA + offset) for offset in (0, 8, 0x18)] == ["_edata", None, "stack+0x8"]


def test_dynamic_symbols_do_where_there_are_no_others():
    assert read(Entry("exported", TEXT, kind=elves.FUNC, size=4), dynamic=True).name(TEXT) == "exported"


def test_code_of_the_higher_half_has_its_names_where_it_is_loaded_too():
    found = read(
        Entry("early", HIGH + 0x40, kind=elves.FUNC, size=0x10),
        Entry("stack", HIGH + 0x1000, ".data"),
        sections=[elves.code(address=HIGH), elves.data(address=HIGH + 0x1000)],
        segments=[(HIGH, TEXT, 0x2000)],
    )
    assert found.name(HIGH + 0x44) == found.name(TEXT + 0x44) == "early+0x4"
    assert found.at(TEXT + 0x44).address == TEXT + 0x40
    assert found.address_of("early") == HIGH + 0x40
    assert found.next_data(TEXT) == TEXT + 0x1000
    assert found.name(TEXT + 0x3000) is None


def test_an_address_that_is_linked_is_not_taken_for_one_that_is_loaded():
    found = read(
        Entry("boot", TEXT, kind=elves.FUNC, size=8),
        Entry("kernel", HIGH, ".high", kind=elves.FUNC, size=8),
        sections=[elves.code(), elves.Section(".high", bytes(16), HIGH, elves.ALLOC | elves.EXEC)],
        segments=[(TEXT, TEXT, 0x1000), (HIGH, TEXT, 0x1000)],
    )
    assert found.name(TEXT) == "boot"


@pytest.mark.parametrize(
    ("mangled", "shown"),
    [
        ("_Z11kernel_mainv", "kernel_main"),
        ("_ZN3IDT3setEhPFvP5FrameE", "IDT::set"),
        ("_ZN6KernelD0Ev", "Kernel::~Kernel"),
        ("_ZTV6Kernel", "vtable for Kernel"),
        ("_ZN6MemoryL5pagesE", "Memory::pages"),
        ("_ZN3IDT3setEv.cold", "IDT::set (.cold)"),
        ("_ZN7blog_os10interrupts18breakpoint_handler17h0123456789abcdefE", "blog_os::interrupts::breakpoint_handler"),
        ("_RNvNtCs1234_7mycrate3foo3bar", "mycrate::foo::bar"),
        ("_RNvXs_C7blog_osNtB4_3FooNtNtC4core3fmt5Debug3fmt", "<blog_os::Foo as core::fmt::Debug>::fmt"),
        ("kernel_main", "kernel_main"),
        ("_Z41a", "_Z41a"),
        ("_ZN" + 3000 * "1a" + "Ev", "_ZN" + 3000 * "1a" + "Ev"),
    ],
)
def test_a_mangled_name_reads_as_it_was_written(mangled, shown):
    assert readable(mangled) == shown


def test_a_hostile_name_that_would_grow_without_end_stays_as_it_is():
    doubled = "".join(f"TB{chr(digit)}_B{chr(digit)}_E" for digit in range(ord("a"), ord("z")))
    name = f"_RINvC1a1bT{doubled}EE"
    assert len(readable(name)) < 4096


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("blog_os::interrupts::breakpoint_handler", "blog_os::interrupts::breakpoint_handler"),
        ("core::ptr::drop_in_place<std::rt::lang_start<()>::{{closure}}>", "core::ptr::drop_in_place<…>"),
        ("<kernel::idt::Table as kernel::fmt::Debug>::fmt", "…::fmt"),
        ("kernel::memory::paging::mapper::tables::allocate", "…::paging::mapper::tables::allocate"),
        ("Matrix<float, 4, 4, StorageOrder::Row>::operator<<", "Matrix<…>::operator<<"),
        ("a_name_of_c_that_is_longer_than_any_panel_has_room", "a_name_of_c_that_is_longer_than_any_panel_has_room"),
    ],
)
def test_a_long_path_keeps_what_matters_most(path, shown):
    assert brief(path) == shown


RUST = (
    Entry("_ZN7blog_os11kernel_main17h0123456789abcdefE", TEXT, kind=elves.FUNC, size=8),
    Entry("_ZN7blog_os4init17h0123456789abcdefE", TEXT + 0x10, kind=elves.FUNC, size=8),
    Entry("_ZN7blog_os6serial4init17h0123456789abcdefE", TEXT + 0x20, kind=elves.FUNC, size=8),
    Entry("_ZN3IDT3setEh", TEXT + 0x30, kind=elves.FUNC, size=8),
    Entry("_ZN3IDT3setEi", TEXT + 0x40, kind=elves.FUNC, size=8),
    Entry("_RINvNtCs1_7blog_os4idle4waithE", TEXT + 0x50, kind=elves.FUNC, size=8),
)


@pytest.mark.parametrize(
    ("name", "offset"),
    [
        ("_ZN7blog_os11kernel_main17h0123456789abcdefE", 0),
        ("blog_os::kernel_main", 0),
        ("kernel_main", 0),
        ("serial::init", 0x20),
        ("blog_os::init", 0x10),
        ("IDT::set(unsigned char)", 0x30),
        ("IDT::set( int )", 0x40),
        ("wait", 0x50),
        ("blog_os::idle::wait::<u8>", 0x50),
        ("init", None),
        ("IDT::set", None),
        ("main", None),
        ("", None),
    ],
)
def test_a_name_is_found_as_a_person_would_write_it_if_only_one_can_be_meant(name, offset):
    assert read(*RUST).address_of(name) == (None if offset is None else TEXT + offset)


def test_two_files_together_know_the_names_of_both():
    kernel, loader = read(Entry("kernel", TEXT, kind=elves.FUNC, size=8)), symbols.from_text(b"7c00 boot\n100000 entry")
    found = kernel.merged(loader)
    assert [found.name(address) for address in (0x7C00, TEXT)] == ["boot", "kernel"]
    assert (found.address_of("boot"), found.address_of("entry")) == (0x7C00, TEXT)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(spots=st.lists(st.tuples(st.integers(0, 1 << 14), st.binary(min_size=1, max_size=8)), min_size=1, max_size=6))
def test_a_broken_file_has_fewer_names_and_never_raises(spots):
    whole = Elf([elves.code(0x100), elves.data(0x100)], list(RUST), [(HIGH, TEXT, 0x1000)]).bytes()
    raw = bytearray(whole)
    for at, garbage in spots:
        raw[at % len(whole) : at % len(whole) + len(garbage)] = garbage
    found = symbols.from_elf(bytes(raw))
    found.name(TEXT)
    found.address_of("kernel_main")
    assert len(found.all) <= len(raw) // 24
