"""Files that are no usable object files: each is refused in a sentence, in bounded time, whatever is in it."""

from __future__ import annotations

import random
import struct
import time
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from idtviz.debugger.symbols.objects import from_object
from idtviz.machine.objects import LoadedObject, ObjectError, limits, load
from tests.machine.objects.compiled import BASE, HANDLERS, RECORDER, assembled, compiled, loaded

OBJECTS = ("-O2", "-O0 -fPIC -fcommon", "-m32 -O2 -fPIC")


def with_field(raw: bytes, at: int, layout: str, value: int) -> bytes:
    made = bytearray(raw)
    struct.pack_into(layout, made, at, value)
    return bytes(made)


def outcome(raw: bytes) -> LoadedObject | None:
    """The result, with every name and a line asked for; None where it is refused in a sentence."""
    try:
        found = load(raw, BASE, RECORDER)
    except ObjectError as error:
        message = str(error)
        assert message
        assert message.isprintable()
        assert len(message) < 400
        return None
    assert found.end - found.base <= limits.LARGEST_IN_MEMORY or found.linked
    symbols = from_object(raw, found)
    for each in found.candidates[:8]:
        symbols.name(each.address)
        symbols.line(each.address)
    symbols.addresses_of_line("<stdin>", 5)
    return found


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "the file is empty"),
        (b"hello", "begins with 68 65 6c 6c; expected 7f 45 4c 46"),
        (b"\x7fELF", "cut short: 4 bytes, not even its header"),
        (b"!<arch>\n/  ", r"static library .*ar x"),
        (b"MZ" + bytes(100), "Windows"),
        (b"\x64\x86" + bytes(100), "COFF"),
        (b"\xcf\xfa\xed\xfe" + bytes(100), "Mach-O"),
        (b"BC\xc0\xde" + bytes(100), "LLVM bitcode"),
    ],
)
def test_a_file_that_is_no_elf_file_is_called_what_it_is(raw, message):
    with pytest.raises(ObjectError, match=message):
        loaded(raw)


@pytest.mark.parametrize(
    ("at", "layout", "value", "message"),
    [
        (18, "<H", 183, "is for AArch64"),
        (18, "<H", 243, "is for RISC-V"),
        (18, "<H", 6, "is for IAMCU"),
        (18, "<H", 0xBEEF, "is for machine 48879"),
        (4, "B", 1, "x32 ABI"),
        (4, "B", 7, "class is 7"),
        (5, "B", 2, "machine 15872"),
        (16, "<H", 4, "core file"),
        (16, "<H", 0xFE00, "type 0xfe00"),
        (58, "<H", 1, "section headers of 1 bytes"),
        (60, "<H", 0, "65280 sections or more"),
        (60, "<H", 0xFF10, "section headers end at"),
        (62, "<H", 0xFFFF, "names of its sections are in section 65535"),
        (40, "<Q", 1 << 60, "section headers end at 0x1[0-9a-f]{15}, the file at"),
        (16, "<H", 2, "nothing to load"),
    ],
)
def test_a_header_that_cannot_be_used_is_refused_by_what_it_says(at, layout, value, message):
    with pytest.raises(ObjectError, match=message):
        loaded(with_field(compiled(HANDLERS), at, layout, value))


def test_an_object_file_for_another_machine_is_named_also_with_its_own_order_of_bytes():
    header = b"\x7fELF\x02\x02\x01" + bytes(9) + struct.pack(">HH", 1, 21) + bytes(100)
    with pytest.raises(ObjectError, match="PowerPC64"):
        loaded(header)


def section_field(raw: bytes, name: str, field: int, value: int) -> bytes:
    """`raw` (64 bits) with a field of a section header at another value: 8 bytes at `field`."""
    from idtviz.machine.objects.file import ObjectFile  # noqa: PLC0415

    number = next(each.number for each in ObjectFile(raw).sections if each.name == name)
    (shoff,) = struct.unpack_from("<Q", raw, 40)
    return with_field(raw, shoff + 64 * number + field, "<Q", value)


