"""Which symbol of an object is the handler that is meant, and of which vector."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from idtviz.machine.objects import LoadedObject, ObjectError, ObjectSymbol, vector_of_name
from idtviz.x86.vectors import VECTORS

_MOST = 64
"""Handlers of one file that are tried."""
_SHOWN = 12
_CASCADE = 34
"""IRQ2's: the slave is there, and no interrupt ever comes with this vector."""
_ALIGNMENT_CHECK = 17


@dataclass(frozen=True, slots=True)
class Said:
    """How one says which handler is meant, for a message."""

    vector: str = "--vector N"
    symbol: str = "--symbol S"


_OPTIONS = Said()


@dataclass(frozen=True, slots=True)
class Handler:
    """A handler by its name, linear address and vector."""

    name: str
    address: int
    vector: int

    @property
    def rings(self) -> tuple[int, ...]:
        """Those that it may interrupt: no #AC comes from ring 0 (SDM 3A 6.15, interrupt 17)."""
        return (3,) if self.vector == _ALIGNMENT_CHECK else (0, 3)

    def __str__(self) -> str:
        return f"{self.name} as the handler of vector {self.vector:#x} ({vector_name(self.vector)})"


def vector_name(vector: int) -> str:
    """`#PF`, `IRQ1`, `INT 0x80`."""
    if vector < 32:
        return VECTORS[vector].mnemonic
    return f"IRQ{vector - 32}" if vector < 48 else f"INT {vector:#x}"


def chosen(loaded: LoadedObject, symbol: str | None, vector: int | None, said: Said = _OPTIONS) -> tuple[Handler, ...]:
    """The handlers to try: the one that is named, or all whose names tell their vectors. Raises ObjectError."""
    if symbol is not None:
        return (_possible(_named(loaded, symbol, vector, said)),)
    if vector is not None:
        return (_possible(_only(loaded, vector, said)),)
    told = tuple(_told(loaded))[:_MOST]
    if not told:
        raise ObjectError(
            "no vector is given, and no symbol's name tells one (such as page_fault_handler, isr14 or irq1); give "
            f"{said.vector}, and {said.symbol} to say which of them is meant: {_list(loaded)}"
        )
    return told


def one(loaded: LoadedObject, symbol: str | None, vector: int | None, said: Said = _OPTIONS) -> Handler:
    """The only one. Raises ObjectError where there are several."""
    found = chosen(loaded, symbol, vector, said)
    if len(found) > 1:
        names = [f"{each.name} ({vector_name(each.vector)})" for each in found]
        raise ObjectError(f"which of these handlers is meant? Give it with {said.symbol}: {_shown(names)}")
    return found[0]


def _possible(handler: Handler) -> Handler:
    if handler.vector == _CASCADE:
        raise ObjectError(f"{handler.name} is for IRQ2, where the slave 8259 is: no interrupt comes with its vector")
    return handler


def _named(loaded: LoadedObject, name: str, vector: int | None, said: Said) -> Handler:
    found = [item for item in loaded.named(name) if item.executable]
    if not found:
        raise ObjectError(f"has no code called {name!r}; what it has: {_list(loaded)}")
    number = vector_of_name(name) if vector is None else vector
    if number is None:
        raise ObjectError(f"the name {name!r} tells no vector: give it with {said.vector}")
    return Handler(name, found[0].address, number)


def _only(loaded: LoadedObject, vector: int, said: Said) -> Handler:
    """The one symbol that may be meant: the one whose name tells this vector, or the only one there is."""
    candidates = loaded.candidates
    told = [item for item in candidates if vector_of_name(item.name) == vector]
    global_ones = [item for item in candidates if item.is_global] or list(candidates)
    found = told or global_ones
    if not found:
        raise ObjectError("there is no code in it that has a name; a handler has one")
    if len(found) > 1 and len({item.address for item in found}) > 1:
        raise ObjectError(f"which of these is the handler? Give it with {said.symbol}: {_names(found)}")
    return Handler(found[0].name, found[0].address, vector)


def _told(loaded: LoadedObject) -> Iterator[Handler]:
    seen: set[int] = set()
    for item in loaded.candidates:
        vector = vector_of_name(item.name)
        if vector not in (None, _CASCADE) and item.address not in seen:
            seen.add(item.address)
            yield Handler(item.name, item.address, vector)


def _list(loaded: LoadedObject) -> str:
    return _names(loaded.candidates) or "no code that has a name"


def _names(found: list[ObjectSymbol] | tuple[ObjectSymbol, ...]) -> str:
    return _shown(list(dict.fromkeys(item.name for item in found)))


def _shown(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
