"""What CPUID tells: the processor that the engine is, less what is not there or would not be the same on each run.

It is a fourth generation Core without AVX, FMA, TSX, SMAP and RDRAND (SDM 2A CPUID).
"""

from __future__ import annotations

from idtviz.x86 import control

Answer = tuple[int, int, int, int]
"""EAX, EBX, ECX, EDX"""

_NONE: Answer = (0, 0, 0, 0)
_HIGHEST, _HIGHEST_EXTENDED = 0xD, 0x8000_0008
_SIGNATURE = 0x0003_06C4
_BRAND = b"Intel Core Processor (Haswell)".ljust(48, b"\0")

_ECX_FEATURES = 0x0698_2203  # SSE3 PCLMULQDQ SSSE3 CX16 SSE4.1 SSE4.2 MOVEBE POPCNT AES XSAVE
_EDX_FEATURES = 0x078B_F9FD  # all up to SSE2 but VME, APIC, PSN, ACPI
_OSXSAVE, _X2APIC = 1 << 27, 1 << 21
_APIC = 1 << 9

_FIXED: dict[int, Answer] = {
    0x2: (0x1, 0, 0, 0x002C_307D),
    0x6: (0x4, 0, 0, 0),  # the APIC timer runs on
    0x8000_0000: (_HIGHEST_EXTENDED, 0, 0, 0),
    0x8000_0001: (0, 0, 0x21, 0x2810_0800),  # LAHF, LZCNT; SYSCALL, NX, RDTSCP, long mode
    0x8000_0006: (0, 0, 0x0100_8140, 0),
    0x8000_0007: (0, 0, 0, 0x100),  # the time-stamp counter runs at one rate
    0x8000_0008: (0x3028, 0, 0, 0),  # 40 physical and 48 linear address bits
}
_CACHES: tuple[Answer, ...] = (
    (0x121, 0x01C0_003F, 0x3F, 1),
    (0x122, 0x01C0_003F, 0x3F, 1),
    (0x143, 0x03C0_003F, 0xFFF, 1),
    (0x163, 0x03C0_003F, 0x3FFF, 6),
)
_STRUCTURED = 0x389  # FSGSBASE BMI1 SMEP BMI2 ERMS


def answer(leaf: int, subleaf: int, *, cr4: int, apic: bool) -> Answer:
    """What CPUID gives for EAX = `leaf` and ECX = `subleaf`. `apic`: there is a local APIC.

    A leaf beyond the highest gives what the highest basic leaf does (SDM 2A CPUID).
    """
    if _HIGHEST < leaf < 0x8000_0000 or leaf > _HIGHEST_EXTENDED:
        leaf = _HIGHEST
    if 0x8000_0002 <= leaf <= 0x8000_0004:
        at = (leaf - 0x8000_0002) * 16
        return _words(_BRAND[at : at + 16])
    match leaf:
        case 0x0:
            vendor = _words(b"GenuntelineI" + b"\0" * 4)
            return _HIGHEST, vendor[0], vendor[1], vendor[2]
        case 0x1:
            return _features(cr4, apic=apic)
        case 0x4:
            return _CACHES[subleaf] if subleaf < len(_CACHES) else _NONE
        case 0x7:
            return (0, _STRUCTURED, 0, 0) if subleaf == 0 else _NONE
        case 0xD:
            return _extended_state(subleaf, cr4)
    return _FIXED.get(leaf, _NONE)


def _features(cr4: int, *, apic: bool) -> Answer:
    ecx = _ECX_FEATURES | (_OSXSAVE if cr4 & control.CR4_OSXSAVE else 0) | (_X2APIC if apic else 0)
    edx = _EDX_FEATURES | (_APIC if apic else 0)
    return _SIGNATURE, 0x0001_0800, ecx, edx


def _extended_state(subleaf: int, _cr4: int) -> Answer:
    """x87 and SSE state alone: 512 bytes and the header."""
    return (0x3, 0x240, 0x240, 0) if subleaf == 0 else _NONE


def _words(raw: bytes) -> Answer:
    first, second, third, fourth = (int.from_bytes(raw[at : at + 4], "little") for at in range(0, 16, 4))
    return first, second, third, fourth
