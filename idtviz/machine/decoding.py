"""Instructions as far as memory goes: what each will access, through which segment, at an address yet to be computed.

Decoding is the same wherever the bytes stand, so each pattern of bytes is decoded once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Flag, auto
from functools import cache, lru_cache
from typing import Any

import capstone
from capstone import x86_const as x86

from idtviz.machine.registers import RSP, Registers
from idtviz.x86.addresses import MASK64

RBP, RBX, RAX = 5, 3, 0


class Kind(Flag):
    """What an instruction is to a processor that is checked in front of it."""

    PLAIN = 0
    FAR = auto()
    """CALL, JMP or RET to another code segment."""
    SEGMENT_LOAD = auto()
    """MOV, POP or LDS and the like: DS, ES, SS, FS or GS changes."""
    CONTROL = auto()
    """MOV to CR0 or CR4, LMSW, CLTS, SYSRET, SYSEXIT: what is checked may change behind it."""
    DEBUG_REGISTER = auto()
    """MOV from or to DR0-DR7."""
    FLAGS = auto()
    """POPF: AC may change."""
    PORT = auto()
    """IN, OUT, INS, OUTS."""
    ALIGNED = auto()
    """Raises #GP where its 16-byte operand is not aligned (SDM 1 10.4.6)."""
    BRANCH = auto()
    """A near JMP, CALL, RET, Jcc or LOOP."""
    SYSTEM_RETURN = auto()
    """SYSRET or SYSEXIT."""
    FLOATING = auto()
    """x87, MMX or SSE: #NM or #UD come before any fault of an operand (SDM 3A 6.9)."""
    MODEL_SPECIFIC = auto()
    """RDMSR or WRMSR."""
    TASK_PRIORITY = auto()
    """MOV from or to CR8."""
    PAGE_TABLES = auto()
    """MOV to CR3: the address space changes."""
    ABSENT = auto()
    """The engine knows it, and the processor that idtviz shows does not: RDRAND and RDSEED."""


@dataclass(frozen=True, slots=True)
class Access:
    """A memory operand before its address is known: offset = base + index * scale + displacement, cut to `mask`.

    `base` and `index` are numbers of general registers. `bit` is the register whose number of bits is added (BT, BTS).
    """

    segment: str
    size: int
    write: bool
    mask: int
    base: int | None = None
    base_mask: int = MASK64
    index: int | None = None
    index_mask: int = MASK64
    scale: int = 1
    displacement: int = 0
    relative: bool = False
    """To RIP behind the instruction."""
    stack: bool = False
    """At the stack pointer, which is as wide as the stack segment says; `displacement` counts from there."""
    modify: bool = False
    """Read first, then written."""
    bit: tuple[int, int] | None = None
    """Number and size in bytes of the register that holds a bit offset."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """One instruction: length in bytes, what kind it is, what it accesses in order, where a direct branch goes."""

    mnemonic: str
    length: int
    kind: Kind
    accesses: tuple[Access, ...]
    operand_size: int
    repeats: bool
    address_mask: int
    displacement: int | None = None
    """Of a direct near branch: the target's distance from the instruction's own address."""
    target_register: int | None = None
    """Of a near branch through a general register: its number."""
    wide: bool = False
    """REX.W is there."""


def code_bits(at: Registers) -> int:
    """16, 32 or 64: how the bytes at CS:RIP are decoded (SDM 3A 3.4.5, L and D flags)."""
    if at.mode == "long":
        return 64
    return 32 if at.cs.flags & at.cs.CODE_32 else 16


@cache
def decoder(bits: int) -> Any:
    """Capstone for code of 16, 32 or 64 bits."""
    mode = {16: capstone.CS_MODE_16, 32: capstone.CS_MODE_32, 64: capstone.CS_MODE_64}[bits]
    found = capstone.Cs(capstone.CS_ARCH_X86, mode)
    found.detail = True
    return found


def capstone_instruction(raw: bytes, address: int, bits: int) -> Any:
    """Capstone's instruction, or None where it knows none."""
    return next(decoder(bits).disasm(raw, address, 1), None)


@lru_cache(maxsize=1 << 14)
def decode(raw: bytes, bits: int) -> Decoded | None:
    """The instruction at the start of `raw`, or None where there is none that Capstone knows."""
    found = capstone_instruction(raw, 0, bits)
    if found is None:
        return None
    explicit = [_explicit(found, operand) for operand in found.operands if operand.type == capstone.CS_OP_MEM]
    kind = _kind(found)
    direct = Kind.BRANCH in kind and found.id != x86.X86_INS_RET and found.operands[0].type == x86.X86_OP_IMM
    return Decoded(
        mnemonic=_name(found),
        length=found.size,
        kind=kind,
        accesses=() if found.id in _NO_ACCESS or Kind.FAR in kind else tuple(_accesses(found, explicit, bits)),
        operand_size=_operand_size(found, bits),
        repeats=found.prefix[0] in (x86.X86_PREFIX_REP, x86.X86_PREFIX_REPNE) and found.id in _STRINGS,
        address_mask=(1 << 8 * found.addr_size) - 1,
        displacement=_signed(found.operands[0].imm) if direct else None,
        target_register=_target_register(found) if Kind.BRANCH in kind else None,
        wide=bool(found.rex & 8),
    )


