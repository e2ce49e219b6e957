"""Protected mode: RETF, with and without parameters to release, in a ring and to an outer one (SDM 2B, RET)."""

from __future__ import annotations

from .catalogue import FAR_CASES, RINGS, RUNS, entering
from .long_mode import Descriptor
from .protected_mode import (
    BEYOND_GDT,
    CODE,
    CODE_BY_RING,
    CONFORMING_CODE,
    DATA_BY_RING,
    KERNEL_CODE,
    KERNEL_DATA,
    KERNEL_STACK,
    LDT_CODE,
    LDT_STACK,
    RING1_DATA,
    RSP,
    SPARE,
    SPARE2,
    SPARE_STACK,
    STACK,
    STACK_BY_RING,
    TSS_SELECTOR,
    USER_CODE16,
    USER_DATA,
    ProtectedModeWorld,
    code_segment,
    stack_segment,
)
from .real_mode import CODE_SELECTOR, HANDLER_SELECTOR, RealModeWorld, segment

add = entering(FAR_CASES, "far ")

RETURN_TO = CODE + 0x40
RETURN_RSP = RSP - 0x60
STACK_END = SPARE_STACK + 0x1000
SIZES = (("retf", b"", 4), ("retfw", b"\x66", 2))
RETF, RETF_N = b"\xcb", b"\xca"


def code(size: tuple[str, bytes, int], release: int = 0) -> bytes:
    """RETF of this size, releasing so many bytes of parameters."""
    return size[1] + (RETF_N + release.to_bytes(2, "little") if release else RETF)


def same(cpl: int, size: tuple[str, bytes, int] = SIZES[0], *, eip: int = RETURN_TO, cs: int | None = None,
         release: int = 0) -> ProtectedModeWorld:  # fmt: skip
    """A world about to return within its ring."""
    frame = (eip, CODE_BY_RING[cpl] if cs is None else cs)
    return ProtectedModeWorld(cpl=cpl, code=code(size, release), frame=frame, frame_word=size[2], rsp=RSP - 0x40)