@pytest.mark.parametrize(
    ("name", "field", "value", "message"),
    [
        (".text", 32, 1 << 40, r"\.text ends at 0x10000000040, the file at"),
        (".bss", 32, 1 << 40, r"\(\.bss\) have 1099511627776 bytes"),
        (".text", 48, 3, "aligned to 0x3"),
        (".text", 48, 1 << 63, "aligned to 0x8000000000000000"),
        (".symtab", 56, 1, "entries of .symtab are not of 24 bytes"),
        (".symtab", 32, 24 * (limits.MOST_SYMBOLS + 1), "symbols; expected at most 262144"),
        (".rela.text", 56, 7, "entries of .rela.text are not of 24 bytes"),
        (".rela.text", 32, 24 * (limits.MOST_RELOCATIONS + 1), "more than 262144"),
        (".strtab", 32, 2, "the name of a symbol, at .*, is not in its table of names"),
    ],
)
def test_a_section_that_claims_too_much_is_refused(name, field, value, message):
    raw = section_field(compiled(HANDLERS), name, field, value)
    with pytest.raises(ObjectError, match=message):
        loaded(raw)


def test_a_file_larger_than_the_limit_is_not_looked_at():
    with pytest.raises(ObjectError, match="expected at most 67108864"):
        loaded(b"\x7fELF" + bytes(limits.LARGEST_FILE))


def test_more_undefined_names_than_anybody_needs_are_refused():
    source = "\n".join(f"call f{number}" for number in range(limits.MOST_UNDEFINED + 1))
    with pytest.raises(ObjectError, match="more than 4096 names undefined"):
        loaded(assembled(source))


def test_a_name_with_control_characters_cannot_reach_a_terminal():
    raw = assembled('.globl "a\x1b[2Jb"\n"a\x1b[2Jb": nop')
    assert [each.name for each in loaded(raw).symbols] == ["a�[2Jb"]


@pytest.mark.parametrize("flags", OBJECTS)
def test_a_file_that_is_cut_short_anywhere_is_refused(flags):
    raw = compiled(HANDLERS, flags)
    for size in {*range(256), *range(0, len(raw), 7), *range(len(raw) - 64, len(raw))}:
        assert outcome(raw[:size]) is None


@pytest.mark.parametrize("flags", OBJECTS)
def test_a_damaged_file_is_loaded_or_refused_and_nothing_else(flags):
    raw = compiled(HANDLERS, flags)
    dice = random.Random(14)
    begin = time.monotonic()
    loaded_ones = 0
    for _ in range(1500):
        made = bytearray(raw)
        for _ in range(dice.choice((1, 1, 2, 8))):
            made[dice.randrange(len(made))] = dice.choice((0, 1, 0x7F, 0x80, 0xFF, dice.randrange(256)))
        loaded_ones += outcome(bytes(made)) is not None
    assert 100 < loaded_ones < 1500
    assert time.monotonic() - begin < 60


@pytest.mark.parametrize("flags", OBJECTS)
def test_damaged_tables_are_loaded_or_refused_and_nothing_else(flags):
    raw = compiled(HANDLERS, flags)
    wide = raw[4] == 2
    shoff = struct.unpack_from("<Q" if wide else "<I", raw, 40 if wide else 32)[0]
    dice = random.Random(8)
    places = [*range(16, 64 if wide else 52), *range(shoff, len(raw))]
    for _ in range(1500):
        made = bytearray(raw)
        for _ in range(dice.choice((1, 2))):
            at = dice.choice(places)
            size = min(dice.choice((1, 2, 4, 8)), len(made) - at)
            value = dice.choice((0, 1, 2, 0xFF, 0x7FFFFFFF, (1 << 64) - 1, (1 << 63), len(raw), dice.getrandbits(64)))
            made[at : at + size] = value.to_bytes(8, "little")[:size]
        outcome(bytes(made))


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_whatever_is_written_over_a_stretch_of_a_file_it_is_loaded_or_refused(data):
    raw = compiled(HANDLERS, data.draw(st.sampled_from(OBJECTS)))
    at = data.draw(st.integers(0, len(raw) - 1))
    outcome(raw[:at] + data.draw(st.binary(max_size=64)) + raw[at:][data.draw(st.integers(0, 64)) :])


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_anything_behind_the_magic_number_is_refused(tail):
    assert outcome(b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x01\0\x3e\0" + tail) is None


def test_memory_stays_bounded_where_a_file_claims_all_there_is():
    raw = section_field(compiled(HANDLERS), ".bss", 32, limits.LARGEST_ZEROED - 4096)
    tracemalloc.start()
    found = loaded(raw)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found.end - found.base > limits.LARGEST_ZEROED - 4096
    assert peak < 2 << 20