def _target_register(found: Any) -> int | None:
    if not found.operands or found.operands[0].type != x86.X86_OP_REG:
        return None
    return _register(found, found.operands[0].reg)[0]


def _name(found: Any) -> str:
    """The mnemonic without the prefixes that Capstone puts in front of it: `rep`, `lock`, `bnd`."""
    name: str = found.mnemonic
    return name.rpartition(" ")[2]


def _signed(value: int) -> int:
    value &= MASK64
    return value - (1 << 64) if value >> 63 else value


def _operand_size(found: Any, bits: int) -> int:
    """In bytes, of an instruction that moves the stack pointer (SDM 1 3.6; in 64-bit mode 8 or 2)."""
    narrow = found.prefix[2] == x86.X86_PREFIX_OPSIZE
    if bits == 64:
        return 2 if narrow else 8
    return 2 if narrow == (bits == 32) else 4


# What it accesses


def _accesses(found: Any, explicit: list[Access], bits: int) -> Iterator[Access]:
    """Every access in the order in which they are made."""
    size = _operand_size(found, bits)
    mask = (1 << bits) - 1

    def stack(displacement: int, width: int, *, write: bool) -> Access:
        return Access("ss", width, write, mask, displacement=displacement, stack=True)

    number = found.id
    if number in _PUSHES:
        yield from explicit
        yield stack(-size, size, write=True)
    elif number in _POPS:
        yield stack(0, size, write=False)
        yield from explicit
    elif number == x86.X86_INS_ENTER:
        frame, level = found.operands[0].imm & 0xFFFF, found.operands[1].imm & 0x1F
        yield from (stack(-size * place, size, write=True) for place in range(1, level + 2))
        # It ends with a look at where the stack pointer then is (SDM 2A ENTER).
        yield stack(-size * (level + 1) - frame, size, write=True)
    elif number in (x86.X86_INS_PUSHAL, x86.X86_INS_PUSHAW):
        yield from (stack(-size * place, size, write=True) for place in range(1, 9))
    elif number in (x86.X86_INS_POPAL, x86.X86_INS_POPAW):
        yield from (stack(size * place, size, write=False) for place in range(8))
    elif number in _MOVES:
        yield from reversed(explicit)
    elif number == x86.X86_INS_LEAVE:
        yield Access("ss", size, write=False, mask=mask, base=RBP)
    elif number == x86.X86_INS_XLATB:
        address_mask = (1 << 8 * found.addr_size) - 1
        segment = _overridden(found) or "ds"
        yield Access(segment, 1, write=False, mask=address_mask, base=RBX, index=RAX, index_mask=0xFF)
    else:
        yield from explicit


def _overridden(found: Any) -> str | None:
    name: str | None = _PREFIX_SEGMENTS.get(found.prefix[1])
    return name


def _explicit(found: Any, operand: Any) -> Access:
    memory = operand.mem
    base, base_mask = _register(found, memory.base)
    index, index_mask = _register(found, memory.index)
    named = found.reg_name(memory.segment) if memory.segment else None
    over_the_stack = base in (RSP, RBP) and memory.base not in _HIGH_REGISTERS
    write = bool(operand.access & capstone.CS_AC_WRITE) or _name(found).startswith(_WRITERS)
    modify = write and bool(operand.access & capstone.CS_AC_READ) and not _name(found).startswith(_ONLY_WRITERS)
    # POP computes an address with RSP as it is behind the pop (SDM 2B POP).
    popped = operand.size if found.id == x86.X86_INS_POP and base == RSP else 0
    return Access(
        segment=named or ("ss" if over_the_stack else "ds"),
        size=_SIZES.get(found.id, operand.size),
        write=write,
        mask=(1 << 8 * found.addr_size) - 1,
        base=base,
        base_mask=base_mask,
        index=index,
        index_mask=index_mask,
        scale=memory.scale,
        displacement=memory.disp + popped + (found.size if memory.base in _POINTERS else 0),
        relative=memory.base in _POINTERS,
        modify=modify,
        bit=_bit_offset(found),
    )


def _bit_offset(found: Any) -> tuple[int, int] | None:
    """BT and its kin with a register: the operand may lie far from the address given (SDM 2A BT)."""
    if found.id not in _BIT_TESTS or found.operands[1].type != x86.X86_OP_REG:
        return None
    number, _ = _register(found, found.operands[1].reg)
    return None if number is None else (number, found.operands[1].size)


