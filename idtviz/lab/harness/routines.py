"""The code of the harness itself, in machine language: there is no assembler on a machine that only runs idtviz."""

from __future__ import annotations

from collections.abc import Iterable

UD2, INT1 = b"\x0f\x0b", b"\xf1"

HLT = b"\xf4\xeb\xfd"
"""hlt; jmp back to it. With IF=0 that is the end."""

CLOBBERED = 0xC10BBE00
"""What a callee leaves in the registers that it may change; the lowest byte is the register's number."""


def clobber(bits: int, *, vectors: bool) -> bytes:
    """A function that changes all that the System V ABI lets a callee change. `vectors`: the XMM registers too.

    It gives back its first argument where that lies on the stack, as a scheduler does that is given the stack of the
    thread that is interrupted, and else a number.
    """
    long = bits == 64
    found = [_FIRST_ON_STACK_64 if long else _FIRST_ON_STACK_32]
    found += [bytes((0xB8 + number,)) + _constant(number) for number in ((1, 2, 6, 7) if long else (1, 2))]
    found += [bytes((0x41, 0xB8 + number)) + _constant(8 + number) for number in range(4 if long else 0)]
    found += [_all_ones(number) for number in range(bits // 4 if vectors else 0)]
    return b"".join([*found, b"\xc3"])


# mov rax, rdi; xor rax, rsp; shr rax, 16; mov eax, CLOBBERED; cmovz rax, rdi
_FIRST_ON_STACK_64 = bytes.fromhex("4889f8 4831e0 48c1e810 b800be0bc1 480f44c7")
# mov ecx, [esp + 4]; mov eax, ecx; xor eax, esp; shr eax, 16; mov eax, CLOBBERED; cmovz eax, ecx
_FIRST_ON_STACK_32 = bytes.fromhex("8b4c2404 89c8 31e0 c1e810 b800be0bc1 0f44c1")


def _constant(register: int) -> bytes:
    return (CLOBBERED + register).to_bytes(4, "little")


def _all_ones(number: int) -> bytes:
    """Pcmpeqd xmmN, xmmN"""
    prefix = b"\x66\x45" if number > 7 else b"\x66"
    return prefix + b"\x0f\x76" + bytes((0xC0 | (number & 7) * 9,))


def jump(source: int, target: int) -> bytes:
    """A near jump from the linear address `source`."""
    return b"\xe9" + ((target - source - 5) & 0xFFFFFFFF).to_bytes(4, "little")


NESTED = {
    # push rax; push rcx; mov ecx, 32; 1: push rcx; dec ecx; jnz 1b; add rsp, 256
    # mov al, 0x20; out 0x20, al; pop rcx; pop rax; iretq
    64: bytes.fromhex("50 51 b9 20000000 51 ffc9 75fb 4881c400010000 b020 e620 59 58 48cf"),
    32: bytes.fromhex("50 51 b9 20000000 51 49 75fc 81c480000000 b020 e620 59 58 cf"),
}
"""The handler of the IRQ that comes in the midst of the one that is tested: in good order, and with a deep stack."""


CIRCLE = b"\xeb\xfe"
SYSENTER = b"\x0f\x34"
COUNT_DOWN = {
    64: bytes.fromhex("ff0c2500640000 75f7"),
    32: bytes.fromhex("ff0d00640000 75f8"),
}
"""1: dec dword ptr [0x6400]; jnz 1b"""
WAIT = b"\xfb" + HLT
"""With IF=1: an interrupt that comes later is taken."""


def interrupted(event: bytes, end: bytes) -> bytes:
    """The interrupted program: a few NOPs, the instruction that makes the event (or none), NOPs again, and its end."""
    return b"\x90" * 4 + event + b"\x90" * 8 + end


def software(vector: int) -> bytes:
    """INT3, or INT n."""
    return b"\xcc" if vector == 3 else bytes((0xCD, vector))


def table(entries: Iterable[bytes]) -> bytes:
    """Entries one behind the other."""
    return b"".join(entries)
