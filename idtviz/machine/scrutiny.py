"""Which instructions are looked at before they run.

The engine tells of each block that it translates. A block in which no instruction wants a look runs at full speed from
then on; so does one in which only the addresses of operands are in doubt, with sentinels at those instructions. In
front of any other the run stops, and the machine goes on one instruction at a time for a while, looking at each; the
block's translation is dropped again, so that it is stopped at the next time too. So stepping and running see the same
things, and only code that needs a look pays for it.

An instruction that writes a watched register stops a run in front of its block as well. The run then goes on to behind
that instruction, and ends there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import NamedTuple

from idtviz.machine.cpu import Cpu
from idtviz.machine.decoding import Decoded, Kind, decode, decoder
from idtviz.machine.instructions import MAXIMUM_LENGTH
from idtviz.machine.memory import LinearMemory, Memory
from idtviz.machine.regime import FLAT_LIMIT, Regime, regime_of
from idtviz.machine.register_writes import first_writer, written_by
from idtviz.machine.registers import RCX, Registers
from idtviz.machine.sentinels import Sentinels, can_tell

_CALM = 4  # instructions in a row that wanted no look, after which it goes on at full speed
_FEW = 100  # blocks that are dropped one by one; for more it is quicker to drop all translations


class Scrutiny:
    """Keeps what the engine leaves unchecked from running unchecked."""

    def __init__(self, cpu: Cpu, memory: Memory) -> None:
        self._cpu = cpu
        self._memory = memory
        self._regime = Regime(64, Kind.PLAIN)
        self._also = Kind.PLAIN
        self.looking = False
        """Whether the next instruction is to be looked at, and run alone."""
        self._calm = 0
        self._unsafe: list[_Block] = []
        """Blocks that the engine holds translated though they want a look, or hooks that they have not."""
        self._sentinels = Sentinels(cpu)
        self._unposted: set[int] = set()
        """Linear addresses of instructions that want a sentinel's hook."""
        self._suspicious = False
        """Whether a block that wants a look has been met."""
        self._watched: frozenset[str] = frozenset()
        """Registers, by their full names."""
        self._heeded = False
        """Whether writes to them are looked out for."""
        self._overlooked = False
        """Whether the engine holds blocks that were translated while they were not."""
        self._writer: _Writer | None = None
        self._approached = _Writer(0, 0, 0, frozenset())
        self.ahead = 0
        """How many instructions the next run has to go to end behind one that writes a watched register; 0: no end."""
        self.on_writer: Callable[[int, frozenset[str], int], None] = _ignore_writer
        """Told of an instruction that was looked at, or that writes watched registers: its linear address, which of
        them it writes, and how many instructions behind the present count it stands; it may yet raise something."""
        cpu.on_block = self._is_safe

    @property
    def regime(self) -> Regime:
        """What must be looked at in the present state."""
        return self._regime

    def refresh(self) -> None:
        """Find the regime of the present state. Only what is looked at, or performed by idtviz itself, changes it."""
        self._cpu.changed = False
        found = regime_of(self._cpu.registers(), self._cpu.debug_registers())
        found = replace(found, kinds=found.kinds | self._also)
        if found.translation != self._regime.translation:
            self.forget()
        self._regime = found

    def look_also_at(self, kinds: Kind) -> None:
        """Look at instructions of these kinds too, whatever the state."""
        self._also = kinds
        self._cpu.changed = True
        self.forget()

    def watch_registers(self, registers: frozenset[str]) -> None:
        """Tell of what writes these registers, by their full names, and no others. Not during a run."""
        if registers != self._watched:
            self._watched = registers
            self._overlooked = False
            self.forget()

    def heed_registers(self, *, heeded: bool) -> None:
        """Whether to look out for writes to the watched registers. Not during a run."""
        self._heeded = heeded and bool(self._watched)
        if (self._heeded and self._overlooked) or self.ahead:
            # A run that was on its way to a writer may have ended in an error.
            self._overlooked = False
            self.ahead = 0
            self.forget()

    def forget(self) -> None:
        """Drop every translation: what was safe may be so no longer."""
        self._cpu.forget_all_code()
        self._unsafe.clear()
        self._sentinels.forget()

    def restart(self) -> None:
        """The machine is somewhere else."""
        self.looking = False
        self._writer = None
        self.ahead = 0
        self.forget()

    def begin(self, completed: int) -> None:
        """A guarded run of `completed` instructions has stopped in front of a block, or at a sentinel's request."""
        writer, self._writer = self._writer, None
        self.looking = self._suspicious or not (self._unposted or writer is not None)
        self._calm = 0
        if self.looking:
            return
        if self._unposted or completed or writer is None or writer.block != self._cpu.linear_rip:
            self._post()
        else:
            self._approached, self.ahead = writer, writer.number + 1

    def arrive(self, completed: int) -> None:
        """A run of at most `ahead` instructions has ended, and `completed` have completed."""
        writer, ahead = self._approached, self.ahead
        self.ahead = 0
        if writer.names and completed >= ahead - 1:
            self.on_writer(writer.linear, writer.names, ahead - 1 - completed)
        self._drop()

    def _post(self) -> None:
        """Set the hooks that are wanted, and have the code there translated anew, with them."""
        if self._sentinels.crowded:
            self._sentinels.withdraw()
            self.forget()
        for linear in self._unposted:
            self._sentinels.post(linear)
        self._unposted.clear()
        self._drop()

    def look(self, raw: bytes, at: Registers) -> Decoded | None:
        """The instruction at RIP, whose bytes are `raw` as far as they are mapped, if it wants a look."""
        found = decode(raw, self._regime.bits) if raw else None
        if self._heeded:
            self.on_writer(at.linear_rip, self._names(raw, found), 0)
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
        self.looking = self._suspicious = False
        self._post()

    def _drop(self) -> None:
        """Have the engine forget the blocks that it must not run."""
        if len(self._unsafe) > _FEW:
            self.forget()
        memory = LinearMemory(self._memory, self._cpu.paging_registers())
        for block in self._unsafe:
            if _physical(memory, block.linear) != block.physical:
                self.forget()
                break
            self._cpu.forget_code(block.linear, block.size)
        self._unsafe.clear()

    def _is_safe(self, linear: int, size: int) -> bool:
        """Whether the block that has just been translated may run at full speed."""
        memory = LinearMemory(self._memory, self._cpu.paging_registers())
        raw = memory.peek(linear, size)
        look, unposted = True, set[int]()
        if raw is not None and not self._meets_breakpoint(linear, size):
            look, unposted = self._sift(raw, linear)
            look |= self._cpu.interrupt_shadow and self._repeats(raw)
        written = bool(self._watched) and raw is not None and self._is_written(raw, linear)
        if not look and not unposted and not written:
            return True
        self._suspicious |= look
        self._unposted |= unposted
        self._unsafe.append(_Block(linear, size, _physical(memory, linear)))
        return bool(self.ahead) and not look and not unposted

    def _is_written(self, raw: bytes, linear: int) -> bool:
        """Whether the block writes a watched register."""
        if not self._heeded:
            self._overlooked = True
            return False
        found = first_writer(raw, self._regime.bits, self._watched)
        if found is None:
            return False
        if not self.looking and not self.ahead:
            number, at, one = found
            names = written_by(one, self._regime.bits) & self._watched
            decoded = decode(one, self._regime.bits)
            if decoded is not None and decoded.repeats:
                if number:
                    # Whether it does anything is to be seen when it is next.
                    number, names = number - 1, frozenset()
                else:
                    names = self._names(one, decoded)
            self._writer = _Writer(linear, number, linear + at, names)
        return True

    def _names(self, raw: bytes, found: Decoded | None) -> frozenset[str]:
        """Which watched registers the instruction at RIP writes; with a count of 0 a repeated one does nothing."""
        if found is None or (found.repeats and not self._cpu.general[RCX] & found.address_mask):
            return frozenset()
        return written_by(raw[: found.length], self._regime.bits) & self._watched

    def _repeats(self, raw: bytes) -> bool:
        """Whether a repeated string instruction comes first: in a shadow the engine counts its iterations otherwise."""
        first = decode(raw[:MAXIMUM_LENGTH], self._regime.bits)
        return first is not None and first.repeats

    def _sift(self, raw: bytes, linear: int) -> tuple[bool, set[int]]:
        """Whether the block wants a look; else the linear addresses of those instructions that want a hook."""
        regime = self._regime
        offset = linear - self._cpu.code_base()
        plain = not (regime.segments or regime.breakpoints or regime.alignment or regime.code_limit < FLAT_LIMIT)
        unposted: set[int] = set()
        for at, found in _suspects(raw, regime) if plain else _all(raw, regime.bits):
            if found is None:
                return True, set()
            if not regime.wants(found, offset + at):
                continue
            if not can_tell(found, offset + at, regime):
                return True, set()
            if not self._sentinels.watch(linear + at, offset + at, found, regime):
                unposted.add(linear + at)
        return False, unposted

    def _meets_breakpoint(self, linear: int, size: int) -> bool:
        return any(
            linear <= point.address < linear + size for point in self._regime.breakpoints if point.kind == point.EXECUTE
        )


class _Block(NamedTuple):
    """A block of translated code: linear and physical address, and size in bytes."""

    linear: int
    size: int
    physical: int | None


class _Writer(NamedTuple):
    """An instruction that writes watched registers: its block's linear address, its number there, and its own."""

    block: int
    number: int
    linear: int
    names: frozenset[str]


def _ignore_writer(_linear: int, _names: frozenset[str], _behind: int) -> None:
    """Nobody watches registers."""


def _physical(memory: LinearMemory, linear: int) -> int | None:
    return memory.walk(linear).physical


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
            or (name == "mov" and (", dr" in operands or operands.endswith(", cr8")))
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
    *("rdmsr", "wrmsr", "rdrand", "rdseed"),
))  # fmt: skip
"""Mnemonics of instructions that some regime wants to look at."""
