"""How a half-written command line may go on."""

from __future__ import annotations

from collections.abc import Iterable

from textual.suggester import Suggester

from idtviz.debugger import breakpoint_text, conditions
from idtviz.debugger.symbols import Symbols
from idtviz.machine.register_writes import REGISTERS
from idtviz.tui.commands import WORDS
from idtviz.view import explanations
from idtviz.x86.vectors import VECTORS

_PLACES = ("run", "goto", "g")
_EXCEPTIONS = tuple(vector.mnemonic for vector in VECTORS if vector.mnemonic.startswith("#"))


def completed(text: str, symbols: Symbols, prefix: str = "") -> str | None:
    """`text` with its last word completed, if some word goes on from there; `prefix` stands in front, unseen."""
    whole = prefix + text
    word, blank, rest = whole.partition(" ")
    if not blank:
        return _first(text, text, WORDS)
    if word in ("break", "until"):
        return _breakpoint(text, rest, symbols)
    if word == "who":
        return _first(text, rest, (*REGISTERS, *_names(symbols)))
    if word == "explain":
        return _first(text, rest, explanations.WORDS)
    if word == "why":
        return _first(text, rest, ("irq", "vector", *_EXCEPTIONS))
    if word in _PLACES:
        return _first(text, rest, (*_EXCEPTIONS, "irq", "delivery:", "end", *_names(symbols)))
    return None


def _breakpoint(text: str, rest: str, symbols: Symbols) -> str | None:
    _, condition, terms = rest.partition(" if ")
    if condition:
        return _first(text, terms.rpartition(" ")[2], (*conditions.QUANTITIES, *_names(symbols)))
    if rest.startswith("write "):
        return _first(text, rest.removeprefix("write "), (*REGISTERS, *_names(symbols)))
    return _first(text, rest, (*breakpoint_text.WORDS, *_EXCEPTIONS, *_names(symbols)))


def _names(symbols: Symbols) -> Iterable[str]:
    return (symbol.name for symbol in symbols.all)


def _first(text: str, last: str, words: Iterable[str]) -> str | None:
    """`text`, whose last word is `last`, with the first of `words` that is longer and begins so."""
    if not last:
        return None
    found = next((word for word in words if len(word) > len(last) and word.lower().startswith(last.lower())), None)
    return None if found is None else text + found[len(last) :]


class LineSuggester(Suggester):
    """Shows the completion behind the cursor; the right arrow takes it."""

    def __init__(self, symbols: Symbols, prefix: str) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._symbols = symbols
        self._prefix = prefix

    async def get_suggestion(self, value: str) -> str | None:
        """What the line would be."""
        return completed(value, self._symbols, self._prefix)
