"""What stands in for functions that are not there, as one trial of the handler has shown what they are for."""

from __future__ import annotations

from dataclasses import replace

from idtviz.lab.harness.standing_in import is_slot
from idtviz.lab.harness.trial import Trial
from idtviz.lab.harness.world import World
from idtviz.machine.objects import Kind, LoadedObject

_UNDEFINED = 6


def settled(world: World, found: Trial) -> World:
    """The world as it is once it is known, from one trial in it, what the functions that are not there do."""
    return replace(world, stops=_stops(found, world.loaded), vectors=found.saves_vectors)


def _stops(found: Trial, loaded: LoadedObject) -> frozenset[int]:
    """Functions that are not there and do not mean to return: behind the call of one there is no code.

    The function ends there, or the compiler has put an instruction there that is none.
    """
    seen = () if found.passage is None else found.passage.calls
    calls = [(call.instants[0].registers.linear_rip, call.at) for call in seen if call.instants]
    ends = {symbol.address + symbol.size for symbol in loaded.symbols if symbol.kind is Kind.FUNCTION and symbol.size}
    undefined = found.fault is not None and found.fault.event.vector == _UNDEFINED
    return frozenset(
        target
        for target, at in calls
        if is_slot(target, loaded)
        and ((behind := at.registers.linear_rip + len(at.raw)) in ends or (undefined and behind == found.rip))
    )
