"""Handlers that ruin the machine, and files that hold none: a clear answer, soon, and never a traceback."""

from __future__ import annotations

import random
import time

import pytest

from idtviz.lab.checking import Checked
from idtviz.lab.harness import check_object
from idtviz.lab.problems import ScenarioError
from tests.lab.harness import hostile
from tests.lab.harness.built import FOR_KERNELS, HANDLERS, assembled, built, checked, needs_gcc, serious

SOON = 60
"""Seconds, on a machine that does other things beside."""


def _answer(path, *chosen) -> Checked | str:
    began = time.monotonic()
    try:
        return check_object(path, *chosen)
    except ScenarioError as refused:
        return str(refused)
    finally:
        assert time.monotonic() - began < SOON


@needs_gcc
@pytest.mark.parametrize(("bits", "name", "text"), hostile.ALL, ids=[f"{bits}-{name}" for bits, name, _ in hostile.ALL])
def test_a_handler_that_ruins_the_machine_is_reported_on(bits, name, text):
    found = _answer(assembled(hostile.source(text, bits), f"-m{bits}"), "handler_of_it", 6)
    assert isinstance(found, Checked), found
    assert "entered from ring 0" in ". ".join(found.said)
    assert all(each.finding.message for each in found.reported)


@needs_gcc
@pytest.mark.parametrize(
    ("bits", "name", "vector", "says"),
    [
        (64, "loops", 6, "it did not return after 299,99"),
        (64, "halts", 6, "it stopped the machine (HLT with IF=0) after"),
        (64, "stops", 32, "it stopped the machine (HLT with IF=0) after"),
        (64, "undefined", 6, "it raised an exception of its own at its first instruction"),
        (64, "jumps_to_zero", 6, "it raised an exception of its own after 2 instructions"),
        (32, "timer_runs_wild", 6, "it let in interrupts without end and did not return"),
        (64, "to_user_for_ever", 6, "entered from ring 0"),
    ],
)
def test_how_it_ended_is_said(bits, name, vector, says):
    text = next(text for which, called, text in hostile.ALL if (which, called) == (bits, name))
    assert says in ". ".join(checked(assembled(hostile.source(text, bits), f"-m{bits}"), "handler_of_it", vector).said)


@needs_gcc
def test_many_handlers_that_never_return_are_cut_short():
    stubs = "\n".join(f".globl isr{number}\nisr{number}: jmp isr{number}" for number in range(24))
    found = _answer(assembled(stubs))
    assert isinstance(found, Checked)
    assert found.what == "64-bit object file, 24 handlers"
    assert "it did not return" in ". ".join(found.said)


@needs_gcc
def test_no_handler_is_tried_for_the_line_where_the_slave_is():
    path = assembled(".globl irq2, irq3\nirq2: iretq\nirq3: iretq")
    assert checked(path).what == "64-bit object file, irq3 as the handler of vector 0x23 (IRQ3)"
    with pytest.raises(ScenarioError, match="irq2 is for IRQ2, where the slave 8259 is"):
        check_object(path, "irq2")


@needs_gcc
def test_handlers_without_a_vector_are_asked_for_one():
    with pytest.raises(ScenarioError, match=r"no vector is given.*--vector N, and --symbol S.*first, second"):
        check_object(assembled(".globl first, second\nfirst: iretq\nsecond: iretq"))


@needs_gcc
def test_a_name_that_is_not_there_is_answered_with_those_that_are():
    with pytest.raises(ScenarioError, match=r"has no code called 'third'; what it has: isr14"):
        check_object(assembled(".globl isr14\nisr14: iretq"), "third")


@needs_gcc
@pytest.mark.parametrize(
    ("machine", "says"),
    [(183, "AArch64|machine 183|0xb7|x86"), (243, "RISC-V|machine 243|0xf3|x86"), (8, "MIPS|machine 8|0x8|x86")],
)
def test_an_object_of_another_machine_is_refused(tmp_path, machine, says):
    raw = bytearray(assembled(".globl isr14\nisr14: iretq").read_bytes())
    raw[18:20] = machine.to_bytes(2, "little")
    (tmp_path / "other.o").write_bytes(raw)
    with pytest.raises(ScenarioError, match=says):
        check_object(tmp_path / "other.o")


@needs_gcc
@pytest.mark.parametrize("kind", [3, 4, 0, 0xFE00, 0xFFFF])
def test_shared_objects_and_core_dumps_of_nothing_are_refused(tmp_path, kind):
    raw = bytearray(assembled(".globl isr14\nisr14: iretq").read_bytes())
    raw[16:18] = kind.to_bytes(2, "little")
    (tmp_path / "other.o").write_bytes(raw)
    assert isinstance(_answer(tmp_path / "other.o"), str)


