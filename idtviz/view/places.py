"""Where a pair of selector and offset lies, and how it is written: by mode."""

from __future__ import annotations

from idtviz.debugger.view import View
from idtviz.view.layout import printable
from idtviz.x86.addresses import MASK32
from idtviz.x86.flags import VM
from idtviz.x86.frames import InterruptFrame
from idtviz.x86.selectors import Selector

_PARAGRAPHS = ("real", "vm86")


def linear(view: View, mode: str, selector: int, offset: int) -> int:
    """Linear address of `offset` in the segment that `selector` names in `mode`; 64-bit mode has no segment bases."""
    if mode == "long":
        return offset
    if mode in _PARAGRAPHS:
        return ((selector & 0xFFFF) << 4) + offset & MASK32
    found = view.find(Selector(selector & 0xFFFF))
    base = found.base if found is not None and not found.is_system else 0
    return base + offset & MASK32


def far(mode: str, selector: int, offset: int) -> str:
    """`0x100000` in long mode, `08:100000` in protected mode, `1000:0123` in real mode."""
    if mode == "long":
        return f"{offset:#x}"
    if mode in _PARAGRAPHS:
        return f"{selector & 0xFFFF:04x}:{offset:04x}"
    return f"{selector & 0xFFFF:02x}:{offset:x}"


def name_at(view: View, mode: str, selector: int, offset: int) -> str:
    """The symbol there; else the address."""
    name = view.name(linear(view, mode, selector, offset))
    return printable(name) if name else far(mode, selector, offset)


def frame_mode(view: View, frame: InterruptFrame) -> str:
    """The mode that a handler with this frame was entered from, as far as it decides what CS:RIP and SS:RSP mean."""
    if view.mode == "real":
        return "real"
    if frame.word_size == 8:
        found = view.find(Selector(frame.cs & 0xFFFF))
        return "long" if found is None or found.l else "compatibility"
    return "vm86" if frame.rflags & VM else "protected"
