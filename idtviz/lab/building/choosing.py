"""Which of the tools at hand makes an object file of a source, and which puts them together."""

from __future__ import annotations

from pathlib import PurePosixPath

from idtviz.lab.building import tools
from idtviz.lab.building.complaints import BuildError, refusal
from idtviz.lab.building.gnu import Gnu
from idtviz.lab.building.llvm import Llvm
from idtviz.lab.building.made import COMPILED, NASM, Maker
from idtviz.lab.building.netwide import Netwide
from idtviz.lab.building.tools import Tool

_GCC = "Debian, Ubuntu: apt-get install gcc; Fedora: dnf install gcc; macOS: brew install x86_64-elf-gcc"
_ZIG = "or zig: brew install zig, pip install ziglang"
_NASM = "Debian, Ubuntu: apt-get install nasm; Fedora: dnf install nasm; macOS: brew install nasm"
_BINUTILS = "Debian, Ubuntu: apt-get install binutils; Fedora: dnf install binutils; macOS: brew install x86_64-elf-gcc"


def maker_of(source: str, *, trusted: bool) -> Maker:
    """What makes an object file of `source`. Raises BuildError that says what to install."""
    suffix = PurePosixPath(source).suffix
    if suffix in NASM:
        nasm = tools.nasm()
        if nasm is None:
            raise _missing(source, "assembles it", "nasm", _NASM)
        return Netwide(nasm, trusted)
    assembler, compiler = tools.gnu_as(), tools.gcc()
    if assembler is not None and compiler is not None:
        return Gnu(assembler, None if suffix == ".s" else compiler, trusted)
    if suffix not in COMPILED and assembler is not None and (suffix == ".s" or not trusted):
        return Gnu(assembler, None, trusted)
    if not trusted:
        does = "compiles it" if suffix in COMPILED else "assembles it"
        raise _missing(source, f"{does} and says which files it reads", "gcc with GNU as", _GCC)
    llvm = tools.llvm()
    if llvm is not None:
        return Llvm(llvm)
    if suffix not in COMPILED and assembler is not None:
        return Gnu(assembler, None, trusted)
    if suffix in COMPILED:
        raise _missing(source, "compiles it", "gcc, clang, zig", f"{_GCC}; {_ZIG}")
    raise _missing(source, "assembles it", "gcc, clang, zig, as", f"{_GCC}; {_ZIG}")


def linker_of(image: str) -> Tool:
    """What links. Raises BuildError that says what to install."""
    linker = tools.gnu_ld() or tools.lld()
    if linker is None:
        raise _missing(image, "links it", "ld, ld.lld, zig", f"{_BINUTILS}; {_ZIG}")
    return linker


def _missing(file: str, does: str, looked_for: str, install: str) -> BuildError:
    return refusal(file, f"no program on PATH that {does}; looked for {looked_for} ({install})")
