"""A bare handler as an image: the machine that it needs is put around it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import reduce

from idtviz.debugger.symbols import Symbols, from_file
from idtviz.lab.prepared import Program
from idtviz.lab.scenario import MachineSection, ObjectImage
from idtviz.machine.boot.problem import ImageError

ONLY_PIC = "a bare handler runs on a machine with the 8259s alone"


def parse(raw: bytes, image: ObjectImage, symbols: Iterable[bytes], *, options: bool) -> tuple[Program, int]:
    """The handler of the object file `raw` that `image` names, and how many bytes of RAM it gets. Raises ImageError.

    `symbols`: files with more names. `options`: one names it by options of a command, and not in a scenario.
    """
    from idtviz.lab.harness.handler import Said  # noqa: PLC0415 -- no other image needs the harness
    from idtviz.lab.harness.opening import opened  # noqa: PLC0415

    if not raw:
        raise ImageError("the file is empty")
    said = Said() if options else Said("vector = N", 'symbol = "S"')
    found = opened(raw, image.symbol, image.vector, image.ring, said)
    names = reduce(Symbols.merged, [*map(from_file, symbols), found.program.symbols])
    return replace(found.program, symbols=names), found.memory


def machine(section: MachineSection, program: Program, memory: int) -> MachineSection:
    """The machine that is made for it: with `memory` where nothing else has been said."""
    if "memory" in section.model_fields_set:
        memory = section.memory
    return section.model_copy(update={"memory": memory, "mode": program.bootable.mode})
