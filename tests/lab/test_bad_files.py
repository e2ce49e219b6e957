"""A file that is wrong is refused with every problem in its line, and with no other exception than ScenarioError."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from idtviz.lab.preparation import prepare
from idtviz.lab.problems import Problem, ScenarioError
from tests.lab.folders import GOOD, SCENARIOS, write


def problems(path: Path | str) -> tuple[Problem, ...]:
    with pytest.raises(ScenarioError) as caught:
        prepare(path)
    assert caught.value.problems
    return caught.value.problems


def only(path: Path | str) -> Problem:
    (problem,) = problems(path)
    return problem


def test_the_good_scenario_is_accepted(tmp_path):
    assert prepare(write(tmp_path, GOOD)).boot == "flat"


@pytest.mark.parametrize(
    ("change", "line", "says"),
    [
        (('title = "Small"', "title = 3"), 1, "title: expected a text"),
        (('title = "Small"\n', ""), 1, "title is missing"),
        (('summary = "Two bytes."', 'sumary = "Two bytes."'), 2, "unknown key sumary"),
        (('memory = "1 MiB"', 'memory = "1 MB"'), 4, "expected a size such as '16 MiB'"),
        (('memory = "1 MiB"', "memory = 70000"), 4, "multiple of 4096"),
        (('memory = "1 MiB"', "memory = 4096"), 4, "greater than or equal to 65536"),
        (('memory = "1 MiB"', 'memory = "2 GiB"'), 4, "less than or equal to 1073741824"),
        (('memory = "1 MiB"', "memory = true"), 4, "whole number"),
        (('memory = "1 MiB"', 'mode = "virtual"'), 4, "'real', 'protected' or 'long'"),
        (('memory = "1 MiB"', 'controller = "8259"'), 4, "'pic' or 'apic'"),
        (('memory = "1 MiB"', "instructions_per_second = 0"), 4, "greater than or equal to"),
        (("at = 0x8000", "at = 0x200000"), 6, "outside memory"),
        (
            (
                'memory = "1 MiB"\n[image]\nflat = { file = "small.bin", at = 0x8000 }',
                'mode = "real"\n[image]\nflat = { file = "small.bin", at = 0x10000 }',
            ),
            6,
            "the entry point 0x10000 has more than 16 bits",
        ),
        (("at = 0x8000", "at = -1"), 6, "greater than or equal to 0"),
        (("at = 0x8000", 'at = "0xzz"'), 6, "address in hex"),
        (("at = 0x8000", "at = 0xFFFFFFFFFFFFFFFFF"), 6, "a number of more than 64 bits"),
        (("small.bin", "missing.bin"), 6, "does not exist"),
        (("small.bin", "../small.bin"), 6, "outside the scenario's folder"),
        (("small.bin", "/etc/passwd"), 6, "outside the scenario's folder"),
        (("small.bin", "."), 6, "is a folder"),
        (("small.bin", "a\\u0000b"), 6, "no file name"),
        (('flat = { file = "small.bin", at = 0x8000 }', 'object = "b"'), 6, "image.object: 'b' does not exist"),
        (('flat = { file = "small.bin", at = 0x8000 }', 'bzimage = "small.bin"'), 6, "no setup header"),
        (('flat = { file = "small.bin", at = 0x8000 }', 'multiboot = "small.bin"'), 6, "no Multiboot header"),
        (('flat = { file = "small.bin", at = 0x8000 }', 'boot_sector = "small.bin"'), 6, "a boot sector has 512"),
        (('flat = { file = "small.bin", at = 0x8000 }', 'disk = "small.bin"'), 6, "a boot sector has 512"),
        (('flat = { file = "small.bin", at = 0x8000 }', 'rom = "small.bin"'), 6, "multiple of 512"),
        (("[image]", '[image]\nloader = "grub"'), 5, "loader does not go with flat"),
        (("[image]", '[image]\nmodules = ["small.bin"]'), 5, "modules does not go with flat"),
        (("[image]", '[image]\ninitrd = "small.bin"'), 5, "initrd does not go with flat"),
        (("[image]", '[image]\ncommand_line = ""'), 5, "command_line does not go with flat"),
        (("[image]", '[image]\nsymbols = ["missing"]'), 6, "image.symbols[0]: 'missing' does not exist"),
        (("[image]", '[image]\ndisk = "missing"'), 6, "image.disk: 'missing' does not exist"),
        (("[image]", '[image]\nrom = "small.bin"'), 5, "found flat and rom"),
        (('flat = { file = "small.bin", at = 0x8000 }', 'elf = "small.bin"'), 6, "not a usable ELF file"),
        (('flat = { file = "small.bin", at = 0x8000 }', "source = []"), 5, "expected exactly one of elf, flat"),
        (("[image]", "[[image]]"), 5, "expected a table"),
    ],
)
def test_a_wrong_value_is_named_in_its_line(tmp_path, change, line, says):
    assert change[0] in GOOD
    problem = only(write(tmp_path, GOOD.replace(*change)))
    assert problem.line == line
    assert says in problem.message


@pytest.mark.parametrize(
    ("added", "line", "says"),
    [
        ('[[input]]\nat = "nowhere"\nnmi = true\n', 8, "'nowhere' is no moment"),
        ('[[input]]\nat = "end"\nnmi = true\n', 8, "nothing can be given at the end"),
        ('[[input]]\nat = "#XY"\nnmi = true\n', 8, "is no vector"),
        ('[[input]]\nat = "irq99"\nnmi = true\n', 8, "irq0 to irq15"),
        ('[[input]]\nat = "0"\nnmi = false\n', 9, "input[0].nmi: expected True"),
        ('[[input]]\nat = "0"\nirq = 16\n', 9, "less than or equal to 15"),
        ('[[input]]\nat = "0"\nirq = 2\n', 9, "second controller"),
        ('[[input]]\nat = "0"\nkeys = "\u20ac"\n', 9, "no key of a US keyboard types"),
        ('[[input]]\nat = "0"\nkeys = "a"\nirq = 1\n', 7, "found keys and irq"),
        ('[[input]]\nat = "0"\n', 7, "found none of them"),
        ("[[input]]\nnmi = true\n", 7, "input[0].at is missing"),
        ('[[input]]\nat = "0"\npoke = { address = "0x800000000000", bytes = [1] }\n', 9, "canonical"),
        ('[[input]]\nat = "0"\npoke = { address = 0, bytes = [256] }\n', 9, "less than or equal to 255"),
        ('[[input]]\nat = "0"\npoke = { address = 0, bytes = "9" }\n', 9, "expected bytes"),
        ('[[lesson]]\nat = "end"\n', 7, "exactly one of say, ask"),
        ('[[lesson]]\nat = "end"\nask = "?"\n', 7, "exactly one of answer, value"),
        ('[[lesson]]\nat = "end"\nsay = "a"\nanswer = "b"\n', 7, "belongs to a question"),
        ('[[lesson]]\nat = "end"\nask = "?"\nanswer = "c"\nchoices = ["a", "b"]\n', 7, "one of the choices"),
        (
            '[[lesson]]\nat = "end"\nask = "?"\nvalue = "os.getcwd()"\n',
            7,
            "expected value to be frame.error_code, register.rax or what :set can change",
        ),
        ("[[expect]]\nevent = {}\n", 8, "expected at least one of vector"),
        ("[[expect]]\nevent = { vector = 256 }\n", 8, "less than or equal to 255"),
        ('[[expect]]\nevent = { result = "#ZZ" }\n', 8, "an exception such as '#GP'"),
        ('[[expect]]\nend = "never"\n', 8, "'halted'"),
        ("[[expect]]\nregister = { rxx = 1 }\n", 8, "'rxx'"),
        ('[[expect]]\nscreen = "a"\nserial = "b"\n', 7, "exactly one of event"),
    ],
)
def test_a_wrong_entry_is_named_in_its_line(tmp_path, added, line, says):
    problem = only(write(tmp_path, GOOD + added))
    assert problem.line == line
    assert says in problem.message


def test_every_problem_is_listed_at_once(tmp_path):
    text = GOOD.replace("title", "titel").replace("1 MiB", "1 MB") + "[[input]]\nirq = 77\nat = 'x'\ncolour = 1\n"
    found = problems(write(tmp_path, text))
    assert [problem.line for problem in found] == sorted(problem.line for problem in found)
    assert len(found) == 6


def test_problems_of_files_and_of_moments_are_listed_together(tmp_path):
    text = GOOD.replace("[image]", '[image]\nsource = ["a.S", "../b.S"]') + '[[lesson]]\nat = "nowhere"\nsay = "."\n'
    assert [problem.line for problem in problems(write(tmp_path, text))] == [6, 6, 9]


def test_a_link_to_a_file_elsewhere_is_refused(tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "secret").write_bytes(b"\xf4")
    path = write(tmp_path / "home", GOOD)
    (tmp_path / "home" / "small.bin").unlink()
    (tmp_path / "home" / "small.bin").symlink_to(tmp_path / "secret")
    assert "link to a place outside" in only(path).message


def test_a_circle_of_links_and_a_pipe_are_refused(tmp_path):
    path = write(tmp_path, GOOD)
    (tmp_path / "small.bin").unlink()
    (tmp_path / "small.bin").symlink_to("small.bin")
    assert "small.bin" in only(path).message
    (tmp_path / "small.bin").unlink()
    os.mkfifo(tmp_path / "small.bin")
    assert "not a regular file" in only(path).message


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (b"title = ", 1),
        (b'title = "a"\n[image\n', 2),
        (b'title = "a"\n\ntitle = "b"\n', 3),
        (b'title = "a"\nx = "\xff"\n', 2),
        (b"x = " + b"[" * 20000, None),
        (b"x = " + b"{a=" * 20000, None),
        (b"x = " + b"9" * 10000, None),
        (b"\x00\x01\x02", 1),
        (b"", 1),
    ],
)
def test_what_is_not_toml_is_refused(tmp_path, text, line):
    found = problems(write(tmp_path, text))
    assert line is None or found[0].line == line


def test_huge_numbers_and_deep_lists_within_toml_are_refused(tmp_path):
    deep = "[" * 50 + "]" * 50
    text = GOOD.replace('"1 MiB"', "0x" + "f" * 40000) + f"x = {deep}\n"
    assert "more than 64 bits" in str(problems(write(tmp_path, text))[0])


@pytest.mark.parametrize("name", ["", "no/such/file.toml", "nothing", "a\0b", "x" * 5000])
def test_a_name_of_nothing_is_refused(name):
    assert only(name).line is None


def test_a_folder_an_empty_file_and_junk_are_refused(tmp_path):
    assert "is a folder" in only(tmp_path).message
    (tmp_path / "empty").write_bytes(b"")
    assert "empty" in only(tmp_path / "empty").message
    (tmp_path / "junk").write_bytes(bytes(range(256)) * 8)
    assert "not a file that can be run; expected a scenario" in only(tmp_path / "junk").message


def test_a_file_that_is_too_large_is_refused_unread(tmp_path):
    path = write(tmp_path, GOOD)
    with (tmp_path / "small.bin").open("r+b") as file:
        file.truncate((64 << 20) + 1)
    assert "expected at most" in only(path).message


def test_an_elf_for_another_machine_is_refused(tmp_path):
    raw = bytearray((SCENARIOS / "page_fault.elf").read_bytes())
    raw[18:20] = (183).to_bytes(2, "little")
    (tmp_path / "arm.elf").write_bytes(raw)
    assert "EM_AARCH64" in only(tmp_path / "arm.elf").message


def test_a_kernel_beyond_a_gibibyte_is_refused(tmp_path):
    raw = bytearray((SCENARIOS / "page_fault.elf").read_bytes())
    header = int.from_bytes(raw[32:40], "little")
    raw[header + 24 : header + 32] = (1 << 50).to_bytes(8, "little")
    (tmp_path / "far.elf").write_bytes(raw)
    assert "memory" in only(tmp_path / "far.elf").message


ELF = (SCENARIOS / "page_fault.elf").read_bytes()
QUICK = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@QUICK
@given(length=st.one_of(st.integers(0, 400), st.integers(0, len(ELF) - 1)))
def test_an_elf_cut_short_is_opened_or_refused_but_never_breaks(tmp_path, length):
    path = tmp_path / "short.elf"
    path.write_bytes(ELF[:length])
    try:
        prepare(path)
    except ScenarioError as error:
        assert error.problems


@QUICK
@given(changes=st.lists(st.tuples(st.integers(0, 600), st.integers(0, 255)), min_size=1, max_size=8))
def test_an_elf_with_wrong_bytes_is_opened_or_refused_but_never_breaks(tmp_path, changes):
    raw = bytearray(ELF)
    for at, value in changes:
        raw[at] = value
    path = tmp_path / "wrong.elf"
    path.write_bytes(raw)
    try:
        prepare(path)
    except ScenarioError as error:
        assert error.problems


@QUICK
@given(at=st.integers(0, 400), junk=st.binary(max_size=12))
def test_a_scenario_with_junk_in_it_is_opened_or_refused_but_never_breaks(tmp_path, at, junk):
    text = (GOOD + '[[input]]\nat = "5"\nkeys = "a"\n[[lesson]]\nat = "end"\nsay = """\nx"""\n').encode()
    path = write(tmp_path, text[:at] + junk + text[at + len(junk) :])
    try:
        prepare(path)
    except ScenarioError as error:
        assert all("\n" not in str(problem) for problem in error.problems)
