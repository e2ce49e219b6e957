"""Long mode: CALL and JMP through memory and 64-bit call gates, RETF and RETFQ (SDM 2A, CALL and JMP; 2B, RET)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from .catalogue import FAR_CASES, RINGS, RUNS, entering, same_ring_handlers
from .long_mode import (
    CODE,
    CONFORMING_CODE,
    DATA,
    HIGH_HALF,
    KERNEL_CODE,
    KERNEL_DATA,
    LDT_CODE,
    NON_CANONICAL,
    RING1_CODE,
    RING1_DATA,
    RSP_STACKS,
    SPARE,
    SPARE2,
    STACK,
    TSS_SELECTOR,
    UNMAPPED,
    USER_CODE,
    USER_DATA,
    Descriptor,
    LongModeWorld,
    TaskState,
    code_segment,
    data_segment,
)

add = entering(FAR_CASES, "far long ")

POINTER = DATA + 0x100
TO = CODE + 0x40
CALL, JMP, CALLQ, JMPQ = b"\xff\x1c\x25", b"\xff\x2c\x25", b"\x48\xff\x1c\x25", b"\x48\xff\x2c\x25"
TRANSFERS = (("call", CALL), ("jmp", JMP))
WIDE = (("callq", CALLQ, 8), ("jmpq", JMPQ, 8), ("call", CALL, 4), ("jmp", JMP, 4))
GATE = 0x80
GDT_LIMIT = 0x8F
OWN = (KERNEL_CODE, RING1_CODE, 0, USER_CODE)
RETF, RETFQ = b"\xcb", b"\x48\xcb"
FAULTS = (8, 10, 11, 12, 13, 14)


@dataclass(frozen=True, slots=True)
class CallGate:
    """A call gate of 16 bytes (SDM 3A figure 5-8). `upper` is the type field of its last doubleword."""

    selector: int
    offset: int = TO
    type: int = 0xC
    dpl: int = 3
    present: bool = True
    upper: int = 0

    def encode(self) -> bytes:
        access = self.type | self.dpl << 5 | self.present << 7
        low = self.offset & 0xFFFF | self.selector << 16 | (access << 8 | self.offset & 0xFFFF0000) << 32
        return (low | (self.offset >> 32 | self.upper << 40) << 64).to_bytes(16, "little")


def transfer(opcode: bytes, selector: int, cpl: int = 0, offset: int = TO, word: int = 4) -> LongModeWorld:
    """A world about to execute a far transfer through a pointer in memory."""
    pointer = offset.to_bytes(word, "little") + selector.to_bytes(2, "little")
    code = opcode + POINTER.to_bytes(4, "little")
    world = LongModeWorld(cpl=cpl, code=code, gdt_limit=GDT_LIMIT, extra_memory=((POINTER, pointer),))
    return same_ring_handlers(world, *(FAULTS if cpl else ()))


def add_long_direct() -> None:
    """To a code segment."""
    for cpl in RINGS:
        for name, opcode, word in WIDE:
            end = f"{name} (cpl {cpl})"
            own = OWN[cpl]
            spare = transfer(opcode, SPARE | cpl, cpl, word=word)

            def at(selector: int, cpl: int = cpl, opcode: bytes = opcode, word: int = word) -> LongModeWorld:
                return transfer(opcode, selector, cpl, word=word)

            add(f"direct passes {end}", at(own), RUNS)
            add(f"direct.null fails {end}", at(cpl), "#GP(0x0)")
            add(f"direct.limit fails {end}", at(0x90), "#GP(0x90)")
            add(f"direct.type fails data {end}", at(KERNEL_DATA), f"#GP({KERNEL_DATA:#x})")
            other = OWN[3 - cpl] & ~3
            add(f"direct.dpl fails {end}", at(other | cpl), f"#GP({other:#x})")
            add(f"direct.dpl passes conforming {end}", at(CONFORMING_CODE), RUNS)
            add(f"direct.type fails tss {end}", at(TSS_SELECTOR), f"#GP({TSS_SELECTOR:#x})")
            for label, descriptor, expected in (
                ("present fails", code_segment(cpl, present=False), f"#NP({SPARE:#x})"),
                ("long fails l=1 d=1", code_segment(cpl, default=True), f"#GP({SPARE:#x})"),
                ("accessed is set", code_segment(cpl, type=0xA), RUNS),
                ("passes to compatibility mode", code_segment(cpl, long=False, default=True), RUNS),
                ("eip_limit fails in compatibility mode",
                 code_segment(cpl, long=False, default=True, granularity=False, limit=TO - 1), "#GP(0x0)"),
                ("type fails task gate", Descriptor(0x5, system=True, dpl=3), f"#GP({SPARE:#x})"),
                ("type fails 286 call gate", Descriptor(0x4, system=True, dpl=3), f"#GP({SPARE:#x})"),
            ):  # fmt: skip
                add(f"direct.{label} {end}", spare.with_descriptor(SPARE, descriptor), expected)
            if word == 8:
                high = transfer(opcode, own, cpl, offset=HIGH_HALF + TO, word=8)
                add(f"direct.rip passes high {end}", high, RUNS)
                bad = transfer(opcode, own, cpl, offset=NON_CANONICAL, word=8)
                add(f"direct.rip fails non-canonical {end}", bad, "#GP(0x0)")
        caught = transfer(CALLQ, OWN[cpl], cpl, word=8)
        for vector in (12, 14):
            caught = caught.with_gate(vector, selector=KERNEL_CODE, ist=1)
        lost = caught.with_(rsp=UNMAPPED + 0x100)
        add(f"direct.push fails not present (cpl {cpl})", lost, f"#PF({6 if cpl else 2:#x})")
        lost = caught.with_(rsp=NON_CANONICAL + 8)
        add(f"direct.push fails non-canonical (cpl {cpl})", lost, "#SS(0x0)")


def behind(opcode: bytes, cpl: int, selector: int, **fields: object) -> LongModeWorld:
    """A transfer through a 64-bit call gate to this code segment."""
    world = transfer(opcode, GATE | cpl, cpl, offset=0xFFFF_FFFF)
    gate = CallGate(selector, **fields)  # type: ignore[arg-type]
    return world.with_(gdt={**world.gdt, GATE: gate})


def add_long_call_gate() -> None:
    """Through a 64-bit call gate."""
    for cpl in RINGS:
        for name, opcode in TRANSFERS:
            end = f"gate {name} (cpl {cpl})"
            own = KERNEL_CODE if opcode == CALL else OWN[cpl]
            ring = own & 3
            add(f"passes {end}", behind(opcode, cpl, own), RUNS)
            add(f"dpl passes {end}", behind(opcode, cpl, own, dpl=cpl), RUNS)
            if cpl:
                add(f"dpl fails {end}", behind(opcode, cpl, own, dpl=2), f"#GP({GATE:#x})")
            add(f"present fails {end}", behind(opcode, cpl, own, present=False), f"#NP({GATE:#x})")
            add(f"upper type fails {end}", behind(opcode, cpl, own, upper=1), f"#GP({GATE:#x})")
            half = behind(opcode, cpl, own).with_(gdt_limit=GATE + 14)
            add(f"limit fails for the upper half {end}", half, f"#GP({GATE:#x})")
            add(f"code_null fails {end}", behind(opcode, cpl, 0), "#GP(0x0)")
            add(f"code_limit fails {end}", behind(opcode, cpl, 0x90), "#GP(0x90)")
            add(f"code_type fails data {end}", behind(opcode, cpl, KERNEL_DATA), f"#GP({KERNEL_DATA:#x})")
            local = behind(opcode, cpl, LDT_CODE).with_descriptor(LDT_CODE, code_segment(ring))
            add(f"code_limit passes ldt {end}", local, RUNS)
            add(f"code_limit fails ldt {end}", local.with_(ldt_limit=0xE), f"#GP({LDT_CODE:#x})")
            add(f"code_dpl passes conforming {end}", behind(opcode, cpl, CONFORMING_CODE), RUNS)
            if cpl == 0:
                add(f"code_dpl fails {end}", behind(opcode, 0, RING1_CODE), f"#GP({RING1_CODE & ~3:#x})")
            elif opcode == JMP:
                add(f"code_dpl fails {end}", behind(opcode, 3, KERNEL_CODE), f"#GP({KERNEL_CODE:#x})")
            for label, descriptor, expected in (
                ("code_long fails l=0", code_segment(ring, long=False, default=True), f"#GP({SPARE:#x})"),
                ("code_long fails l=1 d=1", code_segment(ring, default=True), f"#GP({SPARE:#x})"),
                ("code_present fails", code_segment(ring, present=False), f"#NP({SPARE:#x})"),
                ("code_accessed is set", code_segment(ring, type=0xA), RUNS),
            ):
                add(f"{label} {end}", behind(opcode, cpl, SPARE).with_descriptor(SPARE, descriptor), expected)
            add(f"rip passes high {end}", behind(opcode, cpl, own, offset=HIGH_HALF + TO), RUNS)
            add(f"rip fails non-canonical {end}", behind(opcode, cpl, own, offset=NON_CANONICAL), "#GP(0x0)")
    world = behind(CALL, 3, KERNEL_CODE)
    add("inner ring 1", behind(CALL, 3, RING1_CODE), RUNS)
    add("inner.tss_limit passes", world.with_(tss=TaskState(limit=0xB)), RUNS)
    add("inner.tss_limit fails", world.with_(tss=TaskState(limit=0xA)), f"#TS({TSS_SELECTOR:#x})")
    add("inner.rsp fails non-canonical", world.with_(tss=TaskState(rsp=(NON_CANONICAL + 8, 0, 0))), "#SS(0x0)")
    add("inner.push fails not present", world.with_page(RSP_STACKS[0], present=False), "#PF(0x2)")
    odd = replace(world.tss, rsp=(RSP_STACKS[0] + 0xFF3, 0, 0))
    add("inner.rsp not aligned", world.with_(tss=odd), RUNS)


def returning(cpl: int, word: int, *words: int) -> LongModeWorld:
    """A world about to execute RETF or RETFQ with these words on its stack."""
    data = b"".join(value.to_bytes(word, "little") for value in words)
    rsp = STACK + 0xF40
    return LongModeWorld(cpl=cpl, code=RETFQ if word == 8 else RETF, rsp=rsp, extra_memory=((rsp, data),))


def add_long_return() -> None:
    """RETF and RETFQ in 64-bit mode."""
    stack = STACK + 0xFA0
    for word, name in ((8, "retfq"), (4, "retf")):
        for cpl in RINGS:
            end = f"{name} (cpl {cpl})"
            own = OWN[cpl]
            add(f"return passes {end}", returning(cpl, word, TO, own), RUNS)
            add(f"return.cs_null fails {end}", returning(cpl, word, TO, cpl), "#GP(0x0)")
            add(f"return.cs_limit fails {end}", returning(cpl, word, TO, 0x90 | cpl), "#GP(0x90)")
            data = USER_DATA & ~3
            add(f"return.cs_code fails data {end}", returning(cpl, word, TO, data | cpl), f"#GP({data:#x})")
            if cpl:
                add(f"return.cs_rpl fails {end}", returning(cpl, word, TO, KERNEL_CODE), f"#GP({KERNEL_CODE:#x})")
            for label, descriptor, expected in (
                ("cs_present fails", code_segment(cpl, present=False), f"#NP({SPARE:#x})"),
                ("cs_long fails l=1 d=1", code_segment(cpl, default=True), f"#GP({SPARE:#x})"),
                ("passes to compatibility mode", code_segment(cpl, long=False, default=True), RUNS),
            ):
                world = returning(cpl, word, TO, SPARE | cpl).with_descriptor(SPARE, descriptor)
                add(f"return.{label} {end}", world, expected)
            if word == 8:
                add(f"return.rip fails non-canonical {end}", returning(cpl, 8, NON_CANONICAL, own), "#GP(0x0)")
        end = f"{name} outer"
        for ring, code, data in ((3, USER_CODE, USER_DATA), (1, RING1_CODE, RING1_DATA)):
            add(f"return passes {end} to ring {ring}", returning(0, word, TO, code, stack, data), RUNS)
        add(f"return.ss_null fails {end} to ring 3", returning(0, word, TO, USER_CODE, stack, 3), "#GP(0x0)")
        add(f"return.ss_null passes {end} to ring 1", returning(0, word, TO, RING1_CODE, stack, 1), RUNS)
        data = USER_DATA & ~3
        add(f"return.ss_rpl fails {end}", returning(0, word, TO, USER_CODE, stack, data), f"#GP({data:#x})")
        add(f"return.ss_limit fails {end}", returning(0, word, TO, USER_CODE, stack, 0x93), "#GP(0x90)")
        for label, descriptor, expected in (
            ("ss_writable fails", data_segment(3, type=0x1), f"#GP({SPARE2:#x})"),
            ("ss_dpl fails", data_segment(1), f"#GP({SPARE2:#x})"),
            ("ss_present fails", data_segment(3, present=False), f"#SS({SPARE2:#x})"),
        ):
            world = returning(0, word, TO, USER_CODE, stack, SPARE2 | 3).with_descriptor(SPARE2, descriptor)
            add(f"return.{label} {end}", world, expected)
        kept = {"ds": USER_DATA, "es": KERNEL_DATA, "fs": CONFORMING_CODE, "gs": RING1_DATA}
        world = returning(0, word, TO, USER_CODE, stack, USER_DATA).with_(data_selectors=kept)
        add(f"return nulls inner data segments {end}", world, RUNS)
    release = returning(0, 8, TO, KERNEL_CODE).with_(code=b"\x48\xca\x10\x00")
    add("return releasing 0x10", release, RUNS)
    words = (TO, USER_CODE, 7, 7, stack, USER_DATA)
    add("return releasing 0x10 outer", returning(0, 8, *words).with_(code=b"\x48\xca\x10\x00"), RUNS)
