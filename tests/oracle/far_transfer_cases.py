"""Protected mode: CALL and JMP to another segment, directly and through call gates (SDM 2A, CALL and JMP)."""

from __future__ import annotations

from .catalogue import DIFFERENCES, FAR_CASES, RINGS, RUNS, entering, same_ring_handlers
from .long_mode import Descriptor
from .protected_mode import (
    BEYOND_GDT,
    CALL_GATE,
    CALL_GATE16,
    CALL_GATE_TYPE,
    CODE,
    CODE_BY_RING,
    CONFORMING_CODE,
    KERNEL_CODE,
    KERNEL_DATA,
    KERNEL_STACK,
    LDT_CODE,
    LDT_SELECTOR,
    RING1_CODE,
    RING1_STACK,
    RING2_CODE,
    RING_STACKS,
    RSP,
    SPARE,
    SPARE2,
    STACK,
    TASK_EIP,
    TSS16_SELECTOR,
    TSS_SELECTOR,
    USER_CODE,
    Gate,
    ProtectedModeWorld,
    code_segment,
    stack_segment,
)
from .real_mode import CODE_SELECTOR, HANDLER_SELECTOR, RealModeWorld, segment

add = entering(FAR_CASES, "far ")

TO = CODE + 0x40
CALL, JMP = b"\x9a", b"\xea"
TRANSFERS = (("call", CALL), ("jmp", JMP))
FAULTS = (8, 10, 11, 12, 13, 14)


def far(opcode: bytes, selector: int, offset: int = TO, word: int = 4) -> bytes:
    """A far CALL or JMP with its pointer in the instruction, in 32-bit code."""
    return (b"" if word == 4 else b"\x66") + opcode + offset.to_bytes(word, "little") + selector.to_bytes(2, "little")


def transfer(opcode: bytes, selector: int, cpl: int = 0, offset: int = TO, word: int = 4) -> ProtectedModeWorld:
    """A world about to execute such an instruction."""
    return ProtectedModeWorld(cpl=cpl, code=far(opcode, selector, offset, word))


def add_far_direct() -> None:
    """To a code segment that the instruction itself names."""
    for cpl in RINGS:
        for name, opcode in TRANSFERS:
            end = f"{name} (cpl {cpl})"
            own = CODE_BY_RING[cpl]
            spare = transfer(opcode, SPARE | cpl, cpl)
            add(f"direct passes {end}", transfer(opcode, own, cpl), RUNS)
            add(f"direct passes by two bytes {end}", transfer(opcode, own, cpl, word=2), RUNS)
            add(f"direct.null fails {end}", transfer(opcode, cpl, cpl), "#GP(0x0)")
            add(f"direct.limit fails {end}", transfer(opcode, BEYOND_GDT, cpl), f"#GP({BEYOND_GDT:#x})")
            local = transfer(opcode, LDT_CODE | cpl, cpl).with_descriptor(LDT_CODE, code_segment(cpl))
            add(f"direct.limit passes ldt {end}", local.with_(ldt_limit=0xF), RUNS)
            add(f"direct.limit fails ldt {end}", local.with_(ldt_limit=0xE), f"#GP({LDT_CODE:#x})")
            add(f"direct.limit fails no ldt {end}", local.with_(ldt_usable=False), f"#GP({LDT_CODE:#x})")
            add(f"direct.type fails data {end}", transfer(opcode, KERNEL_DATA | cpl, cpl), f"#GP({KERNEL_DATA:#x})")
            add(f"direct.type fails ldt {end}", transfer(opcode, LDT_SELECTOR, cpl), f"#GP({LDT_SELECTOR:#x})")
            other = CODE_BY_RING[3 - cpl] & ~3
            add(f"direct.dpl fails {end}", transfer(opcode, other | cpl, cpl), f"#GP({other:#x})")
            if cpl == 0:
                add(f"direct.rpl fails {end}", transfer(opcode, KERNEL_CODE | 1), f"#GP({KERNEL_CODE:#x})")
            else:
                add(f"direct.rpl passes lower {end}", transfer(opcode, USER_CODE & ~3, 3), RUNS)
            add(f"direct.dpl passes conforming {end}", transfer(opcode, CONFORMING_CODE | cpl, cpl), RUNS)
            add(f"direct.rpl ignored for conforming {end}", transfer(opcode, CONFORMING_CODE | 3 - cpl, cpl), RUNS)
            outer = code_segment(3, type=0xF)
            expected = RUNS if cpl == 3 else f"#GP({SPARE:#x})"
            side = "passes" if cpl == 3 else "fails"
            add(f"direct.dpl {side} conforming of ring 3 {end}", spare.with_descriptor(SPARE, outer), expected)
            for label, descriptor, expected in (
                ("direct.present fails", code_segment(cpl, present=False), f"#NP({SPARE:#x})"),
                ("direct.present fails conforming", code_segment(type=0xF, present=False), f"#NP({SPARE:#x})"),
                ("direct.accessed is set", code_segment(cpl, type=0xA), RUNS),
                (
                    "direct passes to 16-bit code",
                    code_segment(cpl, default=False, granularity=False, limit=0xFFFF),
                    RUNS,
                ),
                ("direct.eip_limit passes", code_segment(cpl, granularity=False, limit=TO), RUNS),
                ("direct.eip_limit fails", code_segment(cpl, granularity=False, limit=TO - 1), "#GP(0x0)"),
            ):
                add(f"{label} {end}", spare.with_descriptor(SPARE, descriptor), expected)
        for word in (4, 2):
            end = f"by {'four' if word == 4 else 'two'} bytes (cpl {cpl})"
            room = transfer(CALL, CODE_BY_RING[cpl], cpl, word=word).with_rescue(12)
            add(f"direct.room passes call {end}", room.with_(rsp=2 * word), RUNS)
            add(f"direct.room fails call {end}", room.with_(rsp=2 * word - 1), "#SS(0x0)")
            paged = room.with_(rsp=RSP).with_page(STACK, present=False).with_rescue(14)
            add(f"direct.push fails call {end}", paged, f"#PF({6 if cpl else 2:#x})")


