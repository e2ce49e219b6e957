"""What a handler and the functions that it calls declare to take, against what the processor and the handler pass."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from idtviz.checks.finding import Finding, Note
from idtviz.checks.rules.callees import FramePointer
from idtviz.checks.rules.handlers import WrongDeclaration
from idtviz.checks.scene import Call
from idtviz.debugger.symbols.parameters import Parameter, Parameters, Signatures
from idtviz.lab.harness.handler import Handler, vector_name
from idtviz.lab.harness.passing import Argument, What
from idtviz.lab.harness.standing_in import target_name
from idtviz.lab.harness.trial import Trial
from idtviz.machine.objects import LoadedObject
from idtviz.x86.vectors import VECTORS

_RIP_NAMES = frozenset(("ip", "rip", "eip", "pc", "instruction_pointer", "instructionpointer", "return_address"))
_CODE_NAMES = frozenset(("error_code", "errorcode", "err_code", "errcode", "error", "err"))
OF_ERROR_CODE = frozenset(("STK001", "STK002", "STK006"))
"""What follows at IRET from a wrong declaration."""


class Claims:
    """The declarations of one object file."""

    def __init__(self, loaded: LoadedObject, signatures: Signatures | None) -> None:
        self._loaded, self._signatures = loaded, signatures

    def of(self, address: int) -> Parameters | None:
        """What the function at `address` declares to take, be it in the file or stood in for; None: not known."""
        if self._signatures is None:
            return None
        missing = self._loaded.slots.get(address)
        return self._signatures.at(address) if missing is None else self._signatures.of(missing.name)

    def findings(self, handler: Handler, trials: Sequence[Trial]) -> Iterator[Finding]:
        """Where a declaration and what is passed do not agree."""
        yield from self._of_handler(handler)
        for trial in trials[:1]:
            for call, arguments in zip(trial.calls, trial.arguments, strict=True):
                yield from self._of_call(call, arguments)

    def _of_handler(self, handler: Handler) -> Iterator[Finding]:
        taken = self.of(handler.address)
        if not taken or not is_frame(taken[0]):
            return
        name = vector_name(handler.vector)
        pushes = handler.vector < 32 and VECTORS[handler.vector].error_code
        if len(taken) > 1 and not pushes:
            yield WrongDeclaration().found(
                None,
                f"{handler.name} declares an error code (`{taken[1].name}`), but the processor pushes none for {name}: "
                f"what it takes for the error code is the saved RIP, and IRET begins one word too far up",
                handler.address,
            )
        elif len(taken) == 1 and pushes and taken[0].members[:1] != ("error_code",):
            yield WrongDeclaration().found(
                None,
                f"{handler.name} declares no error code, but the processor pushes one for {name}: the frame that it "
                "sees is shifted by a word, and IRET takes the error code for RIP",
                handler.address,
            )
        elif taken[0].pointer and self._signatures is not None and self._signatures.is_rust(handler.address):
            yield WrongDeclaration().found(
                None,
                f"{handler.name} declares the interrupt frame by reference (`{taken[0].name}`), but the "
                "x86-interrupt convention passes it by value: the reference is the saved RIP",
                handler.address,
            )

    def _of_call(self, call: Call, arguments: Sequence[Argument]) -> Iterator[Finding]:
        target = call.instants[0].registers.linear_rip if call.instants else None
        taken = None if target is None else self.of(target)
        for parameter, argument in zip(taken or (), arguments, strict=False):
            if not parameter.pointer or not parameter.members:
                continue
            wanted = What.FRAME if is_frame(parameter) else None
            if parameter.members[0].lower() in _CODE_NAMES:
                wanted = What.FRAME_WITH_CODE
            if wanted is not None and argument.what in _POINTERS and argument.what is not wanted:
                name = target_name(call, self._loaded) or "the function called"
                yield FramePointer().found(
                    None,
                    f"{name} takes a pointer to {wanted.value} (`{parameter.name}: *{parameter.type}`), but "
                    f"{argument.place} points at {argument.what.value}{argument.more}",
                    call.at.registers.linear_rip,
                    Note(f"{name} begins here", target),
                )


_POINTERS = (What.FRAME, What.FRAME_WITH_CODE, What.INSIDE_FRAME, What.SAVED, What.RIP)


def is_frame(parameter: Parameter) -> bool:
    """Whether a parameter is an interrupt frame, or points to one: its first member is RIP."""
    return bool(parameter.members) and parameter.members[0].lower() in _RIP_NAMES


def declared(taken: Parameters | None) -> str:
    """A declaration in words: `frame: *interrupt_frame, error_code: u64`."""
    if taken is None:
        return ""
    return ", ".join(
        f"{parameter.name or '?'}: {'*' if parameter.pointer else ''}{parameter.type or '?'}" for parameter in taken
    )
