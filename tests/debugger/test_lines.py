"""Source lines of addresses and addresses of source lines, from DWARF 2 to 5."""

from __future__ import annotations

import io
import shutil
import subprocess
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile
from hypothesis import given, settings
from hypothesis import strategies as st

from idtviz.debugger import symbols
from idtviz.debugger.places import PlaceError, PlaceKind, parse
from idtviz.debugger.symbols import Symbols
from idtviz.debugger.symbols.dwarf import lines as dwarf_lines
from tests.debugger import elves
from tests.debugger.elves import Elf, Entry, Row, Unit
from tests.debugger.sessions import KERNELS, SCENARIOS

TEXT, HIGH = 0x100000, 0xFFFF_FFFF_8010_0000
VERSIONS = (2, 3, 4, 5)
LOOP = Unit(
    # for (…) on line 3: its beginning, and after the body of line 4 its increment.
    [Row(TEXT, 2), Row(TEXT + 4, 3), Row(TEXT + 8, 4), Row(TEXT + 0x10, 3), Row(TEXT + 0x14, 7), Row(TEXT + 0x20)],
    ranges=(TEXT, TEXT + 0x20),
)


def read(*units: Unit, version: int = 4, base: int = TEXT, **more: object) -> Symbols:
    aranges = bool(more.pop("aranges", False))
    return symbols.from_elf(
        Elf([elves.code(address=base), *elves.dwarf(list(units), version, aranges=aranges)], **more).bytes()
    )


def place(found: Symbols, address: int) -> str | None:
    line = found.line(address)
    return None if line is None else f"{line.file}:{line.number}"


def hexes(addresses: tuple[int, ...]) -> list[str]:
    return [hex(address - TEXT) for address in addresses]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("aranges", [False, True])
def test_an_address_has_the_line_of_the_row_before_it(version, aranges):
    found = read(LOOP, version=version, aranges=aranges)
    expected = [None, "kernel.c:2", "kernel.c:2", "kernel.c:3", "kernel.c:4", "kernel.c:3", "kernel.c:7", None]
    assert [place(found, TEXT + offset) for offset in (-1, 0, 3, 4, 8, 0x10, 0x1F, 0x20)] == expected


def test_a_unit_that_does_not_say_which_addresses_it_has_is_found_by_its_rows():
    found = read(Unit(LOOP.rows))
    assert place(found, TEXT + 5) == "kernel.c:3"


@pytest.mark.parametrize("version", VERSIONS)
def test_the_path_is_that_of_the_folder_in_which_it_was_compiled(version):
    unit = Unit(
        [Row(TEXT, 1), Row(TEXT + 1, 5, file=2), Row(TEXT + 2, 9, file=3), Row(TEXT + 3)],
        name="irq/kernel.c",
        folder="/home/me/os",
        folders=("irq", "/usr/include"),
        files=((1, "kernel.c"), (2, "stdint.h"), (1, "../lib/port.h")),
        ranges=(TEXT, TEXT + 3),
    )
    found = read(unit, version=version)
    paths = [found.line(TEXT + offset).path for offset in range(3)]
    assert paths == ["/home/me/os/irq/kernel.c", "/usr/include/stdint.h", "/home/me/os/lib/port.h"]


def test_paths_of_windows_are_taken_apart_too():
    unit = Unit([Row(TEXT, 1), Row(TEXT + 1)], "irq.c", "C:\\os", files=((0, "src\\irq.c"),), ranges=(TEXT, TEXT + 1))
    line = read(unit).line(TEXT)
    assert (line.file, line.path) == ("irq.c", "C:/os/src/irq.c")


def test_a_line_is_where_each_of_its_stretches_begins():
    assert hexes(read(LOOP).addresses_of_line("kernel.c", 3)) == ["0x4", "0x10"]


def test_a_line_without_code_is_the_next_one_that_has_some():
    found = read(LOOP)
    assert hexes(found.addresses_of_line("kernel.c", 5)) == ["0x14"]
    assert hexes(found.addresses_of_line("kernel.c", 1)) == ["0x0"]
    assert found.addresses_of_line("kernel.c", 8) == ()
    assert found.addresses_of_line("other.c", 3) == ()


def test_a_stretch_begins_at_its_first_statement():
    rows = [Row(TEXT, 3, statement=False), Row(TEXT + 2, 3), Row(TEXT + 4, 3), Row(TEXT + 6)]
    assert hexes(read(Unit(rows, ranges=(TEXT, TEXT + 6))).addresses_of_line("kernel.c", 3)) == ["0x2"]


