"""The generator of random cases: a seed and a mode give a case, the same one in every run.

A case is a world of the oracle that is valid in most of its fields, in which something happens at once: an
instruction raises an exception, an interrupt comes in, IRET or RETF returns, a far CALL or JMP goes elsewhere. Up to
three fields of what lies in the way are changed to something else, so that both sides of every check are reached.
"""

from __future__ import annotations

from typing import Literal, get_args

from tests.oracle.case import Case

from .dice import Dice
from .long_faults import long_world
from .protected_faults import protected_world, vm86_world
from .real_faults import real_world

VERSION = 1
"""Part of every seed: raise it when equal seeds shall no longer give equal cases."""

Mode = Literal["long", "protected", "vm86", "real"]
MODES: tuple[Mode, ...] = get_args(Mode)

_WORLDS = {"long": long_world, "protected": protected_world, "vm86": vm86_world, "real": real_world}


def random_case(seed: int, mode: Mode) -> Case:
    """The case of this seed."""
    name = f"{mode}:{seed}"
    return _WORLDS[mode](Dice(f"idtviz {VERSION} {name}")).case(name)


def case_of(recipe: str) -> Case:
    """The case of a recipe such as `long:17`."""
    mode, _, seed = recipe.partition(":")
    if mode not in MODES or not seed.isdigit():
        raise ValueError(f"{recipe!r} is no recipe: a mode ({', '.join(MODES)}), a colon and a number are")
    return random_case(int(seed), mode)
