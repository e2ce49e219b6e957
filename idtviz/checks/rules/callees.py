"""Bugs in how a handler calls functions: what it hands them, and on what stack."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from idtviz.checks.finding import Finding, Note, Severity
from idtviz.checks.rule import Findings, Rule
from idtviz.checks.scene import Call, Passage, Scene
from idtviz.checks.trail import (
    RBP,
    Fate,
    Trail,
    asked_for,
    general_name,
    listed,
    listed_registers,
    named_registers,
    same_context,
    stored_register,
    trail,
)
from idtviz.debugger.observing import Instant
from idtviz.machine.decoding import Access, Kind
from idtviz.machine.delivery.event import GENERAL_PROTECTION
from idtviz.machine.events import Delivered, Halted, Happened
from idtviz.machine.operands import Operand
from idtviz.machine.registers import RSP
from idtviz.x86.frames import InterruptFrame

_STACK = 1 << 16
"""Bytes below a frame that are taken for the stack of its handler."""
_ALIGNED = 16


class FramePointer(Rule):
    id = "STK003"
    title = "A function is given a pointer to something else than the interrupt frame that it reads"
    bug_class = 3
    severity = Severity.ERROR
    why = (
        "The frame lies where RSP was at the entry. Once the handler has pushed registers, RSP points at those; and "
        "where the processor pushes an error code, that comes first and RIP behind it. A function that takes a pointer "
        "to the frame finds whatever lies at the pointer: it reports a saved register for RIP, and what it changes is "
        "not the frame. Nothing crashes, and whoever reads the report looks for a bug elsewhere."
    )
    fix = (
        "Compute the pointer from RSP at the call: add 8 (4 in 32-bit code) for each word that the handler has pushed "
        "(`lea rdi, [rsp + 8*9]` behind nine pushes), and for the error code if the function does not expect it. Or "
        "put the saved registers into the structure, in front of the frame."
    )
    source = "SDM 3A 6.12.1, 6.13, 6.14.2"

    def __init__(self) -> None:
        self._judged: dict[int, int] = {}
        """How many of its calls have been judged, by delivery."""

    def instant(self, scene: Scene, instant: Instant) -> Findings:  # noqa: ARG002
        if scene.passages and scene.passages[-1].calls and not scene.passages[-1].in_callee:
            yield from self._judge(scene, scene.passages[-1])

    def happened(self, scene: Scene, event: Happened) -> Findings:
        """Functions that report something often end with HLT."""
        passage = scene.passages[-1] if scene.passages else None
        last = passage.instants[-1] if passage is not None and passage.instants else None
        if passage is None or last is None or not isinstance(event, Halted):
            return
        if event.instruction - last.moment.instruction <= 1:
            yield from self._judge(scene, passage)

    def _judge(self, scene: Scene, passage: Passage) -> Findings:
        """Look at the calls that are over; one that was not looked at to its end tells nothing."""
        before = self._judged.get(passage.delivered.index, 0)
        self._judged[passage.delivered.index] = len(passage.calls)
        frame = passage.frame
        for call in passage.calls[before:] if passage.whole else ():
            if frame is not None and _made_by_handler(call, frame):
                yield from self._called(scene, passage, frame, call)

    def _called(self, scene: Scene, passage: Passage, frame: InterruptFrame, call: Call) -> Findings:
        pointer = _argument(passage, call)
        if pointer is None or asked_for(passage):
            return
        used = list(_used_through_pointers(call, pointer, frame))
        yield from self._at_saved_registers(scene, passage, frame, call, pointer, used)
        yield from self._off_by_the_error_code(scene, passage, frame, call, pointer, used)

    def _at_saved_registers(
        self, scene: Scene, passage: Passage, frame: InterruptFrame, call: Call, pointer: int, used: list[_Use]
    ) -> Findings:
        word = frame.word_size
        if not call.at.top <= pointer <= frame.address - 3 * word:
            return
        places = {(use.operand.address - pointer) // word for use in used if use.operand.size == word}
        saved = [_saved_register(passage, call, pointer + place * word) for place in range(3)]
        numbers = [number for number in saved if number is not None]
        if len(numbers) < 3 or tuple(numbers) in _WANTED:
            return
        words = len(frame.words)
        if not set(range(3)) <= places <= set(range(words)) or any(
            use.operand.address >= frame.address for use in used
        ):
            return
        mode = call.at.registers.mode
        named = [name.name for name in frame.words[:3]]
        yield self.found(
            scene,
            f"the handler of {passage.delivered.event.name} gives {_callee(scene, call)} a pointer to saved registers "
            f"instead of the interrupt frame, which begins {frame.address - pointer} bytes further up: for "
            f"{listed(named)} it reads {listed(general_name(number, mode) for number in numbers)}",
            call.at.address,
            Note("this reads the first word", next(u.at for u in used if u.operand.address == pointer).address),
        )

    def _off_by_the_error_code(
        self, scene: Scene, passage: Passage, frame: InterruptFrame, call: Call, pointer: int, used: list[_Use]
    ) -> Findings:
        """What is moved on in a frame is RIP: never the error code, or CS, one word beside it."""
        if frame.error_code is None:
            return
        behind = frame.return_address + frame.word_size
        wrong = {(frame.address, frame.address): "the error code", (frame.return_address, behind): "CS"}
        for use in used:
            what = wrong.get((pointer, use.operand.address))
            if what is not None and use.operand.modify and use.mnemonic in ("add", "inc"):
                yield self.found(
                    scene,
                    f"{_callee(scene, call)} moves RIP on in the frame of {passage.delivered.event.name}, but the "
                    f"pointer that the handler gives it is off by the error code: what it changes is {what}",
                    call.at.address,
                    Note(f"this changes {what}", use.at.address),
                )
                return


_WANTED = frozenset(((0, 3, 1), (0, 1, 2), (7, 6, 2)))
"""RAX, RBX, RCX; RAX, RCX, RDX; RDI, RSI, RDX: a function may want just these of the saved registers."""


@dataclass(frozen=True, slots=True)
class _Use:
    """A memory operand of a callee's instruction that goes through a pointer, not through RSP or RBP."""

    at: Instant
    operand: Operand

    @property
    def mnemonic(self) -> str:
        return "" if self.at.decoded is None else self.at.decoded.mnemonic


