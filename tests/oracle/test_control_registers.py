"""MOV to CR0 and CR4: which values a processor takes, judged by Bochs."""

from __future__ import annotations

from itertools import product

import pytest

from . import ours
from .bochs import judge
from .case import Case, Segment
from .long_mode import CR0_PG, EFER_LME, LongModeWorld
from .protected_mode import ProtectedModeWorld
from .real_mode import RealModeWorld
from .test_against_bochs import raised

TO_CR0, TO_CR4 = b"\x0f\x22\xc0", b"\x0f\x22\xe0"  # mov cr0, rax -- mov cr4, rax
PE, CD, NW, BASE = 1, 1 << 30, 1 << 29, 0x30
CR0_VALUES = [PE * pe | CD * cd | NW * nw | CR0_PG * pg | BASE for pe, cd, nw, pg in product((0, 1), repeat=4)]
PAE, OSFXSR = 1 << 5, 1 << 9
TSS_16 = Segment(0x28, 0x5000, 0x67, 0x8300, usable=True)


def cases() -> dict[str, Case]:
    found: dict[str, Case] = {}
    for value in CR0_VALUES:
        taken = not value & CR0_PG  # where paging goes on, what then runs is another matter
        if taken or not value & PE or (value & NW and not value & CD):
            code, registers = TO_CR0 + b"\xf4", {"rax": value}
            found[f"real {value:#x}"] = RealModeWorld(code=code, registers=registers).case("real")
            found[f"protected {value:#x}"] = ProtectedModeWorld(code=code, registers=registers).case("protected")
        if value & CR0_PG or not value & PE:
            found[f"long {value:#x}"] = LongModeWorld(code=TO_CR0 + b"\xf4", registers={"rax": value}).case("long")
    on = CR0_PG | PE | BASE
    world = ProtectedModeWorld(code=TO_CR0 + b"\xf4", registers={"rax": on, "efer": EFER_LME})
    found["no PAE"] = world.case("no PAE")
    registers_16 = {**world.registers, "cr4": PAE, "tr": TSS_16}
    found["16-bit TSS"] = world.with_(registers=registers_16).case("16-bit TSS")
    found["out of long mode"] = LongModeWorld(code=TO_CR0 + b"\xf4", registers={"rax": PE | BASE}).case("out")
    found["high half of CR0"] = LongModeWorld(code=TO_CR0, registers={"rax": 1 << 32 | on}).case("high")
    for value in (PAE, PAE | OSFXSR, OSFXSR, 0, 1 << 32 | PAE, 1 << 63 | PAE):
        found[f"CR4 {value:#x}"] = LongModeWorld(code=TO_CR4 + b"\xf4", registers={"rax": value}).case("CR4")
    return found


CASES = cases()


@pytest.mark.parametrize("at_speed", [False, True])
def test_a_value_is_refused_where_bochs_refuses_it(at_speed: bool) -> None:
    refused = 0
    for name, expected in zip(CASES, judge(list(CASES.values())), strict=True):
        found = ours.answer(CASES[name], at_speed=at_speed)
        assert not expected.error, name
        assert raised(found) == raised(expected), name
        assert found.final is not None
        assert expected.final is not None
        assert (found.final.cr0, found.final.cr4) == (expected.final.cr0, expected.final.cr4), name
        refused += bool(raised(expected))
    assert 10 < refused < len(CASES) - 5
