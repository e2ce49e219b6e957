"""Scenarios and labs to begin with: small ones that run, with their images already built."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from idtviz.lab.schema import grade_schema, scenario_schema, text

_HERE = Path(__file__).resolve().parent
SCENARIO_SCHEMA, GRADE_SCHEMA = "scenario.schema.json", "grade.schema.json"
_KERNEL = ("kernel.S", "kernel.ld")


class Mode(Enum):
    """The mode in which the image is entered."""

    LONG = "long"
    PROTECTED = "protected"
    REAL = "real"


@dataclass(frozen=True, slots=True)
class _Words:
    """What differs between the modes in a scenario file."""

    register: str
    value: str
    """What the kernel has this register hold across INT3."""
    pointer: str
    returns: str
    frame: str


_WORDS = {
    Mode.LONG: _Words("rax", "0x1122334455667788", "RIP", "IRETQ", "five words: RIP, CS, RFLAGS, RSP and SS"),
    Mode.PROTECTED: _Words("eax", "0x11223344", "EIP", "IRET", "three words: EIP, CS and EFLAGS"),
    Mode.REAL: _Words("ax", "0x1122", "IP", "IRET", "three words: IP, CS and FLAGS"),
}


def scenario(name: str, mode: Mode) -> dict[str, bytes]:
    """The files of a scenario called `name`, by their paths in its folder: a kernel and its handler."""
    return {
        f"{name}.toml": _text("scenario.toml", name, mode),
        **{each: _raw(mode.value, each) for each in _KERNEL},
        **{each: _raw(mode.value, "scenario", each) for each in ("handler.S", "kernel.elf")},
        SCENARIO_SCHEMA: schema_file(),
    }


def lab(name: str, mode: Mode) -> dict[str, bytes]:
    """The same of a lab: its handler is left to be written, and the teacher's files are with it."""
    return {
        f"{name}.toml": _text("lab.toml", name, mode),
        **{each: _raw(mode.value, each) for each in _KERNEL},
        **{each: _raw(mode.value, "lab", each) for each in ("handler.S", "kernel.elf")},
        f"{name}.grade.toml": _text("grade.toml", name, mode),
        "solution/handler.S": _raw(mode.value, "scenario", "handler.S"),
        SCENARIO_SCHEMA: schema_file(),
        GRADE_SCHEMA: text(grade_schema()).encode(),
    }


def bare_handler(name: str) -> dict[str, bytes]:
    """The same of a handler without a kernel."""
    return {
        f"{name}.toml": _text("object/scenario.toml", name, Mode.LONG),
        **{each: _raw("object", each) for each in ("handler.S", "handler.o")},
        SCENARIO_SCHEMA: schema_file(),
    }


def schema_file() -> bytes:
    """What an editor reads beside a scenario."""
    return text(scenario_schema()).encode()


def _raw(*parts: str) -> bytes:
    return _HERE.joinpath(*parts).read_bytes()


def _text(template: str, name: str, mode: Mode) -> bytes:
    words = _WORDS[mode]
    said = {
        "@NAME@": name,
        "@MODE@": mode.value,
        "@REGISTER@": words.register,
        "@VALUE@": words.value,
        "@IP@": words.pointer,
        "@RETURN@": words.returns,
        "@WORDS@": words.frame,
    }
    written = (_HERE / template).read_text(encoding="utf-8")
    for placeholder, word in said.items():
        written = written.replace(placeholder, word)
    return written.encode()
