"""The 256 vectors."""

import pytest

from idtviz.x86.vectors import VECTORS, DoubleFaultClass, Kind, by_name, double_fault_class

MNEMONICS = {
    0: "#DE", 1: "#DB", 2: "NMI", 3: "#BP", 4: "#OF", 5: "#BR", 6: "#UD", 7: "#NM", 8: "#DF", 10: "#TS", 11: "#NP",
    12: "#SS", 13: "#GP", 14: "#PF", 16: "#MF", 17: "#AC", 18: "#MC", 19: "#XM", 20: "#VE", 21: "#CP", 28: "#HV",
    29: "#VC", 30: "#SX",
}  # fmt: skip


def test_there_are_256_vectors_in_order_with_names_of_their_own() -> None:
    assert [vector.number for vector in VECTORS] == list(range(256))
    assert len({vector.mnemonic for vector in VECTORS}) == 256


def test_the_architectural_vectors_have_the_mnemonics_of_the_manuals() -> None:
    assert {n: VECTORS[n].mnemonic for n in MNEMONICS} == MNEMONICS
    assert [n for n in range(32) if not VECTORS[n].mnemonic.startswith("INT")] == list(MNEMONICS)


def test_exactly_these_exceptions_push_an_error_code() -> None:
    assert [vector.number for vector in VECTORS if vector.error_code] == [8, 10, 11, 12, 13, 14, 17, 21, 29, 30]


@pytest.mark.parametrize(
    ("kind", "numbers"),
    [
        (Kind.TRAP, [3, 4]),
        (Kind.ABORT, [8, 9, 18]),
        (Kind.FAULT_OR_TRAP, [1]),
        (Kind.RESERVED, [15, 22, 23, 24, 25, 26, 27, 31]),
        (Kind.INTERRUPT, [2, 28, *range(32, 256)]),
        (Kind.FAULT, [0, 5, 6, 7, 10, 11, 12, 13, 14, 16, 17, 19, 20, 21, 29, 30]),
    ],
)
def test_a_vector_is_of_the_kind_that_table_6_1_gives_it(kind: Kind, numbers: list[int]) -> None:
    assert [vector.number for vector in VECTORS if vector.kind is kind] == numbers


def test_every_vector_is_explained_in_whole_sentences_and_cites_its_source() -> None:
    for vector in VECTORS:
        assert vector.explanation.endswith(".")
        assert len(vector.explanation) > 40
        assert "  " not in vector.explanation
        assert vector.source.startswith(("SDM 3A 6.", "APM 2 "))


@pytest.mark.parametrize("text", ["#PF", "pf", "#pf", " PF ", "14", "0xe", "0xE", "0b1110"])
def test_a_vector_is_found_by_mnemonic_and_by_number(text: str) -> None:
    assert by_name(text).number == 14


def test_every_vector_is_found_by_its_own_mnemonic() -> None:
    assert [by_name(vector.mnemonic) for vector in VECTORS] == list(VECTORS)
    assert by_name("int 32").number == by_name("INT 0x20").number == by_name("32").number == 32
    assert VECTORS[32].mnemonic == "INT 0x20"


@pytest.mark.parametrize("text", ["256", "-1", "#XX", "", "#14", "int"])
def test_what_names_no_vector_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="vector"):
        by_name(text)


def test_exceptions_fall_into_the_double_fault_classes_of_table_6_4() -> None:
    classes = {cls: [n for n in range(256) if double_fault_class(n) is cls] for cls in DoubleFaultClass}
    assert classes[DoubleFaultClass.CONTRIBUTORY] == [0, 10, 11, 12, 13, 21]
    assert classes[DoubleFaultClass.PAGE_FAULT] == [14, 20]
    assert len(classes[DoubleFaultClass.BENIGN]) == 248
