"""What QEMU starts a case from: memory with a stub that loads the processor's state, and a BIOS that enters it.

The BIOS is a few bytes at the reset vector: it enters protected mode through a GDT of the stub's own and jumps to the
stub. The stub loads the control registers, LDTR and TR from its own GDT, then the case's GDTR and IDTR, the data
segments from the case's tables, the general registers, and gets to the first instruction by IRET, or by a far JMP in
ring 0.
"""

from __future__ import annotations

from tests.oracle.case import GENERAL_REGISTERS, PAGE, Case, Segment, State

STUB, STUB_DATA = 0x2F000, 0x2E000
IMAGE_SIZE = 0x30000
STUB_CODE32, STUB_DATA32, STUB_CODE64 = 0x08, 0x10, 0x18
STUB_STACK = STUB_DATA + 0xFF0
GDTR_AT, IDTR_AT = STUB_DATA + 0x800, STUB_DATA + 0x810
FLAT_CODE32, FLAT_DATA32, FLAT_CODE64 = 0x00CF9B000000FFFF, 0x00CF93000000FFFF, 0x00AF9B000000FFFF
CR0_PG, EFER_LMA, VM, TF, RF, NT = 1 << 31, 1 << 10, 1 << 17, 1 << 8, 1 << 16, 1 << 14
DATA_REGISTERS = ("es", "ds", "fs", "gs")
MOV_TO_SEGMENT = {"es": b"\x8e\xc0", "ss": b"\x8e\xd0", "ds": b"\x8e\xd8", "fs": b"\x8e\xe0", "gs": b"\x8e\xe8"}
BIOS_SIZE = 0x10000


def fits(case: Case) -> bool:
    """Whether the stub can bring about the start of this case."""
    state = case.state
    if case.mode == "real" or case.inject is not None or not state.tr.usable or case.instructions > 2:
        return False
    if any(page >= STUB_DATA for page in case.pages()) or state.rflags & (TF | NT):
        return False
    if state.cpl == 0 and state.cr0 & CR0_PG == 0 and state.rflags & RF:
        return False
    return state.is_virtual_8086 or all(_loads(case, name) for name in ("cs", "ss", *DATA_REGISTERS))


def _loads(case: Case, name: str) -> bool:
    """Whether loading the register's selector from the case's tables gives what it holds, and IRET leaves it so."""
    state = case.state
    segment: Segment = getattr(state, name)
    if segment.selector & ~3 == 0:
        return not segment.usable
    table = state.ldtr if segment.selector & 4 else state.gdtr
    at = segment.selector & ~7
    if at + 7 > table.limit:
        return False
    pages = case.pages()
    raw = bytes(pages[place & -PAGE][place % PAGE] for place in range(table.base + at, table.base + at + 8))
    high = int.from_bytes(raw[4:], "little")
    dpl, conforming = segment.attributes >> 13 & 3, segment.attributes >> 10 & 3 == 3
    kept = name in ("cs", "ss") or state.cpl == 0 or dpl >= state.cpl or conforming
    return kept and high & 0x00F0FF00 == segment.attributes


def bios() -> bytes:
    """64 KiB that end at 4 GiB, and at 1 MiB."""
    code = b"\xfa\x2e\x66\x0f\x01\x16\x40\xff\x0f\x20\xc0\x0c\x01\x0f\x22\xc0"
    code += b"\x66\xea" + STUB.to_bytes(4, "little") + STUB_CODE32.to_bytes(2, "little")
    made = bytearray(BIOS_SIZE)
    made[0xFF00 : 0xFF00 + len(code)] = code
    made[0xFF40:0xFF46] = (0x7FF).to_bytes(2, "little") + STUB_DATA.to_bytes(4, "little")
    made[0xFFF0:0xFFF5] = b"\xea\x00\xff\x00\xf0"
    return bytes(made)


def image(case: Case) -> bytes:
    """Physical memory from 0 on."""
    made = bytearray(IMAGE_SIZE)
    for page, data in case.pages().items():
        made[page : page + PAGE] = data
    state = case.state
    _map_stub(made, state)
    code = _long_stub(state) if state.efer & EFER_LMA else _protected_stub(state)
    made[STUB : STUB + len(code)] = code
    descriptors = {STUB_CODE32: FLAT_CODE32, STUB_DATA32: FLAT_DATA32, STUB_CODE64: FLAT_CODE64}
    for selector, value in descriptors.items():
        made[STUB_DATA + selector : STUB_DATA + selector + 8] = value.to_bytes(8, "little")
    for register in (state.ldtr, state.tr):
        at = STUB_DATA + (register.selector & ~7)
        if register.usable:
            size = 16 if state.efer & EFER_LMA else 8
            made[at : at + size] = _system_descriptor(register)[:size]
    made[GDTR_AT : GDTR_AT + 10] = state.gdtr.limit.to_bytes(2, "little") + state.gdtr.base.to_bytes(8, "little")
    made[IDTR_AT : IDTR_AT + 10] = state.idtr.limit.to_bytes(2, "little") + state.idtr.base.to_bytes(8, "little")
    return bytes(made)


