"""The processor's registers, changed from outside at an instruction boundary."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from idtviz.machine import control_registers, debug_registers, model_specific
from idtviz.machine.edits import memory, segments
from idtviz.machine.edits.refusal import RefusedError, fit
from idtviz.machine.pc import Machine
from idtviz.machine.registers import GENERAL_NAMES, Registers, Table
from idtviz.x86 import control, flags, msrs
from idtviz.x86.addresses import is_canonical
from idtviz.x86.control import Cr0
from idtviz.x86.fields import Reserved, Structure
from idtviz.x86.flags import RFlags
from idtviz.x86.paging import PHYSICAL_ADDRESS_BITS

DEBUG_NAMES = {f"dr{number}": number for number in (0, 1, 2, 3, 6, 7)}
MSR_NAMES = {
    "star": msrs.STAR_MSR,
    "lstar": msrs.LSTAR_MSR,
    "cstar": msrs.CSTAR_MSR,
    "fmask": msrs.FMASK_MSR,
    "sysenter_cs": msrs.SYSENTER_CS_MSR,
    "sysenter_esp": msrs.SYSENTER_ESP_MSR,
    "sysenter_eip": msrs.SYSENTER_EIP_MSR,
    "kernel_gs_base": 0xC000_0102,
}
_TABLES = ("gdtr", "idtr")
_CR4_OFFERED = (
    *(control.CR4_TSD, control.CR4_DE, control.CR4_PSE, control.CR4_PAE, control.CR4_MCE, control.CR4_PGE),
    *(control.CR4_PCE, control.CR4_OSFXSR, control.CR4_OSXMMEXCPT, control.CR4_FSGSBASE),
    *(control.CR4_OSXSAVE, control.CR4_SMEP),
)
"""What this processor has: see `cpuid`."""


def known_bits(kind: type[Structure]) -> int:
    """The bits of a register that have a meaning."""
    return sum(run.mask for run in kind.LAYOUT if not isinstance(run, Reserved))


@dataclass(frozen=True, slots=True)
class _Change:
    """What an edit does: new registers, a byte of a descriptor table, or something beside them."""

    machine: Machine
    before: Registers
    after: Registers | None = None
    mark: tuple[int, int] | None = None
    beside: Callable[[], None] | None = None

    def perform(self) -> None:
        if self.mark is not None:
            address, value = self.mark
            memory.write_linear(self.machine, address, bytes((value,)))
        if self.beside is not None:
            self.beside()
        if self.after is not None:
            self.machine.cpu.load(self.after, self.before)
        after = self.after or self.before
        self.machine.edited(moved=after.rip != self.before.rip or after.cs is not self.before.cs)


def check(machine: Machine, name: str, value: int) -> None:
    """Raises RefusedError where `set_register` would."""
    _change(machine, name, value)


def set_register(machine: Machine, name: str, value: int) -> None:
    """Have the register `name` hold `value`; bits that are always as they are stay so. Raises RefusedError."""
    _change(machine, name, value).perform()


def read(machine: Machine, name: str) -> int | None:
    """What the register `name` holds; None where there is no such register."""
    at, cpu = machine.cpu.registers(), machine.cpu
    register, _, part = name.partition(".")
    if name in GENERAL_NAMES:
        return at.general[GENERAL_NAMES.index(name)]
    if name in _PLAIN:
        value: int = getattr(at, name)
        return value
    if name in DEBUG_NAMES:
        return cpu.debug_register(DEBUG_NAMES[name])
    if name in MSR_NAMES:
        return cpu.read_msr(MSR_NAMES[name])
    if name == "cr8":
        lapic = machine.board.lapic
        return None if lapic is None else lapic.task_priority
    if register in _TABLES and part in ("base", "limit"):
        return int(getattr(getattr(at, register), part))
    if name in _SELECTORS:
        return int(getattr(at, name).selector)
    if name in _BASES:
        return int(getattr(at, register).base)
    return None


def _change(machine: Machine, name: str, value: int) -> _Change:
    if machine.shut_down or machine.off:
        raise RefusedError("the processor has stopped for good here: go back (S), and edit what led to it")
    if machine.activity is not None:
        raise RefusedError(
            "a delivery or return is under way, and the registers are the processor's own: go back to the boundary "
            "in front of it (S), or on to the one behind it (s)"
        )
    at = machine.cpu.registers()
    if read(machine, name) is None:
        raise RefusedError(f"there is no register {name!r} here that can be changed")
    change = _Change(machine, at)
    if name in DEBUG_NAMES:
        return replace(change, beside=_debug(machine, name, value))
    if name in MSR_NAMES:
        return replace(change, beside=_msr(machine, name, value))
    if name == "cr8":
        lapic = machine.board.lapic
        assert lapic is not None
        priority = fit("cr8", value, 4)
        return replace(change, beside=lambda: setattr(lapic, "task_priority", priority))
    if name in _SELECTORS:
        loaded = _selector(machine, at, name, fit(name, value, 16))
        return replace(change, after=loaded.registers, mark=loaded.mark)
    return replace(change, after=_plain(at, name, value))


def _plain(at: Registers, name: str, value: int) -> Registers:
    register, _, part = name.partition(".")
    if name in GENERAL_NAMES:
        general = list(at.general)
        general[GENERAL_NAMES.index(name)] = fit(name, value, 64)
        return replace(at, general=tuple(general))
    if register in _TABLES:
        return _table(at, register, part, value)
    if name in _BASES:
        return _base(at, register, value)
    return _PLAIN[name](at, value)


def _rip(at: Registers, value: int) -> Registers:
    fit("rip", value, 64)
    if at.mode == "long":
        if not is_canonical(value):
            raise RefusedError(f"rip cannot be {value:#x}: it is not canonical")
    elif value > at.cs.limit:
        raise RefusedError(f"rip cannot be {value:#x}: it is beyond the limit {at.cs.limit:#x} of cs")
    return replace(at, rip=value)


def _rflags(at: Registers, value: int) -> Registers:
    value = fit("rflags", value, 64) & known_bits(RFlags) | flags.ALWAYS_SET
    if (value ^ at.rflags) & flags.VM:
        raise RefusedError("rflags.vm cannot be changed: IRET and task switches alone enter and leave that mode")
    return replace(at, rflags=value)


def _cr0(at: Registers, value: int) -> Registers:
    value = fit("cr0", value, 64) | control.CR0_ET
    _allow(control_registers.refuses_cr0(value, at))
    reserved = (value ^ at.cr0) & ~known_bits(Cr0)
    if reserved:
        raise RefusedError(f"bits {reserved:#x} of cr0 are reserved")
    if not value & control.CR0_PE:
        if at.cpl:
            raise RefusedError(f"cr0.pe cannot be 0: real mode is ring 0, and this is ring {at.cpl}")
        if at.mode == "vm86":
            raise RefusedError("cr0.pe cannot be 0 in virtual-8086 mode")
    efer = at.efer & ~control.EFER_LMA
    if value & control.CR0_PG and efer & control.EFER_LME:
        efer |= control.EFER_LMA
    return replace(at, cr0=value, efer=efer)


def _cr2(at: Registers, value: int) -> Registers:
    return replace(at, cr2=fit("cr2", value, _address_bits(at)))


def _cr3(at: Registers, value: int) -> Registers:
    fit("cr3", value, _address_bits(at))
    if value >> PHYSICAL_ADDRESS_BITS:
        raise RefusedError(f"bits 63:{PHYSICAL_ADDRESS_BITS} of cr3 are reserved")
    return replace(at, cr3=value)


def _cr4(at: Registers, value: int) -> Registers:
    fit("cr4", value, 64)
    _allow(control_registers.refuses_cr4(value, at))
    absent = value & ~(sum(_CR4_OFFERED) | at.cr4)
    if absent:
        names = " ".join(control.Cr4(absent).names()) or f"bits {absent:#x}"
        raise RefusedError(f"{names} of cr4 cannot be set: this processor does not have what they turn on")
    return replace(at, cr4=value)


def _efer(at: Registers, value: int) -> Registers:
    fit("efer", value, 64)
    if (value ^ at.efer) & control.EFER_LMA:
        raise RefusedError("efer.lma is read-only: it follows from efer.lme and cr0.pg")
    _allow(model_specific.refuses_efer(value, at))
    return replace(at, efer=value)


def _table(at: Registers, register: str, part: str, value: int) -> Registers:
    table: Table = getattr(at, register)
    if part == "limit":
        return _with(at, register, replace(table, limit=fit(f"{register}.limit", value, 16)))
    return _with(at, register, replace(table, base=_address(at, f"{register}.base", value)))


def _base(at: Registers, register: str, value: int) -> Registers:
    if at.mode in ("real", "vm86"):
        raise RefusedError(f"{register}.base is sixteen times the selector in this mode: change {register}")
    base = _address(at, f"{register}.base", value)
    return _with(at, register, replace(getattr(at, register), base=base))


def _address(at: Registers, name: str, value: int) -> int:
    fit(name, value, _address_bits(at))
    if at.efer & control.EFER_LMA and not is_canonical(value):
        raise RefusedError(f"{name} cannot be {value:#x}: it is not canonical")
    return value


def _address_bits(at: Registers) -> int:
    return 64 if at.efer & control.EFER_LMA else 32


def _with(at: Registers, name: str, value: Any) -> Registers:
    return replace(at, **{name: value})


def _selector(machine: Machine, at: Registers, name: str, value: int) -> segments.Loaded:
    linear = machine.linear(at)
    if name == "ldtr":
        loaded = segments.load_ldtr(linear, at, value)
    elif name == "tr":
        loaded = segments.load_tr(linear, at, value)
    else:
        loaded = segments.load(linear, at, name, value)
    if loaded.mark is not None:
        memory.pieces(machine, loaded.mark[0], 1)
    return loaded


def _debug(machine: Machine, name: str, value: int) -> Callable[[], None]:
    number = DEBUG_NAMES[name]
    kept = debug_registers.stored(number, fit(name, value, 64))
    if kept is None:
        raise RefusedError(f"bits 63:32 of {name} are reserved")
    return lambda: machine.cpu.set_debug_register(number, kept)


def _msr(machine: Machine, name: str, value: int) -> Callable[[], None]:
    number = MSR_NAMES[name]
    fit(name, value, 64)
    if model_specific.holds_address(number) and not is_canonical(value):
        raise RefusedError(f"{name} cannot be {value:#x}: it is not canonical")
    if number == msrs.SYSENTER_CS_MSR:
        fit(name, value, 32)
    return lambda: machine.cpu.write_msr(number, value)


def _allow(refused: str | None) -> None:
    if refused is not None:
        raise RefusedError(refused)


_PLAIN: dict[str, Callable[[Registers, int], Registers]] = {
    "rip": _rip,
    "rflags": _rflags,
    "cr0": _cr0,
    "cr2": _cr2,
    "cr3": _cr3,
    "cr4": _cr4,
    "efer": _efer,
}
_SELECTORS = (*segments.NAMES, "ldtr", "tr")
_BASES = ("fs.base", "gs.base")
NAMES = (
    *GENERAL_NAMES,
    *_PLAIN,
    "cr8",
    *_SELECTORS,
    *_BASES,
    *(f"{table}.{part}" for table in _TABLES for part in ("base", "limit")),
    *DEBUG_NAMES,
    *MSR_NAMES,
)
"""Every register that has a name here."""
