"""What is wrong with a bare handler as a whole, seen where it is tried on its own."""

from __future__ import annotations

from idtviz.checks.finding import Severity
from idtviz.checks.rule import Rule


class DoesNotReturn(Rule):
    id = "HDL001"
    title = "The handler does not return"
    bug_class = None
    severity = Severity.WARNING
    why = (
        "An interrupt handler ends with IRET, or the interrupted program never goes on. A handler that waits in a loop "
        "for something that another interrupt would bring waits for ever: an interrupt gate clears IF. Where a handler "
        "stops the machine on purpose, as for #DF or #MC, all is well."
    )
    fix = "Do what has to be done at once, and return; leave what has to wait to code outside the handler."
    source = "SDM 3A 6.12.1.3"


class RaisesException(Rule):
    id = "HDL002"
    title = "The handler raises an exception of its own"
    bug_class = None
    severity = Severity.ERROR
    why = (
        "An exception inside a handler is delivered on top of it. In the handler of that very exception this goes on "
        "until the stack is used up: a double fault. The registers that the handler has not set hold what the "
        "interrupted program had in them, which may be anything."
    )
    fix = (
        "Set every register before the handler uses it as a pointer, or writes it to a control register or MSR. Touch "
        "only memory that is mapped."
    )
    source = "SDM 3A 6.15 (Interrupt 8)"


class WrongDeclaration(Rule):
    id = "HDL003"
    title = "The handler's declaration does not fit what the processor pushes"
    bug_class = 3
    severity = Severity.ERROR
    why = (
        'A handler in C (`__attribute__((interrupt))`) or Rust (`extern "x86-interrupt"`) is compiled after its '
        "declaration: with a second parameter the compiler takes an error code off the stack in front of IRET, and "
        "without one it does not. The processor pushes one for vectors 8, 10 to 14, 17, 21, 29 and 30 alone. And where "
        "the convention passes the frame by value, a parameter that is a reference holds the saved RIP."
    )
    fix = (
        "Declare an error code for vectors 8, 10 to 14, 17, 21, 29 and 30, and for no other. In Rust take the frame by "
        "value (`frame: InterruptStackFrame`), in C as a pointer."
    )
    source = "SDM 3A table 6-1, 6.13; APM 2 8.2; GCC x86 function attributes"


class EndsWithoutIret(Rule):
    id = "HDL004"
    title = "The handler ends without IRET"
    bug_class = None
    severity = Severity.ERROR
    why = (
        "RET, or a jump back, takes RIP alone: CS and RFLAGS stay on the stack, so the interrupted program goes on in "
        "the handler's ring, with interrupts off and a stack pointer that is wrong by the rest of the frame. A "
        "function that is compiled like any other ends with RET. And if nothing ends the handler, the processor "
        "executes whatever lies behind it."
    )
    fix = (
        "End it with `iretq` (`iretd` in 32-bit code): write the stub in assembly, or tell the compiler that it is a "
        'handler (`__attribute__((interrupt))`, `extern "x86-interrupt"`).'
    )
    source = "SDM 2A IRET; SDM 3A 6.12.1.3"


RULES: tuple[type[Rule], ...] = (DoesNotReturn, RaisesException, WrongDeclaration, EndsWithoutIret)