def _used_through_pointers(call: Call, pointer: int, frame: InterruptFrame) -> Iterator[_Use]:
    """What the callee reads or writes between `pointer` and the end of the frame."""
    for instant in call.instants:
        for access, operand in _operands(instant):
            within = pointer <= operand.address < frame.address + frame.size
            if within and not _over_the_stack(access, instant, call) and (operand.modify or not operand.write):
                yield _Use(instant, operand)


def _argument(passage: Passage, call: Call) -> int | None:
    """The first argument: RDI in 64-bit code, else what was pushed last (System V ABI)."""
    at = call.at.registers
    if at.mode == "long":
        return at.general[_RDI]
    top = call.at.top
    pushed = _writer_before(passage, call, top)
    number = None if pushed is None else stored_register(pushed, top)
    return None if pushed is None or number is None else pushed.registers.general[number] + at.ss.base


def _saved_register(passage: Passage, call: Call, slot: int) -> int | None:
    """The register whose value at the entry lies at linear `slot` at the call."""
    store = _writer_before(passage, call, slot)
    number = None if store is None else stored_register(store, slot)
    if store is None or number is None or number == RSP:
        return None
    return number if store.registers.general[number] == passage.entry.registers.general[number] else None


def _writer_before(passage: Passage, call: Call, address: int) -> Instant | None:
    """The last instruction in front of the call that wrote the byte at linear `address`."""
    for instant in reversed(passage.instants):
        written = any(it.write and it.address <= address < it.address + it.size for it in instant.operands)
        if written and instant.moment < call.at.moment:
            return instant
    return None


