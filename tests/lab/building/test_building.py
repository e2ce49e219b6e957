"""The image of a lab is made of its sources, and runs."""

from __future__ import annotations

import re
import stat

import pytest

from idtviz.lab.building import BuildError, build, todo_files
from idtviz.lab.session import LabSession
from tests.lab.building.labs import HALT, LONG, NASM, PART, C, lab, refused

MULTIBOOT = '.section .multiboot, "a"\n.long 0x1badb002, 0, -0x1badb002\n.text\n'
BOOT_SECTOR = ".code16\n.globl _start\n_start: mov $42, %eax\ncli\nhlt\n.org 510\n.byte 0x55, 0xaa\n"
CODE_16 = ".code16\n.globl _start\n_start: mov $42, %eax\ncli\nhlt\n"


def names(folder):
    return {path.name for path in folder.iterdir()}


def rax_at_the_end(scenario):
    session = LabSession.open(scenario)
    session.run()
    return session.view.registers.general[0]


@pytest.mark.parametrize(
    ("mode", "image", "files"),
    [
        ("long", 'elf = "lab.elf"', {"lab.S": LONG, "part.S": PART}),
        ("protected", 'elf = "lab.elf"', {"lab.S": LONG, "part.S": PART}),
        ("real", 'elf = "lab.elf"', {"lab.S": CODE_16}),
        ("real", 'flat = { file = "lab.bin", at = 0x9000 }', {"lab.S": CODE_16}),
        ("long", 'flat = { file = "lab.bin", at = 0x9000 }', {"lab.s": LONG, "part.s": PART}),
        (None, 'boot_sector = "lab.bin"', {"lab.S": BOOT_SECTOR}),
        (None, 'multiboot = "lab.elf"', {"lab.S": MULTIBOOT + LONG, "part.S": PART}),
        ("long", 'elf = "lab.elf"', {"lab.c": C}),
        ("protected", 'elf = "lab.elf"', {"lab.c": C}),
        ("real", 'elf = "lab.elf"', {"lab.c": C}),
        (
            "long",
            'elf = "lab.elf"',
            {"lab.S": HALT.replace(" cli", '\n#include "sub/part.inc"\ncli'), "sub/part.inc": "mov eax, 42\n"},
        ),
    ],
)
def test_a_lab_runs_as_its_sources_say(tmp_path, mode, image, files):
    scenario = lab(tmp_path, files, image=image, mode=mode)
    built = build(scenario)
    assert built.tools == (("as", "ld") if "lab.s" in files else ("gcc", "as", "ld"))
    assert built.warnings == ()
    assert rax_at_the_end(scenario) & 0xFFFF == 42


@pytest.mark.parametrize(
    ("mode", "image"),
    [
        *((mode, 'elf = "lab.elf"') for mode in ("long", "protected", "real")),
        ("real", 'flat = { file = "lab.bin", at = 0x9000 }'),
    ],
)
def test_a_lab_for_nasm_runs_in_every_mode_without_saying_how_many_bits_it_has(tmp_path, mode, image):
    scenario = lab(tmp_path, {"lab.asm": NASM}, image=image, mode=mode)
    assert "nasm" in build(scenario).tools
    assert rax_at_the_end(scenario) == 42


def test_a_bare_handler_is_assembled_and_not_linked(tmp_path):
    handler = ".globl page_fault_handler\npage_fault_handler: add $8, %rsp\niretq\n"
    scenario = lab(tmp_path, {"handler.S": handler}, image='object = { file = "handler.o", vector = 14 }')
    assert build(scenario).tools == ("gcc", "as")
    session = LabSession.open(scenario)
    session.run()
    assert list(session.findings) == []


@pytest.mark.parametrize("files", [{"lab.S": LONG, "part.c": "int part(void) { return 42; }\n"}, {"lab.asm": NASM}])
def test_the_bytes_depend_on_the_sources_alone(tmp_path, monkeypatch, files):
    images = []
    for name, trusted in (("one", True), ("another/and/longer", True), ("of others", False)):
        scratch = tmp_path / f"{name}-scratch"
        scratch.mkdir(parents=True)
        monkeypatch.setattr("tempfile.tempdir", str(scratch))
        images.append(build(lab(tmp_path / name, files), trusted=trusted).image.read_bytes())
        assert not list(scratch.iterdir())
        assert str(tmp_path).encode() not in images[-1]
    assert images[0] == images[1] == images[2]


def test_the_lines_of_an_image_are_those_of_its_sources(tmp_path):
    scenario = lab(tmp_path, {"lab.S": LONG, "part.S": PART})
    build(scenario)
    session = LabSession.open(scenario)
    line = session.symbols.line(session.view.registers.rip)
    assert (line.path, line.number) == ("./lab.S", 3) or (line.path, line.number) == ("lab.S", 3)


