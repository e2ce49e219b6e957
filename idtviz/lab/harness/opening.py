"""A bare handler made ready for a session: one of an object's, in the world in which it would be checked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

from idtviz.debugger.inputs import Keys
from idtviz.debugger.symbols import Symbols
from idtviz.debugger.symbols.names import Names
from idtviz.debugger.symbols.objects import from_object
from idtviz.lab.harness import trial
from idtviz.lab.harness.examining import HandlerExamination
from idtviz.lab.harness.handler import Handler, Said, one, vector_name
from idtviz.lab.harness.settling import settled
from idtviz.lab.harness.world import BASE, RECORDER, SLOT, HarnessError, World
from idtviz.lab.prepared import Program
from idtviz.machine.boot.problem import ImageError
from idtviz.machine.objects import load

_BUDGET = 3_000
"""Instructions of the trial that tells what the functions do that are not there."""


@dataclass(frozen=True, slots=True)
class Opened:
    """The program to be run, and the bytes of RAM that it is run in unless somebody wants more."""

    program: Program
    memory: int


def opened(raw: bytes, symbol: str | None, vector: int | None, ring: int | None, said: Said) -> Opened:
    """The handler of the object file `raw` in its world; `ring` None: 0 where that can be.

    Raises ImageError, whose message says in the words of `said` how a handler is named.
    """
    loaded = load(raw, BASE, RECORDER, SLOT)
    if loaded.linked:
        raise ImageError("this is a linked program, which is run as it is; expected an object file (ET_REL)")
    handler = one(loaded, symbol, vector, said)
    ring = _ring(handler, ring)
    event, given = trial.event_of(handler.vector, ring)
    world = World(loaded, handler.address, handler.vector, ring, event)
    symbols = from_object(raw, loaded)
    try:
        memory = world.memory
    except HarnessError as error:
        raise ImageError(str(error)) from error
    world = settled(world, trial.run(world, given, symbols, budget=_BUDGET))
    world = replace(world, ends=True, lingers=isinstance(given, Keys))
    program = Program(
        world,
        symbols.merged(_names_around(world)),
        trial.scripted(given),
        partial(HandlerExamination, world.loaded),
    )
    return Opened(program, memory)


def _names_around(world: World) -> Symbols:
    """What is there beside the object; a name that the object has itself is the object's."""
    taken = {each.name for each in world.loaded.symbols} | {each.name for each in world.loaded.undefined}
    return Symbols(Names(lambda: [each for each in world.names() if each.name not in taken]))


def _ring(handler: Handler, wanted: int | None) -> int:
    if wanted is None:
        return handler.rings[0]
    if wanted not in handler.rings:
        raise ImageError(
            f"{handler.name} is for {vector_name(handler.vector)}, which never comes from ring {wanted}; "
            f"expected ring {handler.rings[0]}"
        )
    return wanted
