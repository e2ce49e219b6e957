"""Checking the handlers of an object file: each is tried, from ring 0 and from ring 3."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from idtviz.debugger.disassembly import LONGEST, disassemble
from idtviz.debugger.symbols import Symbols
from idtviz.debugger.symbols.objects import from_object, signatures_of
from idtviz.debugger.symbols.symbol import Line
from idtviz.lab.checking import Checked
from idtviz.lab.harness import trial
from idtviz.lab.harness.claims import Claims
from idtviz.lab.harness.handler import Handler, chosen
from idtviz.lab.harness.settling import settled
from idtviz.lab.harness.trial import BUDGET, Trial
from idtviz.lab.harness.verdict import Verdict, verdict
from idtviz.lab.harness.world import BASE, RECORDER, SLOT, HarnessError, World
from idtviz.lab.image_file import FileProblem, read
from idtviz.lab.places import Places
from idtviz.lab.problems import Problem, ScenarioError
from idtviz.lab.source_files import SourceFiles
from idtviz.machine.boot.problem import ImageError
from idtviz.machine.objects import LoadedObject, ObjectError, load

LARGEST = 64 << 20
"""Bytes of the largest file that is read."""
_MANY_INSTRUCTIONS, _MOST_INSTRUCTIONS = 1_000_000, 3_000_000
"""Of all handlers of a file together: from the first number on none gets many, behind the second none is tried."""
_FEW = 10_000


def check_object(path: Path, symbol: str | None = None, vector: int | None = None) -> Checked:
    """Try the handlers of an object file or a linked program, the one called `symbol`, of `vector`, or all that tell.

    Raises ScenarioError where there is no handler to be tried.
    """
    try:
        raw = read(path, str(path), LARGEST)
        loaded = load(raw, BASE, RECORDER, SLOT)
        handlers = chosen(loaded, symbol, vector)
        symbols, claims = from_object(raw, loaded), Claims(loaded, signatures_of(raw, loaded))
        verdicts = tuple(_verdicts(handlers, loaded, symbols, claims))
    except (FileProblem, ObjectError, ImageError, HarnessError) as problem:
        raise ScenarioError([Problem(str(path), None, str(problem))]) from problem
    findings = (finding for found in verdicts for finding in found.findings)
    reported = _Places(path, loaded, symbols).report(findings)
    kind = "linked program" if loaded.linked else "object file"
    said = list(verdicts[0].said) if len(handlers) == 1 else [found.brief for found in verdicts]
    if len(verdicts) < len(handlers):
        said.append(f"the other {len(handlers) - len(verdicts)} were not tried: these have run for too long")
    return Checked(str(path), f"{loaded.bits}-bit {kind}, {_count(handlers)}", reported, tuple(said))


def _verdicts(handlers: Sequence[Handler], loaded: LoadedObject, symbols: Symbols, claims: Claims) -> Iterator[Verdict]:
    spent = 0
    for handler in handlers:
        budget = BUDGET if spent < _MANY_INSTRUCTIONS else _FEW
        trials = tuple(_trials(handler, loaded, symbols, budget))
        yield verdict(handler, trials, loaded, claims)
        spent += sum(found.instructions for found in trials)
        if spent >= _MOST_INSTRUCTIONS:
            return


def _trials(handler: Handler, loaded: LoadedObject, symbols: Symbols, budget: int) -> Iterator[Trial]:
    for ring in handler.rings:
        event, given = trial.event_of(handler.vector, ring)
        world = World(loaded, handler.address, handler.vector, ring, event)
        found = trial.run(world, given, symbols, budget=budget)
        world = settled(world, found)
        if world.stops or world.vectors:
            found = trial.run(world, given, symbols, budget=budget)
        yield found
        if found.enabled:
            yield trial.run(world, given, symbols, nested=True, budget=budget)


def _count(handlers: Sequence[Handler]) -> str:
    return str(handlers[0]) if len(handlers) == 1 else f"{len(handlers)} handlers"


class _Places(Places):
    """Finds places in an object file."""

    def __init__(self, path: Path, loaded: LoadedObject, symbols: Symbols) -> None:
        super().__init__(symbols)
        self._loaded, self._folder = loaded, path.parent
        self._sources = SourceFiles((path.parent,))

    def named(self, line: Line) -> str:
        """Beside the object where it is there, else as it was compiled."""
        beside = self._folder / PurePosixPath(line.path).name
        return str(beside) if beside.is_file() else line.path

    def lines(self, line: Line) -> tuple[str, ...] | None:
        """From the folder of the object."""
        return self._sources.lines(line.path)

    def instruction(self, address: int, *, code: bool) -> str | None:  # noqa: ARG002
        """As it stands in the file."""
        piece = self._loaded.piece_at(address)
        if piece is None or not piece.executable:
            return None
        start = address - piece.address
        found = disassemble(piece.data[start : start + LONGEST], address, self._loaded.bits)[0]
        target = None if found.target is None else self._symbols.name(found.target)
        return f"{found.mnemonic} {target or found.operands}".strip()
