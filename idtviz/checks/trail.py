"""Where the value of a register comes from, as far as the instructions that were looked at tell."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum, auto
from functools import cache
from typing import Any

from capstone import CS_OP_MEM, CS_OP_REG

from idtviz.checks.scene import Passage
from idtviz.debugger.moment import Moment
from idtviz.debugger.observing import Instant
from idtviz.machine.decoding import capstone_instruction, code_bits
from idtviz.machine.delivery.event import Source
from idtviz.machine.operands import Operand
from idtviz.machine.registers import GENERAL_NAMES, Registers

_PUSHA = ("pusha", "pushal", "pushaw")
_POPA = ("popa", "popal", "popaw")


class Fate(Enum):
    """What has become of a register between a handler's entry and its IRET."""

    CHANGED = auto()
    """It was changed, and nothing brought its value back."""
    MIXED_UP = auto()
    """It was given what another register held."""
    REWRITTEN = auto()
    """It was saved and taken back, but its place on the stack had been written in between."""


@dataclass(frozen=True, slots=True)
class Trail:
    """What has become of a register, and the instruction that did it.

    `other` is the number of the register whose value it was given, `slot` the linear address of its saved value.
    """

    fate: Fate
    at: Instant
    other: int | None = None
    slot: int = 0


def trail(passage: Passage, number: int) -> Trail | None:
    """What has become of general register `number`; None: nothing that the handler's own instructions did."""
    return _trail(passage, number, len(passage.instants))


def changer(passage: Passage, value: Callable[[Registers], object], *, before_iret: bool = False) -> Instant | None:
    """The handler's last instruction that changed `value` of the registers; None where none was seen to."""
    place = _changed_before(passage, value, len(passage.instants) - before_iret)
    return None if place is None else passage.instants[place]


def executed(passage: Passage) -> Iterator[Instant]:
    """The instructions that were looked at, without those in front of which, or in which, a handler came in between."""
    for place, instant in enumerate(passage.instants):
        if not any(it.delivered.event.rip == instant.registers.rip for it in _nested_behind(passage, place)):
            yield instant


def stored_register(instant: Instant, slot: int) -> int | None:
    """The number of the general register that `instant` stores at linear `slot`; None for any other value."""
    found = _decoded(instant)
    written = [operand for operand in instant.operands if operand.write]
    places = [place for place, operand in enumerate(written) if operand.address == slot]
    if found is None or not places:
        return None
    if found.mnemonic in _PUSHA:
        return places[0]
    if found.mnemonic not in ("push", "mov"):
        return None
    return _number(found, found.operands[-1])


def registers_in(raw: bytes, bits: int, *, addresses: bool = False) -> set[int]:
    """The general registers that the instruction `raw` names; with `addresses`, only as parts of an address."""
    found = capstone_instruction(raw, 0, bits)
    if found is None:
        return set()
    numbers = _numbers()
    memory = [operand.mem for operand in found.operands if operand.type == CS_OP_MEM]
    named = [register for it in memory for register in (it.base, it.index) if register]
    if not addresses:
        read, written = found.regs_access()
        named += [*read, *written]
    return {numbers[name] for name in map(found.reg_name, named) if name in numbers}


def written_registers(instant: Instant) -> set[str]:
    """The names of the registers that an instruction writes, as Capstone writes them: `xmm0`."""
    found = _decoded(instant)
    return set() if found is None else {found.reg_name(register) for register in found.regs_access()[1]}


def named_registers(instant: Instant) -> set[str]:
    """The names of the registers that an instruction's operands are."""
    found = _decoded(instant)
    operands = () if found is None else found.operands
    return {found.reg_name(operand.reg) for operand in operands if operand.type == CS_OP_REG}


def general_name(number: int, mode: str) -> str:
    """What a general register is called in `mode`: RAX or EAX."""
    name = GENERAL_NAMES[number].upper()
    return name if mode == "long" else f"E{name[1:]}"


