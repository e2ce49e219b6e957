"""What the engine does not tell about a faulting instruction, found by decoding it.

The engine knows no alignment check, calls a non-canonical stack address #GP, and raises #UD alike for what no processor
knows and for what it was not taught.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import capstone
from capstone import x86_const as x86

from idtviz.machine.registers import GENERAL_NAMES, Registers
from idtviz.x86 import control, flags
from idtviz.x86.addresses import MASK64, is_canonical

_PUSHES = {x86.X86_INS_PUSH, x86.X86_INS_PUSHFQ, x86.X86_INS_PUSHF, x86.X86_INS_CALL, x86.X86_INS_ENTER}
_POPS = {x86.X86_INS_POP, x86.X86_INS_POPFQ, x86.X86_INS_POPF, x86.X86_INS_RET}
_NO_ACCESS = {x86.X86_INS_LEA, x86.X86_INS_NOP, x86.X86_INS_INVLPG}
_RBP = 5
_ALIGNED_SIZES = {2: 2, 4: 4, 8: 8, 10: 8}
"""Operand size to the alignment that AC asks for (SDM 3A table 6-7)."""

_EXTENSIONS = frozenset((
    *("avx", "avx2", "avx512", "fma", "fma4", "f16c", "fc16", "xop", "tbm", "bmi", "bmi2", "adx", "sha", "rtm", "hle"),
    *("cdi", "eri", "pfi", "vlx", "dqi", "bwi", "novlx", "ssse3", "sse41", "sse42", "sse4a", "pclmul", "aes", "vaes"),
))  # fmt: skip
"""Capstone's names of the instruction groups that the engine lacks, in part or wholly."""
_UNGROUPED = frozenset(("rdrand", "rdseed", "rdpid"))


@dataclass(frozen=True, slots=True)
class Operand:
    """A memory operand: `size` bytes at linear `address`; `stack`: through SS, where a bad address is #SS."""

    address: int
    size: int
    stack: bool


@cache
def _decoder(bits: int) -> Any:
    decoder = capstone.Cs(capstone.CS_ARCH_X86, bits)
    decoder.detail = True
    return decoder


def _decode(raw: bytes, at: Registers) -> Any:
    """Capstone's instruction, or None where it knows none."""
    return next(_decoder(_mode(at)).disasm(raw, at.rip, 1), None)


def _mode(at: Registers) -> int:
    wide = capstone.CS_MODE_32 if at.cs.flags & at.cs.CODE_32 else capstone.CS_MODE_16
    mode: int = capstone.CS_MODE_64 if at.mode == "long" else wide
    return mode


def whole_instructions(raw: bytes, at: Registers) -> int:
    """How many bytes at the start of `raw`, the code at RIP, are whole instructions."""
    return sum(size for _, size, _, _ in _decoder(_mode(at)).disasm_lite(raw, at.rip))


def memory_operands(raw: bytes, at: Registers) -> tuple[Operand, ...]:
    """The memory operands of the instruction `raw` at RIP, in the order in which it uses them. 64-bit mode."""
    found = _decode(raw, at)
    if found is None or found.id in _NO_ACCESS:
        return ()
    explicit = [_explicit(found, operand, at) for operand in found.operands if operand.type == capstone.CS_OP_MEM]
    size = found.operands[0].size if found.operands and found.id in (x86.X86_INS_PUSH, x86.X86_INS_POP) else 8
    if found.id in _PUSHES:
        return (*explicit, Operand((at.rsp - size) & MASK64, size, stack=True))
    if found.id in _POPS:
        return (Operand(at.rsp, size, stack=True), *explicit)
    if found.id == x86.X86_INS_LEAVE:
        return (Operand(at.general[_RBP], size, stack=True),)
    return tuple(explicit)


def _explicit(found: Any, operand: Any, at: Registers) -> Operand:
    memory = operand.mem
    base = _register(found, memory.base, at)
    offset = base + _register(found, memory.index, at) * memory.scale + memory.disp
    if memory.base in (x86.X86_REG_RIP, x86.X86_REG_EIP):
        offset += found.size
    offset &= (1 << 8 * found.addr_size) - 1
    over = {x86.X86_REG_FS: at.fs.base, x86.X86_REG_GS: at.gs.base}.get(memory.segment)
    on_stack = memory.base in _STACK_BASES and over is None
    return Operand((offset + (over or 0)) & MASK64, operand.size, on_stack)


_STACK_BASES = (x86.X86_REG_RSP, x86.X86_REG_RBP, x86.X86_REG_ESP, x86.X86_REG_EBP)


def _register(found: Any, number: int, at: Registers) -> int:
    """The value of Capstone's register `number` as part of an address."""
    if number == x86.X86_REG_INVALID:
        return 0
    if number in (x86.X86_REG_RIP, x86.X86_REG_EIP):
        return at.rip
    name: str = found.reg_name(number)
    if name.endswith("d"):  # r8d
        return at.general[GENERAL_NAMES.index(name[:-1])] & 0xFFFFFFFF
    if name.startswith("e") and name[1:] != "iz":
        return at.general[GENERAL_NAMES.index("r" + name[1:])] & 0xFFFFFFFF
    return at.general[GENERAL_NAMES.index(name)] if name in GENERAL_NAMES else 0


def bad_address_is_on_stack(raw: bytes, at: Registers) -> bool:
    """Whether the non-canonical address that the instruction meets first is used through SS: #SS (SDM 1 3.3.7.1)."""
    for operand in memory_operands(raw, at):
        if not is_canonical(operand.address) or not is_canonical(operand.address + operand.size - 1):
            return operand.stack
    return False


def checks_alignment(at: Registers) -> bool:
    """Whether unaligned operands are #AC: ring 3, CR0.AM and RFLAGS.AC (SDM 3A 6.15, Interrupt 17)."""
    return at.cpl == 3 and bool(at.cr0 & control.CR0_AM) and bool(at.rflags & flags.AC)


def is_misaligned(raw: bytes, at: Registers) -> bool:
    """Whether the instruction has a memory operand that is not aligned to its size (SDM 3A table 6-7)."""
    return any(
        operand.address % _ALIGNED_SIZES[operand.size] and is_canonical(operand.address)
        for operand in memory_operands(raw, at)
        if operand.size in _ALIGNED_SIZES
    )


def not_implemented(raw: bytes, at: Registers) -> str | None:
    """The instruction's text, where it is a valid one of an extension that the engine lacks; None for a true #UD."""
    found = _decode(raw, at)
    if found is None:
        return None
    groups = {found.group_name(group).lower() for group in found.groups}
    vector = found.mnemonic.startswith("v") and "vm" not in groups and found.mnemonic not in ("verr", "verw")
    if not (groups & _EXTENSIONS or vector or found.mnemonic in _UNGROUPED):
        return None
    sse = any(group.startswith(("sse", "ssse", "aes", "pclmul", "sha")) for group in groups)
    if sse and (not at.cr4 & control.CR4_OSFXSR or at.cr0 & control.CR0_EM):
        return None
    return f"{found.mnemonic} {found.op_str}".strip()
