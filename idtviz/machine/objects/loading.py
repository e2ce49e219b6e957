"""From the bytes of an object file, or of a linked program, to what lies in memory."""

from __future__ import annotations

from idtviz.machine.objects import header, program
from idtviz.machine.objects.file import ObjectFile
from idtviz.machine.objects.linking import Linking
from idtviz.machine.objects.loaded import LoadedObject
from idtviz.machine.objects.problem import ObjectError, short


def load(raw: bytes, base: int, recorder: int, slot: int = 16) -> LoadedObject:
    """A bare handler, laid out from `base` up. Raises ObjectError, and nothing else, over what is in `raw`.

    Each name that it calls and does not define gets the address of a slot of `slot` bytes, from `recorder` up: the
    caller puts there what is to happen. A linked program lies where it is linked; one that is position-independent and
    linked below 1 MiB, at `base`.
    """
    file = ObjectFile(raw)
    loaded = (
        program.loaded(file, base) if file.header.type != header.REL else Linking(file, base).loaded(recorder, slot)
    )
    reserved = recorder + slot * len(loaded.slots)
    over = next((piece for piece in loaded.pieces if piece.address < reserved and piece.end > recorder), None)
    if loaded.slots and over is not None:
        raise ObjectError(
            f"{short(over.name)} takes {over.address:#x} to {over.end:#x}, where what the file calls is stood in for "
            f"({recorder:#x} to {reserved:#x})"
        )
    return loaded
