"""The frame that a handler finds on its stack."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idtviz.x86.frames import InterruptFrame

WORDS = (0x101234, 0x8, 0x10002, 0x17FF0, 0x10)


def test_a_64_bit_frame_without_an_error_code_is_five_words_from_rip_to_ss() -> None:
    frame = InterruptFrame(0x17FC8, None, *WORDS)
    assert frame.size == 40
    assert frame.return_address == 0x17FC8
    assert frame.encode() == struct.pack("<5Q", *WORDS)
    assert [(word.name, word.address, word.value) for word in frame.words] == [
        ("RIP", 0x17FC8, 0x101234),
        ("CS", 0x17FD0, 0x8),
        ("RFLAGS", 0x17FD8, 0x10002),
        ("RSP", 0x17FE0, 0x17FF0),
        ("SS", 0x17FE8, 0x10),
    ]


def test_an_error_code_lies_below_rip() -> None:
    frame = InterruptFrame(0x17FC0, 2, *WORDS)
    assert (frame.error_code, frame.rip, frame.size) == (2, 0x101234, 48)
    assert frame.return_address == 0x17FC8
    assert [word.name for word in frame.words] == ["error code", "RIP", "CS", "RFLAGS", "RSP", "SS"]
    assert [word.address for word in frame.words] == [0x17FC0 + 8 * place for place in range(6)]
    assert all(word.size == 8 for word in frame.words)


def test_an_error_code_of_0_is_still_a_word() -> None:
    assert InterruptFrame(0, 0, *WORDS).size == 48


def test_a_32_bit_frame_has_esp_and_ss_only_with_a_change_of_ring() -> None:
    same = InterruptFrame(0x6FF4, None, 0x100020, 0x8, 0x202, word_size=4)
    assert [(word.name, word.size) for word in same.words] == [("EIP", 4), ("CS", 4), ("EFLAGS", 4)]
    assert same.size == 12
    inner = InterruptFrame(0x6FE8, 4, 0x100020, 0x1B, 0x202, 0x8000, 0x23, word_size=4)
    assert [word.name for word in inner.words] == ["error code", "EIP", "CS", "EFLAGS", "ESP", "SS"]


def test_a_frame_out_of_virtual_8086_mode_ends_with_the_data_segments() -> None:
    frame = InterruptFrame(0x6FDC, None, 1, 2, 3, 4, 5, 6, 7, 8, 9, word_size=4)
    assert [word.name for word in frame.words] == ["EIP", "CS", "EFLAGS", "ESP", "SS", "ES", "DS", "FS", "GS"]
    assert [word.value for word in frame.words] == list(range(1, 10))


def test_a_real_mode_frame_is_six_bytes() -> None:
    frame = InterruptFrame(0x6FFA, None, 0x7C10, 0x0, 0x202, word_size=2)
    assert [(word.name, word.address) for word in frame.words] == [("IP", 0x6FFA), ("CS", 0x6FFC), ("FLAGS", 0x6FFE)]
    assert frame.encode() == struct.pack("<3H", 0x7C10, 0, 0x202)


def test_the_words_of_a_frame_say_what_they_mean() -> None:
    meanings = {word.name: word.meaning for word in InterruptFrame(0, 2, *WORDS).words}
    assert meanings["CS"].endswith("GDT entry 1, RPL 0")
    assert meanings["RFLAGS"] == "RF"
    assert meanings["SS"].endswith("GDT entry 2, RPL 0")
    assert "before IRET" in meanings["error code"]


@pytest.mark.parametrize("size", [40, 39, 56])
def test_bytes_of_another_size_are_refused(size: int) -> None:
    with pytest.raises(ValueError, match="this interrupt frame has 48 bytes"):
        InterruptFrame(0, 0, *WORDS).reread(bytes(size))


@given(st.binary(min_size=48, max_size=48), st.booleans(), st.sampled_from((2, 4, 8)))
def test_any_bytes_of_a_frame_encode_back_to_themselves(raw: bytes, error_code: bool, word_size: int) -> None:
    shape = InterruptFrame(0x1000, 0 if error_code else None, *WORDS, word_size=word_size)
    raw = raw[: shape.size]
    frame = shape.reread(raw)
    assert frame.encode() == raw
    assert b"".join(word.value.to_bytes(word.size, "little") for word in frame.words) == raw
