"""Rules for the code segment that a gate names (SDM 3A 6.12.1)."""

from __future__ import annotations

from idtviz.machine.delivery.rules.rule import rule

SELECTOR_NULL = rule(
    "selector.null",
    "The gate's selector is not null",
    "The selector names the code segment that the handler runs in. The null selector names none.",
    "SDM 3A 6.12.1",
)
SELECTOR_LIMIT = rule(
    "selector.limit",
    "The selector lies within its descriptor table",
    "The selector's offset is looked up in the GDT (TI=0) or the LDT (TI=1) that is loaded now, not the one that was "
    "loaded when the gate was written. A gate that kept the boot loader's CS fails here.",
    "SDM 3A 3.4.2",
)
DESCRIPTOR_READ = rule(
    "descriptor.read",
    "The code-segment descriptor is read",
    "Eight bytes, read as a supervisor.",
    "SDM 3A 3.4.5",
)
DESCRIPTOR_CODE = rule(
    "descriptor.code",
    "The descriptor is a code segment",
    "A handler runs from CS, so the selector must name a code segment.",
    "SDM 3A 6.12.1",
)
DESCRIPTOR_DPL = rule(
    "descriptor.dpl",
    "The handler is not less privileged than the interrupted code",
    "An interrupt may raise privilege or keep it, never lower it: the handler's DPL must be at most CPL. If it is "
    "lower, the stack is switched as well.",
    "SDM 3A 6.12.1.1",
)
DESCRIPTOR_VM86 = rule(
    "descriptor.vm86",
    "Virtual-8086 mode is left for ring 0",
    "Only a non-conforming segment of ring 0 may handle what happens in virtual-8086 mode: there are more registers to "
    "save than a handler of another ring could. Anything else is #GP with the selector.",
    "SDM 3B 20.3.1.1",
)
DESCRIPTOR_LONG = rule(
    "descriptor.long",
    "The code segment is 64-bit",
    "In long mode every handler runs in 64-bit mode: L=1 and D=0.",
    "SDM 3A 6.14.1",
)
DESCRIPTOR_PRESENT = rule(
    "descriptor.present",
    "The code segment is present",
    "P=0 in the descriptor is #NP with the selector.",
    "SDM 3A 6.12.1",
)
