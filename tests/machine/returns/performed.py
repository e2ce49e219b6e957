"""A return or a far transfer of one of the oracle's worlds, performed to its end without an engine."""

from __future__ import annotations

from dataclasses import replace

from idtviz.machine import far_instructions, instructions
from idtviz.machine.delivery.procedure import Procedure
from idtviz.machine.delivery.select import return_from, transfer_of
from idtviz.machine.delivery.system_call import SystemCallMsrs
from idtviz.machine.memory import LinearMemory, Memory
from idtviz.machine.registers import Registers, Segment, Table
from idtviz.x86 import control, flags
from tests.oracle.case import GENERAL_REGISTERS, SEGMENT_REGISTERS, Case, State
from tests.oracle.case import Segment as CaseSegment

MEMORY = 1 << 20
MSRS = SystemCallMsrs(
    star=0x0013_0008_0000_0000,
    lstar=0xFFFF_8000_0000_C123,
    cstar=0xC200,
    fmask=flags.IF | flags.DF | flags.AC,
    sysenter_cs=0x08,
    sysenter_esp=0x10FF0,
    sysenter_eip=0xC080,
)
_PRESENT = 1 << 15


def registers(state: State) -> Registers:
    """The registers of a case, in our terms."""
    real = not state.cr0 & control.CR0_PE
    cpl = 0 if real else 3 if state.rflags & flags.VM else state.cpl
    return Registers(
        general=tuple(getattr(state, name) for name in GENERAL_REGISTERS),
        rip=state.rip,
        rflags=state.rflags,
        cpl=cpl,
        **{name: _segment(getattr(state, name)) for name in SEGMENT_REGISTERS},
        gdtr=Table(state.gdtr.base, state.gdtr.limit),
        idtr=Table(state.idtr.base, state.idtr.limit),
        cr0=state.cr0,
        cr2=state.cr2,
        cr3=state.cr3,
        cr4=state.cr4,
        efer=state.efer,
        interrupt_shadow=False,
    )


def _segment(found: CaseSegment) -> Segment:
    access = found.attributes if found.usable else found.attributes & ~_PRESENT
    return Segment(found.selector, found.base, found.limit, access)


def memory(case: Case) -> Memory:
    """RAM as the case has it."""
    filled = Memory(MEMORY)
    for page, data in case.pages().items():
        filled.put(page, bytes(data))
    return filled


def performed(case: Case, msrs: SystemCallMsrs = MSRS, **changes: object) -> Procedure:
    """The IRET, far transfer or system call at RIP, with every step done. `changes`: other registers."""
    at = replace(registers(case.state), **changes)  # type: ignore[arg-type]
    linear = LinearMemory(memory(case), at)
    raw = instructions.fetch(at, linear)
    found = far_instructions.decode(raw, at)
    procedure: Procedure
    if found is not None:
        procedure = transfer_of(found, at, linear, msrs)
    else:
        procedure = return_from(at, linear, instructions.decode(raw, at).operand_size)
    procedure.complete()
    return procedure


def after(procedure: Procedure) -> Registers:
    """The registers behind a procedure that went through."""
    assert procedure.fault is None, (procedure.fault, procedure.steps[-1])
    assert procedure.after is not None
    return procedure.after


def raised(procedure: Procedure) -> tuple[str, int]:
    """Name and error code of the fault that ended it."""
    assert procedure.fault is not None, procedure.after
    assert procedure.after is None
    return procedure.fault.name, procedure.fault.error_code


def rule_of(procedure: Procedure) -> str:
    """The rule of the last step."""
    return procedure.steps[-1].rule.id


def words(procedure: Procedure, address: int, count: int, size: int) -> list[int]:
    """Words in memory behind it, lowest address first."""
    data = procedure.memory.read(address, count * size)
    return [int.from_bytes(data[at : at + size], "little") for at in range(0, len(data), size)]
