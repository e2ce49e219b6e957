"""A report on one handler: what was pushed and declared, what it passes on, how it ended."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from idtviz.checks.scene import Call
from idtviz.checks.trail import listed
from idtviz.lab.harness.claims import Claims, declared
from idtviz.lab.harness.handler import Handler, vector_name
from idtviz.lab.harness.passing import Argument, What
from idtviz.lab.harness.standing_in import called, target_name
from idtviz.lab.harness.trial import Ending, Trial
from idtviz.machine.objects import LoadedObject
from idtviz.x86 import flags

_IRQS = range(32, 48)
_MOST_CALLS = 4
_TELLING = (What.FRAME, What.FRAME_WITH_CODE, What.INSIDE_FRAME, What.SAVED, What.ERROR_CODE)
"""Arguments that are worth a word."""


def told(handler: Handler, trials: Sequence[Trial], loaded: LoadedObject, claims: Claims) -> Iterator[str]:
    """One thing in each, in the order of time."""
    takes = declared(claims.of(handler.address))
    yield f"the processor pushes {_pushed(trials)}" + (f"; {handler.name} declares ({takes})" if takes else "")
    passed = dict.fromkeys(
        text
        for call, arguments in zip(trials[0].calls, trials[0].arguments, strict=True)
        if (text := _passed(call, arguments, loaded, claims))
    )
    yield from list(passed)[:_MOST_CALLS]
    yield _ended(trials)
    if any(trial.nested for trial in trials):
        yield "it sets IF while it runs: IRQ0 was let in there as well"
    names = _missing(trials, loaded)
    if names:
        one = len(names) == 1
        eoi = ", EOI among it" if handler.vector in _IRQS else ""
        yield (
            f"it calls {listed(names)}, which {'is' if one else 'are'} not in the file: what "
            f"{'that does' if one else 'those do'} was not checked{eoi}"
        )


def brief(handler: Handler, trials: Sequence[Trial], loaded: LoadedObject) -> str:
    """All of it in a line."""
    names = _missing(trials, loaded)
    without = f", without {listed(names)}" if names else ""
    return f"{handler.name} ({vector_name(handler.vector)}): {_ended(trials)}{without}"


def _pushed(trials: Sequence[Trial]) -> str:
    """The words of the frame from the first that is pushed on; where they differ by ring, of both."""
    words: dict[tuple[str, ...], list[int]] = {}
    for trial in trials:
        frame = None if trial.passage is None else trial.passage.frame
        names = () if frame is None else tuple(word.name for word in reversed(frame.words))
        words.setdefault(names, []).append(trial.ring)
    if len(words) == 1:
        return _words(next(iter(words)))
    inner, outer = sorted(words, key=len)[:2]
    more = tuple(name for name in outer if name not in inner)
    return f"{_words(inner)}, and from ring {words[outer][0]} {_words(more)} in front of them"


def _words(names: Sequence[str]) -> str:
    return listed(("an error code" if name == "error code" else name) for name in names) if names else "nothing"


def _passed(call: Call, arguments: Sequence[Argument], loaded: LoadedObject, claims: Claims) -> str | None:
    """What is handed to a function; None where there is nothing to be said of it."""
    name = target_name(call, loaded)
    if name is None or name.startswith("__x86"):
        return None
    takes = claims.of(call.instants[0].registers.linear_rip)
    given = arguments if takes is None else arguments[: len(takes)]
    known = [argument for argument in given if argument.what in _TELLING]
    is_missing = call.instants[0].registers.linear_rip in loaded.slots
    if not known and not is_missing:
        return None
    text = f"it passes {name} {listed(map(str, known))}" if known else f"it calls {name}"
    text += f", with {_state(call)}" if is_missing else ""
    return f"{text}; that takes ({declared(takes)})" if takes and known else text


def _state(call: Call) -> str:
    """What a function may rely on, as it is at a call (System V ABI 3.2.1, 3.2.2)."""
    at = call.at.registers
    of_flags = [f"{name}={int(bool(at.rflags & mask))}" for name, mask in (("DF", flags.DF), ("IF", flags.IF))]
    aligned = [f"RSP {'a' if at.rsp % 16 == 0 else 'no'} multiple of 16"] if at.mode == "long" else []
    return listed([*aligned, *of_flags])


def _missing(trials: Sequence[Trial], loaded: LoadedObject) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for trial in trials for name in called(trial.passage, loaded)))


_ENDINGS = {
    Ending.RETURNED: "returned",
    Ending.STOPPED: "stopped the machine (HLT with IF=0)",
    Ending.FAULTED: "raised an exception of its own",
    Ending.RAN_ON: "did not return",
    Ending.LEFT: "was left by another IRET than that for its frame",
    Ending.WENT_BACK: "went back without IRET",
    Ending.FLOODED: "let in interrupts without end and did not return",
    Ending.FAILED: "made the processor shut down",
}
_COUNTED = (Ending.RETURNED, Ending.STOPPED, Ending.FAULTED, Ending.RAN_ON, Ending.LEFT, Ending.FAILED)


def _ended(trials: Sequence[Trial]) -> str:
    """How it ended, by the ring that it was entered from."""
    alone = [trial for trial in trials if not trial.nested]
    if len({trial.ending for trial in alone}) == 1:
        return _entered_and_ended(alone)
    return "; ".join(_entered_and_ended([trial]) for trial in alone)


def _entered_and_ended(trials: Sequence[Trial]) -> str:
    rings = " and from ring ".join(str(trial.ring) for trial in trials)
    ending, counts = trials[0].ending, _range([trial.instructions for trial in trials])
    return f"entered from ring {rings}, it {_ENDINGS[ending]}" + (f" {counts}" if ending in _COUNTED else "")


def _range(counts: Sequence[int]) -> str:
    low, high = min(counts), max(counts)
    if not high:
        return "at its first instruction"
    if low == high:
        return f"after {low:,} instruction{'' if low == 1 else 's'}"
    return f"after {low:,} to {high:,} instructions"
