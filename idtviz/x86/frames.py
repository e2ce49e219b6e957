"""What the processor leaves on the stack for a handler (SDM 3A 6.12.1, 6.14.2)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final, Self

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


@dataclass(frozen=True, slots=True)
class InterruptFrame64:
    """The frame of 64-bit mode: always SS:RSP, RFLAGS, CS:RIP, each 8 bytes, then the error code if there is one.

    `address` is the linear address of the lowest word, the RSP with which the handler starts (SDM 3A 6.14.2). `cs` and
    `ss` are the whole 8-byte words, of which IRET uses the low 16 bits. `error_code` is None where none is pushed.
    """

    address: int
    error_code: int | None
    rip: int
    cs: int
    rflags: int
    rsp: int
    ss: int

    @property
    def size(self) -> int:
        """Bytes on the stack: 40, or 48 with an error code."""
        return self.size_with(self.error_code is not None)

    @staticmethod
    def size_with(error_code: bool) -> int:
        """Bytes that a frame takes, with or without an error code."""
        return 48 if error_code else 40

    @property
    def words(self) -> tuple[FrameWord, ...]:
        """The words of the frame with their addresses, lowest address first."""
        rows = [
            ("RIP", self.rip, "where IRET returns to"),
            ("CS", self.cs, f"code segment to return to: {Selector(self.cs & 0xFFFF).explain()}"),
            ("RFLAGS", self.rflags, " ".join(RFlags(self.rflags).names()) or "no flags set"),
            ("RSP", self.rsp, "stack pointer of the interrupted code"),
            ("SS", self.ss, f"stack segment of the interrupted code: {Selector(self.ss & 0xFFFF).explain()}"),
        ]
        if self.error_code is not None:
            rows.insert(0, ("error code", self.error_code, ERROR_CODE_MEANING))
        return tuple(
            FrameWord(name, value, meaning, self.address + 8 * place)
            for place, (name, value, meaning) in enumerate(rows)
        )

    @classmethod
    def decode(cls, address: int, raw: bytes, error_code: bool) -> Self:
        """The frame at linear `address` whose bytes are `raw`; ValueError unless they are `size_with(error_code)`."""
        if len(raw) != cls.size_with(error_code):
            raise ValueError(f"an interrupt frame has {cls.size_with(error_code)} bytes here, not {len(raw)}")
        words = struct.unpack(f"<{len(raw) // 8}Q", raw)
        code = words[0] if error_code else None
        return cls(address, code, *words[-5:])

    def encode(self) -> bytes:
        """The bytes on the stack, lowest address first."""
        code = () if self.error_code is None else (self.error_code,)
        return struct.pack(f"<{self.size // 8}Q", *code, self.rip, self.cs, self.rflags, self.rsp, self.ss)
