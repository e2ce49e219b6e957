"""Bugs that make IRET take something else than the interrupt frame."""

from __future__ import annotations

from idtviz.checks.finding import Note, Severity
from idtviz.checks.rule import Findings, Rule
from idtviz.checks.rules import stubs
from idtviz.checks.scene import Passage, Scene
from idtviz.checks.stub import Stub
from idtviz.debugger.observing import Instant, Tables
from idtviz.machine.delivery.event import Source
from idtviz.x86.descriptors import SegmentDescriptor
from idtviz.x86.frames import InterruptFrame
from idtviz.x86.selectors import Selector

_NEAR = 512
"""Bytes around a frame, within which a stack pointer at IRET is meant to point at the frame."""


class _AtIret(Rule):
    """A rule over the stack pointer in front of an IRET that does not point at the frame's RIP."""

    def instant(self, scene: Scene, instant: Instant) -> Findings:
        if not instant.stack or not scene.passages:
            return
        passage = scene.passages[-1]
        frame = passage.frame
        if frame is None or not passage.whole:
            return
        top = instant.top
        if top == frame.return_address or not -_NEAR < top - frame.return_address < _NEAR:
            return
        if not _takes_a_frame(instant, frame.word_size, scene.now.tables):
            yield from self.missed(scene, passage, frame, instant, top)

    def missed(self, scene: Scene, passage: Passage, frame: InterruptFrame, instant: Instant, top: int) -> Findings:
        """IRET is about to take what lies at linear `top`, and not `frame`."""
        raise NotImplementedError


class ErrorCodeNotPopped(_AtIret):
    id = "STK001"
    title = "The error code is still on the stack at IRET"
    bug_class = 1
    severity = Severity.ERROR
    why = (
        "For some exceptions the processor pushes an error code on top of the frame, and IRET does not know of it: "
        "it takes RIP, CS and RFLAGS from wherever the stack pointer points. With the error code still there it takes "
        "that for RIP, and the low 16 bits of RIP for CS. One sees #GP at the IRET."
    )
    fix = "Take the error code off the stack in front of IRET: `add rsp, 8` (`add esp, 4` in 32-bit code)."
    source = "SDM 3A 6.13, 6.14.2"

    def missed(self, scene: Scene, passage: Passage, frame: InterruptFrame, instant: Instant, top: int) -> Findings:
        if frame.error_code is None or top != frame.address or passage.writer(top) is not None:
            return
        if _dummy(passage, frame) is not None:
            return  # one of the two was popped: what is wrong is that there were two
        yield self.found(
            scene,
            f"the handler of {passage.delivered.event.name} returns with the error code {frame.error_code:#x} still on "
            f"the stack: IRET takes it for RIP, and RIP {frame.rip:#x} for CS",
            instant.address,
            Note(f"{passage.delivered.event.name} pushes an error code; the handler begins here", passage.handler),
        )

    def stub(self, stub: Stub) -> Findings:
        yield from stubs.error_code_left(self, stub)


class DummyErrorCode(_AtIret):
    id = "STK002"
    title = "A stub has the wrong idea of whether its vector pushes an error code"
    bug_class = 2
    severity = Severity.ERROR
    why = (
        "Stubs that lead to a common path push a 0 for the vectors for which the processor pushes no error code, so "
        "that all frames look alike. It pushes one for 8, 10 to 14, 17, 21, 29 and 30, and for no other. A stub with "
        "the wrong idea shifts everything in the frame by one word: the common path shows the error code as RIP, and "
        "IRET takes the wrong words."
    )
    fix = (
        "Push a 0 in the stubs of all vectors but 8, 10 to 14, 17, 21, 29 and 30, and in those push none. A handler "
        "without a common path pushes none, and takes off only what the processor has pushed."
    )
    source = "SDM 3A table 6-1, 6.13; APM 2 8.2"

    def missed(self, scene: Scene, passage: Passage, frame: InterruptFrame, instant: Instant, top: int) -> Findings:
        if passage.delivered.event.source is Source.EXTERNAL:
            return  # a hardware interrupt on an exception's vector: the controllers' fault
        name, rip = passage.delivered.event.name, instant.address
        if frame.error_code is not None and top == frame.address:
            dummy = _dummy(passage, frame)
            if dummy is not None:
                yield self.found(
                    scene,
                    f"the stub of {name} pushes an error code of its own, but the processor has already pushed one "
                    f"({frame.error_code:#x}): the common path takes off one, and IRET takes the other for RIP",
                    dummy.registers.linear_rip,
                    Note("this IRET takes the error code for RIP", rip),
                )
        elif frame.error_code is None and top == frame.return_address + frame.word_size:
            yield self.found(
                scene,
                f"the handler of {name} takes an error code off the stack, but neither the processor nor the stub has "
                "pushed one: IRET takes CS for RIP",
                passage.handler,
                Note("this IRET begins one word above RIP", rip),
            )

    def stub(self, stub: Stub) -> Findings:
        yield from stubs.dummy_code(self, stub)