GATES = ((CALL_GATE_TYPE, "386 gate", 4), (CALL_GATE16, "286 gate", 2))


def add_call_gate() -> None:
    """The gate and the code segment behind it."""
    for cpl in RINGS:
        for name, opcode in TRANSFERS:
            end = f"{name} (cpl {cpl})"
            # JMP stays in its ring; so CALL goes to ring 0 from everywhere and JMP to the ring where it is
            own = KERNEL_CODE if opcode == CALL else CODE_BY_RING[cpl]
            for kind, label, _ in GATES:
                add(f"gate passes {label} {end}", behind(opcode, cpl, own, type=kind), RUNS)
                high = behind(opcode, cpl, own, type=kind, offset=0xDEAD_0000 | TASK_EIP)
                if kind == CALL_GATE16:
                    add(f"gate offset of 16 bits {label} {end}", high, RUNS)
            add(f"gate.dpl passes {end}", behind(opcode, cpl, own, dpl=cpl), RUNS)
            if cpl:
                add(f"gate.dpl fails {end}", behind(opcode, cpl, own, dpl=cpl - 1), f"#GP({CALL_GATE:#x})")
            rpl = behind(opcode, cpl, own, dpl=2 if cpl == 0 else 3).with_(code=far(opcode, CALL_GATE | 3))
            add(f"gate.rpl {'passes' if cpl else 'fails'} {end}", rpl, RUNS if cpl else f"#GP({CALL_GATE:#x})")
            add(f"gate.present fails {end}", behind(opcode, cpl, own, present=False), f"#NP({CALL_GATE:#x})")
            both = behind(opcode, 3, own, present=False, dpl=0)
            if cpl:
                add(f"gate.dpl comes before gate.present {end}", both, f"#GP({CALL_GATE:#x})")
            add(f"gate.code_null fails {end}", behind(opcode, cpl, 0), "#GP(0x0)")
            add(f"gate.code_null fails with rpl {end}", behind(opcode, cpl, 3), "#GP(0x0)")
            add(f"gate.code_limit fails {end}", behind(opcode, cpl, BEYOND_GDT), f"#GP({BEYOND_GDT:#x})")
            local = behind(opcode, cpl, LDT_CODE).with_descriptor(LDT_CODE, code_segment(own & 3))
            add(f"gate.code_limit passes ldt {end}", local, RUNS)
            add(f"gate.code_limit fails ldt {end}", local.with_(ldt_limit=0xE), f"#GP({LDT_CODE:#x})")
            add(f"gate.code_type fails data {end}", behind(opcode, cpl, KERNEL_DATA), f"#GP({KERNEL_DATA:#x})")
            add(f"gate.code_type fails tss {end}", behind(opcode, cpl, TSS_SELECTOR), f"#GP({TSS_SELECTOR:#x})")
            add(f"gate.code rpl ignored {end}", behind(opcode, cpl, own | 3), RUNS)
            add(f"gate.code_dpl passes conforming {end}", behind(opcode, cpl, CONFORMING_CODE), RUNS)
            if cpl == 0:
                add(f"gate.code_dpl fails {end}", behind(opcode, 0, RING1_CODE), f"#GP({RING1_CODE & ~3:#x})")
            elif opcode == JMP:
                add(f"gate.code_dpl fails {end}", behind(opcode, 3, KERNEL_CODE), f"#GP({KERNEL_CODE:#x})")
            else:
                add(f"gate.code_dpl passes the same ring {end}", behind(opcode, 3, USER_CODE), RUNS)
            spare = behind(opcode, cpl, SPARE)
            ring = own & 3
            for label, descriptor, expected in (
                ("code_present fails", code_segment(ring, present=False), f"#NP({SPARE:#x})"),
                ("code_accessed is set", code_segment(ring, type=0xA), RUNS),
                ("eip_limit passes", code_segment(ring, granularity=False, limit=TASK_EIP), RUNS),
                ("eip_limit fails", code_segment(ring, granularity=False, limit=TASK_EIP - 1), "#GP(0x0)"),
            ):
                add(f"gate.{label} {end}", spare.with_descriptor(SPARE, descriptor), expected)
    add("gate in the ldt (cpl 3)", behind(CALL, 3, KERNEL_CODE).with_(code=far(CALL, SPARE | 7), ldt_limit=0x7F)
        .with_descriptor(SPARE | 4, Gate(KERNEL_CODE, TASK_EIP, CALL_GATE_TYPE, dpl=3)), RUNS)  # fmt: skip
    _add_same_ring()


