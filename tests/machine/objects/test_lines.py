"""Names and source lines of an object file, at the addresses where it was laid out."""

from __future__ import annotations

import subprocess

import pytest

from idtviz.debugger.symbols.objects import from_object
from tests.machine.objects.compiled import BASE, FLAGS, HANDLERS, RECORDER, assembled, compiled, loaded

LINES = HANDLERS.splitlines()


def number(text: str) -> int:
    return next(at for at, line in enumerate(LINES, 1) if text in line)


@pytest.mark.parametrize("flags", (*FLAGS, "-O2 -gz", "-O2 -gdwarf-4", "-O0 -gdwarf-2 -ffunction-sections"))
def test_an_address_has_the_line_that_it_was_compiled_from(flags):
    raw = compiled(HANDLERS, flags)
    found = loaded(raw)
    symbols = from_object(raw, found)
    for name in ("page_fault_handler", "isr33", "sum"):
        (each,) = found.named(name)
        line = symbols.line(each.address)
        assert line is not None
        assert (line.file, line.number) == ("<stdin>", number(f" {name}("))
        assert symbols.name(each.address + 1) == f"{name}+0x1"
        assert each.address in symbols.addresses_of_line("<stdin>", line.number)


def test_each_section_of_code_has_its_own_lines():
    source = '.globl one, two\none: nop\n.section .text.two,"ax"\ntwo: nop\nnop'
    raw = assembled(source)
    found = loaded(raw)
    symbols = from_object(raw, found)
    at = {each.name: each.address for each in found.symbols}
    lines = [symbols.line(address) for address in (at["one"], at["two"], at["two"] + 1)]
    assert [line and line.number for line in lines] == [2, 4, 5]


def test_what_stands_in_for_an_undefined_name_is_called_by_it():
    raw = assembled("call report\nmov outside(%rip), %eax")
    found = loaded(raw)
    symbols = from_object(raw, found)
    assert symbols.name(RECORDER + 2) == "report+0x2"
    (variable,) = (each for each in found.undefined if each.name == "outside")
    assert symbols.name(variable.address + 8) == "outside+0x8"
    assert symbols.address_of("report") == RECORDER


def test_a_label_of_an_assembler_reaches_to_the_end_of_its_section():
    raw = assembled('isr14: nop\niretq\n.section .other,"ax"\nother: nop')
    symbols = from_object(raw, loaded(raw))
    assert symbols.name(BASE + 3) == "isr14+0x3"


def test_an_object_file_without_debugging_information_has_names_and_no_lines():
    raw = compiled(HANDLERS, "-O2 -g0")
    found = loaded(raw)
    symbols = from_object(raw, found)
    assert symbols.line(found.base) is None
    assert symbols.name(found.candidates[0].address) == found.candidates[0].name


@pytest.mark.parametrize("flags", [["-Ttext=0x400000", "-N"], ["-pie", "--no-dynamic-linker"]])
def test_a_linked_program_has_its_lines_where_it_lies(tmp_path, flags):
    (tmp_path / "a.o").write_bytes(assembled(".globl _start\n_start: nop\nhlt"))
    subprocess.run(["ld", *flags, "-o", tmp_path / "a.elf", tmp_path / "a.o"], check=True, timeout=60)
    raw = (tmp_path / "a.elf").read_bytes()
    found = loaded(raw)
    assert found.entry is not None
    symbols = from_object(raw, found)
    line = symbols.line(found.entry + 1)
    assert line is not None
    assert (line.number, line.address) == (3, found.entry + 1)
    assert symbols.name(found.entry) == "_start"
