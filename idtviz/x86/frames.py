"""What the processor leaves on the stack for a handler (SDM 3A 6.12.1, 6.14.2; 3B 20.1.4, 20.3.1.1)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from .flags import RFlags
from .selectors import Selector


@dataclass(frozen=True, slots=True)
class FrameWord:
    """One word of an interrupt frame: its name, value and meaning, its linear address, its size in bytes."""

    name: str
    value: int
    meaning: str
    address: int = 0
    size: int = 8


ERROR_CODE_MEANING: Final = "error code: the handler takes it off the stack before IRET"

_FIELDS: Final = ("error_code", "rip", "cs", "rflags", "rsp", "ss", "es", "ds", "fs", "gs")
"""What a frame can hold, lowest address first."""

_NAMES: Final = {
    8: {"rip": "RIP", "rflags": "RFLAGS", "rsp": "RSP"},
    4: {"rip": "EIP", "rflags": "EFLAGS", "rsp": "ESP"},
    2: {"rip": "IP", "rflags": "FLAGS", "rsp": "SP"},
}


@dataclass(frozen=True, slots=True)
class InterruptFrame:
    """The words that a delivery pushes, each of `word_size` bytes (8, 4 or 2); None for what is not pushed.

    64-bit mode always pushes SS:RSP, RFLAGS, CS:RIP; protected mode SS:ESP only with a change of ring, and in front of
    them GS, FS, DS and ES when virtual-8086 mode is left; real mode FLAGS, CS:IP. The error code, if there is one,
    comes last. `address` is the linear address of the lowest word, which the handler finds at the top of its stack.
    `cs` and `ss` are whole words, of which IRET uses the low 16 bits.
    """

    address: int
    error_code: int | None
    rip: int
    cs: int
    rflags: int
    rsp: int | None = None
    ss: int | None = None
    es: int | None = None
    ds: int | None = None
    fs: int | None = None
    gs: int | None = None
    word_size: int = 8

    @property
    def _pushed(self) -> tuple[str, ...]:
        return tuple(name for name in _FIELDS if getattr(self, name) is not None)

    @property
    def size(self) -> int:
        """Bytes on the stack: in 64-bit mode 40, or 48 with an error code."""
        return len(self._pushed) * self.word_size

    @property
    def return_address(self) -> int:
        """Linear address of the word that IRET pops first: RIP, behind the error code."""
        return self.address + (self.word_size if self.error_code is not None else 0)

    @property
    def words(self) -> tuple[FrameWord, ...]:
        """The words of the frame with their addresses, lowest address first."""
        return tuple(
            FrameWord(
                self._name(name),
                getattr(self, name),
                _meaning(name, getattr(self, name)),
                self.address + self.word_size * place,
                self.word_size,
            )
            for place, name in enumerate(self._pushed)
        )

    def _name(self, field: str) -> str:
        if field == "error_code":
            return "error code"
        return _NAMES[self.word_size].get(field, field.upper())

    def reread(self, raw: bytes) -> InterruptFrame:
        """The frame with the same words whose bytes are `raw`; ValueError unless they are `size` many."""
        if len(raw) != self.size:
            raise ValueError(f"this interrupt frame has {self.size} bytes, not {len(raw)}")
        step = self.word_size
        values = (int.from_bytes(raw[at : at + step], "little") for at in range(0, len(raw), step))
        return replace(self, **dict(zip(self._pushed, values, strict=True)))

    def encode(self) -> bytes:
        """The bytes on the stack, lowest address first."""
        return b"".join(getattr(self, name).to_bytes(self.word_size, "little") for name in self._pushed)


def _meaning(field: str, value: int) -> str:
    match field:
        case "error_code":
            return ERROR_CODE_MEANING
        case "rip":
            return "where IRET returns to"
        case "cs":
            return f"code segment to return to: {Selector(value & 0xFFFF).explain()}"
        case "rflags":
            return " ".join(RFlags(value).names()) or "no flags set"
        case "rsp":
            return "stack pointer of the interrupted code"
        case "ss":
            return f"stack segment of the interrupted code: {Selector(value & 0xFFFF).explain()}"
    return f"{field.upper()} of virtual-8086 mode: a paragraph, not a selector"
