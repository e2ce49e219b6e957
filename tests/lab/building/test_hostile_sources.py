"""A source that wants more than it should have: it ends soon, with one clear message, and has learnt nothing."""

from __future__ import annotations

import os

import pytest

from idtviz.lab.building import BuildError, Limits, build
from tests.lab.building.labs import HALT, LONG, NASM, SECRET, C, lab, refused

PASTE = '.macro paste a, b, c\n\\a\\b "\\c"\n.endm\n'
HIDDEN = '%ifnidn __?OUTPUT_FORMAT?__, bin\nsection {} progbits noalloc\ntimes 1 incbin "{{}}"\n%endif\n'
NOT_OURS = "none of the lab's files"


@pytest.fixture
def secret(tmp_path):
    """A file beside the lab's folder."""
    path = tmp_path / "secret"
    path.write_text(f"{SECRET}: {SECRET}_two\nmov {SECRET}\n.error {SECRET}\n")
    return path


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("lab.S", HALT + '.incbin "{}"\n'),
        ("lab.S", HALT + '.include "{}"\n'),
        ("lab.S", HALT + '#include "{}"\n'),
        ("lab.S", '#include "{}"\n#error stop\n' + HALT),
        ("lab.S", HALT + '# 1 "lab.S"\n.include "{}"\n'),
        ("lab.S", HALT + PASTE + "paste .incb, in, {}\n"),
        ("lab.S", HALT + PASTE + "paste .incl, ude, {}\n"),
        ("lab.S", HALT + PASTE + f".macro {SECRET} a:vararg\n.error \\a\n.endm\npaste .incl, ude, {{}}\n"),
        ("lab.s", HALT + '.incbin "{}"\n'),
        ("lab.c", C + '__asm__(".incbin \\"{}\\"");\n'),
        ("lab.c", C + '#include "{}"\n'),
        ("lab.c", f'#line 1 "{{}}"\nint f(void) {{{{ return x; }}}}\n{C.replace("{", "{{").replace("}", "}}")}'),
        ("lab.asm", NASM + 'incbin "{}"\n'),
        ("lab.asm", NASM + 'times 1 incbin "{}"\n'),
        ("lab.asm", NASM + "times 1 incbin `{}`\n"),
        ("lab.asm", NASM + '%include "{}"\n'),
        ("lab.asm", NASM + '%include "{}"\n%error stop\n'),
        ("lab.c", C + '#pragma GCC pch_preprocess "{}"\n'),
        ("lab.c", C + '_Pragma("GCC pch_preprocess \\"{}\\"")\n'),
        ("lab.asm", NASM + HIDDEN.format(".text.own")),
        ("lab.asm", NASM + HIDDEN.format(".debug_str")),
        ("lab.asm", NASM + HIDDEN.format(".debug_line")),
        ("lab.asm", NASM + '%if __?PASS?__ == 3\n%else\ntimes 1 incbin "{}"\n%endif\n'),
    ],
)
@pytest.mark.parametrize("relative", [True, False])
def test_of_others_no_file_outside_gets_into_an_image_or_a_message(tmp_path, secret, name, text, relative):
    path = "../" * 20 + str(secret).lstrip("/") if relative else str(secret)
    text = text.format(path) if "{{" in text else text.replace("{}", path)
    error = refused(lab(tmp_path / "lab", {name: text}), trusted=False)
    assert not any(word in str(error).replace(str(secret), "") for word in (f"{SECRET}_two", f"mov {SECRET}"))


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [("lab.S", HALT + '.incbin "/etc/passwd"\n', 5), ("lab.asm", NASM + '%include "/etc/passwd"\n', 5)],
)
def test_the_refusal_says_which_file_and_in_which_line(tmp_path, name, text, line):
    (found,) = refused(lab(tmp_path, {name: text}), trusted=False).complaints
    assert (found.file, found.line) == (name, line)
    assert "'/etc/passwd'" in found.text
    assert NOT_OURS in found.text


@pytest.mark.parametrize("name", ["lab.S", "lab.asm", "lab.c"])
def test_of_others_the_labs_own_files_may_be_read(tmp_path, name):
    texts = {
        "lab.S": HALT + '#include "lab.inc"\n.include "lab.inc"\n.incbin "lab.inc"\n',
        "lab.asm": NASM + '%include "lab.inc"\nincbin "lab.inc"\ntimes 2 incbin "lab.inc"\n',
        "lab.c": C + '#include "lab.inc"\n__asm__(".incbin \\"lab.inc\\"");\n',
    }
    files = {name: texts[name], "lab.inc": "int x;\n" if name == "lab.c" else "nop\n"}
    assert build(lab(tmp_path, files), trusted=False).image.is_file()