def test_a_flat_image_has_its_names_in_the_elf_file_beside_it(tmp_path):
    image = 'flat = { file = "lab.bin", at = 0x9000 }\nsymbols = ["lab.elf"]'
    scenario = lab(tmp_path, {"lab.S": CODE_16}, image=image, mode="real")
    build(scenario)
    assert LabSession.open(scenario).symbols.address_of("_start") == 0x9000


def test_the_linker_script_is_the_labs_if_it_names_one(tmp_path):
    files = {"lab.S": HALT, "lab.ld": "ENTRY(_start)\nSECTIONS { . = 0x300000; .text : { *(.text) } }\n"}
    scenario = lab(tmp_path, files, more='[build]\nscript = "lab.ld"\n')
    build(scenario)
    assert LabSession.open(scenario).view.registers.rip == 0x300000


def test_c_has_a_red_zone_only_if_the_lab_says_so(tmp_path):
    leaf = "int leaf(int a) { volatile int kept = a; return kept; }\nvoid _start(void) { leaf(1); for (;;) ; }\n"
    images = [
        build(lab(tmp_path / name, {"lab.c": leaf}, more=more)).image.read_bytes()
        for name, more in (("without", ""), ("with", "[build]\nred_zone = true\n"))
    ]
    below_rsp = bytes.fromhex("897c24fc")  # mov [rsp-4], edi
    assert [below_rsp in image for image in images] == [False, True]


def test_a_source_that_another_one_includes_is_not_linked_a_second_time(tmp_path):
    scenario = lab(tmp_path, {"lab.S": LONG + '#include "part.S"\n', "part.S": PART})
    build(scenario)
    assert rax_at_the_end(scenario) == 42


def test_the_image_is_replaced_as_a_whole_or_not_at_all(tmp_path):
    scenario = lab(tmp_path, {"lab.S": HALT})
    (tmp_path / "lab.elf").write_bytes(b"before")
    (tmp_path / "lab.S").write_text("nonsense\n")
    with pytest.raises(BuildError):
        build(scenario)
    assert (tmp_path / "lab.elf").read_bytes() == b"before"
    (tmp_path / "lab.S").write_text(HALT)
    built = build(scenario)
    assert built.image == tmp_path / "lab.elf"
    assert not stat.S_IMODE(built.image.stat().st_mode) & 0o111
    assert names(tmp_path) == {"lab.S", "lab.elf", "lab.toml"}


def test_an_image_that_is_a_link_is_not_written_through(tmp_path):
    scenario = lab(tmp_path / "lab", {"lab.S": HALT})
    for target in (tmp_path / "elsewhere", tmp_path / "lab" / "other.elf"):
        target.write_bytes(b"before")
        (tmp_path / "lab" / "lab.elf").symlink_to(target)
        with pytest.raises(BuildError, match="link"):
            build(scenario)
        assert target.read_bytes() == b"before"
        (tmp_path / "lab" / "lab.elf").unlink()


def test_what_many_builds_have_in_common_is_made_once(tmp_path):
    cache = tmp_path / "cache"
    files = {"lab.S": LONG + '#include "lab.inc"\n', "part.S": PART, "lab.inc": "nop\n"}
    scenario = lab(tmp_path / "lab", files, todo="part.S")
    first = build(scenario, cache=cache).image.read_bytes()
    before = names(cache)
    assert build(scenario, cache=cache).image.read_bytes() == first
    assert names(cache) == before
    (tmp_path / "lab" / "part.S").write_text(PART.replace("42", "43"))
    build(scenario, cache=cache)
    assert rax_at_the_end(scenario) == 43
    assert names(cache) == before, "what a student has written is nobody else's"
    (tmp_path / "lab" / "lab.inc").write_text("nonsense\n")
    with pytest.raises(BuildError, match=r"lab\.inc:1: no such instruction"):
        build(scenario, cache=cache)


def test_the_files_to_be_written_are_those_that_lessons_name(tmp_path):
    assert todo_files(lab(tmp_path, {"lab.S": LONG, "part.S": PART}, todo="part.S")) == ("part.S",)


@pytest.mark.parametrize(
    ("image", "files", "said"),
    [
        ('rom = "lab.bin"', {"lab.S": HALT}, "a ROM is not made from its sources here; expected elf, flat"),
        ('elf = "lab.elf"', {"lab.inc": HALT}, r"nothing that an image could be made of; expected \.S, "),
        (
            'object = "lab.o"',
            {"a.S": HALT, "b.S": HALT},
            r"a bare handler is not linked; expected one source, found a\.S, b\.S",
        ),
        ('elf = "../lab.elf"', {"lab.S": HALT}, "outside the scenario's folder"),
        ('elf = "lab.S"', {"lab.S": HALT}, r"lab\.S: is what the image is made of"),
        ('elf = "lab.elf"', {"-o.S": HALT}, "not built from a file of this name"),
    ],
)
def test_what_is_not_built_says_why(tmp_path, image, files, said):
    assert re.search(said, str(refused(lab(tmp_path, files, image=image))))
