"""The MP floating pointer structure and the MP configuration table: the same facts as ACPI's, for older programs.

Source: Intel MultiProcessor Specification 1.4, chapter 4.
"""

from __future__ import annotations

import struct

from idtviz.machine.chips import ioapic_state, lapic_state
from idtviz.machine.chips.ioapic_state import pin_of_irq
from idtviz.machine.chips.lapic_registers import VERSION_VALUE
from idtviz.machine.firmware.acpi import SCI_IRQ
from idtviz.machine.firmware.checksums import summed

_SPECIFICATION = 4  # 1.4
_PROCESSOR, _BUS, _IO_APIC, _IO_INTERRUPT, _LOCAL_INTERRUPT = range(5)
_INT, _NMI, _EXTINT = 0, 1, 3
_ENABLED, _BOOTSTRAP = 1, 2
_ISA_BUS = 0
_CONFORMS, _ACTIVE_HIGH_LEVEL = 0x0, 0xD
_EVERY_LOCAL_APIC = 0xFF
_POINTER_SIZE, _HEADER_SIZE = 16, 44
_CASCADE = 2


def tables(at: int, *, signature: int, features: int) -> bytes:
    """The floating pointer and the configuration table, as they lie at physical `at`, a multiple of 16.

    `signature` and `features` are what CPUID gives for leaf 1 in EAX and EDX.
    """
    return _pointer(at + _POINTER_SIZE) + _configuration(_entries(signature, features))


def _pointer(table_at: int) -> bytes:
    """Feature byte 1 is 0, there is a table; bit 7 of feature byte 2 is 0, the virtual wire is on (4.1)."""
    return summed(struct.pack("<4sIBBB5s", b"_MP_", table_at, 1, _SPECIFICATION, 0, bytes(5)), 10)


def _configuration(entries: list[bytes]) -> bytes:
    """The base table: its header and the entries (4.2)."""
    body = b"".join(entries)
    size = _HEADER_SIZE + len(body)
    names = b"IDTVIZ".ljust(8), b"PC".ljust(12)
    header = struct.pack(
        "<4sHBB8s12sIHHIHBB", b"PCMP", size, _SPECIFICATION, 0, *names, 0, 0, len(entries), lapic_state.BASE, 0, 0, 0
    )
    return summed(header + body, 7)


def _entries(signature: int, features: int) -> list[bytes]:
    """In the order of their types, as 4.3 wants them."""
    processor = struct.pack(
        "<BBBBII8x",
        *(_PROCESSOR, lapic_state.AFTER_BIOS.identifier, VERSION_VALUE & 0xFF, _ENABLED | _BOOTSTRAP),
        *(signature, features),
    )
    bus = struct.pack("<BB6s", _BUS, _ISA_BUS, b"ISA   ")
    io_apic = struct.pack("<BBBBI", _IO_APIC, ioapic_state.IDENTIFIER, 0x11, _ENABLED, ioapic_state.BASE)
    lines = [_line(irq) for irq in range(16) if irq != _CASCADE]
    local = [
        struct.pack("<BBHBBBB", _LOCAL_INTERRUPT, _EXTINT, _CONFORMS, _ISA_BUS, 0, 0, 0),
        struct.pack("<BBHBBBB", _LOCAL_INTERRUPT, _NMI, _CONFORMS, _ISA_BUS, 0, _EVERY_LOCAL_APIC, 1),
    ]
    return [processor, bus, io_apic, *lines, *local]


def _line(irq: int) -> bytes:
    """An ISA line and its pin at the I/O APIC (4.3.4)."""
    flags = _ACTIVE_HIGH_LEVEL if irq == SCI_IRQ else _CONFORMS
    identifier = ioapic_state.IDENTIFIER
    return struct.pack("<BBHBBBB", _IO_INTERRUPT, _INT, flags, _ISA_BUS, irq, identifier, pin_of_irq(irq))