def test_what_is_no_object_file_is_refused(tmp_path):
    for name, raw in {
        "empty.o": b"",
        "short.o": b"\x7fELF",
        "text.o": b"hello\n" * 100,
        "zeros.o": bytes(4096),
        "archive.a": b"!<arch>\n" + bytes(100),
        "windows.obj": bytes.fromhex("6486 0300") + bytes(100),
        "macho.o": bytes.fromhex("cffaedfe") + bytes(100),
    }.items():
        (tmp_path / name).write_bytes(raw)
        assert isinstance(_answer(tmp_path / name), str), name
    assert isinstance(_answer(tmp_path / "missing.o"), str)
    assert isinstance(_answer(tmp_path), str)


def test_a_file_of_gigabytes_is_not_read(tmp_path):
    with (tmp_path / "huge.o").open("wb") as file:
        file.write((HANDLERS / "interrupt_abi.o").read_bytes())
        file.truncate(1 << 34)
    assert isinstance(_answer(tmp_path / "huge.o"), str)


@needs_gcc
def test_an_object_with_very_many_relocations():
    text = ".globl isr6\nisr6: iretq\n.data\n.rept 300000\n.quad isr6\n.endr"
    found = _answer(assembled(text))
    assert isinstance(found, Checked | str)
    few = _answer(assembled(text.replace("300000", "30000")))
    assert isinstance(few, Checked)


@needs_gcc
def test_an_object_with_very_many_names():
    text = "\n".join(
        f".globl isr_of_{number}\nisr_of_{number}: call missing_{number}\niretq" for number in range(20000)
    )
    assert isinstance(_answer(assembled(text), "isr_of_7", 6), Checked | str)


@needs_gcc
@pytest.mark.parametrize("name", ["stubs64.S", "interrupt_attribute.c"])
def test_a_file_that_is_cut_short_anywhere(tmp_path, name):
    raw = built(name, FOR_KERNELS if name.endswith(".c") else "").read_bytes()
    for end in sorted({*range(0, 130, 7), *range(0, len(raw), len(raw) // 40), len(raw) - 1}):
        (tmp_path / "cut.o").write_bytes(raw[:end])
        assert isinstance(_answer(tmp_path / "cut.o", None, None), Checked | str)


_MUTATED = {
    "rust": (HANDLERS / "interrupt_abi.o", "timer_handler", None),
    "naked": (HANDLERS / "naked_wrong_pointer.o", None, None),
}


def _mutations(raw: bytes, seed: int, count: int):
    chance = random.Random(seed)
    for _ in range(count):
        changed = bytearray(raw)
        # Half of them where the headers and tables are, the other half anywhere.
        for _ in range(chance.choice((1, 1, 1, 2, 8))):
            where = chance.randrange(64) if chance.random() < 0.1 else chance.randrange(len(raw))
            if chance.random() < 0.3:
                where = chance.randrange(max(0, len(raw) - 3000), len(raw))
            changed[where] = chance.choice((0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256), changed[where] ^ 1))
        yield bytes(changed)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("which", sorted(_MUTATED))
def test_a_damaged_object_of_rust_is_tried_or_refused(tmp_path, which, seed):
    path, symbol, vector = _MUTATED[which]
    for raw in _mutations(path.read_bytes(), seed, 25):
        (tmp_path / "damaged.o").write_bytes(raw)
        assert isinstance(_answer(tmp_path / "damaged.o", symbol, vector), Checked | str)


@needs_gcc
@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("bits", [64, 32])
def test_a_damaged_object_of_gcc_is_tried_or_refused(tmp_path, bits, seed):
    path = built("interrupt_attribute.c", f"-m{bits} -O2 {FOR_KERNELS}")
    for raw in _mutations(path.read_bytes(), seed, 20):
        (tmp_path / "damaged.o").write_bytes(raw)
        assert isinstance(_answer(tmp_path / "damaged.o", "page_fault_handler", 14), Checked | str)


@needs_gcc
@pytest.mark.parametrize("seed", range(6))
def test_a_handler_of_random_bytes_is_tried(seed):
    chance = random.Random(seed)
    bits = chance.choice((64, 32))
    code = ",".join(str(chance.randrange(256)) for _ in range(200))
    path = assembled(f".globl handler_of_it\n.type handler_of_it, @function\nhandler_of_it: .byte {code}", f"-m{bits}")
    found = _answer(path, "handler_of_it", 13)
    assert isinstance(found, Checked)


@needs_gcc
def test_the_same_file_gives_the_same_report():
    path = built("wrong64.S", "-m64")
    assert check_object(path, "swapgs_always", 0) == check_object(path, "swapgs_always", 0)
    assert serious(check_object(path, "swapgs_always", 0))
