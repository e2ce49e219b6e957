"""Which instructions are looked at before they run.

The engine tells of each block that it translates. A block in which no instruction wants a look runs at full speed from
then on. In front of any other the run stops, and the machine goes on one instruction at a time for a while, looking at
each; the block's translation is dropped again, so that it is stopped at the next time too. So stepping and running see
the same things, and only code that needs a look pays for it.
"""

from __future__ import annotations

from collections.abc import Iterator

from idtviz.machine.cpu import Cpu
from idtviz.machine.decoding import Decoded, Kind, decode, decoder
from idtviz.machine.instructions import MAXIMUM_LENGTH
from idtviz.machine.memory import LinearMemory, Memory
from idtviz.machine.regime import FLAT_LIMIT, Regime, regime_of
from idtviz.machine.registers import Registers

_CALM = 4  # instructions in a row that wanted no look, after which it goes on at full speed
_FEW = 8  # blocks that are dropped one by one; for more it is quicker to drop all translations


class Scrutiny:
    """Keeps what the engine leaves unchecked from running unchecked."""

    def __init__(self, cpu: Cpu, memory: Memory) -> None:
        self._cpu = cpu
        self._memory = memory
        self._regime = Regime(64, Kind.PLAIN)
        self.looking = False
        """Whether the next instruction is to be looked at, and run alone."""
        self._calm = 0
        self.looks = 0
        """Instructions looked at and blocks sifted, in time or again in replay."""
        self._unsafe: list[tuple[int, int]] = []
        """Blocks that the engine holds translated though they want a look."""
        self._unsafe_in = 0  # CR3 when they were translated
        cpu.on_block = self._is_safe

    @property
    def regime(self) -> Regime:
        """What must be looked at in the present state."""
        return self._regime

    def refresh(self) -> None:
        """Find the regime of the present state. Only what is looked at, or performed by idtviz itself, changes it."""
        self._cpu.changed = False
        found = regime_of(self._cpu.registers(), self._cpu.debug_registers())
        if found.translation != self._regime.translation:
            self.forget()
        self._regime = found

    def forget(self) -> None:
        """Drop every translation: what was safe may be so no longer."""
        self._cpu.forget_all_code()
        self._unsafe.clear()

    def restart(self) -> None:
        """The machine is somewhere else."""
        self.looking = False
        self.forget()

    def begin(self) -> None:
        """A guarded run has stopped in front of a block."""
        self.looking = True
        self._calm = 0

    def look(self, raw: bytes, at: Registers) -> Decoded | None:
        """The instruction at RIP, whose bytes are `raw` as far as they are mapped, if it wants a look."""
        self.looks += 1
        found = decode(raw, self._regime.bits) if raw else None
        wanted = found is not None and (
            self._regime.wants(found, at.rip) or self._meets_breakpoint(at.linear_rip, found.length)
        )
        if not wanted:
            self._calm += 1
            return None
        self._calm = 0
        return found

    def relax(self) -> None:
        """Go on at full speed, if it has been calm for long enough."""
        if self._calm < _CALM:
            return
        self.looking = False
        if len(self._unsafe) > _FEW or self._unsafe_in != self._cpu.cr3:
            self.forget()
        for linear, size in self._unsafe:
            self._cpu.forget_code(linear, size)
        self._unsafe.clear()

    def _is_safe(self, linear: int, size: int) -> bool:
        """Whether the block that has just been translated may run at full speed."""
        regime = self._regime
        self.looks += 1
        paging = self._cpu.paging_registers()
        raw = LinearMemory(self._memory, paging).peek(linear, size)
        if raw is not None and not self._meets_breakpoint(linear, size):
            plain = not (regime.segments or regime.breakpoints or regime.alignment or regime.code_limit < FLAT_LIMIT)
            found = _suspects(raw, regime) if plain else _all(raw, regime.bits)
            offset = linear - self._cpu.code_base()
            if not any(item is None or regime.wants(item, offset + at) for at, item in found):
                return True
        if self._unsafe_in != paging.cr3:
            self._unsafe_in = paging.cr3 if not self._unsafe else -1
        self._unsafe.append((linear, size))
        return False

    def _meets_breakpoint(self, linear: int, size: int) -> bool:
        return any(
            linear <= point.address < linear + size for point in self._regime.breakpoints if point.kind == point.EXECUTE
        )


def _all(raw: bytes, bits: int) -> Iterator[tuple[int, Decoded | None]]:
    """Each instruction of `raw` with its place; None ends it where there is none."""
    at = 0
    while at < len(raw):
        found = decode(raw[at : at + MAXIMUM_LENGTH], bits)
        yield at, found
        if found is None:
            return
        at += found.length


def _suspects(raw: bytes, regime: Regime) -> Iterator[tuple[int, Decoded | None]]:
    """Those instructions of `raw` that could want a look by their kind: a quick sift by their text."""
    end = 0
    for address, size, mnemonic, operands in decoder(regime.bits).disasm_lite(raw, 0):
        end = address + size
        name = mnemonic.rpartition(" ")[2]
        if (
            name in _SUSPECT
            or "xmmword" in operands
            or (name in _BY_OPERAND and operands.startswith(_SPECIAL_OPERANDS))
            or (name == "mov" and ", dr" in operands)
        ):
            yield address, decode(raw[address : address + MAXIMUM_LENGTH], regime.bits)
    if end < len(raw):
        yield end, None


_BY_OPERAND = ("mov", "pop", "call", "jmp")
_SPECIAL_OPERANDS = ("ds", "es", "ss", "fs", "gs", "cr", "dr", "ptr")
_SUSPECT = frozenset((
    *("lcall", "ljmp", "retf", "retfq", "lmsw", "clts", "lds", "les", "lss", "lfs", "lgs"),
    *("sysret", "sysretq", "sysexit", "sysexitq", "popf", "popfd", "popfq", "in", "out"),
    *("insb", "insw", "insd", "outsb", "outsw", "outsd", "fxsave", "fxrstor", "fxsave64", "fxrstor64"),
))  # fmt: skip
"""Mnemonics of instructions that some regime wants to look at."""
