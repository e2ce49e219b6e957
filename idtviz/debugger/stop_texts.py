"""What a person is told of the thing that a breakpoint waited for."""

from __future__ import annotations

from idtviz.debugger.code import readable
from idtviz.debugger.disassembly import LONGEST, disassemble
from idtviz.debugger.symbols import Symbols
from idtviz.machine.decoding import code_bits
from idtviz.machine.delivery.delivery import Delivery
from idtviz.machine.pc import Machine
from idtviz.machine.register_watch import RegisterWrite
from idtviz.machine.register_writes import TABLES
from idtviz.machine.watch import MemoryWrite, ModeChange, PortAccess, Seen

_MOST_SHOWN = 16  # bytes


def place(address: int, symbols: Symbols) -> str:
    """`symbol+0x12`, or the linear address."""
    return symbols.name(address) or f"{address:#x}"


def sentence(seen: Seen, machine: Machine, symbols: Symbols) -> str:
    """What was seen, by which instruction, and with which value."""
    if isinstance(seen, PortAccess):
        did, way = ("wrote", "to") if seen.written else ("read", "from")
        value = f"{seen.value & (1 << 8 * seen.size) - 1:#0{2 + 2 * seen.size}x}"
        return f"{_instruction(seen.rip, machine, symbols)} {did} {value} {way} port {seen.port:#x}"
    if isinstance(seen, MemoryWrite):
        who = _step(machine) if seen.rip is None else _instruction(seen.rip, machine, symbols)
        if seen.outside is not None:
            value = f"{_value(seen.outside.data)} to " if seen.outside.data else ""
            return f"{who} wrote {value}{place(seen.outside.address, symbols)}, outside RAM"
        address, old, new = _difference(seen)
        return f"{who} wrote {place(address, symbols)}: {old} → {new}"
    if isinstance(seen, RegisterWrite):
        who = _step(machine) if seen.rip is None else _instruction(seen.rip, machine, symbols)
        if seen.rip is None and machine.activity is machine.finished is None:
            who = "a service of the BIOS"
        return f"{who} wrote {seen.name}: {_register(seen.name, seen.old)} → {_register(seen.name, seen.new)}"
    return _change(seen)


def _change(seen: ModeChange) -> str:
    (mode, ring), (new_mode, new_ring) = seen.before, seen.after
    parts = []
    if mode != new_mode:
        parts.append(f"{mode} mode → {new_mode} mode")
    if ring != new_ring:
        parts.append(f"ring {ring} → {new_ring}")
    return ", ".join(parts)


def _instruction(rip: int, machine: Machine, symbols: Symbols) -> str:
    """The instruction at linear `rip`, which has just run."""
    at = machine.cpu.registers()
    raw = readable(machine.linear(at), rip, LONGEST)
    where = place(rip, symbols)
    if not raw:
        return f"the instruction at {where}"
    found = disassemble(raw, rip, code_bits(at))[0]
    return f"“{found.mnemonic} {found.operands}".rstrip() + f"” at {where}"


def _step(machine: Machine) -> str:
    """What has just taken a step, or performed an instruction in place of the engine."""
    found = machine.activity if machine.activity is not None and machine.activity.steps else machine.finished
    if found is None:
        return "the processor"
    of = f" of {found.event.name}" if isinstance(found, Delivery) else ""
    return f"“{found.steps[-1].text}”{of}"


def _register(name: str, value: int) -> str:
    return f"{value >> 16:#x} limit {value & 0xFFFF:#x}" if name in TABLES else f"{value:#x}"


def _difference(seen: MemoryWrite) -> tuple[int, str, str]:
    """Where the bytes begin to differ, and what they were and are there; all of them if they are few."""
    old, new, address = seen.old, seen.new, seen.place.address
    if len(old) > _MOST_SHOWN:
        differ = [index for index, pair in enumerate(zip(old, new, strict=True)) if pair[0] != pair[1]]
        first = differ[0] if differ else 0
        last = min(differ[-1] + 1 if differ else 1, first + _MOST_SHOWN)
        old, new, address = old[first:last], new[first:last], address + first
    return address, _value(old), _value(new)


def _value(raw: bytes) -> str:
    """A little-endian number where the size is that of one; else bytes."""
    if len(raw) in (1, 2, 4, 8):
        return f"{int.from_bytes(raw, 'little'):#x}"
    return raw.hex(" ")