class ArgumentNotPopped(_AtIret):
    id = "STK006"
    title = "IRET with words of the handler's own still on the stack"
    bug_class = 7
    severity = Severity.ERROR
    why = (
        "What a handler pushes, an argument for a function or a register, has to be off the stack again before IRET. "
        "IRET takes the words that it finds: with one left over, it takes that for RIP. One sees #GP or an "
        'invalid opcode, or QEMU gives up over an "invalid tss type".'
    )
    fix = (
        "Take off exactly what was pushed: a POP for each saved register, and behind a call the bytes of its arguments "
        "(`add esp, 4` for one of 32 bits)."
    )
    source = "SDM 2A IRET; SDM 3A 6.12.1"

    def missed(self, scene: Scene, passage: Passage, frame: InterruptFrame, instant: Instant, top: int) -> Findings:
        word, name = frame.word_size, passage.delivered.event.name
        pushed = passage.writer(top)
        words, rest = divmod(abs(frame.return_address - top), word)
        if top < frame.address and pushed is not None:
            too_many = (frame.address - top) // word
            yield self.found(
                scene,
                f"the handler of {name} returns with {too_many} word{'s' * (too_many > 1)} of its own still on the "
                f"stack: IRET takes {int.from_bytes(instant.stack[:word], 'little'):#x} for RIP",
                instant.address,
                Note("this pushed the word that IRET takes for RIP", pushed.registers.linear_rip),
            )
        elif top > frame.return_address and (words > 1 or rest or frame.error_code is not None):
            yield self.found(
                scene,
                f"the handler of {name} takes {top - frame.return_address} bytes too many off the stack: IRET begins "
                f"{words} word{'s' * (words > 1)} above RIP",
                instant.address,
            )

    def stub(self, stub: Stub) -> Findings:
        yield from stubs.words_left(self, stub)


class IretOperandSize(Rule):
    id = "STK007"
    title = "IRET with the wrong operand size"
    bug_class = 8
    severity = Severity.ERROR
    why = (
        "In 64-bit mode the frame is made of 8-byte words, and only IRET with REX.W (`iretq`) takes those. A plain "
        "`iret` in GNU assembler or NASM is the 32-bit one (`iretd`): it takes the upper half of RIP for CS. In the "
        "same way `iretw` takes 2-byte words. One sees #GP(0) at the IRET, or a return to somewhere else."
    )
    fix = "Write `iretq` in 64-bit code, `iretd` in 32-bit code."
    source = "SDM 2A IRET; SDM 3A 6.14.3"

    def instant(self, scene: Scene, instant: Instant) -> Findings:
        if not instant.stack or not scene.passages or instant.decoded is None:
            return
        passage = scene.passages[-1]
        frame = passage.frame
        if frame is None or instant.top != frame.return_address:
            return
        size = 8 if instant.decoded.wide else 2 if 0x66 in instant.raw[:-1] else 4
        if instant.registers.mode not in ("long", "compatibility"):
            narrow = instant.registers.mode == "real" or not instant.registers.cs.flags & instant.registers.cs.CODE_32
            size = {2: 4, 4: 2}[size] if narrow else size
        if size != frame.word_size:
            right = {8: "iretq", 4: "iretd", 2: "iretw"}
            yield self.found(
                scene,
                f"{right[size]} takes words of {size} bytes, but the frame of {passage.delivered.event.name} has words "
                f"of {frame.word_size}: {right[frame.word_size]} is the one to use",
                instant.address,
            )

    def stub(self, stub: Stub) -> Findings:
        yield from stubs.iret_size(self, stub)


def _takes_a_frame(instant: Instant, word: int, tables: Tables) -> bool:
    """Whether what lies on the stack looks like a frame: what would be taken for CS names a code segment."""
    selector = Selector(int.from_bytes(instant.stack[word : 2 * word], "little") & 0xFFFF)
    high = int.from_bytes(instant.stack[word : 2 * word], "little") >> 16
    table = tables.ldt if selector.ti else tables.gdt
    found = None if table is None or selector.null else table.find(selector)
    return not high and isinstance(found, SegmentDescriptor) and found.is_code


def _dummy(passage: Passage, frame: InterruptFrame) -> Instant | None:
    """What pushes a constant right below the frame, at the start of the handler: an error code of its own."""
    first = (instant for instant in passage.instants[:2] if instant.raw[:1] in _PUSHES_OF_CONSTANTS)
    below = frame.address - frame.word_size
    return next((instant for instant in first if any(it.address == below for it in instant.operands)), None)


_PUSHES_OF_CONSTANTS = (b"\x6a", b"\x68")

RULES: tuple[type[Rule], ...] = (ErrorCodeNotPopped, DummyErrorCode, ArgumentNotPopped, IretOperandSize)
