"""The frame that a handler finds on its stack."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idtviz.x86.frames import InterruptFrame64

WORDS = (0x101234, 0x8, 0x10002, 0x17FF0, 0x10)


def test_a_frame_without_an_error_code_is_five_words_from_rip_to_ss() -> None:
    frame = InterruptFrame64.decode(0x17FC8, struct.pack("<5Q", *WORDS), error_code=False)
    assert (frame.rip, frame.cs, frame.rflags, frame.rsp, frame.ss) == WORDS
    assert frame.error_code is None
    assert frame.size == 40
    assert [(word.name, word.address, word.value) for word in frame.words] == [
        ("RIP", 0x17FC8, 0x101234),
        ("CS", 0x17FD0, 0x8),
        ("RFLAGS", 0x17FD8, 0x10002),
        ("RSP", 0x17FE0, 0x17FF0),
        ("SS", 0x17FE8, 0x10),
    ]


def test_an_error_code_lies_below_rip() -> None:
    frame = InterruptFrame64.decode(0x17FC0, struct.pack("<6Q", 2, *WORDS), error_code=True)
    assert (frame.error_code, frame.rip, frame.size) == (2, 0x101234, 48)
    assert [word.name for word in frame.words] == ["error code", "RIP", "CS", "RFLAGS", "RSP", "SS"]
    assert [word.address for word in frame.words] == [0x17FC0 + 8 * place for place in range(6)]
    assert all(word.size == 8 for word in frame.words)


def test_an_error_code_of_0_is_still_a_word() -> None:
    assert InterruptFrame64(0, 0, *WORDS).size == 48


def test_the_words_of_a_frame_say_what_they_mean() -> None:
    meanings = {word.name: word.meaning for word in InterruptFrame64(0, 2, *WORDS).words}
    assert meanings["CS"].endswith("GDT entry 1, RPL 0")
    assert meanings["RFLAGS"] == "RF"
    assert meanings["SS"].endswith("GDT entry 2, RPL 0")
    assert "before IRET" in meanings["error code"]


@pytest.mark.parametrize(("size", "error_code"), [(40, True), (48, False), (39, False)])
def test_a_frame_of_another_size_is_refused(size: int, error_code: bool) -> None:
    with pytest.raises(ValueError, match="an interrupt frame has"):
        InterruptFrame64.decode(0, bytes(size), error_code)


@given(st.binary(min_size=48, max_size=48), st.booleans())
def test_any_bytes_of_a_frame_encode_back_to_themselves(raw: bytes, error_code: bool) -> None:
    raw = raw[: InterruptFrame64.size_with(error_code)]
    frame = InterruptFrame64.decode(0x1000, raw, error_code)
    assert frame.encode() == raw
    assert b"".join(word.value.to_bytes(word.size, "little") for word in frame.words) == raw
