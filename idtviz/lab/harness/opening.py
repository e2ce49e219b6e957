"""A bare handler made ready for a session: one of an object's, in the world in which it would be checked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

from idtviz.debugger.symbols import Symbols
from idtviz.debugger.symbols.names import Names
from idtviz.debugger.symbols.objects import from_object
from idtviz.lab.harness import trial
from idtviz.lab.harness.handler import Handler, Said, one, vector_name
from idtviz.lab.harness.standing_in import settled
from idtviz.lab.harness.world import BASE, RECORDER, SLOT, HarnessError, World
from idtviz.lab.prepared import Program
from idtviz.machine.boot.problem import ImageError
from idtviz.machine.objects import load

_BUDGET = 10_000
"""Instructions of the trial that tells what the functions do that are not there."""


@dataclass(frozen=True, slots=True)
class Opened:
    """The program to be run, and the bytes of RAM that it is run in unless somebody wants more."""

    program: Program
    memory: int


def opened(raw: bytes, symbol: str | None, vector: int | None, ring: int | None, said: Said) -> Opened:
    """The handler of the object file `raw`, and how its event is raised; `ring` None: 0 where that can be.

    Raises ImageError; its message says in the words of `said` how the handler is named.
    """
    loaded = load(raw, BASE, RECORDER, SLOT)
    handler = one(loaded, symbol, vector, said)
    event, given = trial.event_of(handler.vector)
    world = World(loaded, handler.address, handler.vector, _ring(handler, ring), event)
    symbols = from_object(raw, loaded)
    try:
        memory = world.memory
    except HarnessError as error:
        raise ImageError(str(error)) from error
    world = settled(world, trial.run(world, given, symbols, budget=_BUDGET))
    world = replace(world, ends=True)
    program = Program(
        world,
        symbols.merged(Symbols(Names(lambda: list(world.names())))),
        trial.scripted(given),
        partial(trial.examination_of, world),
    )
    return Opened(program, memory)


def _ring(handler: Handler, wanted: int | None) -> int:
    if wanted is None:
        return handler.rings[0]
    if wanted not in handler.rings:
        raise ImageError(
            f"{handler.name} is for {vector_name(handler.vector)}, which never comes from ring {wanted}; "
            f"expected ring {handler.rings[0]}"
        )
    return wanted
