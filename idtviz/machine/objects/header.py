"""The first bytes of a file: whether it is an ELF file for an x86 processor, and of which kind.

Source: Tool Interface Standard, Executable and Linking Format 1.2; System V ABI, AMD64 supplement.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from elftools.elf.descriptions import describe_e_machine
from elftools.elf.enums import ENUM_E_MACHINE

from idtviz.machine.objects.limits import LARGEST_FILE
from idtviz.machine.objects.problem import ObjectError

REL: Final = 1
"""A file that is not linked yet (ET_REL)."""

_MAGIC = b"\x7fELF"
_LINKED = (2, 3)
_CORE = 4
_CLASSES = {1: 32, 2: 64}
_ORDERS = {1: "<", 2: ">"}
_EM_386, _EM_X86_64 = 3, 62
_NAMES = {number: name for name, number in ENUM_E_MACHINE.items() if isinstance(number, int)}
_HEADERS = {32: struct.Struct("<16xHHIIIIIHHHHHH"), 64: struct.Struct("<16xHHIQQQIHHHHHH")}
_OTHERS = (
    (b"!<arch>\n", "a static library (an ar archive); take one object file out of it: ar x"),
    (b"!<thin>\n", "a thin ar archive; give one of the object files that it names"),
    (b"BC\xc0\xde", "LLVM bitcode; compile it to machine code first (without -flto or -emit-llvm)"),
    (b"\xde\xc0\x17\x0b", "LLVM bitcode; compile it to machine code first (without -flto or -emit-llvm)"),
    (b"\xcf\xfa\xed\xfe", "a Mach-O file of macOS; compile for x86_64-unknown-none or x86_64-elf"),
    (b"\xce\xfa\xed\xfe", "a Mach-O file of macOS; compile for an ELF target"),
    (b"\xca\xfe\xba\xbe", "a universal Mach-O file of macOS; compile for an ELF target"),
    (b"\x64\x86", "a COFF file of Windows or UEFI; compile for an ELF target"),
    (b"\x4c\x01", "a COFF file of Windows or UEFI; compile for an ELF target"),
    (b"MZ", "a program of Windows, UEFI or DOS; compile for an ELF target"),
    (b"\0asm", "WebAssembly; compile for x86"),
)


@dataclass(frozen=True, slots=True)
class Header:
    """The fields of the ELF header that are needed, without their `e_`."""

    bits: int
    type: int
    entry: int
    phoff: int
    phentsize: int
    phnum: int
    shoff: int
    shentsize: int
    shnum: int
    shstrndx: int


def is_relocatable(raw: bytes) -> bool:
    """Whether `raw` begins as an ELF file does that is not linked yet, for whatever processor."""
    order = _ORDERS.get(raw[5]) if len(raw) >= 18 and raw.startswith(_MAGIC) else None
    return order is not None and struct.unpack_from(f"{order}H", raw, 16) == (REL,)


def read(raw: bytes) -> Header:
    """The header of an object file or a linked program for i386 or x86-64. Raises ObjectError."""
    if not raw:
        raise ObjectError("the file is empty; expected an ELF object file")
    if len(raw) > LARGEST_FILE:
        raise ObjectError(f"the file has {len(raw)} bytes; expected at most {LARGEST_FILE}")
    if not raw.startswith(_MAGIC):
        other = next((what for magic, what in _OTHERS if raw.startswith(magic)), None)
        raise ObjectError(f"this is not an ELF object file but {other}" if other else _nothing(raw))
    if len(raw) < 20:
        raise ObjectError(f"the ELF file is cut short: {len(raw)} bytes, not even its header")
    bits, order = _CLASSES.get(raw[4]), _ORDERS.get(raw[5])
    if bits is None or order is None:
        raise ObjectError(
            f"the ELF file is damaged: its class is {raw[4]} and its byte order {raw[5]}; expected 1 or 2 for each"
        )
    kind, machine = struct.unpack_from(f"{order}HH", raw, 16)
    _check_machine(bits, order, machine)
    layout = _HEADERS[bits]
    if len(raw) < layout.size:
        raise ObjectError(f"the ELF file is cut short: {len(raw)} bytes; its header has {layout.size}")
    if kind == _CORE:
        raise ObjectError("this is a core file, the memory of a program that ended; expected an object file (.o)")
    if kind != REL and kind not in _LINKED:
        raise ObjectError(f"this is an ELF file of type {kind:#x}; expected an object file (ET_REL) or a linked one")
    _, _, _, entry, phoff, shoff, _, _, phentsize, phnum, shentsize, shnum, shstrndx = layout.unpack_from(raw)
    return Header(bits, kind, entry, phoff, phentsize, phnum, shoff, shentsize, shnum, shstrndx)


def _nothing(raw: bytes) -> str:
    return f"this is not an ELF object file: it begins with {raw[:4].hex(' ')}; expected {_MAGIC.hex(' ')}"


def _check_machine(bits: int, order: str, machine: int) -> None:
    if machine == _EM_X86_64 and bits == 32:
        raise ObjectError("this is an object file of the x32 ABI (x86-64 with pointers of 32 bits); compile with -m64")
    if machine not in (_EM_386, _EM_X86_64):
        raise ObjectError(f"an object file for x86-64 or i386 is needed; this one is for {_machine_name(machine)}")
    if (bits == 64 and machine == _EM_386) or order == ">":
        raise ObjectError(
            f"the ELF file is damaged: it says that it is for {_NAMES[machine]}, of {bits} bits, with the "
            f"{'highest' if order == '>' else 'lowest'} byte first"
        )


def _machine_name(machine: int) -> str:
    known = _NAMES.get(machine, f"machine {machine}")
    described: str = describe_e_machine(known)
    return known.removeprefix("EM_") if described.startswith("<") else described