@cache
def _numbers() -> dict[str, tuple[int, int]]:
    names: dict[str, tuple[int, int]] = {}
    for number, name in enumerate(("ax", "cx", "dx", "bx", "sp", "bp", "si", "di")):
        names |= {name: (number, 0xFFFF), f"e{name}": (number, 0xFFFFFFFF), f"r{name}": (number, MASK64)}
    for number in range(8, 16):
        names |= {f"r{number}": (number, MASK64), f"r{number}d": (number, 0xFFFFFFFF), f"r{number}w": (number, 0xFFFF)}
    return names


def _register(found: Any, number: int) -> tuple[int | None, int]:
    """Number and mask of a register that is part of an address."""
    if number == x86.X86_REG_INVALID:
        return None, 0
    return _numbers().get(found.reg_name(number), (None, 0))


# What kind it is


def _kind(found: Any) -> Kind:
    kind = Kind.PLAIN
    number = found.id
    if number in _FAR or (number in (x86.X86_INS_CALL, x86.X86_INS_JMP) and _is_far_through_memory(found)):
        return Kind.FAR
    if number in _SYSTEM_RETURNS:
        return Kind.SYSTEM_RETURN | Kind.CONTROL
    if number == x86.X86_INS_MOV:
        kind |= _kind_of_mov(found)
    elif number == x86.X86_INS_POP and found.operands[0].type == x86.X86_OP_REG:
        kind |= Kind.SEGMENT_LOAD if found.operands[0].reg in _SEGMENT_REGISTERS else Kind.PLAIN
    elif number in _POINTER_LOADS:
        kind |= Kind.SEGMENT_LOAD
    elif number in (x86.X86_INS_LMSW, x86.X86_INS_CLTS):
        kind |= Kind.CONTROL
    elif number in _KINDS:
        kind |= _KINDS[number]
    elif found.group(capstone.CS_GRP_JUMP) or found.group(capstone.CS_GRP_CALL) or found.group(capstone.CS_GRP_RET):
        kind |= Kind.BRANCH
    if _is_aligned(found):
        kind |= Kind.ALIGNED
    if any(group in _FLOATING_GROUPS for group in found.groups):
        kind |= Kind.FLOATING
    return kind


def _kind_of_mov(found: Any) -> Kind:
    registers = [operand.reg for operand in found.operands if operand.type == x86.X86_OP_REG]
    if found.operands[0].type == x86.X86_OP_REG and found.operands[0].reg in _SEGMENT_REGISTERS:
        return Kind.SEGMENT_LOAD
    if any(register in _DEBUG_REGISTERS for register in registers):
        return Kind.DEBUG_REGISTER
    if x86.X86_REG_CR8 in registers:
        return Kind.TASK_PRIORITY
    if found.operands[0].type == x86.X86_OP_REG and found.operands[0].reg == x86.X86_REG_CR3:
        return Kind.PAGE_TABLES
    return Kind.CONTROL if registers and registers[0] in _CONTROL_REGISTERS else Kind.PLAIN


def _is_far_through_memory(found: Any) -> bool:
    return found.opcode[0] == 0xFF and found.modrm >> 3 & 7 in (3, 5)


def _is_aligned(found: Any) -> bool:
    if found.id in (x86.X86_INS_FXSAVE, x86.X86_INS_FXRSTOR, x86.X86_INS_FXSAVE64, x86.X86_INS_FXRSTOR64):
        return True
    wide = any(operand.type == capstone.CS_OP_MEM and operand.size == 16 for operand in found.operands)
    return wide and found.id not in _UNALIGNED and not found.mnemonic.startswith("v")