def test_of_several_lines_of_one_address_each_begins_there_and_the_last_has_the_code():
    rows = [Row(TEXT, 3), Row(TEXT, 3), Row(TEXT, 9), Row(TEXT + 4, 4), Row(TEXT + 6)]
    found = read(Unit(rows, ranges=(TEXT, TEXT + 6)))
    assert place(found, TEXT) == "kernel.c:9"
    assert hexes(found.addresses_of_line("kernel.c", 3)) == hexes(found.addresses_of_line("kernel.c", 9)) == ["0x0"]


def test_code_that_the_linker_left_out_has_no_lines():
    rows = [Row(TEXT, 3), Row(TEXT + 4), Row(0, 70), Row(0x2000)]
    found = read(Unit(rows, ranges=(TEXT, TEXT + 4)), Unit(LOOP.rows, "gone.c", ranges=(0, 0x20)))
    assert place(found, 0x10) is None
    assert found.addresses_of_line("kernel.c", 70) == ()


def test_a_header_is_found_in_every_file_that_includes_it():
    one = Unit([Row(TEXT, 7, file=2), Row(TEXT + 4)], "a.c", files=((0, "a.c"), (0, "port.h")), ranges=(TEXT, TEXT + 4))
    two = Unit(
        [Row(TEXT + 8, 7, file=2), Row(TEXT + 12)],
        *("b.c", "/os", ()),
        files=((0, "b.c"), (0, "port.h")),
        ranges=(TEXT + 8, TEXT + 12),
    )
    assert hexes(read(one, two).addresses_of_line("port.h", 7)) == ["0x0", "0x8"]


def _two_of_a_name() -> Symbols:
    files = (("irq/init.c", TEXT), ("mm/init.c", TEXT + 0x100))
    units = [Unit([Row(at, 5), Row(at + 4)], name, files=((0, name),), ranges=(at, at + 4)) for name, at in files]
    return read(*units)


def test_two_files_of_one_name_are_told_apart_by_their_folders():
    found = _two_of_a_name()
    assert found.files("init.c") == ("/os/irq/init.c", "/os/mm/init.c")
    assert hexes(found.addresses_of_line("mm/init.c", 5)) == ["0x100"]
    assert found.files("m/init.c") == ()


def test_code_of_the_higher_half_has_its_lines_where_it_is_loaded_too():
    unit = Unit([Row(HIGH, 5), Row(HIGH + 4)], ranges=(HIGH, HIGH + 4))
    found = read(unit, base=HIGH, segments=[(HIGH, TEXT, 0x1000)])
    assert place(found, HIGH + 1) == place(found, TEXT + 1) == "kernel.c:5"
    assert found.line(TEXT + 1).address == TEXT
    assert found.addresses_of_line("kernel.c", 5) == (HIGH,)


def test_no_line_program_is_run_before_its_file_is_asked_for(monkeypatch):
    ran = []
    run = dwarf_lines.run
    monkeypatch.setattr(dwarf_lines, "run", lambda raw, order, header: ran.append(header) or run(raw, order, header))
    units = [
        Unit([Row(at, 5), Row(at + 4)], f"f{at}.c", files=((0, f"f{at}.c"),), ranges=(at, at + 4))
        for at in range(TEXT, TEXT + 0x100, 0x10)
    ]
    found = read(*units)
    assert not ran
    assert place(found, TEXT + 0x20) == f"f{TEXT + 0x20}.c:5"
    assert place(found, TEXT + 0x22) == f"f{TEXT + 0x20}.c:5"
    assert len(ran) == 1


def test_lines_of_two_files_together_are_those_of_both():
    other = Unit([Row(TEXT + 0x100, 9), Row(TEXT + 0x104)], "b.c", files=((0, "b.c"),), ranges=(TEXT + 256, TEXT + 260))
    found = read(LOOP).merged(read(other))
    assert [place(found, TEXT + offset) for offset in (0, 0x100)] == ["kernel.c:2", "b.c:9"]
    assert hexes(found.addresses_of_line("b.c", 9)) == ["0x100"]


# Against what pyelftools makes of the same programs


def by_pyelftools(raw: bytes) -> dict[int, tuple[str, int] | None]:
    """File and line of each address of a row, the last of an address; None behind a sequence."""
    found: dict[int, tuple[str, int] | None] = {}
    dwarf = ELFFile(io.BytesIO(raw)).get_dwarf_info()
    for unit in dwarf.iter_CUs():
        program = dwarf.line_program_for_CU(unit)
        first = 0 if program["version"] >= 5 else 1
        for row in program.get_entries():
            if row.state is not None and row.state.end_sequence:
                found.setdefault(row.state.address, None)
            elif row.state is not None:
                name = program["file_entry"][row.state.file - first].name.decode()
                found[row.state.address] = (Path(name).name, row.state.line)
    return found


