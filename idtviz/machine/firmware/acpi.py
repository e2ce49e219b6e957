"""The ACPI tables of this PC: where the APICs are, how the ISA lines are wired to them, how to switch it off.

Source: Advanced Configuration and Power Interface Specification 1.0b, chapters 4 and 5; sections are of that edition.
A program finds the RSDP by its signature, on a boundary of 16 bytes in the BIOS's memory, and from there all others.
"""

from __future__ import annotations

import struct
from typing import Final

from idtviz.machine.chips import ioapic_state, lapic_state
from idtviz.machine.chips.power_management import PM1A_CONTROL, PM1A_EVENT
from idtviz.machine.firmware.checksums import summed

_OEM, _CREATOR = b"IDTVIZ", b"IDTV"

SCI_IRQ: Final = 9
"""The system control interrupt: level triggered, and active high on this board."""

_LOCAL_APIC, _IO_APIC, _SOURCE_OVERRIDE, _LOCAL_NMI = 0, 1, 2, 4
_ACTIVE_HIGH, _EDGE, _LEVEL = 0x1, 0x4, 0xC
"""MPS INTI flags of an override."""

_HEADER = struct.Struct("<4sIBB6s8sI4sI")
_FACS_ALIGNMENT = 64


def tables(at: int, *, apic: bool) -> bytes:
    """All tables, as they lie at physical `at`, the RSDP first; `at` is a multiple of 64.

    Without the APICs there is no MADT: the 8259 pair is all there is.
    """
    facs_at = at + _FACS_ALIGNMENT
    placed = bytearray(_FACS_ALIGNMENT) + _facs()

    def place(table: bytes) -> int:
        placed.extend(bytes(-len(placed) % 16))
        placed.extend(table)
        return at + len(placed) - len(table)

    dsdt_at = place(_dsdt())
    found = [place(_fadt(facs_at, dsdt_at))]
    if apic:
        found.append(place(_madt()))
    rsdt_at = place(_table(b"RSDT", 1, struct.pack(f"<{len(found)}I", *found)))
    rsdp = _rsdp(rsdt_at)
    placed[: len(rsdp)] = rsdp
    return bytes(placed)


def _rsdp(rsdt_at: int) -> bytes:
    """Root System Description Pointer, revision 0 (5.2.4)."""
    return summed(struct.pack("<8sB6sBI", b"RSD PTR ", 0, _OEM, 0, rsdt_at), 8)


def _table(signature: bytes, revision: int, body: bytes) -> bytes:
    """A table with its header of 36 bytes (5.2.3)."""
    size = _HEADER.size + len(body)
    header = _HEADER.pack(signature, size, revision, 0, _OEM, _OEM.ljust(8), 1, _CREATOR, 1)
    return summed(header + body, 9)


def _facs() -> bytes:
    """Firmware ACPI Control Structure (5.2.6): no waking vector, and a global lock that nobody holds. No checksum."""
    return struct.pack("<4sIIIII40x", b"FACS", 64, 0, 0, 0, 0)


def _fadt(facs_at: int, dsdt_at: int) -> bytes:
    """Fixed ACPI Description Table, 116 bytes (5.2.5). ACPI mode is on always: there is no SMI command port."""
    pointers = struct.pack("<IIBBH", facs_at, dsdt_at, 0, 0, SCI_IRQ)
    smi = struct.pack("<IBBBB", 0, 0, 0, 0, 0)
    blocks = struct.pack("<8I", PM1A_EVENT, 0, PM1A_CONTROL, 0, 0, 0, 0, 0)
    lengths = struct.pack("<BBBBBBBB", 4, 2, 0, 0, 0, 0, 0, 0)
    latencies = struct.pack("<HHHH", 0xFFF, 0xFFF, 0, 0)  # neither C2 nor C3
    clock = struct.pack("<BBBBB3x", 0, 0, 0, 0, 0x32)  # CMOS holds the century, and no alarm but that of a day
    wbinvd, c1, no_power_button, no_sleep_button = 1 << 0, 1 << 2, 1 << 4, 1 << 5
    flags = struct.pack("<I", wbinvd | c1 | no_power_button | no_sleep_button)
    return _table(b"FACP", 1, pointers + smi + blocks + lengths + latencies + clock + flags)


def _dsdt() -> bytes:
    """Differentiated System Description Table: the sleep types of S5, four zeros, and nothing else (7.5.2)."""
    return _table(b"DSDT", 1, b"\x08_S5_" + b"\x12\x06\x04" + bytes(4))


def _madt() -> bytes:
    """Multiple APIC Description Table (5.2.8); flag bit 0: the 8259 pair is there too, and has to be masked."""
    local_apic = struct.pack("<BBBBI", _LOCAL_APIC, 8, 0, lapic_state.AFTER_BIOS.identifier, 1)
    io_apic = struct.pack("<BBBBII", _IO_APIC, 12, ioapic_state.IDENTIFIER, 0, ioapic_state.BASE, 0)
    timer = _override(0, ioapic_state.TIMER_PIN, _ACTIVE_HIGH | _EDGE)
    sci = _override(SCI_IRQ, SCI_IRQ, _ACTIVE_HIGH | _LEVEL)
    nmi = struct.pack("<BBBHB", _LOCAL_NMI, 6, 0xFF, 0, 1)
    return _table(b"APIC", 1, struct.pack("<II", lapic_state.BASE, 1) + local_apic + io_apic + timer + sci + nmi)


def _override(irq: int, pin: int, flags: int) -> bytes:
    """Interrupt Source Override: an ISA line that arrives elsewhere or otherwise than its number says (5.2.8.3.1)."""
    return struct.pack("<BBBBIH", _SOURCE_OVERRIDE, 10, 0, irq, pin, flags)
