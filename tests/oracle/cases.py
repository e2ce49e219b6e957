"""Named cases: both sides of every check of DELIVERY.md, each with what that document, or the manual, says of it.

`NAMED_CASES` are those in long mode, `OTHER_MODES` those in protected, virtual-8086 and real mode, and far transfers in
any mode. `EXPECTED` holds, for each, the chain of events as `outcome` writes one, taken from the document and not from
an answer; `DIFFERENCES` holds what Bochs answers instead where it is known to differ. Run as a script (`python -m
tests.oracle.cases`, with the beginning of a name to see less) to see the answers.
"""

from __future__ import annotations

import sys

from .bochs import judge
from .case import Case
from .catalogue import (
    DIFFERENCES,
    EXPECTED,
    FAR_CASES,
    INT,
    NAMED_CASES,
    PROTECTED_CASES,
    REAL_CASES,
    RINGS,
    RUNS,
    TASK_CASES,
    UD,
    VM86_CASES,
    outcome,
)
from .double_fault_cases import add_double_fault
from .far_return_cases import add_far_return, add_far_return_outer, add_far_return_real
from .far_transfer_cases import add_call_gate, add_call_gate_inner, add_far_direct, add_far_real
from .gate_cases import add_code_segment, add_gate, add_idt
from .iret_cases import add_iret
from .long_far_cases import add_long_call_gate, add_long_direct, add_long_return
from .long_mode import SPARE2, USER_DATA
from .prologue_cases import add_common_prologue, add_interruptibility
from .protected_gate_cases import add_protected_code_segment, add_protected_gate, add_protected_idt
from .protected_iret_cases import add_protected_iret, add_protected_iret_outer, add_task_return
from .protected_prologue_cases import (
    add_protected_double_fault,
    add_protected_interruptibility,
    add_protected_prologue,
)
from .protected_stack_cases import (
    add_protected_entry,
    add_protected_room,
    add_protected_stack_segment,
    add_protected_tss,
)
from .real_mode_cases import (
    add_real_double_fault,
    add_real_handler,
    add_real_iret,
    add_real_stack,
    add_real_table,
)
from .stack_cases import add_handler, add_stack
from .task_cases import add_new_task, add_task_gate, add_task_paging, add_task_state
from .task_transfer_cases import add_task_transfer
from .vm86_cases import add_vm86_entry, add_vm86_int, add_vm86_return

__all__ = ["DIFFERENCES", "EXPECTED", "NAMED_CASES", "OTHER_MODES", "outcome"]

OTHER_MODES: dict[str, Case] = {}
"""The cases outside long mode, and the far transfers in it."""


def add_differences() -> None:
    """What this version of Bochs does where DELIVERY.md, after the SDM, says otherwise; ORACLE.md has the reasons."""
    for trigger in (UD, INT):
        name = f"stack.push fails supervisor page in ring 3 conforming ({trigger.name}, cpl 3)"
        DIFFERENCES[name] = trigger.event
    for cpl in RINGS:
        DIFFERENCES[f"iret.ss_present fails (cpl {cpl})"] = f"#NP({SPARE2:#x})"
    for size in ("iretd", "iret"):
        for ring in (1, 2, 3):
            DIFFERENCES[f"protected iret.ss_present fails {size} to ring {ring}"] = f"#NP({SPARE2:#x})"
            if size == "iretd":
                DIFFERENCES[f"protected iret.outer stack fails {size} to ring {ring}"] = RUNS
    for trigger in (UD, INT):
        for gate in ("386 gate", "286 gate"):
            name = f"protected room.limit comes before offset.limit {gate} ({trigger.name}, cpl 3)"
            DIFFERENCES[name] = f"{trigger.event} > #GP({trigger.ext:#x})"
    DIFFERENCES["protected iret on a 16-bit stack that wraps"] = "#SS(0x0)"
    DIFFERENCES["vm86 iretd inside eip.limit fails"] = RUNS
    DIFFERENCES["vm86 return eip.limit fails"] = RUNS
    DIFFERENCES["far long inner.rsp fails non-canonical"] = f"#SS({USER_DATA & ~3:#x})"


add_common_prologue()
add_interruptibility()
add_idt()
add_gate()
add_code_segment()
add_stack()
add_handler()
add_double_fault()
add_iret()
add_protected_idt()
add_protected_gate()
add_protected_code_segment()
add_protected_tss()
add_protected_stack_segment()
add_protected_room()
add_protected_entry()
add_protected_prologue()
add_protected_interruptibility()
add_protected_double_fault()
add_protected_iret()
add_protected_iret_outer()
add_task_gate()
add_task_paging()
add_new_task()
add_task_state()
add_task_return()
add_task_transfer()
add_vm86_entry()
add_vm86_int()
add_vm86_return()
add_real_table()
add_real_stack()
add_real_handler()
add_real_double_fault()
add_real_iret()
add_far_direct()
add_call_gate()
add_call_gate_inner()
add_far_real()
add_far_return()
add_far_return_outer()
add_far_return_real()
add_long_direct()
add_long_call_gate()
add_long_return()
add_differences()
OTHER_MODES.update(PROTECTED_CASES | TASK_CASES | VM86_CASES | REAL_CASES | FAR_CASES)


def main() -> None:
    """Judge every named case and print the answers, those first that are not what DELIVERY.md says."""
    prefix = sys.argv[1] if len(sys.argv) > 1 else ""
    answers = judge([case for name, case in (NAMED_CASES | OTHER_MODES).items() if name.startswith(prefix)])
    rows = [(answer.name, outcome(answer), EXPECTED[answer.name], answer) for answer in answers]
    rows.sort(key=lambda row: row[1] == row[2])
    width = max(len(row[0]) for row in rows)
    for name, found, expected, answer in rows:
        mark = " " if found == expected else "!"
        end = ""
        if answer.final is not None:
            state = answer.final
            end = (f"  {state.cs.selector:#x}:{state.rip:#x} {state.ss.selector:#x}:{state.rsp:#x}"
                   f" flags {state.rflags:#x} cr2 {state.cr2:#x}")  # fmt: skip
        known = " (known)" if DIFFERENCES.get(name) == found else ""
        print(
            f"{mark} {name:{width}}  {found}{end}" + ("" if found == expected else f"\n    expected {expected}{known}")
        )
    wrong = sum(row[1] != row[2] for row in rows)
    print(f"{len(rows)} cases, {wrong} not as DELIVERY.md says")


if __name__ == "__main__":
    main()
