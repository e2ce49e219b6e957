"""What the rules over frames and registers find in a stub that has only been read.

A rule that sees a bug while it runs has the same one here, where it is certain without running: the walk has followed
every path, and all of them agree.
"""

from __future__ import annotations

from idtviz.checks.finding import Note, Severity
from idtviz.checks.rule import Findings, Rule
from idtviz.checks.rules.failures import EXCEPTIONS
from idtviz.checks.stub import Stub
from idtviz.x86.vectors import VECTORS

_IRET = {8: "iretq", 4: "iretd", 2: "iretw"}
_UNDECIDED = frozenset((21, 29, 30))
"""Vectors that push an error code on some processors, and that older kernels know nothing of (#CP, #VC, #SX)."""
_FEW = 512
"""Bytes; who leaves more on the stack is not read right."""


def error_code_left(rule: Rule, stub: Stub) -> Findings:
    """STK001: every IRET finds the error code, and nothing else, on top of the frame."""
    if not _is_sure(stub) or not stub.error_code or stub.excess != stub.word or _dummy(stub) is not None:
        return
    name = _name(stub)
    for found in stub.returns[:1]:
        yield rule.found(
            None,
            f"the handler of {name} returns with the error code still on the stack: IRET takes it for RIP, and RIP "
            "for CS",
            found.address,
            Note(f"{name} pushes an error code; the handler begins here", stub.address),
        )


def dummy_code(rule: Rule, stub: Stub) -> Findings:
    """STK002: the stub pushes an error code where the processor has pushed one, or pushes none where it has not."""
    if not _is_sure(stub):
        return
    name, dummy = _name(stub), _dummy(stub)
    if stub.error_code and stub.excess == stub.word and dummy is not None:
        yield rule.found(
            None,
            f"the stub of {name} pushes an error code of its own, but the processor has already pushed one: the "
            "common path takes off one, and IRET takes the other for RIP",
            dummy,
            Note("this IRET takes the error code for RIP", stub.returns[0].address),
        )
    elif not stub.error_code and stub.excess == -stub.word:
        yield rule.found(
            None,
            f"the handler of {name} takes an error code off the stack, but neither the processor nor the stub has "
            "pushed one: IRET takes CS for RIP",
            stub.address,
            Note("this IRET begins one word above RIP", stub.returns[0].address),
        )


def words_left(rule: Rule, stub: Stub) -> Findings:
    """STK006: every IRET finds words of the handler's own on the stack, or some of the frame gone."""
    excess = stub.excess
    if not _is_sure(stub) or not excess or abs(excess) > _FEW:
        return
    if abs(excess) == stub.word and (stub.error_code == (excess > 0)):
        return  # an error code that is not popped, or popped where there is none
    if stub.error_code and _dummy(stub) is not None and excess == stub.word:
        return
    name, words = _name(stub), abs(excess) / stub.word
    what = f"{words:g} word{'s' * (words != 1)}"
    says = f"the handler of {name} returns with {what} of its own still on the stack: IRET takes one of them for RIP"
    if excess < 0:
        says = f"the handler of {name} takes {what} too many off the stack: IRET begins above RIP"
    yield rule.found(None, says, stub.returns[0].address, Note("the handler begins here", stub.address))


def iret_size(rule: Rule, stub: Stub) -> Findings:
    """STK007: an IRET takes words of another size than the gate makes the processor push."""
    for found in stub.returns:
        if found.size != stub.word:
            yield rule.found(
                None,
                f"{_IRET[found.size]} takes words of {found.size} bytes, but the frame of {_name(stub)} has words of "
                f"{stub.word}: {_IRET[stub.word]} is the one to use",
                found.address,
            )


def string_without_cld(rule: Rule, stub: Stub) -> Findings:
    """REG002: a string instruction is reached while DF is still the interrupted program's."""
    if not stub.whole or not stub.returns or not stub.ring_3:
        return  # nothing that could have set DF is interrupted, or nothing that is gone back to
    for address in stub.strings[:1]:
        yield rule.found(
            None,
            f"the handler of {_name(stub)} comes to this string instruction without CLD: it runs backwards where the "
            "interrupted program has set DF",
            address,
            Note("the handler begins here", stub.address),
            severity=Severity.WARNING,
        )


def _is_sure(stub: Stub) -> bool:
    """Whether the depth at every IRET is known, and the frame is the same for all the vectors of the stub."""
    alike = all(VECTORS[vector].error_code == stub.error_code for vector in stub.shared)
    if not _UNDECIDED.isdisjoint((stub.vector, *stub.shared)):
        return False
    return stub.excess is not None and alike and all(found.size == stub.word for found in stub.returns)


def _dummy(stub: Stub) -> int | None:
    """The address of the push that looks like that of an error code: in front of the vector, or a 0 or -1."""
    if len(stub.constants) > 1:
        return stub.constants[0].address
    return next((it.address for it in stub.constants if it.value in (0, -1) and it.value != stub.vector), None)


def _name(stub: Stub) -> str:
    return VECTORS[stub.vector].mnemonic if stub.vector < EXCEPTIONS else f"vector {stub.vector:#x}"