def behind(opcode: bytes, cpl: int, code_selector: int, **fields: object) -> ProtectedModeWorld:
    """A transfer through the call gate to this code segment."""
    world = same_ring_handlers(transfer(opcode, CALL_GATE, cpl, offset=0xFFFF_FFFF), *(FAULTS if cpl else ()))
    gate = {"offset": TASK_EIP, "type": CALL_GATE_TYPE, "dpl": 3, **fields}
    return world.with_descriptor(CALL_GATE, Gate(code_selector, **gate))


def _add_same_ring() -> None:
    """CALL through a gate that changes no ring: two words, and no parameters."""
    for kind, gate, word in GATES:
        for cpl in RINGS:
            end = f"{gate} (cpl {cpl})"
            world = behind(CALL, cpl, CODE_BY_RING[cpl], type=kind, parameters=3).with_rescue(12)
            add(f"gate same ring has no parameters {end}", world, RUNS)
            add(f"gate same ring.room passes {end}", world.with_(rsp=2 * word), RUNS)
            add(f"gate same ring.room fails {end}", world.with_(rsp=2 * word - 1), "#SS(0x0)")


def add_call_gate_inner() -> None:
    """CALL through a gate to an inner ring: the stack of the TSS, parameters, room."""
    for kind, gate, word in GATES:
        for ring, selector in ((0, KERNEL_CODE), (1, RING1_CODE), (2, RING2_CODE)):
            add(f"gate inner passes to ring {ring} {gate}", behind(CALL, 3, selector, type=kind), RUNS)
        frame = tuple(0x1111_1111 * number for number in range(1, 10))
        for count in (1, 4, 31, 0x3F):
            world = behind(CALL, 3, KERNEL_CODE, type=kind, parameters=count).with_(frame=frame, rsp=RSP - 0x80)
            add(f"gate inner copies {count:#x} parameters {gate}", world, RUNS)
        for count in (0, 2):
            world = behind(CALL, 3, KERNEL_CODE, type=kind, parameters=count)
            need = (4 + count) * word
            end = f"{count} parameters {gate}"
            add(f"gate inner.room passes {end}", world.with_tss(esp=(need, 0, 0)), RUNS)
            add(f"gate inner.room fails {end}", world.with_tss(esp=(need - 1, 0, 0)), f"#SS({KERNEL_STACK:#x})")
        paged = behind(CALL, 3, KERNEL_CODE, type=kind).with_page(STACK + RING_STACKS[0], present=False)
        add(f"gate inner.push fails {gate}", paged, "#PF(0x2)")
    world = behind(CALL, 3, KERNEL_CODE)
    bad = f"#TS({TSS_SELECTOR:#x})"
    for ring, selector in ((0, KERNEL_CODE), (1, RING1_CODE), (2, RING2_CODE)):
        inner = behind(CALL, 3, selector)
        need = 8 * ring + 4 + 5
        name = f"gate inner.tss_limit passes ring {ring}"
        add(f"gate inner.tss_limit passes whole ring {ring}", inner.with_(tss_limit=need + 2), RUNS)
        add(name, inner.with_(tss_limit=need), RUNS)
        DIFFERENCES[f"far {name}"] = bad
        add(f"gate inner.tss_limit fails ring {ring}", inner.with_(tss_limit=need - 1), bad)
        narrow = inner.with_tss(narrow=True)
        need = 4 * ring + 2 + 3
        add(f"gate inner.tss_limit passes 286 ring {ring}", narrow.with_(tss_limit=need), RUNS)
        add(
            f"gate inner.tss_limit fails 286 ring {ring}", narrow.with_(tss_limit=need - 1), f"#TS({TSS16_SELECTOR:#x})"
        )
    for label, selector, expected in (
        ("ss_null fails", 0, "#TS(0x0)"),
        ("ss_limit fails", BEYOND_GDT, f"#TS({BEYOND_GDT:#x})"),
        ("ss_rpl fails", KERNEL_STACK | 1, f"#TS({KERNEL_STACK:#x})"),
        ("ss_dpl fails", RING1_STACK & ~3, f"#TS({RING1_STACK & ~3:#x})"),
    ):
        add(f"gate inner.{label}", world.with_tss(ss=(selector, 0, 0)), expected)
    for label, descriptor, expected in (
        ("ss_writable fails read only", stack_segment(type=0x1), f"#TS({SPARE2:#x})"),
        ("ss_writable fails code", code_segment(), f"#TS({SPARE2:#x})"),
        ("ss_writable fails system", Descriptor(0x2, system=True), f"#TS({SPARE2:#x})"),
        ("ss_present fails", stack_segment(present=False), f"#SS({SPARE2:#x})"),
        ("ss_accessed is set", stack_segment(type=0x2), RUNS),
        ("passes 16-bit stack", stack_segment(default=False, limit=0xFFFF), RUNS),
    ):
        add(f"gate inner.{label}", world.with_tss(ss=(SPARE2, 0, 0)).with_descriptor(SPARE2, descriptor), expected)
    small = code_segment(granularity=False, limit=TASK_EIP - 1)
    beyond = behind(CALL, 3, SPARE).with_descriptor(SPARE, small)
    add("gate inner.eip_limit fails", beyond, "#GP(0x0)")


