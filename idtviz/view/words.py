"""The words of the stack panel: what stands at each address, what it is called, and what it means."""

from __future__ import annotations

from dataclasses import dataclass, replace

from idtviz.debugger.procedures import ProcedureView
from idtviz.debugger.view import View
from idtviz.view.layout import printable
from idtviz.view.places import frame_mode, linear
from idtviz.view.tss import slots
from idtviz.x86.error_codes import PageFaultCode, describe
from idtviz.x86.flags import RFlags
from idtviz.x86.frames import FrameWord, InterruptFrame
from idtviz.x86.selectors import Selector
from idtviz.x86.vectors import by_name

ROOMY = 56
"""Columns from which all sixteen digits fit beside a meaning."""

_BELOW = 32  # bytes shown below the stack pointer: what was popped last is still there
_BARS = ("│", "┃")
_ENDS = ("_top", "_end")  # how kernels call the first address above a stack
_PAGE_FAULT = 14


@dataclass(frozen=True)
class Word:
    """One word of `size` bytes: what is there, and what it is. `coming`: a delivery is about to write `value`."""

    address: int
    size: int
    value: int | None
    bar: str = ""
    name: str = ""
    meaning: str = ""
    was: int | None = None
    coming: bool = False
    dim: bool = False


Words = dict[int, Word]
"""By linear address."""


def of_window(view: View, framed: Words) -> Words:
    """The words around the stack pointer, up to where another object begins; those of `framed` as they stand there."""
    stack = view.stack
    top = _top(view)
    found: Words = {}
    address = max(stack.start, stack.linear - _BELOW)
    while address < top or address in framed:
        if address in framed:
            found[address] = framed[address]
            address += framed[address].size
            continue
        size = _room(address, stack.word_size, framed)
        value = stack.word(address, size)
        if value is None and address >= stack.linear:
            break
        meaning = (_code_name(view, value) or _data_name(view, value)) if value is not None else ""
        found[address] = Word(address, size, value, meaning=meaning, dim=address < stack.linear)
        address += size
    return framed | found


def _top(view: View) -> int:
    """Linear address behind the highest word that belongs to the stack in use, as far as can be told."""
    stack, named = view.stack, slots(view).values()
    here, end = stack.linear, stack.end
    label = view.symbols.at(here)
    is_end = label is not None and label.address == here and label.name.endswith(_ENDS)
    if here in named or is_end:
        return here
    tops = [pointer for pointer in named if here < pointer < end]
    data = view.symbols.next_data(here)
    if data is not None and data < end:
        tops.append(data)
    return min(tops, default=end)


def _room(address: int, size: int, framed: Words) -> int:
    """`size`, or less where a frame begins before that."""
    return next((step for step in range(1, size) if address + step in framed), size)


def _code_name(view: View, value: int) -> str:
    address = view.code.linear(value)
    symbol = view.symbols.at(address) if value else None
    return printable(view.name(address) or "") if symbol is not None and symbol.code else ""


def _data_name(view: View, value: int) -> str:
    """The object that a word points at: exactly, or into it if the symbol table says how large it is."""
    address = value if view.mode == "long" else view.registers.ds.base + value
    symbol = view.symbols.at(address) if value else None
    known = symbol is not None and not symbol.code and (symbol.size or symbol.address == address)
    return printable(view.name(address) or "") if known else ""


def of_frames(view: View, width: int) -> Words:
    """The words of the frames of handlers that run, outermost first, as they are now."""
    found: Words = {}
    for depth, frame in enumerate(view.frames):
        now = {word.address: word.value for word in frame.now.words} if frame.now is not None else {}
        for word in _named(view, frame.pushed, frame.name, depth, width, now):
            value = now.get(word.address)
            was = word.value if value is not None and value != word.value else None
            found[word.address] = replace(word, value=value, was=was)
    return found


def being_pushed(view: View, procedure: ProcedureView, width: int) -> Words:
    """The words that a procedure is pushing: those there already, and those to come."""
    frame, at = procedure.frame, procedure.before
    done = {span.address for step in procedure.steps[: procedure.performed] if step.ok for span in step.writes}
    depth = len(view.frames)
    event = procedure.event.name if procedure.event is not None else ""
    if frame is not None:
        words = _named(view, frame, event, depth, width, {})
    else:
        words = []
        for each in procedure.pushed:
            meaning = _meaning(view, at.mode, at.cs.selector, each, each.value, event)
            words.append(Word(each.address, each.size, each.value, _BARS[depth % 2], _short(each), meaning))
    found: Words = {}
    for word in words:
        if word.address in done:
            real = view.stack.word(word.address, word.size)
            found[word.address] = replace(word, value=word.value if real is None else real)
        elif procedure.fault is None or _will_be_written(procedure, word.address):
            found[word.address] = replace(word, coming=True, dim=True)
    return found


def _short(word: FrameWord) -> str:
    return {"error code": "error", "parameter": "param"}.get(word.name, word.name.lower())


def _will_be_written(procedure: ProcedureView, address: int) -> bool:
    return any(span.address == address for step in procedure.steps for span in step.writes)


def _named(view: View, frame: InterruptFrame, event: str, depth: int, width: int, now: dict[int, int]) -> list[Word]:
    """The words of a frame with their pushed values, names, and the meaning of what they hold `now`."""
    words = []
    for place, word in enumerate(reversed(frame.words)):
        mode, value = frame_mode(view, frame), now.get(word.address, word.value)
        meaning = _meaning(view, mode, frame.cs, word, value, event)
        if place == 0:
            meaning += f" · {event} frame" if width >= ROOMY else f" {event}"
        words.append(Word(word.address, word.size, word.value, _BARS[depth % 2], _short(word), meaning))
    return words


def _meaning(view: View, mode: str, cs: int, word: FrameWord, value: int, event: str) -> str:
    """What a word that saves something of `mode` stands for, if it holds `value`; `cs` is the code segment saved."""
    match word.name:
        case "SS" | "CS" | "DS" | "ES" | "FS" | "GS":
            if mode in ("real", "vm86"):
                return f"base {(value & 0xFFFF) << 4:05x}"
            selector = Selector(value & 0xFFFF)
            return f"null, ring {selector.rpl}" if selector.null else f"ring {selector.rpl}"
        case "RFLAGS" | "EFLAGS" | "FLAGS":
            return " ".join(RFlags(value).names()) or "no flags"
        case "RIP" | "EIP" | "IP":
            address = linear(view, mode, cs, value)
            name = printable(view.name(address) or "")
            return name or (f"= {address:x}" if address != value else "")
        case "RSP" | "ESP":
            return _data_name(view, value) if mode in ("long", "protected") else ""
        case "SP" | "parameter":
            return ""
    return f"{value:#x}{_error(event, value)}"


def _error(event: str, value: int) -> str:
    try:
        vector = by_name(event).number
    except ValueError:
        return ""
    if vector == _PAGE_FAULT:
        names = " ".join(PageFaultCode(value).names())
        return f" = {names or 'supervisor read, P=0'}"
    return f" = {describe(vector, value)}" if value else ""
