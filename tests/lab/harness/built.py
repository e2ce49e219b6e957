"""Object files of the handlers in `tests/handlers`, and what a check of them finds."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import pytest

from idtviz.checks.finding import Severity
from idtviz.lab.checking import Checked
from idtviz.lab.harness import check_object
from idtviz.lab.places import Reported

HANDLERS = Path(__file__).resolve().parents[2] / "handlers"
FOR_KERNELS = "-mgeneral-regs-only -mno-red-zone -Wno-builtin-declaration-mismatch"

needs_gcc = pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc builds the handlers")


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="idtviz-handlers-")


@cache
def built(name: str, flags: str = "") -> Path:
    """The object file of a source in `tests/handlers`."""
    path = Path(_folder().name) / f"{name}{flags.replace(' ', '')}.o"
    subprocess.run(["gcc", "-c", "-g", *flags.split(), "-o", path, HANDLERS / name], check=True, timeout=60)
    return path


@cache
def assembled(text: str, flags: str = "", language: str = "assembler") -> Path:
    """The object file of a text for GNU as, in Intel syntax; or, with `c`, for gcc."""
    path = Path(_folder().name) / f"{abs(hash((text, flags, language))):x}.o"
    head = ".intel_syntax noprefix\n.text\n" if language == "assembler" else ""
    subprocess.run(
        ["gcc", "-c", "-g", *flags.split(), "-x", language, "-o", path, "-"],
        input=f"{head}{text}\n",
        text=True,
        check=True,
        timeout=60,
    )
    return path


@cache
def checked(path: Path, symbol: str | None = None, vector: int | None = None) -> Checked:
    return check_object(path, symbol, vector)


def serious(found: Checked) -> list[Reported]:
    """What is more than a note."""
    return [each for each in found.reported if each.finding.severity is not Severity.NOTE]


def told(found: Checked) -> list[str]:
    """The rule and the message of each, for a test that fails to show."""
    return [f"{each.place.symbol}: {each.finding.rule} {each.finding.message}" for each in serious(found)]
