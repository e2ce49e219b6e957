"""The memory operands of an instruction about to run, and what can be told of it that the engine does not tell.

The engine calls a non-canonical stack address #GP, and raises #UD alike for what no processor knows and for what it was
not taught.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from idtviz.machine.decoding import Access, Decoded, capstone_instruction, code_bits, decode, decoder
from idtviz.machine.registers import RSP, Registers, Segment
from idtviz.machine.segmentation import offset_mask
from idtviz.x86 import control
from idtviz.x86.addresses import MASK64, is_canonical

_EXTENSIONS = frozenset((
    *("avx", "avx2", "avx512", "fma", "fma4", "f16c", "fc16", "xop", "tbm", "bmi", "bmi2", "adx", "sha", "rtm", "hle"),
    *("cdi", "eri", "pfi", "vlx", "dqi", "bwi", "novlx", "ssse3", "sse41", "sse42", "sse4a", "pclmul", "aes", "vaes"),
))  # fmt: skip
"""Capstone's names of the instruction groups that the engine lacks, in part or wholly."""
_UNGROUPED = frozenset(("rdrand", "rdseed", "rdpid"))
_CX = 1


@dataclass(frozen=True, slots=True)
class Operand:
    """`size` bytes at `offset` in `segment`, which is linear `address`; `write`: whether they are written."""

    segment: str
    offset: int
    address: int
    size: int
    write: bool
    modify: bool = False
    """Read first, then written: what refuses it refuses a write."""

    @property
    def stack(self) -> bool:
        """Whether it goes through SS, where a bad address is #SS and not #GP (SDM 3A 6.15, Interrupt 12)."""
        return self.segment == "ss"


def whole_instructions(raw: bytes, at: Registers) -> int:
    """How many bytes at the start of `raw`, the code at RIP, are whole instructions."""
    return sum(size for _, size, _, _ in decoder(code_bits(at)).disasm_lite(raw, at.rip))


def memory_operands(raw: bytes, at: Registers) -> tuple[Operand, ...]:
    """The memory operands of the instruction `raw` at RIP, in the order in which it uses them."""
    found = decode(raw, code_bits(at))
    return () if found is None else tuple(operands_of(found, at))


def operands_of(found: Decoded, at: Registers) -> Iterator[Operand]:
    """The operands of a decoded instruction at RIP; none where a repetition is over."""
    if found.repeats and not at.general[_CX] & found.address_mask:
        return
    long = at.mode == "long"
    for access in found.accesses:
        offset = _offset(access, at, long=long)
        segment: Segment = getattr(at, access.segment)
        based = not long or access.segment in ("fs", "gs")
        linear = (offset + segment.base if based else offset) & (MASK64 if long else 0xFFFFFFFF)
        yield Operand(access.segment, offset, linear, access.size, access.write, access.modify)


def _offset(access: Access, at: Registers, *, long: bool) -> int:
    if access.stack:
        mask = MASK64 if long else offset_mask(at.ss)
        return (at.general[RSP] + access.displacement) & mask
    offset = access.displacement
    if access.relative:
        offset += at.rip
    if access.base is not None:
        offset += at.general[access.base] & access.base_mask
    if access.index is not None:
        offset += (at.general[access.index] & access.index_mask) * access.scale
    if access.bit is not None:
        number, size = access.bit
        sign = 1 << 8 * size - 1
        value = ((at.general[number] & 2 * sign - 1) ^ sign) - sign
        offset += value // (8 * size) * size
    return offset & access.mask


def bad_address_is_on_stack(raw: bytes, at: Registers) -> bool:
    """Whether the non-canonical address that the instruction meets first is used through SS: #SS (SDM 1 3.3.7.1)."""
    for operand in memory_operands(raw, at):
        if not is_canonical(operand.address) or not is_canonical(operand.address + operand.size - 1):
            return operand.stack
    return False


def not_implemented(raw: bytes, at: Registers) -> str | None:
    """The instruction's text, where it is a valid one of an extension that the engine lacks; None for a true #UD."""
    found = capstone_instruction(raw, at.rip, code_bits(at))
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
