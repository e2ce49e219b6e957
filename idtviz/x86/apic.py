"""Words of the local APIC and of the I/O APIC, as values (SDM 3A chapter 10; 82093AA data sheet 3.2.4)."""

from typing import Final

from .fields import Bits, Flag, Reserved, Structure

APIC_BASE_MSR: Final = 0x1B
X2APIC_MSRS: Final = range(0x800, 0x900)
"""MSRs of the local APIC in x2APIC mode (SDM 3A 10.12.1.2): 0x800 + the register's memory offset / 16."""

FIRST_LEGAL_VECTOR: Final = 16
"""Vectors below it are illegal in an APIC: 0 to 15 (SDM 3A 10.5.2)."""

FIXED: Final = 0
LOWEST_PRIORITY: Final = 1
SMI: Final = 2
NMI: Final = 4
INIT: Final = 5
STARTUP: Final = 6
EXTINT: Final = 7

MODES: Final = ("fixed", "lowest priority", "SMI", "reserved", "NMI", "INIT", "start-up", "ExtINT")
"""Delivery modes by their number; not every register knows all of them."""


class ApicBase(Structure):
    """IA32_APIC_BASE (SDM 3A 10.4.4 and 10.12.1)."""

    __slots__ = ()
    SIZE = 8

    bsp = Flag(8, "BSP", "an application processor", "the bootstrap processor")
    x2apic = Flag(10, "EXTD", "xAPIC mode: registers in memory", "x2APIC mode: registers are MSRs")
    enabled = Flag(11, "EN", "no local APIC: LINT0 is INTR, LINT1 is NMI", "the local APIC is there")
    page = Bits((51, 12), name="APIC base", meaning=lambda base: f"registers at physical {base.page << 12:#x}")


class LvtEntry(Structure):
    """An entry of the local vector table (SDM 3A figure 10-8)."""

    __slots__ = ()
    SIZE = 4

    vector = Bits((7, 0), name="vector", meaning="of the interrupt, in fixed mode")
    mode = Bits((10, 8), name="delivery mode", meaning=MODES)
    status = Flag(12, "delivery status", "idle", "send pending")
    active_low = Flag(13, "polarity", "the pin is active high", "the pin is active low")
    remote_irr = Flag(14, "remote IRR", "no level interrupt waits for its EOI", "accepted, and no EOI yet")
    level = Flag(15, "trigger mode", "edge triggered", "level triggered")
    masked = Flag(16, "mask", "not masked", "masked: no interrupt")
    timer_mode = Bits((18, 17), name="timer mode", meaning=("one-shot", "periodic", "TSC-deadline", "reserved"))


class Icr(Structure):
    """The interrupt command register, high and low half (SDM 3A figures 10-12 and 10-28)."""

    __slots__ = ()
    SIZE = 8

    vector = Bits((7, 0), name="vector", meaning="of the interrupt, in fixed mode")
    mode = Bits((10, 8), name="delivery mode", meaning=MODES)
    logical = Flag(11, "destination mode", "physical: an APIC ID", "logical: a set of processors")
    status = Flag(12, "delivery status", "idle", "send pending")
    assert_ = Flag(14, "level", "de-assert", "assert")
    level = Flag(15, "trigger mode", "edge", "level")
    shorthand = Bits(
        (19, 18), name="destination shorthand", meaning=("none", "self", "all including self", "all excluding self")
    )
    destination = Bits((63, 32), name="destination", meaning="APIC ID or set of processors; bits 31:24 in xAPIC mode")


class Redirection(Structure):
    """An entry of the I/O APIC's redirection table (82093AA data sheet 3.2.4)."""

    __slots__ = ()
    SIZE = 8

    vector = Bits((7, 0), name="vector", meaning="of the interrupt")
    mode = Bits((10, 8), name="delivery mode", meaning=MODES)
    logical = Flag(11, "destination mode", "physical: an APIC ID", "logical: a set of processors")
    status = Flag(12, "delivery status", "idle", "send pending")
    active_low = Flag(13, "polarity", "the pin is active high", "the pin is active low")
    remote_irr = Flag(14, "remote IRR", "no level interrupt waits for its EOI", "accepted, and no EOI yet")
    level = Flag(15, "trigger mode", "edge triggered", "level triggered")
    masked = Flag(16, "mask", "not masked", "masked: no interrupt")
    reserved = Reserved(55, 17)
    destination = Bits((63, 56), name="destination", meaning="APIC ID, or set of processors in logical mode")
