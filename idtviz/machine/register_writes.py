"""Which registers an instruction writes, from its bytes alone.

A write counts as one wherever the instruction may make it: a conditional move writes its destination, and a shift by 0
the flags. What idtviz performs in steps (INT n, IRET, far transfers, SYSCALL) writes nothing here: its steps show what
they change.
"""

from __future__ import annotations

from functools import cache, lru_cache

from capstone import x86_const as x86

from idtviz.machine.decoding import Kind, capstone_instruction, decode, decoder
from idtviz.machine.registers import GENERAL_NAMES

SEGMENTS = ("es", "cs", "ss", "ds", "fs", "gs")
CONTROL = ("cr0", "cr2", "cr3", "cr4", "cr8")
TABLES = ("gdtr", "idtr")
SELECTORS = ("ldtr", "tr")
DEBUG = tuple(f"dr{index}" for index in (0, 1, 2, 3, 6, 7))
MODEL_SPECIFIC = ("efer", "fs_base", "gs_base")
REGISTERS = (*GENERAL_NAMES, "rflags", *SEGMENTS, *CONTROL, *TABLES, *SELECTORS, *DEBUG, *MODEL_SPECIFIC)
"""Every register that can be watched, by its full name."""


@cache
def _parts() -> dict[str, str]:
    parts = {name: name for name in REGISTERS} | {"eflags": "rflags", "flags": "rflags", "dr4": "dr6", "dr5": "dr7"}
    for name in GENERAL_NAMES[:8]:
        parts |= {f"e{name[1:]}": name, name[1:]: name}
    for name in GENERAL_NAMES[:4]:
        parts |= {f"{name[1]}l": name, f"{name[1]}h": name}
    for name in GENERAL_NAMES[4:8]:
        parts[f"{name[1:]}l"] = name
    for name in GENERAL_NAMES[8:]:
        parts |= {f"{name}{suffix}": name for suffix in "dwb"}
    return parts


def full_name(name: str) -> str | None:
    """The watched register that `name`, in whatever case, is or is part of: `rax` for `AH`; None: there is none."""
    return _parts().get(name.lower())


@lru_cache(maxsize=1 << 14)
def written_by(raw: bytes, bits: int) -> frozenset[str]:
    """Full names of the registers that the instruction at the start of `raw` writes, in code of 16, 32 or 64 bits."""
    decoded = decode(raw, bits)
    if decoded is None or Kind.FAR in decoded.kind:
        return frozenset()
    found = capstone_instruction(raw, 0, bits)
    if found.id in _IN_STEPS:
        return frozenset()
    names = {_parts().get(found.reg_name(number)) for number in found.regs_access()[1]}
    names -= _UNWRITTEN.get(found.id, frozenset())
    names |= _ALSO_WRITTEN.get(found.id, frozenset())
    if decoded.mnemonic.startswith(("push", "pop")) and found.id != x86.X86_INS_POPCNT:
        names.add("rsp")
    if decoded.repeats:
        names.add("rcx")
    if decoded.mnemonic.startswith("bswap"):
        names.add(_parts()[found.reg_name(found.operands[0].reg)])
    if found.id == x86.X86_INS_LAHF and found.rex:
        names = {"rsp"}  # the engine takes AH for SPL here
    names |= {f"{name}_base" for name in ("fs", "gs") if name in names}
    return frozenset(name for name in names if name is not None)


def first_writer(raw: bytes, bits: int, registers: frozenset[str]) -> tuple[int, int, bytes] | None:
    """The first instruction of `raw` that writes one of `registers`: its number, counted from 0, place and bytes."""
    for number, (at, size, _, _) in enumerate(decoder(bits).disasm_lite(raw, 0)):
        one = raw[at : at + size]
        if not registers.isdisjoint(written_by(one, bits)):
            return number, at, one
    return None


_FLAGS = frozenset(("rflags",))
_RETURN = frozenset(("cs", "ss", "rflags"))
_ALSO_WRITTEN = {
    **dict.fromkeys(
        (
            *(x86.X86_INS_TEST, x86.X86_INS_XADD, x86.X86_INS_LAR, x86.X86_INS_LSL, x86.X86_INS_VERR),
            *(x86.X86_INS_VERW, x86.X86_INS_STI, x86.X86_INS_CLI, x86.X86_INS_ARPL),
            *(x86.X86_INS_PCMPESTRM, x86.X86_INS_PCMPISTRM, x86.X86_INS_PCMPESTRI, x86.X86_INS_PCMPISTRI),
        ),
        _FLAGS,
    ),
    x86.X86_INS_CMPXCHG: frozenset(("rax", "rflags")),
    **dict.fromkeys(
        (
            *(x86.X86_INS_AAA, x86.X86_INS_AAD, x86.X86_INS_AAM),
            *(x86.X86_INS_AAS, x86.X86_INS_DAA, x86.X86_INS_DAS),
        ),
        frozenset(("rax", "rflags")),
    ),
    x86.X86_INS_LDS: frozenset(("ds",)),
    x86.X86_INS_LES: frozenset(("es",)),
    x86.X86_INS_LSS: frozenset(("ss",)),
    x86.X86_INS_LFS: frozenset(("fs",)),
    x86.X86_INS_LGS: frozenset(("gs",)),
    x86.X86_INS_ENTER: frozenset(("rbp", "rsp")),
    x86.X86_INS_XLATB: frozenset(("rax",)),
    x86.X86_INS_XABORT: frozenset(("rax",)),  # for the engine it is a MOV to AL or EAX
    x86.X86_INS_LMSW: frozenset(("cr0",)),
    x86.X86_INS_CLTS: frozenset(("cr0",)),
    x86.X86_INS_LGDT: frozenset(("gdtr",)),
    x86.X86_INS_LIDT: frozenset(("idtr",)),
    x86.X86_INS_LLDT: frozenset(("ldtr",)),
    x86.X86_INS_LTR: frozenset(("tr",)),
    x86.X86_INS_SWAPGS: frozenset(("gs_base",)),
    x86.X86_INS_WRFSBASE: frozenset(("fs_base",)),
    x86.X86_INS_WRGSBASE: frozenset(("gs_base",)),
    **dict.fromkeys((x86.X86_INS_SYSRET, x86.X86_INS_SYSRETQ), _RETURN),
    **dict.fromkeys((x86.X86_INS_SYSEXIT, x86.X86_INS_SYSEXITQ), frozenset(("cs", "ss", "rsp"))),
}
"""What Capstone does not tell of."""
_UNWRITTEN = {
    x86.X86_INS_TEST: frozenset(GENERAL_NAMES),
    **dict.fromkeys((x86.X86_INS_CWD, x86.X86_INS_CDQ, x86.X86_INS_CQO), frozenset(("rax",))),
}
"""What Capstone tells of and is not so."""
_IN_STEPS = frozenset((
    *(x86.X86_INS_INT, x86.X86_INS_INT1, x86.X86_INS_INT3, x86.X86_INS_INTO),
    *(x86.X86_INS_IRET, x86.X86_INS_IRETD, x86.X86_INS_IRETQ, x86.X86_INS_SYSCALL, x86.X86_INS_SYSENTER),
))  # fmt: skip