class StackNotAligned(Rule):
    id = "STK004"
    title = "The stack pointer is not a multiple of 16 at a call"
    bug_class = 4
    severity = Severity.WARNING
    why = (
        "Compiled 64-bit code relies on RSP being a multiple of 16 at every CALL: it keeps SSE registers in its stack "
        "frame with MOVAPS, which raises #GP(0) at any other address. In 64-bit mode the processor aligns RSP before "
        "it pushes the frame of 5 words, or 6 with an error code; what the handler pushes decides the rest. A function "
        "without such an instruction works, until somebody changes it or the compiler's options; an emulator that does "
        "not check the alignment hides it."
    )
    fix = (
        "Make the words on the stack an even number at the call: `sub rsp, 8` in front of it and `add rsp, 8` behind "
        "it, or one word more with the saved registers (a 0 where the vector has no error code). In a compiled handler "
        "(`x86-interrupt` of Rust, `interrupt` of clang) with an error code, which older LLVMs count wrongly, you "
        "cannot add it: update the compiler, or call the function from an assembly stub."
    )
    source = "System V ABI 3.2.2; SDM 3A 6.14.2; SDM 1 10.4.1.1"

    def __init__(self) -> None:
        self._told: set[int] = set()

    def entered(self, scene: Scene, delivered: Delivered) -> Findings:
        """Whether this is the #GP of an instruction that wants its operand aligned, in a function that was called."""
        passage = scene.passages[-2] if len(scene.passages) > 1 else None
        if delivered.event.vector != GENERAL_PROTECTION or passage is None or passage.frame is None:
            return
        last = passage.instants[-1] if passage.instants and passage.in_callee else None
        call = next((call for call in reversed(passage.calls) if _made_by_handler(call, passage.frame)), None)
        if last is None or last.decoded is None or call is None or last.registers.rip != delivered.event.rip:
            return
        for operand in last.operands if Kind.ALIGNED in last.decoded.kind else ():
            if operand.address % _ALIGNED and 0 < passage.frame.address - operand.address < _STACK:
                what = f"{last.decoded.mnemonic.upper()} raises #GP: its operand at {operand.address:#x} is not aligned"
                yield from self._misaligned(scene, passage, passage.frame, call, Note(what, last.address))

    def left(self, scene: Scene, passage: Passage) -> Findings:
        frame = passage.frame
        if frame is None or not passage.whole:
            return
        for call in passage.calls:
            if not _made_by_handler(call, frame) or not _is_for_compiled_code(passage, call):
                continue
            knows_callee = scene.is_compiled(call.at.address) and scene.is_seen_whole(call)
            if not knows_callee and not _aligns_otherwise(call):
                yield from self._misaligned(scene, passage, frame, call)

    def _misaligned(
        self, scene: Scene, passage: Passage, frame: InterruptFrame, call: Call, *faults: Note
    ) -> Iterator[Finding]:
        top = call.at.top
        if call.at.registers.mode != "long" or not top % _ALIGNED or passage.handler in self._told:
            return
        self._told.add(passage.handler)
        words, rest = divmod(frame.address - top, frame.word_size)
        pushed = len(frame.words)
        counted = f"{pushed} words from the processor and {words} from the handler make {pushed + words}, an odd number"
        moved = f"the handler has moved RSP by {frame.address - top} bytes, which is no multiple of a word"
        yield self.found(
            scene,
            f"the handler of {passage.delivered.event.name} calls {_callee(scene, call)} with RSP = {top:#x}, no "
            f"multiple of 16: {moved if rest else counted}",
            call.at.address,
            *faults,
            severity=Severity.ERROR if faults else None,
        )


def _is_for_compiled_code(passage: Passage, call: Call) -> bool:
    """Whether the call follows the System V ABI, which assembly code among itself need not.

    The handler has saved every register that a compiled function may change, or what it calls begins as such a one
    does, or uses SSE registers.
    """
    numbers: set[int | None] = set()
    for instant in passage.instants:
        if instant.moment < call.at.moment:
            numbers |= {stored_register(instant, it.address) for it in instant.operands if it.write}
    if numbers >= _CALLER_SAVED:
        return True
    begin = b"".join(instant.raw for instant in call.instants[:3])
    return begin.startswith(_BEGINNINGS) or any(
        name.startswith("xmm") for instant in call.instants for name in named_registers(instant)
    )


def _aligns_otherwise(call: Call) -> bool:
    """Whether what was called makes calls itself with RSP a multiple of 16: compiled so that it need not be one."""
    calls = (at for at in call.instants if at.decoded is not None and at.decoded.mnemonic.startswith("call"))
    return any(not at.top % _ALIGNED for at in calls)