_FAR = {x86.X86_INS_LCALL, x86.X86_INS_LJMP, x86.X86_INS_RETF, x86.X86_INS_RETFQ}
_SYSTEM_RETURNS = {x86.X86_INS_SYSRET, x86.X86_INS_SYSRETQ, x86.X86_INS_SYSEXIT, x86.X86_INS_SYSEXITQ}
_POINTER_LOADS = {x86.X86_INS_LDS, x86.X86_INS_LES, x86.X86_INS_LSS, x86.X86_INS_LFS, x86.X86_INS_LGS}
_INPUTS = {x86.X86_INS_INSB, x86.X86_INS_INSW, x86.X86_INS_INSD}
_OUTPUTS = {x86.X86_INS_OUTSB, x86.X86_INS_OUTSW, x86.X86_INS_OUTSD}
_PORTS = {x86.X86_INS_IN, x86.X86_INS_OUT, *_INPUTS, *_OUTPUTS}
_KINDS = {
    **dict.fromkeys((x86.X86_INS_POPF, x86.X86_INS_POPFD, x86.X86_INS_POPFQ), Kind.FLAGS),
    **dict.fromkeys(_PORTS, Kind.PORT),
    x86.X86_INS_RDMSR: Kind.MODEL_SPECIFIC,
    x86.X86_INS_WRMSR: Kind.MODEL_SPECIFIC,
    x86.X86_INS_RDRAND: Kind.ABSENT,
    x86.X86_INS_RDSEED: Kind.ABSENT,
}
_ONLY_WRITERS = (
    *("set", "ins", "sgdt", "sidt", "sldt", "str", "smsw", "stmxcsr", "movnt"),
    *("fst", "fist", "fbstp", "fnst", "fsave", "fnsave", "fxsave"),
)
_WRITERS = (*_ONLY_WRITERS, "cmpxchg")
"""How the mnemonics of instructions begin that write their operand, though Capstone does not say so."""
_PUSHES = {x86.X86_INS_PUSH, x86.X86_INS_PUSHFQ, x86.X86_INS_PUSHFD, x86.X86_INS_PUSHF, x86.X86_INS_CALL}
_POPS = {x86.X86_INS_POP, x86.X86_INS_POPFQ, x86.X86_INS_POPFD, x86.X86_INS_POPF, x86.X86_INS_RET}
_NO_ACCESS = {x86.X86_INS_LEA, x86.X86_INS_NOP, x86.X86_INS_INVLPG, x86.X86_INS_PREFETCHNTA, x86.X86_INS_PREFETCHT0,
              x86.X86_INS_PREFETCHT1, x86.X86_INS_PREFETCHT2, x86.X86_INS_PREFETCHW, x86.X86_INS_PREFETCH,
              x86.X86_INS_CLFLUSH}  # fmt: skip
_BIT_TESTS = {x86.X86_INS_BT, x86.X86_INS_BTS, x86.X86_INS_BTR, x86.X86_INS_BTC}
_MOVES = {x86.X86_INS_MOVSB, x86.X86_INS_MOVSW, x86.X86_INS_MOVSD, x86.X86_INS_MOVSQ, x86.X86_INS_CMPSB,
          x86.X86_INS_CMPSW, x86.X86_INS_CMPSD, x86.X86_INS_CMPSQ}  # fmt: skip
"""String instructions with two operands: the one at SI is read first."""
_STRINGS = {
    *(x86.X86_INS_MOVSB, x86.X86_INS_MOVSW, x86.X86_INS_MOVSD, x86.X86_INS_MOVSQ),
    *(x86.X86_INS_STOSB, x86.X86_INS_STOSW, x86.X86_INS_STOSD, x86.X86_INS_STOSQ),
    *(x86.X86_INS_LODSB, x86.X86_INS_LODSW, x86.X86_INS_LODSD, x86.X86_INS_LODSQ),
    *(x86.X86_INS_SCASB, x86.X86_INS_SCASW, x86.X86_INS_SCASD, x86.X86_INS_SCASQ),
    *(x86.X86_INS_CMPSB, x86.X86_INS_CMPSW, x86.X86_INS_CMPSD, x86.X86_INS_CMPSQ),
    *_INPUTS,
    *_OUTPUTS,
}
_UNALIGNED = {x86.X86_INS_MOVUPS, x86.X86_INS_MOVUPD, x86.X86_INS_MOVDQU, x86.X86_INS_LDDQU, x86.X86_INS_PCMPESTRI,
              x86.X86_INS_PCMPESTRM, x86.X86_INS_PCMPISTRI, x86.X86_INS_PCMPISTRM}  # fmt: skip
_SIZES = {x86.X86_INS_FXSAVE: 512, x86.X86_INS_FXRSTOR: 512, x86.X86_INS_FXSAVE64: 512, x86.X86_INS_FXRSTOR64: 512}
"""Sizes in bytes that Capstone does not tell."""
_FLOATING_GROUPS = {x86.X86_GRP_FPU, x86.X86_GRP_MMX, x86.X86_GRP_SSE1, x86.X86_GRP_SSE2, x86.X86_GRP_SSE3}
_SEGMENT_REGISTERS = {x86.X86_REG_DS, x86.X86_REG_ES, x86.X86_REG_SS, x86.X86_REG_FS, x86.X86_REG_GS}
_CONTROL_REGISTERS = {x86.X86_REG_CR0, x86.X86_REG_CR4}
_DEBUG_REGISTERS = {x86.X86_REG_DR0 + index for index in range(8)}
_POINTERS = {x86.X86_REG_RIP, x86.X86_REG_EIP}
_HIGH_REGISTERS = {x86.X86_REG_R12, x86.X86_REG_R13, x86.X86_REG_R12D, x86.X86_REG_R13D}
_PREFIX_SEGMENTS = {0x26: "es", 0x2E: "cs", 0x36: "ss", 0x3E: "ds", 0x64: "fs", 0x65: "gs"}