def outer(to: int, size: tuple[str, bytes, int] = SIZES[0], *, cpl: int = 0, eip: int = RETURN_TO,
          cs: int | None = None, ss: int | None = None, rsp: int = RETURN_RSP, release: int = 0,
          ) -> ProtectedModeWorld:  # fmt: skip
    """A world about to return to ring `to`, with the released parameters between the two pointers."""
    far, stack = CODE_BY_RING[to] if cs is None else cs, STACK_BY_RING[to] if ss is None else ss
    frame = (eip, far, *[0x7777] * (release // size[2]), rsp, stack)
    return ProtectedModeWorld(cpl=cpl, code=code(size, release), frame=frame, frame_word=size[2], rsp=RSP - 0x40)


def add_far_return() -> None:
    """Within one ring."""
    for cpl in RINGS:
        for size in SIZES:
            name, _, word = size
            end = f"{name} (cpl {cpl})"
            for release in (0, 1, 0x10, 0x8000):
                add(f"return passes releasing {release:#x} {end}", same(cpl, size, release=release), RUNS)
            at = same(cpl, size).with_rescue(12)
            add(f"return.stack passes {end}", at.with_(rsp=STACK_END - 2 * word), RUNS)
            add(f"return.stack fails {end}", at.with_(rsp=STACK_END - word), "#SS(0x0)")
            small = code_segment(cpl, granularity=False, limit=RETURN_TO)
            bounded = same(cpl, size, cs=SPARE | cpl).with_descriptor(SPARE, small)
            add(f"return.eip_limit passes {end}", bounded, RUNS)
            bounded = same(cpl, size, cs=SPARE | cpl, eip=RETURN_TO + 1).with_descriptor(SPARE, small)
            add(f"return.eip_limit fails {end}", bounded, "#GP(0x0)")
        _add_code_segment(cpl)
        lost = same(cpl).with_(frame=()).with_rescue(14).with_page(STACK, present=False)
        add(f"return.pop fails not present (cpl {cpl})", lost, f"#PF({4 if cpl else 0:#x})")


def _add_code_segment(cpl: int) -> None:
    end = f"(cpl {cpl})"
    add(f"return.cs_null fails {end}", same(cpl, cs=cpl), "#GP(0x0)")
    add(f"return.cs_limit fails {end}", same(cpl, cs=BEYOND_GDT | cpl), f"#GP({BEYOND_GDT:#x})")
    local = same(cpl, cs=LDT_CODE | cpl).with_descriptor(LDT_CODE, code_segment(cpl))
    add(f"return.cs_limit passes ldt {end}", local.with_(ldt_limit=0xF), RUNS)
    add(f"return.cs_limit fails ldt {end}", local.with_(ldt_limit=0xE), f"#GP({LDT_CODE:#x})")
    data = DATA_BY_RING[cpl] & ~3
    add(f"return.cs_code fails data {end}", same(cpl, cs=data | cpl), f"#GP({data:#x})")
    add(f"return.cs_code fails system {end}", same(cpl, cs=TSS_SELECTOR | cpl), f"#GP({TSS_SELECTOR:#x})")
    other = CODE_BY_RING[3 - cpl] & ~3
    add(f"return.cs_dpl fails {end}", same(cpl, cs=other | cpl), f"#GP({other:#x})")
    if cpl:
        add(f"return.cs_rpl fails {end}", same(cpl, cs=KERNEL_CODE), f"#GP({KERNEL_CODE:#x})")
    for label, descriptor, expected in (
        ("cs_dpl passes conforming", code_segment(type=0xF), RUNS),
        ("cs_present fails", code_segment(cpl, present=False), f"#NP({SPARE:#x})"),
        ("cs_accessed is set", code_segment(cpl, type=0xA), RUNS),
    ):
        add(f"return.{label} {end}", same(cpl, cs=SPARE | cpl).with_descriptor(SPARE, descriptor), expected)
    if cpl == 0:
        inner = same(0, cs=SPARE).with_descriptor(SPARE, code_segment(1, type=0xF))
        add(f"return.cs_dpl fails conforming {end}", inner, f"#GP({SPARE:#x})")


def add_far_return_outer() -> None:
    """To an outer ring."""
    for size in SIZES:
        name, _, word = size
        for to in (1, 2, 3):
            end = f"{name} to ring {to}"
            for release in (0, 0x10):
                add(f"return outer passes releasing {release:#x} {end}", outer(to, size, release=release), RUNS)
            at = outer(to, size).with_rescue(12)
            add(f"return outer.stack passes {end}", at.with_(rsp=STACK_END - 4 * word), RUNS)
            add(f"return outer.stack fails {end}", at.with_(rsp=STACK_END - 3 * word), "#SS(0x0)")
            add(f"return outer.ss_null fails {end}", outer(to, size, ss=to), "#GP(0x0)")
            add(f"return outer.ss_limit fails {end}", outer(to, size, ss=BEYOND_GDT | to), f"#GP({BEYOND_GDT:#x})")
            local = outer(to, size, ss=LDT_STACK | to).with_descriptor(LDT_STACK, stack_segment(to))
            add(f"return outer.ss_limit passes ldt {end}", local, RUNS)
            add(f"return outer.ss_limit fails ldt {end}", local.with_(ldt_limit=0x16), f"#GP({LDT_STACK:#x})")
            own = STACK_BY_RING[to] & ~3
            add(f"return outer.ss_rpl fails {end}", outer(to, size, ss=own), f"#GP({own:#x})")
            add(f"return outer.ss_dpl fails {end}", outer(to, size, ss=KERNEL_STACK | to), f"#GP({KERNEL_STACK:#x})")
            for label, descriptor, expected in (
                ("ss_writable fails read only", stack_segment(to, type=0x1), f"#GP({SPARE2:#x})"),
                ("ss_writable fails code", code_segment(to), f"#GP({SPARE2:#x})"),
                ("ss_writable fails system", Descriptor(0x2, system=True, dpl=to), f"#GP({SPARE2:#x})"),
                ("ss_present fails", stack_segment(to, present=False), f"#SS({SPARE2:#x})"),
                ("ss_accessed is set", stack_segment(to, type=0x2), RUNS),
                ("passes to a 16-bit stack", stack_segment(to, default=False, limit=0xFFFF), RUNS),
            ):
                world = outer(to, size, ss=SPARE2 | to).with_descriptor(SPARE2, descriptor)
                add(f"return outer.{label} {end}", world, expected)
            small = code_segment(to, granularity=False, limit=RETURN_TO)
            bounded = outer(to, size, cs=SPARE | to).with_descriptor(SPARE, small)
            add(f"return outer.eip_limit passes {end}", bounded, RUNS)
            bounded = outer(to, size, cs=SPARE | to, eip=RETURN_TO + 1).with_descriptor(SPARE, small)
            add(f"return outer.eip_limit fails {end}", bounded, "#GP(0x0)")
            absent = outer(to, size, cs=SPARE | to).with_descriptor(SPARE, code_segment(to, present=False))
            add(f"return outer.cs_present fails {end}", absent, f"#NP({SPARE:#x})")
            add(f"return outer passes conforming {end}", outer(to, size, cs=CONFORMING_CODE | to), RUNS)
    kept = {"ds": USER_DATA, "es": KERNEL_DATA, "fs": CONFORMING_CODE, "gs": RING1_DATA}
    for to in (1, 2, 3):
        add(f"return outer nulls inner data segments to ring {to}", outer(to).with_(data_selectors=kept), RUNS)
    add("return outer to 16-bit code", outer(3, cs=USER_CODE16), RUNS)
    add("return outer dpl of cs inner", outer(3, cs=KERNEL_CODE | 3), f"#GP({KERNEL_CODE:#x})")
    add("return outer from ring 1", outer(3, cpl=1), RUNS)


def add_far_return_real() -> None:
    """RETF in real and virtual-8086 mode."""
    for mode in ("real", "vm86"):
        start = RealModeWorld() if mode == "real" else ProtectedModeWorld(vm86=True)
        code = "" if mode == "real" else "(0x0)"
        for name, prefix, word in (("retf", b"", 2), ("retfd", b"\x66", 4)):
            world = start.with_(code=prefix + RETF, frame=(0x40, HANDLER_SELECTOR + 3), frame_word=word)
            end = f"{name} {mode}"
            add(f"return passes {end}", world, RUNS)
            add(f"return passes releasing {end}", world.with_(code=prefix + RETF_N + b"\x10\x00"), RUNS)
            straddling = world.with_(rsp=0x1_0000 - word - 1, frame=())
            add(f"return.stack fails straddling {end}", straddling, f"#SS{code}")
        beyond = start.with_(code=b"\x66" + RETF, frame=(0x1_0000, HANDLER_SELECTOR), frame_word=4)
        add(f"return.ip_limit fails retfd {mode}", beyond, f"#GP{code}")
    limited = RealModeWorld(code=RETF, frame=(0xFFF, CODE_SELECTOR), cs=segment(CODE_SELECTOR, limit=0xFFF))
    add("return.ip_limit passes of the cache real", limited, RUNS)
    add("return.ip_limit fails of the cache real", limited.with_(frame=(0x1000, CODE_SELECTOR)), "#GP")
