"""Named cases: both sides of every check of DELIVERY.md, in long mode, each with what that document says of it.

`NAMED_CASES` are the cases; `EXPECTED` holds, for each, the chain of events as `outcome` writes one, taken from the
document and not from an answer; `DIFFERENCES` holds what Bochs answers instead where it is known to differ. Run as a
script (`python -m tests.oracle.cases`) to see the answers.
"""

from __future__ import annotations

from .bochs import judge
from .catalogue import DIFFERENCES, EXPECTED, INT, NAMED_CASES, RINGS, UD, outcome
from .double_fault_cases import add_double_fault
from .gate_cases import add_code_segment, add_gate, add_idt
from .iret_cases import add_iret
from .long_mode import SPARE2
from .prologue_cases import add_common_prologue, add_interruptibility
from .stack_cases import add_handler, add_stack

__all__ = ["DIFFERENCES", "EXPECTED", "NAMED_CASES", "outcome"]


def add_differences() -> None:
    """What this version of Bochs does where DELIVERY.md, after the SDM, says otherwise; ORACLE.md has the reasons."""
    for trigger in (UD, INT):
        name = f"stack.push fails supervisor page in ring 3 conforming ({trigger.name}, cpl 3)"
        DIFFERENCES[name] = trigger.event
    for cpl in RINGS:
        DIFFERENCES[f"iret.ss_present fails (cpl {cpl})"] = f"#NP({SPARE2:#x})"


add_common_prologue()
add_interruptibility()
add_idt()
add_gate()
add_code_segment()
add_stack()
add_handler()
add_double_fault()
add_iret()
add_differences()


def main() -> None:
    """Judge every named case and print the answers, those first that are not what DELIVERY.md says."""
    answers = judge(list(NAMED_CASES.values()))
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
