"""The programs that assemble, compile and link: which of them are at hand."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from pathlib import Path

PREFIXES = ("", "x86_64-linux-gnu-", "x86_64-elf-")
"""What stands in front of the names of tools that make x86 code on another machine."""

_X86 = re.compile(r"(x86_64|i[3-6]86)-(?!.*(apple|darwin|mingw|cygwin|windows))")


class Family(Enum):
    """Tools that take the same options and say what is wrong in the same way."""

    GNU = "gnu"
    LLVM = "llvm"
    NASM = "nasm"


@dataclass(frozen=True, slots=True)
class Tool:
    """A program: `name` as it is called, and the whole command that begins its line."""

    name: str
    command: tuple[str, ...]
    family: Family

    @property
    def identity(self) -> str:
        """Changes when the program is another one."""
        found = Path(self.command[0]).resolve().stat()
        return f"{self.command}{found.st_size}:{found.st_mtime_ns}"

    def answer(self, question: str) -> str:
        """What it says of itself when it is asked by an option."""
        return _said(self.command[0], (*self.command[1:], question), Path(self.command[0]).stat().st_mtime_ns).strip()


def gcc() -> Tool | None:
    """GNU's compiler for x86."""
    return next(_working("gcc", ("-dumpmachine",), _X86.pattern, Family.GNU), None)


def gnu_as() -> Tool | None:
    """GNU's assembler for x86."""
    return next(
        _working("as", ("--version",), r"GNU assembler[\s\S]*target of [`'\"](x86_64|i[3-6]86)", Family.GNU), None
    )


def gnu_ld() -> Tool | None:
    """GNU's linker, if it can link for x86."""
    return next(_working("ld", ("-V",), r"GNU ld[\s\S]*\belf_x86_64\b", Family.GNU), None)


def llvm() -> Tool | None:
    """A compiler with LLVM's own assembler."""
    clang = _found("clang")
    if clang is not None:
        return Tool("clang", (clang,), Family.LLVM)
    zig = _zig()
    return None if zig is None else Tool("zig", (zig, "cc"), Family.LLVM)


def lld() -> Tool | None:
    """LLVM's linker, alone or as a part of zig."""
    alone = _found("ld.lld")
    if alone is not None:
        return Tool("ld.lld", (alone,), Family.LLVM)
    zig = _zig()
    return None if zig is None else Tool("zig", (zig, "ld.lld"), Family.LLVM)


def nasm() -> Tool | None:
    """The Netwide Assembler."""
    found = _found("nasm")
    return None if found is None else Tool("nasm", (found,), Family.NASM)


def _zig() -> str | None:
    """The package `ziglang` calls it `python-zig`."""
    return _found("zig") or _found("python-zig")


def _found(name: str) -> str | None:
    found = shutil.which(name)
    return None if found is None else str(Path(found).absolute())


def _working(name: str, question: tuple[str, ...], answer: str, family: Family) -> Iterator[Tool]:
    for prefix in PREFIXES:
        found = _found(prefix + name)
        if found is not None and re.search(answer, _said(found, question, Path(found).stat().st_mtime_ns)):
            yield Tool(prefix + name, (found,), family)


@lru_cache(maxsize=64)
def _said(program: str, question: tuple[str, ...], _changed: int) -> str:
    """What a program says of itself; nothing if it does not work."""
    try:
        done = subprocess.run(
            [program, *question], stdin=subprocess.DEVNULL, capture_output=True, timeout=20, check=False, text=True
        )
    except (OSError, subprocess.SubprocessError, UnicodeError):
        return ""
    return done.stdout
