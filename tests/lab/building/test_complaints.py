"""What is wrong with a source is said with its file and its line."""

from __future__ import annotations

import pytest

from idtviz.lab.building import Complaint, Limits, build
from tests.lab.building.labs import HALT, LONG, NASM, PART, C, lab, refused

BOTH = pytest.mark.parametrize("trusted", [True, False])


@BOTH
@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"lab.S": HALT + "foo rax\n"}, "lab.S:5: no such instruction: `foo rax'"),
        ({"lab.S": HALT + "mov eax, rbx\n"}, "lab.S:5: operand type mismatch for `mov'"),
        ({"lab.S": HALT + '#include "gone.inc"\n'}, "lab.S:5: gone.inc: No such file or directory"),
        ({"lab.S": HALT + '\n.include "gone.inc"\n'}, "lab.S:6: can't open gone.inc for reading"),
        ({"lab.S": HALT + "#error not yet\n"}, "lab.S:5: #error not yet"),
        ({"lab.S": HALT + '#include "b.inc"\n', "b.inc": "nop\nfoo\n"}, "b.inc:2: no such instruction: `foo'"),
        ({"lab.c": C + "int f(void) { return x; }\n"}, "lab.c:4: 'x' undeclared"),
        ({"lab.asm": NASM + "foo rax\n"}, "lab.asm:5: parser: instruction expected"),
        ({"lab.asm": "org 0x7c00\n" + NASM}, "lab.asm:1: no ORG here: the image is linked to its place"),
        ({"lab.asm": "[org 0x7c00]\n" + NASM}, "lab.asm:1: no ORG here: the image is linked to its place"),
        ({"lab.asm": NASM + "%macro open 0\n"}, "lab.asm"),
        (
            {"lab.S": LONG, "part.S": ""},
            "lab.S:3: 'part' is defined nowhere: expected `part:` and `.globl part` in part.S",
        ),
        (
            {"lab.S": LONG, "part.S": PART.replace(".globl", "#")},
            "part.S has it, but not for other files: expected `.globl part` beside it",
        ),
        (
            {"lab.S": LONG, "part.c": ""},
            "lab.S:3: 'part' is defined nowhere: expected a function or variable of this name",
        ),
        ({"lab.S": LONG, "part.S": PART + "_start: nop\n.globl _start\n"}, "'_start' is defined a second time"),
        ({"lab.S": PART}, "lab.elf: no '_start' in it, where it is entered: expected `_start:` and `.globl _start`"),
    ],
)
def test_an_error_has_its_place_and_says_what_is_missing(tmp_path, trusted, files, said):
    error = refused(lab(tmp_path, files, todo=list(files)[-1]), trusted=trusted)
    assert said in str(error)


def test_the_errors_of_all_sources_are_told_at_once(tmp_path):
    found = refused(lab(tmp_path, {"lab.S": "foo\nbar\n", "part.S": "nop\nbaz\n"})).complaints
    assert [(each.file, each.line, each.severity) for each in found] == [
        ("lab.S", 1, "error"),
        ("lab.S", 2, "error"),
        ("part.S", 2, "error"),
    ]


def test_a_warning_does_not_stop_a_build(tmp_path):
    built = build(lab(tmp_path, {"lab.c": C + "static int unused;\n"}))
    assert built.warnings == (Complaint("lab.c", 4, "'unused' defined but not used", "warning"),)
    assert str(built.warnings[0]) == "lab.c:4: warning: 'unused' defined but not used"


def test_no_more_is_said_than_can_be_read(tmp_path):
    found = refused(lab(tmp_path, {"lab.S": "foo\n" * 1000}), limits=Limits(complaints=5))
    assert str(found).endswith("lab.S: and 995 more")
    assert len(found.complaints) == 6


def test_a_real_mode_image_that_is_too_large_is_told_so(tmp_path):
    scenario = lab(tmp_path, {"lab.S": ".code16\n.globl _start\n_start: hlt\n.skip 40000\n"}, mode="real")
    assert "reaches beyond the first 64 KiB" in str(refused(scenario))


def test_a_flat_image_that_is_linked_elsewhere_is_told_so(tmp_path):
    files = {"lab.S": HALT, "lab.ld": "SECTIONS { . = 0x300000; .text : { *(.text) } }\n"}
    image = 'flat = { file = "lab.bin", at = 0x9000 }'
    scenario = lab(tmp_path, files, image=image, more='[build]\nscript = "lab.ld"\n')
    assert "lab.bin: its first byte is linked at 0x300000; expected 0x9000" in str(refused(scenario))
