"""SYSCALL and SYSENTER (SDM 2B SYSCALL, SYSENTER)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from idtviz.machine.delivery.system_call import SystemCallMsrs
from idtviz.x86 import control, flags
from tests.machine.returns.performed import MSRS, after, performed, raised
from tests.oracle.long_mode import CODE, LongModeWorld, code_segment
from tests.oracle.protected_mode import ProtectedModeWorld
from tests.oracle.real_mode import RealModeWorld

SYSCALL, SYSENTER = b"\x0f\x05", b"\x0f\x34"
RCX, R11 = 1, 11


def test_syscall_saves_rip_and_rflags_in_registers_and_enters_at_lstar() -> None:
    found = performed(LongModeWorld(cpl=3, code=SYSCALL, rflags=0x2 | flags.IF | flags.CF | flags.RF).case(""))
    now = after(found)
    assert (now.rip, now.cpl, now.general[RCX]) == (MSRS.lstar, 0, CODE + 2)
    assert now.general[R11] == 0x2 | flags.IF | flags.CF
    assert now.rflags == 0x2 | flags.CF
    assert not found.written


def test_syscall_takes_fixed_segments_and_leaves_rsp_alone() -> None:
    world = LongModeWorld(cpl=3, code=SYSCALL)
    now = after(performed(world.case("")))
    assert (now.cs.selector, now.cs.long, now.cs.limit) == (0x08, True, 0xFFFFFFFF)
    assert (now.ss.selector, now.ss.dpl, now.rsp) == (0x10, 0, world.rsp)


def test_syscall_clears_the_rpl_of_the_selector_in_star() -> None:
    msrs = replace(MSRS, star=0x000B << 32)
    now = after(performed(LongModeWorld(cpl=3, code=SYSCALL).case(""), msrs))
    assert (now.cs.selector, now.ss.selector) == (0x08, 0x10)


def test_syscall_without_sce_is_undefined() -> None:
    found = performed(LongModeWorld(code=SYSCALL).case(""), efer=control.EFER_LMA | control.EFER_LME)
    assert raised(found)[0] == "#UD"


def test_syscall_outside_64_bit_mode_is_undefined_as_on_intel_processors() -> None:
    case = LongModeWorld(code=SYSCALL).case("")
    compatibility = code_segment(long=False, default=True).segment(case.state.cs.selector)
    narrow = replace(case, state=replace(case.state, cs=compatibility))
    assert raised(performed(narrow))[0] == "#UD"
    assert raised(performed(ProtectedModeWorld(code=SYSCALL).case(""), efer=control.EFER_SCE))[0] == "#UD"


def test_sysenter_enters_ring_0_on_the_stack_of_its_register() -> None:
    now = after(performed(ProtectedModeWorld(cpl=3, code=SYSENTER, rflags=0x2 | flags.IF).case("")))
    assert (now.rip, now.rsp, now.cpl, now.rflags) == (MSRS.sysenter_eip, MSRS.sysenter_esp, 0, 0x2)
    assert (now.cs.selector, now.ss.selector, now.cs.long) == (0x08, 0x10, False)


def test_sysenter_enters_64_bit_code_in_long_mode() -> None:
    msrs = replace(MSRS, sysenter_eip=0xFFFF_8000_0000_C080)
    now = after(performed(LongModeWorld(cpl=3, code=SYSENTER).case(""), msrs))
    assert (now.mode, now.rip) == ("long", 0xFFFF_8000_0000_C080)


def test_sysenter_leaves_virtual_8086_mode() -> None:
    now = after(performed(ProtectedModeWorld(vm86=True, code=SYSENTER).case("")))
    assert (now.mode, now.cpl) == ("protected", 0)


@pytest.mark.parametrize("selector", [0, 3])
def test_sysenter_with_a_null_selector_is_gp(selector: int) -> None:
    msrs = SystemCallMsrs(sysenter_cs=selector)
    assert raised(performed(ProtectedModeWorld(code=SYSENTER).case(""), msrs)) == ("#GP", 0)


def test_sysenter_in_real_mode_is_gp() -> None:
    assert raised(performed(RealModeWorld(code=SYSENTER).case(""))) == ("#GP", 0)