def listed(texts: Iterable[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    *first, last = texts
    return f"{', '.join(first)} and {last}" if first else last


def listed_registers(names: Iterable[str]) -> str:
    """`RCX, RDX and R8 to R11`; of more than six items the first three: `RAX, RCX, RDX and 12 others`."""
    found = list(names)
    runs: list[list[str]] = []
    for name in found:
        stem, number = _numbered(name)
        if runs and number is not None and _numbered(runs[-1][-1]) == (stem, number - 1):
            runs[-1].append(name)
        else:
            runs.append([name])
    texts: list[str] = []
    for run in runs:
        texts += [f"{run[0]} to {run[-1]}"] if len(run) > 2 else run
    return listed(texts if len(texts) <= _MOST_LISTED else [*found[:3], f"{len(found) - 3} others"])


def _numbered(name: str) -> tuple[str, int | None]:
    """`R10` is `R` and 10, `R10D` and `RAX` have no number."""
    stem = name.rstrip("0123456789")
    return stem, int(name[len(stem) :]) if stem != name else None


_MOST_LISTED = 6


def same_context(passage: Passage) -> bool:
    """Whether IRET went back to what was interrupted, as it was: no other task, no repaired return address."""
    frame, returned = passage.frame, passage.returned
    if frame is None or returned is None or passage.exit is None:
        return False
    cs, mask = frame.cs & 0xFFFF, (1 << 8 * frame.word_size) - 1
    if (returned.to.rip & mask, returned.to.cs) != (
        frame.rip & mask,
        cs,
    ) or returned.to.cs != passage.delivered.origin.cs:
        return False
    rsp = passage.delivered.origin.rsp
    return returned.to.rsp & mask == rsp & mask and passage.exit.registers.cr3 == passage.entry.registers.cr3


def asked_for(passage: Passage) -> bool:
    """Whether the interrupted program asked for it, by INT n: then registers may be its arguments and results."""
    event = passage.delivered.event
    return event.source is Source.SOFTWARE and event.vector not in (3, 4)


def on_its_stack(passage: Passage, instant: Instant) -> bool:
    """Whether `instant` is one of the handler, or of what it calls, for all that its stack pointer says."""
    frame, at, to = passage.frame, instant.registers, passage.delivered.to
    if frame is None or to is None or at.cpl != to.cpl:
        return False
    return 0 <= frame.address + frame.size - instant.top < _STACK


def _trail(passage: Passage, number: int, end: int) -> Trail | None:
    instants = passage.instants
    place = _changed_before(passage, lambda at: at.general[number], end)
    if place is None:
        return None
    at = instants[place]
    loaded = _loaded_from(at, number)
    store = None if loaded is None else _last_write(passage, loaded, place)
    if loaded is None or store is None:
        return Trail(Fate.CHANGED, at)
    stored = stored_register(instants[store], loaded.address)
    entry = passage.entry.registers.general
    if stored == number:
        return _trail(passage, number, store) or Trail(Fate.CHANGED, at)
    if stored is not None and _is_pop(at) and instants[store].registers.general[stored] == entry[stored]:
        return Trail(Fate.MIXED_UP, at, other=stored)
    saves = (
        stored_register(instant, loaded.address) == number and instant.registers.general[number] == entry[number]
        for instant in instants[:store]
    )
    return Trail(Fate.REWRITTEN, instants[store], slot=loaded.address) if any(saves) else Trail(Fate.CHANGED, at)


def _changed_before(passage: Passage, value: Callable[[Registers], object], end: int) -> int | None:
    """The place of the last instant, of the first `end` ones, behind which `value` is another."""
    instants = passage.instants
    after = instants[end].registers if end < len(instants) else None
    if after is None and passage.exit is not None:
        after = passage.exit.registers
    for place in range(end - 1, -1, -1):
        before = instants[place].registers
        interrupts = (it.delivered.event.source is not Source.SOFTWARE for it in _nested_behind(passage, place))
        if after is not None and value(before) != value(after) and not any(interrupts):
            return place
        after = before
    return None


def _nested_behind(passage: Passage, place: int) -> Iterator[Passage]:
    """The handlers that were entered between the instant at `place` and the one behind it."""
    begin = passage.instants[place].moment
    behind = passage.instants[place + 1].moment if place + 1 < len(passage.instants) else None
    for it in passage.nested:
        moment = Moment(it.delivered.instruction, it.delivered.step)
        if begin <= moment and (behind is None or moment < behind):
            yield it


def _last_write(passage: Passage, to: Operand, end: int) -> int | None:
    """The place of the last instant, of the first `end` ones, that writes to an operand's bytes."""
    for place in range(end - 1, -1, -1):
        for it in passage.instants[place].operands:
            if it.write and it.address < to.address + to.size and to.address < it.address + it.size:
                return place
    return None


def _loaded_from(instant: Instant, number: int) -> Operand | None:
    """The memory operand that a POP, POPA, MOV or LEAVE loads general register `number` from."""
    found = _decoded(instant)
    if found is None or not instant.operands:
        return None
    if found.mnemonic in _POPA:
        return instant.operands[7 - number]
    if found.mnemonic == "leave":
        return instant.operands[0] if number == RBP else None
    plain = found.mnemonic in ("pop", "mov") and not instant.operands[0].write
    return instant.operands[0] if plain and _number(found, found.operands[0]) == number else None


def _is_pop(instant: Instant) -> bool:
    return instant.decoded is not None and instant.decoded.mnemonic.startswith("pop")


def _decoded(instant: Instant) -> Any:
    return capstone_instruction(instant.raw, 0, code_bits(instant.registers))


def _number(found: Any, operand: Any) -> int | None:
    """The number of the general register that is an operand."""
    return _numbers().get(found.reg_name(operand.reg)) if operand.type == CS_OP_REG else None


@cache
def _numbers() -> dict[str, int]:
    names = {name: number for number, name in enumerate(GENERAL_NAMES)}
    for number, name in enumerate(GENERAL_NAMES[:8]):
        low = (name[1] + "l",) if name[2] == "x" else ()
        high = (name[1] + "h",) if name[2] == "x" else ()
        names |= dict.fromkeys((f"e{name[1:]}", name[1:], f"{name[1:]}l", *low, *high), number)
    for number, name in enumerate(GENERAL_NAMES[8:], 8):
        names |= dict.fromkeys((f"{name}d", f"{name}w", f"{name}b"), number)
    return names


RBP = 5
_STACK = 1 << 16
"""Bytes below a frame that are taken for the handler's stack."""
