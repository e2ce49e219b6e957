"""Operands against segment limits, types and alignment: each instruction in some thousand places, judged by Bochs.

Unicorn checks none of this. A case is one instruction whose operand lies near an end of a segment of some type.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from random import Random

import pytest

from . import ours
from .bochs import judge
from .case import PAGE, Answer, Case, Segment
from .long_mode import AC, LongModeWorld
from .long_mode import DATA as LONG_DATA
from .protected_mode import CODE, DATA, SPARE, STACK, ProtectedModeWorld
from .real_mode import RealModeWorld
from .test_against_bochs import comparable, raised

SEED = 20_26
CR0_AM = 1 << 18

# Instructions with an operand at [SI] or [ESI] (made by the second column for 16-bit addresses), read or written.
EXPLICIT = (
    ("8a06", "8a04"),  # mov al, [si]
    ("8b06", "8b04"),  # mov ax, [si]
    ("8806", "8804"),  # mov [si], al
    ("8906", "8904"),  # mov [si], ax
    ("0106", "0104"),  # add [si], ax
    ("3b06", "3b04"),  # cmp ax, [si]
    ("8706", "8704"),  # xchg [si], ax
    ("f716", "f714"),  # not [si]
    ("c60655", "c60455"),  # mov byte [si], 0x55
    ("0fb606", "0fb604"),  # movzx ax, byte [si]
    ("0fa306", "0fa304"),  # bt [si], ax
    ("0fab06", "0fab04"),  # bts [si], ax
    ("0fba2e05", "0fba2c05"),  # bts [si], 5
    ("0fb10e", "0fb10c"),  # cmpxchg [si], cx
    ("0fc10e", "0fc10c"),  # xadd [si], cx
    ("0fc70e", "0fc70c"),  # cmpxchg8b [si]
    ("ff36", "ff34"),  # push [si]
    ("8f06", "8f04"),  # pop [si]
    ("8c1e", "8c1c"),  # mov [si], ds
    ("0f011e", "0f011c"),  # lidt [si]
    ("d906", "d904"),  # fld dword [si]
    ("dd06", "dd04"),  # fld qword [si]
    ("dd1e", "dd1c"),  # fstp qword [si]
    ("0f9006", "0f9004"),  # seto [si]
    ("ff16", "ff14"),  # call [si]
    ("ff26", "ff24"),  # jmp [si]
)
IMPLICIT = (
    *("a4", "a5", "aa", "ab", "ac", "ad", "a6", "a7", "ae", "af", "d7"),  # strings, xlat
    *("50", "58", "6a01", "9c", "9d", "60", "61", "c9"),  # push, pop, pusha, popa, leave
    *("c3", "c20400", "e800000000"),  # ret, call
)
PREFIXES = ("", "26", "2e", "36", "64")
TYPES = (0x93, 0x93, 0x93, 0x91, 0x97, 0x95, 0x9B, 0x99)
"""Access bytes: data read/write, read-only, expand-down (writable or not), code readable or not; all present."""


def segment(random: Random, base: int, *, protected: bool) -> Segment:
    """A segment with a limit and a type of its own, or in protected mode now and then a null selector."""
    if protected and random.random() < 0.08:
        return Segment(0)
    limit = random.choice((0x0F, 0xFF, 0xFFE, 0xFFF, 0x1000, 0xFFFF, 0xFFFFFFFF))
    access = random.choice(TYPES) if protected else 0x93
    big = random.random() < 0.7 if protected else False
    return Segment(SPARE if protected else base >> 4, base, limit, access << 8 | big << 22, usable=True)


def offset(random: Random, limit: int) -> int:
    """An offset near an end of the segment; but what lies across 4 GiB is for each model to say (SDM 3A 5.3)."""
    if limit == 0xFFFFFFFF:
        return random.randint(0x800, 0x900)
    end = random.choice((0, limit, limit, limit + 1, 0x800))
    return (end + random.randint(-9, 4)) & 0xFFFFFFFF


def instruction(random: Random, *, wide: bool) -> bytes:
    """Its bytes. In real mode none goes through CS, which would overwrite the instruction itself."""
    if random.random() < 0.03:
        return bytes.fromhex("c8100000")  # enter 16, 0
    sizes = ("66" if random.random() < 0.3 else "") + ("67" if random.random() < 0.2 else "")
    if random.random() < 0.45:
        return bytes.fromhex(sizes + random.choice(IMPLICIT))
    prefix = random.choice([prefix for prefix in PREFIXES if wide or prefix != "2e"])
    wide_address = wide != ("67" in sizes)
    form = random.choice(EXPLICIT)[0 if wide_address else 1]
    return bytes.fromhex(sizes + prefix + form)


def registers(random: Random, *, protected: bool) -> dict[str, int | Segment]:
    found: dict[str, int | Segment] = {"rax": 0x5, "rcx": random.choice((1, 2)), "rbp": 0x800, "rbx": 0x10}
    name = random.choice(("ds", "es", "ss", "fs"))
    base = STACK if name == "ss" else DATA
    doubtful = segment(random, base, protected=protected)
    if name == "ss" and not ((doubtful.usable and doubtful.attributes >> 9 & 5 == 1) or not protected):
        doubtful = replace(doubtful, selector=SPARE, attributes=0x409300, base=base, usable=True)
    found[name] = doubtful
    mask = 0xFFFFFFFF if random.random() < 0.5 else 0xFFFF
    for pointer in ("rsi", "rdi"):
        found[pointer] = offset(random, doubtful.limit) & mask
    if name == "ss":
        found["rsp"] = offset(random, doubtful.limit)
        found["rbp"] = offset(random, doubtful.limit)
    return found


def protected_case(random: Random, name: str) -> Case:
    code = instruction(random, wide=True)
    changes = registers(random, protected=True)
    if "rsp" in changes:
        world = ProtectedModeWorld(code=code, registers=changes).with_rescue(6, 10, 11, 12, 13, 14)
    else:
        world = ProtectedModeWorld(code=code, registers=changes)
    return world.case(name)


def real_case(random: Random, name: str) -> Case:
    code = instruction(random, wide=False)
    changes = registers(random, protected=False)
    changes.pop("ss", None)
    if random.random() < 0.4:
        changes["rsp"] = random.choice((0, 1, 2, 3, 4, 5, 0xF, 0x10, 0xFFFD, 0xFFFE, 0xFFFF))
    else:
        changes.pop("rsp", None)
    return RealModeWorld(code=code, registers=changes).case(name)


def aligned_case(random: Random, name: str) -> Case:
    """In long mode: SSE instructions, and in ring 3 with AC any others, at addresses of every alignment."""
    sse = ("0f2806", "0f2906", "0f1006", "0f1106", "0f5806", "660f6f06", "f30f6f06", "660fef06", "f30f1006", "0f2b06",
           "480fc70e")  # fmt: skip
    plain = ("8a06", "668b06", "8b06", "488b06", "488906", "ff36", "50", "a5", "48a5", "dd06", "db2e", "f30f6f06")
    checks = random.random() < 0.5
    world = LongModeWorld(
        cpl=3 if checks else 0,
        code=bytes.fromhex(random.choice(plain if checks else sse)),
        rflags=0x2 | (AC if random.random() < 0.7 else 0),
        registers={
            "rsi": LONG_DATA + random.randint(0x100, 0x120),
            "rdi": LONG_DATA + random.randint(0x200, 0x220),
            "rsp": 0x10800 + random.choice((0, 0, 1, 4, 8)),
            "cr0": 0x80010031 | (CR0_AM if random.random() < 0.8 else 0) | (8 if random.random() < 0.1 else 0),
        },
    )
    return world.with_page(LONG_DATA, user=True).case(name)


def cases() -> Iterator[Case]:
    random = Random(SEED)
    for make, count in ((protected_case, 900), (real_case, 500), (aligned_case, 400)):
        for index in range(count):
            yield make(random, f"{make.__name__} {index}")


WORD_BY_WORD = (b"\x60", b"\x66\x60", b"\x67\x60", b"\x66\x67\x60", b"\xc8")
"""PUSHA and ENTER: how many of their words are there when one does not fit is not said."""

CASES = {case.name: case for case in cases()}


def code_of(case: Case) -> bytes:
    linear = case.state.cs.base + case.state.rip
    return bytes(case.pages()[linear & -PAGE][linear % PAGE :][:8])


@pytest.fixture(scope="module")
def bochs() -> dict[str, Answer]:
    return {answer.name: answer for answer in judge(list(CASES.values()))}


@pytest.mark.parametrize("first", range(0, len(CASES), 100))
def test_an_operand_is_refused_where_bochs_refuses_it(first: int, bochs: dict[str, Answer]) -> None:
    judged = 0
    for name in list(CASES)[first : first + 100]:
        expected = bochs[name]
        if expected.error or expected.shutdown:
            continue  # an access outside the memory that the case has; a stack that cannot take a frame
        judged += 1
        for at_speed in (False, True):
            found = ours.answer(CASES[name], at_speed=at_speed)
            assert raised(found) == raised(expected), name
            if not (raised(expected) and code_of(CASES[name]).startswith(WORD_BY_WORD)):
                assert found.changes == expected.changes, name
            assert comparable(found.final) == comparable(expected.final), name
    assert judged > 60


def test_the_code_segment_ends_where_its_limit_says() -> None:
    # jmp, call, jz to the last byte and to the one behind it, and a fetch that runs out of the segment.
    world = ProtectedModeWorld().with_rescue(13)
    limit = CODE + 0x20
    cs = Segment(0x08, 0, limit, 0x409B00, usable=True)
    found = {}
    for name, code in {
        "jmp in": "eb1e", "jmp out": "eb1f", "call out": "e81c000000", "call in": "e81b000000", "jz out": "741f",
        "jmp reg out": "ffe0", "ret out": "c3",
    }.items():  # fmt: skip
        found[name] = world.with_(
            code=bytes.fromhex(code), registers={"cs": cs, "rax": limit + 1, "rflags": 0x42}, frame=(limit + 1,)
        ).case(name)
    found["fetch"] = world.with_(rip=limit, code=b"\x66\x90", registers={"cs": cs}).case("fetch")
    found["last"] = world.with_(rip=limit, code=b"\x90", registers={"cs": cs}).case("last")
    for case, expected in zip(found.values(), judge(list(found.values())), strict=True):
        for at_speed in (False, True):
            assert raised(ours.answer(case, at_speed=at_speed)) == raised(expected), case.name
