"""Bugs in what a handler does to the SSE and x87 registers."""

from __future__ import annotations

from collections.abc import Iterator

from idtviz.checks.finding import Note, Severity
from idtviz.checks.rule import Findings, Rule
from idtviz.checks.scene import Passage, Scene
from idtviz.checks.trail import asked_for, executed, listed_registers, same_context, written_registers
from idtviz.debugger.observing import Instant
from idtviz.machine.registers import Registers, VectorRegisters
from idtviz.x86 import control

_SHOWN = 3
"""Notes about registers, at most."""


class VectorsNotSaved(Rule):
    id = "REG005"
    title = "A handler does not give back SSE or x87 registers"
    bug_class = 30
    severity = Severity.ERROR
    why = (
        "Neither a delivery nor PUSHes of general registers save XMM0 to XMM15, the x87 registers and MXCSR. A handler "
        "that uses one, or calls a compiled function that does (for a floating-point number, or just to copy a "
        "structure), leaves its own value there. One sees wrong numbers in the interrupted program, now and then."
    )
    fix = (
        "Compile what handlers call with -mgeneral-regs-only (Rust: a target with +soft-float). Or save the registers "
        "at the beginning, all with FXSAVE or a few with MOVUPS, and restore them in front of IRET."
    )
    source = "SDM 1 10.5, 11.6.5; SDM 3A 13.4"

    def __init__(self) -> None:
        self._told: set[tuple[int, str]] = set()

    def left(self, scene: Scene, passage: Passage) -> Findings:
        if asked_for(passage) or not same_context(passage) or passage.exit is None:
            return
        if passage.vector in _FLOATING_POINT or _behind(passage).cr0 & control.CR0_TS:
            return  # such a handler works on these registers; with TS set they belong to another task
        before, behind = passage.entry.vectors, passage.exit.vectors
        found = {
            name: what
            for name, what in _changed_vectors(before, behind, 16 if _behind(passage).mode == "long" else 8)
            if (passage.handler, name) not in self._told and not _changed_by_nested(passage, name)
        }
        if not found:
            return
        self._told |= {(passage.handler, name) for name in found}
        writers = {name: _last_writer(passage, name) for name in found}
        yield self.found(
            scene,
            f"the handler of {passage.delivered.event.name} does not give back {listed_registers(found)}: "
            f"{next(iter(found.values()))} behind IRET",
            next((writer.address for writer in writers.values() if writer is not None), passage.handler),
            *[Note(f"{name} is changed here", it.address) for name, it in writers.items() if it is not None][:_SHOWN],
        )


_FLOATING_POINT = (7, 16, 19)
"""#NM, #MF and #XM."""


def _changed_vectors(
    before: VectorRegisters | None, behind: VectorRegisters | None, count: int
) -> Iterator[tuple[str, str]]:
    """What a program finds changed of its x87 and SSE state, each with a few words about it."""
    if before is None or behind is None:
        return  # the handler was not looked at closely
    for number, (old, new) in enumerate(zip(before.xmm[:count], behind.xmm, strict=False)):
        if old != new:
            yield f"XMM{number}", f"XMM{number} was {old:#x} and is {new:#x}"
    used = [number for number in range(8) if before.control[_TAGS] >> 2 * number & 3 != _EMPTY]
    for number in used:
        if before.x87[number] != behind.x87[number]:
            yield f"x87 R{number}", f"the x87 register R{number} holds another value"
    for place, (name, mask) in enumerate(_CONTROL):
        if used or name in ("MXCSR", "the x87 control word"):
            old, new = before.control[place] & mask, behind.control[place] & mask
            if old != new:
                yield name, f"{name} was {before.control[place]:#x} and is {behind.control[place]:#x}"


_TAGS, _EMPTY = 2, 3
_CONTROL = (
    *(("the x87 status word", 0x7F00), ("the x87 control word", 0xFFFF)),
    *(("the x87 tag word", 0xFFFF), ("MXCSR", 0xFFC0)),
)
"""The words of `VectorRegisters.control`, without the flags of exceptions that have happened."""


def _changed_by_nested(passage: Passage, name: str) -> bool:
    """Whether handlers that interrupted this one have done it."""
    for nested in passage.nested:
        if nested.exit is not None:
            changed = _changed_vectors(nested.entry.vectors, nested.exit.vectors, 16)
            if any(name == changed_name for changed_name, _ in changed):
                return True
    return False


def _last_writer(passage: Passage, name: str) -> Instant | None:
    """The last instruction that was seen to write a register of the x87 or SSE state."""
    for instant in reversed(list(executed(passage))):
        mnemonic = "" if instant.decoded is None else instant.decoded.mnemonic
        if name.startswith("XMM"):
            wrote = name.lower() in written_registers(instant)
        elif name == "MXCSR":
            wrote = mnemonic.startswith(("ldmxcsr", "fxrstor"))
        else:
            wrote = mnemonic.startswith(("f", "emms")) or any(it.startswith("mm") for it in written_registers(instant))
        if wrote:
            return instant
    return None


def _behind(passage: Passage) -> Registers:
    """The registers behind the handler's IRET."""
    assert passage.exit is not None
    return passage.exit.registers


RULES: tuple[type[Rule], ...] = (VectorsNotSaved,)
