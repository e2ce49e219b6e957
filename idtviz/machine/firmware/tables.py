"""The tables that a firmware leaves for an operating system, in the BIOS's part of memory."""

from __future__ import annotations

from idtviz.machine import cpuid
from idtviz.machine.firmware import acpi, mp_table
from idtviz.machine.memory import Memory

ACPI_AT = 0xF_0000
MP_AT = 0xF_0800
"""Both lie in 0xF0000 to 0xF0FFF, where programs look on every boundary of 16 bytes."""


def install(memory: Memory, *, apic: bool) -> None:
    """Write the tables. `apic`: there is a local APIC and an I/O APIC to tell of."""
    memory.write(ACPI_AT, acpi.tables(ACPI_AT, apic=apic))
    if apic:
        signature, _, _, features = cpuid.answer(1, 0, cr4=0, apic=True)
        memory.write(MP_AT, mp_table.tables(MP_AT, signature=signature, features=features))