def add_far_real() -> None:
    """Real and virtual-8086 mode: a paragraph and an offset, nothing to check but limits."""
    for name, opcode in TRANSFERS:
        code = opcode + (0x40).to_bytes(2, "little") + (HANDLER_SELECTOR + 3).to_bytes(2, "little")
        wide = b"\x66" + opcode + (0x40).to_bytes(4, "little") + HANDLER_SELECTOR.to_bytes(2, "little")
        beyond = b"\x66" + opcode + (0x1_0000).to_bytes(4, "little") + HANDLER_SELECTOR.to_bytes(2, "little")
        real, v86 = RealModeWorld(code=code), ProtectedModeWorld(vm86=True, code=code)
        for mode, world in (("real", real), ("vm86", v86)):
            add(f"{mode} {name} passes", world, RUNS)
            add(f"{mode} {name} passes by four bytes", world.with_(code=wide), RUNS)
            add(f"{mode} {name} ip.limit fails", world.with_(code=beyond), "#GP" if mode == "real" else "#GP(0x0)")
        limited = real.with_(cs=segment(CODE_SELECTOR, limit=0x3F)).with_vector(13, HANDLER_SELECTOR, 0)
        add(f"real {name} ip.limit of the cache fails", limited, "#GP")
    call = CALL + (0x40).to_bytes(2, "little") + HANDLER_SELECTOR.to_bytes(2, "little")
    for mode, world in (("real", RealModeWorld(code=call)), ("vm86", ProtectedModeWorld(vm86=True, code=call))):
        for sp in (0, 2, 4, 5):
            add(f"{mode} call stack passes at {sp}", world.with_(rsp=sp), RUNS)
        lost = "#SS > #SS > #DF > #SS > shutdown" if mode == "real" else "#SS(0x0)"
        for sp in (1, 3):
            add(f"{mode} call stack fails straddling at {sp}", world.with_(rsp=sp), lost)
