"""What a handler hands to the functions that it calls, told from the values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from idtviz.checks.scene import Call, Passage
from idtviz.lab.harness.world import TELLTALES
from idtviz.machine.registers import GENERAL_NAMES
from idtviz.x86.frames import InterruptFrame
from idtviz.x86.vectors import VECTORS

_IN_REGISTERS = ("rdi", "rsi", "rdx")


class What(Enum):
    """What an argument is."""

    FRAME = "the interrupt frame"
    FRAME_WITH_CODE = "the interrupt frame from its error code on"
    INSIDE_FRAME = "the midst of the interrupt frame"
    SAVED = "saved registers"
    ERROR_CODE = "the error code"
    RIP = "the saved RIP"
    VECTOR = "the vector's number"
    UNSET = "what the interrupted program had in that register"
    OTHER = "something else"


@dataclass(frozen=True, slots=True)
class Argument:
    """`place`: the register, or the word of the stack, that it is handed over in. `more`: how far from what it is."""

    place: str
    value: int
    what: What
    more: str = ""

    def __str__(self) -> str:
        return f"{self.place} = {self.what.value}{self.more}"


def arguments(call: Call, passage: Passage, stack: bytes) -> tuple[Argument, ...]:
    """What is handed over at `call`: in 64-bit code in registers, in 32-bit code in the words of `stack`.

    Behind the first one that the handler has not set there is none.
    """
    frame = passage.frame
    if frame is None:
        return ()
    if frame.word_size == 8:
        general = call.at.registers.general
        given = [(name.upper(), general[GENERAL_NAMES.index(name)]) for name in _IN_REGISTERS]
    else:
        words = (stack[at : at + 4] for at in range(0, len(stack) - 3, 4))
        given = [(f"argument {number}", int.from_bytes(word, "little")) for number, word in enumerate(words, 1)][:2]
    found = []
    for place, value in given:
        argument = _argument(place, value, call, passage, frame)
        if argument.what is What.UNSET:
            break
        found.append(argument)
    return tuple(found)


def _argument(place: str, value: int, call: Call, passage: Passage, frame: InterruptFrame) -> Argument:
    what, more = _what(place, value, call, passage, frame)
    return Argument(place, value, what, more)


def _what(place: str, value: int, call: Call, passage: Passage, frame: InterruptFrame) -> tuple[What, str]:
    end = frame.address + frame.size
    if value == TELLTALES.get(place.lower()):
        return What.UNSET, ""
    if value == frame.return_address:
        return What.FRAME, ""
    if value == frame.address:
        return What.FRAME_WITH_CODE, ""
    if frame.address < value < end:
        return What.INSIDE_FRAME, f", {value - frame.return_address} bytes behind its RIP"
    if call.at.registers.rsp <= value < frame.address:
        return What.SAVED, f", {frame.address - value} bytes below the interrupt frame"
    if value == frame.rip:
        return What.RIP, ""
    if frame.error_code is not None and value == frame.error_code and frame.error_code:
        return What.ERROR_CODE, ""
    if value == passage.vector and (value < len(VECTORS) and value):
        return What.VECTOR, ""
    return What.OTHER, ""
