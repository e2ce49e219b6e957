"""Which program is taken, and what is said where there is none."""

from __future__ import annotations

import pytest

from idtviz.lab.building import build
from idtviz.lab.session import LabSession
from tests.lab.building.labs import HALT, LONG, NASM, PART, C, lab, only, refused


@pytest.fixture
def tools(tmp_path, monkeypatch):
    return lambda *names: only(tmp_path / "bin", monkeypatch, *names)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("lab.S", HALT, "lab.S: no program on PATH that assembles it; looked for gcc, clang, zig, as"),
        ("lab.S", HALT, "apt-get install gcc"),
        ("lab.S", HALT, "pip install ziglang"),
        ("lab.c", C, "lab.c: no program on PATH that compiles it; looked for gcc, clang, zig ("),
        ("lab.asm", NASM, "lab.asm: no program on PATH that assembles it; looked for nasm"),
        ("lab.asm", NASM, "apt-get install nasm"),
    ],
)
def test_a_tool_that_is_missing_is_named_with_what_to_install(tmp_path, tools, name, text, said):
    tools()
    assert said in str(refused(lab(tmp_path, {name: text})))


def test_a_linker_that_is_missing_is_named(tmp_path, tools):
    tools("nasm")
    assert "no program on PATH that links it; looked for ld, ld.lld, zig" in str(
        refused(lab(tmp_path, {"lab.asm": NASM}))
    )


@pytest.mark.parametrize("trusted", [True, False])
def test_an_assembler_alone_is_enough_for_a_source_without_a_preprocessors_lines(tmp_path, tools, trusted):
    tools("as", "ld")
    assert build(lab(tmp_path / "plain", {"lab.S": HALT}), trusted=trusted).tools == ("as", "ld")
    error = refused(lab(tmp_path / "other", {"lab.S": HALT + '#include "a.inc"\n', "a.inc": ""}), trusted=trusted)
    assert "lab.S:5: #include is for a preprocessor, and there is only an assembler" in str(error)


@pytest.mark.parametrize("mode", ["long", "protected"])
@pytest.mark.parametrize("files", [{"lab.S": LONG, "part.S": PART}, {"lab.c": C}])
def test_zig_alone_is_enough(tmp_path, tools, mode, files):
    tools("zig")
    scenario = lab(tmp_path, files, mode=mode)
    assert build(scenario).tools == ("zig",)
    session = LabSession.open(scenario)
    session.run()
    assert session.view.registers.general[0] == 42


def test_clang_and_lld_are_enough(tmp_path, tools):
    tools("clang", "ld.lld")
    scenario = lab(tmp_path, {"lab.S": LONG + '#include "lab.inc"\n', "part.S": PART, "lab.inc": "nop\n"})
    assert build(scenario).tools == ("clang", "ld.lld")
    session = LabSession.open(scenario)
    session.run()
    assert session.view.registers.general[0] == 42


def test_zig_says_where_a_source_is_wrong(tmp_path, tools):
    tools("zig")
    assert "lab.S:5: invalid instruction mnemonic 'foo'" in str(refused(lab(tmp_path, {"lab.S": HALT + "foo\n"})))
    error = refused(lab(tmp_path, {"lab.S": LONG}))
    assert "lab.S:3: 'part' is defined nowhere: expected `part:` and `.globl part` in one of the sources" in str(error)


def test_of_others_zig_makes_nothing_for_it_does_not_say_what_it_has_read(tmp_path, tools):
    tools("zig")
    error = refused(lab(tmp_path, {"lab.S": HALT}), trusted=False)
    assert "looked for gcc with GNU as" in str(error)