def _system_descriptor(register: Segment) -> bytes:
    """The descriptor of an LDT, or of a TSS that is not busy yet."""
    busy = register.attributes & 0x1F00 in (0x0B00, 0x0300)
    attributes = register.attributes & ~(0x0200 if busy else 0)
    low = register.limit & 0xFFFF | (register.base & 0xFFFFFF) << 16
    high = attributes | register.limit & 0xF0000 | register.base >> 24 & 0xFF
    return (low | high << 32 | (register.base >> 24 & 0xFF) << 56).to_bytes(16, "little")


def _map_stub(made: bytearray, state: State) -> None:
    """Entries for the stub's pages in the case's page tables, which lie where the worlds of the oracle have them."""
    if not state.cr0 & CR0_PG or state.cr4 & 1 << 4:
        return
    wide = bool(state.cr4 & 1 << 5)
    tables = 0x4000 if state.efer & EFER_LMA else 0x3000 if wide else 0x2000
    for page in (STUB, STUB_DATA):
        at = tables + page // PAGE * (8 if wide else 4)
        made[at : at + 4] = (page | 0x63).to_bytes(4, "little")


def _mov(register: int, value: int) -> bytes:
    """MOV r32, imm32."""
    return bytes([0xB8 + register]) + (value & 0xFFFFFFFF).to_bytes(4, "little")


def _enter(state: State) -> bytes:
    """Flat segments, then the control registers."""
    code = _mov(0, STUB_DATA32) + b"".join(MOV_TO_SEGMENT.values()) + _mov(4, STUB_STACK)
    code += _mov(0, state.cr4) + b"\x0f\x22\xe0" + _mov(0, state.cr3) + b"\x0f\x22\xd8"
    code += _mov(0, state.cr2) + b"\x0f\x22\xd0"
    if state.efer:
        code += _mov(1, 0xC0000080) + _mov(0, state.efer & ~EFER_LMA) + _mov(2, 0) + b"\x0f\x30"
    return code + _mov(0, state.cr0) + b"\x0f\x22\xc0"


def _tables(state: State, absolute: bytes) -> bytes:
    """LDTR and TR from the stub's GDT, then GDTR and IDTR, then the data segments from the case's GDT."""
    code = _mov(0, state.ldtr.selector if state.ldtr.usable else 0) + b"\x0f\x00\xd0"
    code += _mov(0, state.tr.selector) + b"\x0f\x00\xd8"
    lidt, lgdt, sib = absolute[:1], absolute[1:2], absolute[2:]
    code += b"\x0f\x01" + lidt + sib + IDTR_AT.to_bytes(4, "little")
    code += b"\x0f\x01" + lgdt + sib + GDTR_AT.to_bytes(4, "little")
    if state.is_virtual_8086:
        return code
    for name in DATA_REGISTERS:
        code += _mov(0, getattr(state, name).selector) + MOV_TO_SEGMENT[name]
    return code


def _protected_stub(state: State) -> bytes:
    code = _enter(state) + _tables(state, b"\x1d\x15")
    general = b"".join(_mov(at, getattr(state, name)) for at, name in enumerate(GENERAL_REGISTERS[:8]) if name != "rsp")
    if state.cpl == 0 and not state.is_virtual_8086:
        code += b"\x68" + state.rflags.to_bytes(4, "little") + b"\x9d"
        code += _mov(0, state.ss.selector) + MOV_TO_SEGMENT["ss"] + _mov(4, state.rsp) + general
        return code + b"\xea" + state.rip.to_bytes(4, "little") + state.cs.selector.to_bytes(2, "little")
    frame = [state.ss.selector, state.rsp, state.rflags, state.cs.selector, state.rip]
    if state.is_virtual_8086:
        frame = [getattr(state, name).selector for name in ("gs", "fs", "ds", "es")] + frame
    code += b"".join(b"\x68" + (word & 0xFFFFFFFF).to_bytes(4, "little") for word in frame)
    return code + general + b"\xcf"


def _long_stub(state: State) -> bytes:
    code = _enter(state)
    target = STUB + len(code) + 7
    code += b"\xea" + target.to_bytes(4, "little") + STUB_CODE64.to_bytes(2, "little")
    code += _tables(state, b"\x1c\x14\x25")
    frame = (state.ss.selector, state.rsp, state.rflags, state.cs.selector, state.rip)
    code += b"".join(b"\x48\xb8" + word.to_bytes(8, "little") + b"\x50" for word in frame)
    code += b"\x48\xb8" + state.cr2.to_bytes(8, "little") + b"\x0f\x22\xd0"
    for at, name in enumerate(GENERAL_REGISTERS):
        if name != "rsp":
            code += bytes([0x49 if at > 7 else 0x48, 0xB8 + at % 8]) + getattr(state, name).to_bytes(8, "little")
    return code + b"\x48\xcf"
