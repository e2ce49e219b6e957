"""Labs of a few lines, in folders of their own, and PATHs with some tools only."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from idtviz.lab.building import BuildError, Limits, build

LONG = ".intel_syntax noprefix\n.globl _start\n_start: call part\ncli\nhlt\n"
PART = ".intel_syntax noprefix\n.globl part\npart: mov eax, 42\nret\n"
HALT = ".intel_syntax noprefix\n.globl _start\n_start: cli\nhlt\n"
NASM = "global _start\n_start: mov eax, 42\ncli\nhlt\n"
C = '#include <stdint.h>\nstatic volatile uint32_t n = 42;\nvoid _start(void) { __asm__("cli\\nhlt" :: "a"(n)); }\n'
SECRET = "secret_of_the_teacher"
USUAL = Limits()


def lab(
    folder: Path,
    files: Mapping[str, str],
    *,
    image: str = 'elf = "lab.elf"',
    mode: str | None = None,
    todo: str | None = None,
    more: str = "",
) -> Path:
    """A scenario `lab.toml` with its sources; `more` is what stands in front of its first lesson."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    source = ", ".join(f'"{name}"' for name in files)
    machine = "" if mode is None else f'[machine]\nmode = "{mode}"\n'
    lesson = "" if todo is None else f'[[lesson]]\nat = "0"\ntask = "Write it."\ntodo = "{todo}"\n'
    scenario = folder / "lab.toml"
    scenario.write_text(f'title = "Lab"\n{machine}[image]\n{image}\nsource = [{source}]\n{more}\n{lesson}')
    return scenario


def refused(scenario: Path, *, trusted: bool = True, limits: Limits = USUAL) -> BuildError:
    """Why it is not built. No image is left, and nothing is said about the place where it was tried."""
    with pytest.raises(BuildError) as caught:
        build(scenario, trusted=trusted, limits=limits)
    assert "idtviz-build" not in str(caught.value)
    assert not (scenario.parent / "lab.elf").exists()
    assert 0 < len(caught.value.complaints) <= limits.complaints + 1
    return caught.value


_ZIG = {"zig": "", "clang": "clang", "ld.lld": "ld.lld"}
"""What zig has in it, by the names that the programs have where they come alone."""


def only(folder: Path, monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """A PATH with these programs alone."""
    folder.mkdir()
    for name in names:
        if name in _ZIG:
            (folder / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" -m ziglang {_ZIG[name]} "$@"\n')
            (folder / name).chmod(0o755)
            continue
        found = shutil.which(name)
        assert found is not None
        (folder / name).symlink_to(found)
    monkeypatch.setenv("PATH", str(folder))