@pytest.mark.parametrize("trusted", [True, False])
@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("lab.S", ".fill 1<<40\n", "as was stopped: it wrote a file of more than"),
        ("lab.S", ".org 1<<40\n", "as was stopped: it wrote a file of more than"),
        ("lab.S", ".rept 1<<40\nnop\n.endr\n", "as was stopped: it needed more than"),
        ("lab.S", '#include "/dev/zero"\n', "gcc was stopped: it needed more than"),
        ("lab.S", '#include "lab.S"\n', "#include nested depth"),
        ("lab.S", ".macro again\nagain\n.endm\nagain\n", "macros nested too deeply"),
        ("lab.S", '.incbin "/dev/zero"\n', "/dev/zero"),
        ("lab.S", '.include "pipe"\n', ""),
        ("lab.asm", "%rep 1<<40\nnop\n%endrep\n", "lab.asm:5: `%rep'"),
        ("lab.asm", '%include "lab.asm"\n', "lab.asm:"),
    ],
)
def test_what_has_no_end_is_ended(tmp_path, name, text, said, trusted):
    os.mkfifo(tmp_path / "pipe")
    head = NASM if name == "lab.asm" else HALT
    limits = Limits(memory=512 << 20, file=8 << 20)
    error = refused(lab(tmp_path, {name: head + text}), trusted=trusted, limits=limits)
    assert said in str(error)


def test_a_tool_that_takes_too_long_is_stopped(tmp_path):
    bomb = "".join(f"#define A{each} A{each - 1} A{each - 1}\n" for each in range(1, 40))
    error = refused(lab(tmp_path, {"lab.S": bomb + "A39\n"}), limits=Limits(seconds=0.5))
    assert str(error) == "lab.S: gcc was stopped: it needed more than 0.5 s"


def test_a_source_is_a_regular_file_of_the_labs_folder(tmp_path, secret):
    scenario = lab(tmp_path / "lab", {"lab.S": HALT})
    source = scenario.parent / "lab.S"
    for make in (
        lambda: source.symlink_to(secret),
        lambda: os.mkfifo(source),
        source.mkdir,
        lambda: source.write_bytes(b"\n" * (1 << 20)),
    ):
        source.unlink()
        make()
        assert "lab.S" in str(refused(scenario, limits=Limits(source=1 << 16)))
        if source.is_dir():
            source.rmdir()
            source.touch()


def test_the_environment_has_no_say(tmp_path, monkeypatch, secret):
    (tmp_path / "lab.inc").write_text("nop\n")
    for name in ("CPATH", "C_INCLUDE_PATH", "NASMENV"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setenv("GCC_EXEC_PREFIX", "/nowhere/")
    error = refused(lab(tmp_path / "lab", {"lab.S": HALT + '#include "lab.inc"\n'}))
    assert "lab.inc: No such file" in str(error)
    assert build(lab(tmp_path / "other", {"lab.S": HALT})).image.is_file()


def test_of_others_no_file_hides_behind_thousands_of_names(tmp_path, secret):
    many = "".join(f'.include "{"./" * each}lab.inc"\n' for each in range(1, 1100))
    files = {"lab.S": f'{HALT}{many}.incbin "{secret}"\n', "lab.inc": ""}
    assert "more names than can be looked at" in str(refused(lab(tmp_path / "lab", files), trusted=False))


def test_a_message_holds_no_control_characters(tmp_path):
    error = refused(lab(tmp_path, {"lab.S": '.error "\033[31m"\n#error \x1b[31m\n'}))
    assert "\x1b" not in error.complaints[0].text


def test_of_others_no_linker_script_is_taken(tmp_path):
    files = {"lab.S": HALT, "lab.ld": "INPUT(/etc/passwd)\n"}
    scenario = lab(tmp_path, files, more='[build]\nscript = "lab.ld"\n', todo="lab.ld")
    with pytest.raises(BuildError, match="a linker script can have any file read"):
        build(scenario, trusted=False)


@pytest.mark.parametrize("trusted", [True, False])
def test_a_student_does_not_take_the_labs_own_part_out_of_the_image_by_reading_it(tmp_path, trusted):
    kernel = ".globl start_of_the_lab\nstart_of_the_lab: nop\n" + LONG
    mine = '.globl _start, part\n_start:\npart: hlt\n.section .unused\n.incbin "kernel.S"\n'
    error = refused(lab(tmp_path, {"kernel.S": kernel, "part.S": mine}, todo="part.S"), trusted=trusted)
    assert "'_start' is defined a second time" in str(error)
