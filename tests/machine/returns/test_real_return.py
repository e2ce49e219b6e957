"""IRET in real mode and in virtual-8086 mode (SDM 2A IRET; 3B 20.1, 20.2, 20.3)."""

from __future__ import annotations

import pytest

from idtviz.machine.delivery.returns import Return
from idtviz.x86 import control, flags
from tests.machine.returns.performed import after, performed, raised
from tests.oracle.protected_mode import ProtectedModeWorld
from tests.oracle.real_mode import RSP, STACK, RealModeWorld, segment

IRET, IRETD = b"\xcf", b"\x66\xcf"
PLAIN = 0x2
ALL_16 = 0x7FD5
"""The bits of FLAGS that mean something."""


def real(ip: int = 0x40, image: int = PLAIN, **knobs: object) -> RealModeWorld:
    return RealModeWorld(code=IRET, frame=(ip, 0xD00, image)).with_(**knobs)


def virtual(ip: int = 0x40, image: int = PLAIN, iopl: int = 3, **knobs: object) -> ProtectedModeWorld:
    world = ProtectedModeWorld(vm86=True, code=IRET, frame=(ip, 0xD00, image), frame_word=2)
    return world.with_(**{"rflags": PLAIN | iopl << 12, **knobs})


def test_a_real_mode_return_loads_a_paragraph_and_pops_six_bytes() -> None:
    found = performed(real().case(""))
    now = after(found)
    assert (now.rip, now.cs.selector, now.cs.base, now.rsp) == (0x40, 0xD00, 0xD000, RSP + 6)
    assert isinstance(found, Return)
    assert found.base == STACK + RSP


def test_a_16_bit_return_restores_every_flag_of_the_low_word() -> None:
    now = after(performed(real(image=ALL_16 | PLAIN, rflags=PLAIN | flags.ID).case("")))
    assert now.rflags == ALL_16 | PLAIN | flags.ID


def test_a_32_bit_return_leaves_vm_vif_and_vip_and_restores_all_else() -> None:
    world = real().with_(code=IRETD, frame=(0x40, 0xD00, 0x3F_7FD7), frame_word=4)
    now = after(performed(world.case("")))
    assert now.rflags == 0x3F_7FD7 & ~(flags.VM | flags.VIF | flags.VIP)


@pytest.mark.parametrize(("ip", "fits"), [(0xFFFF, True), (0x1_0000, False)])
def test_an_instruction_pointer_beyond_the_limit_is_gp(ip: int, fits: bool) -> None:
    found = performed(real().with_(code=IRETD, frame=(ip, 0xD00, PLAIN), frame_word=4).case(""))
    assert (found.fault is None) is fits
    if not fits:
        assert raised(found) == ("#GP", 0)


def test_the_limit_of_cs_stays_as_it_was() -> None:
    now = after(performed(real(cs=segment(0xC00, limit=0x8FFF)).case("")))
    assert (now.cs.base, now.cs.limit) == (0xD000, 0x8FFF)


@pytest.mark.parametrize(("sp", "fits"), [(0xFFFA, True), (0xFFFE, True), (0xFFFF, False), (0xFFFB, False)])
def test_a_stack_wraps_between_words_but_not_within_one(sp: int, fits: bool) -> None:
    found = performed(real(rsp=sp).case(""))
    if fits:
        assert after(found).rsp == sp + 6 & 0xFFFF
    else:
        assert raised(found) == ("#SS", 0)


def test_virtual_8086_code_with_iopl_3_returns_without_changing_iopl() -> None:
    now = after(performed(virtual(image=PLAIN | flags.IF).case("")))
    assert (now.mode, now.cpl, now.rip, now.cs.base) == ("vm86", 3, 0x40, 0xD000)
    assert now.rflags == PLAIN | flags.VM | flags.IOPL | flags.IF


@pytest.mark.parametrize("iopl", [0, 1, 2])
def test_virtual_8086_code_with_less_iopl_is_gp(iopl: int) -> None:
    assert raised(performed(virtual(iopl=iopl).case(""))) == ("#GP", 0)


def test_with_vme_a_16_bit_return_changes_vif_in_place_of_if() -> None:
    world = virtual(image=PLAIN | flags.IF, iopl=0)
    now = after(performed(world.case(""), cr4=control.CR4_VME))
    assert now.rflags == PLAIN | flags.VM | flags.VIF


def test_with_vme_a_32_bit_return_still_needs_iopl_3() -> None:
    world = virtual(iopl=0).with_(code=IRETD, frame_word=4)
    assert raised(performed(world.case(""), cr4=control.CR4_VME)) == ("#GP", 0)


@pytest.mark.parametrize(("image", "pending"), [(flags.TF, 0), (flags.IF, flags.VIP)])
def test_with_vme_a_pending_virtual_interrupt_or_tf_calls_the_monitor(image: int, pending: int) -> None:
    world = virtual(image=PLAIN | image, iopl=0, rflags=PLAIN | pending)
    assert raised(performed(world.case(""), cr4=control.CR4_VME)) == ("#GP", 0)


def test_an_offset_beyond_the_limit_is_gp_in_virtual_8086_mode() -> None:
    world = virtual().with_(code=IRETD, frame=(0x1_0000, 0xD00, PLAIN), frame_word=4)
    assert raised(performed(world.case(""))) == ("#GP", 0)