def _agrees_with_pyelftools(raw: bytes) -> bool:
    expected, found = by_pyelftools(raw), symbols.from_elf(raw)
    got = {address: (line.file, line.number) if (line := found.line(address)) else None for address in expected}
    assert got == expected
    return len(expected) > 10


@pytest.mark.parametrize("name", KERNELS)
def test_the_lines_of_the_scenarios_are_those_that_pyelftools_finds(name):
    assert _agrees_with_pyelftools((SCENARIOS / f"{name}.elf").read_bytes())


@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")
@pytest.mark.parametrize("options", [("-gdwarf-2",), ("-gdwarf-3",), ("-gdwarf-4", "-gz=zlib"), ("-gdwarf-5", "-c")])
def test_the_lines_that_gcc_writes_are_those_that_pyelftools_finds(tmp_path, options):
    (tmp_path / "twice.h").write_text("static inline int twice(int a)\n{\n\treturn a + a;\n}\n")
    (tmp_path / "kernel.c").write_text(
        '#include "twice.h"\nint sum(const int *of, int count)\n{\n\tint all = 0;\n'
        "\tfor (int at = 0; at < count; at++)\n\t\tall += twice(of[at]);\n\treturn all;\n}\n"
        "void _start(void)\n{\n\tint one[2] = {1, 2};\n\t*(volatile int *)0xb8000 = sum(one, 2);\n\tfor (;;);\n}\n"
    )
    flags = (
        "-O1",
        "-ffreestanding",
        "-nostdlib",
        "-static",
        "-fno-pic",
        "-fcf-protection=none",
        "-fno-stack-protector",
    )
    link = () if "-c" in options else ("-Wl,-Ttext=0x100000",)
    subprocess.run(["gcc", "-g", *options, *flags, *link, "-o", "out", "kernel.c"], cwd=tmp_path, check=True)
    assert _agrees_with_pyelftools((tmp_path / "out").read_bytes())


# Broken


WHOLE = Elf(
    [elves.code(0x100), *elves.dwarf([LOOP, Unit(LOOP.rows, "b.c", ranges=(TEXT + 64, TEXT + 96))], 5, aranges=True)]
).bytes()


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    spots=st.lists(st.tuples(st.integers(0, len(WHOLE) - 1), st.binary(min_size=1, max_size=4)), min_size=1, max_size=5)
)
def test_broken_debugging_information_gives_less_and_never_raises(spots):
    raw = bytearray(WHOLE)
    for at, garbage in spots:
        raw[at : at + len(garbage)] = garbage
    found = symbols.from_elf(bytes(raw[: len(WHOLE)]))
    lines = [found.line(TEXT + offset) for offset in range(0, 0x100, 4)]
    assert all(line is None or line.number > 0 for line in lines)
    assert all(isinstance(address, int) for address in found.addresses_of_line("kernel.c", 3))


# As places


@pytest.mark.parametrize(
    ("text", "address", "occurrence", "steps"),
    [
        ("kernel.c:4", 8, 1, 0),
        ("kernel.c:3", 4, 1, 0),
        ("kernel.c:3:2", 4, 2, 0),
        ("kernel.c:5+2", 0x14, 1, 2),
        ("os/kernel.c:4", 8, 1, 0),
        ("with.dot:3", 0x40, 3, 0),
    ],
)
def test_a_source_line_is_a_place(text, address, occurrence, steps):
    found = parse(text, read(LOOP, symbols=[Entry("with.dot", TEXT + 0x40)]))
    assert (found.kind, found.value - TEXT, found.occurrence, found.steps) == (
        PlaceKind.ADDRESS,
        address,
        occurrence,
        steps,
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("kernel.c:9", "no code on that line"),
        ("other.c:3", "no source file 'other.c'"),
        ("kernel.c:3:0", "count from 1"),
        ("kernel.c", "is no moment"),
    ],
)
def test_a_line_that_is_no_place_is_refused_in_words(text, said):
    with pytest.raises(PlaceError, match=said):
        parse(text, read(LOOP))


def test_a_line_of_two_files_is_refused_until_more_of_the_path_is_written():
    found = _two_of_a_name()
    with pytest.raises(PlaceError, match=r"several files: /os/irq/init\.c, /os/mm/init\.c"):
        parse("init.c:5", found)
    assert parse("mm/init.c:5", found).value == TEXT + 0x100