_CALLER_SAVED = frozenset((0, 1, 2, 6, 7, 8, 9, 10, 11))
"""RAX, RCX, RDX, RSI, RDI and R8 to R11 (System V ABI 3.2.1)."""
_BEGINNINGS = (b"\xf3\x0f\x1e\xfa", b"\x55\x48\x89\xe5", b"\x55\x48\x8b\xec")
"""ENDBR64; PUSH RBP and MOV RBP, RSP."""


class FrameByValue(Rule):
    id = "STK005"
    title = "A function writes to the saved registers as to its own arguments"
    bug_class = 6
    severity = Severity.ERROR
    why = (
        "Where a stub calls a function that takes the saved registers as a structure by value, they lie in the place "
        "of its arguments. That place belongs to the function called: a compiler that optimises keeps other values in "
        "it. The stub then pops what was left there, and the interrupted program goes on with changed registers. One "
        "often sees it with -O2 only."
    )
    fix = (
        "Pass a pointer instead, and declare the parameter as `struct registers *`: in 64-bit code `mov rdi, rsp` in "
        "front of the call, in 32-bit code `push esp`, with `add esp, 4` behind the call."
    )
    source = "System V ABI 3.2.3 (i386: 2.2.3)"

    def __init__(self) -> None:
        self._told: set[tuple[int, int]] = set()

    def left(self, scene: Scene, passage: Passage) -> Findings:
        if not passage.whole or passage.exit is None or asked_for(passage) or not same_context(passage):
            return
        before, behind = passage.entry.registers, passage.exit.registers
        calls: dict[int, dict[int, Trail]] = {}
        for number in range(16 if behind.mode == "long" else 8):
            if number == RSP or before.general[number] == behind.general[number]:
                continue
            way = trail(passage, number)
            call = None if way is None or way.fate is not Fate.REWRITTEN else _argument_of(passage, way)
            if way is not None and call is not None and (passage.handler, number) not in self._told:
                calls.setdefault(call.at.address, {})[number] = way
        for address, ways in calls.items():
            self._told |= {(passage.handler, number) for number in ways}
            call = next(call for call in passage.calls if call.at.address == address)
            names = [general_name(number, behind.mode) for number in ways]
            first = next(iter(ways))
            change = f"{names[0]} was {before.general[first]:#x} and is {behind.general[first]:#x}"
            yield self.found(
                scene,
                f"the handler of {passage.delivered.event.name} passes its saved registers by value, and "
                f"{_callee(scene, call)} overwrites {listed_registers(names)} among them, as it may do with its "
                f"arguments: {change} behind IRET",
                address,
                *(
                    Note(f"this writes where {name} was saved", way.at.address)
                    for name, way in zip(names, ways.values(), strict=True)
                ),
            )


def _argument_of(passage: Passage, way: Trail) -> Call | None:
    """The call whose callee wrote to a saved register as to one of its own arguments: through RSP or RBP."""
    for call in reversed(passage.calls):
        if way.at not in call.instants:
            continue
        if call.depth or way.slot < call.at.top:
            return None
        accesses = (access for access, operand in _operands(way.at) if operand.write and operand.address == way.slot)
        over = any(_over_the_stack(access, way.at, call) for access in accesses)
        return call if over else None
    return None


def _operands(instant: Instant) -> Iterator[tuple[Access, Operand]]:
    if instant.decoded is not None and instant.operands:
        yield from zip(instant.decoded.accesses, instant.operands, strict=True)


def _over_the_stack(access: Access, instant: Instant, call: Call) -> bool:
    """Whether a callee reaches its own stack frame: through RSP, or RBP where it is the callee's frame pointer."""
    if access.stack or RSP in (access.base, access.index):
        return True
    base = 0 if instant.registers.mode == "long" else instant.registers.ss.base
    return access.base == RBP and base + instant.registers.general[RBP] < call.at.top


def _made_by_handler(call: Call, frame: InterruptFrame) -> bool:
    """Whether the handler itself made the call, and not what it calls, on the stack on which its frame lies."""
    return not call.depth and 0 <= frame.address - call.at.top < _STACK


def _callee(scene: Scene, call: Call) -> str:
    """What was called, by name."""
    return scene.name(call.instants[0].address) if call.instants else "a function"


_RDI = 7

RULES: tuple[type[Rule], ...] = (FramePointer, StackNotAligned, FrameByValue)
