"""The RFLAGS register (SDM 1 3.4.3)."""

from typing import Final

from .fields import Bits, Flag, Structure


class RFlags(Structure):
    """RFLAGS, EFLAGS or FLAGS: the status, control and system flags (SDM 1 3.4.3, figure 3-8)."""

    __slots__ = ()
    SIZE = 8

    cf = Flag(0, "CF", "no carry", "carry or borrow out of the highest bit")
    pf = Flag(2, "PF", "odd number of ones in the low byte", "even number of ones in the low byte")
    af = Flag(4, "AF", "no carry out of bit 3", "carry or borrow out of bit 3")
    zf = Flag(6, "ZF", "the result was not zero", "the result was zero")
    sf = Flag(7, "SF", "the result was not negative", "the result was negative")
    tf = Flag(8, "TF", "no single steps", "#DB after every instruction")
    if_ = Flag(9, "IF", "maskable interrupts wait", "maskable interrupts are taken")
    df = Flag(10, "DF", "string instructions go up", "string instructions go down")
    of = Flag(11, "OF", "no signed overflow", "signed overflow")
    iopl = Bits((13, 12), name="IOPL", meaning=lambda flags: f"I/O instructions allowed up to ring {flags.iopl}")
    nt = Flag(14, "NT", "not a nested task", "nested task: IRET returns through the TSS link (#GP in 64-bit mode)")
    rf = Flag(16, "RF", "instruction breakpoints raise #DB", "the next instruction breakpoint is passed over")
    vm = Flag(17, "VM", "not virtual-8086 mode", "virtual-8086 mode")
    ac = Flag(18, "AC", "no alignment checks; SMAP holds", "alignment checks in ring 3; SMAP suspended in rings 0-2")
    vif = Flag(19, "VIF", "virtual interrupts off", "virtual interrupts on")
    vip = Flag(20, "VIP", "no virtual interrupt pending", "a virtual interrupt is pending")
    id = Flag(21, "ID", "clear (CPUID exists if it can be changed)", "set (CPUID exists if it can be changed)")


CF: Final = RFlags.cf.mask
PF: Final = RFlags.pf.mask
AF: Final = RFlags.af.mask
ZF: Final = RFlags.zf.mask
SF: Final = RFlags.sf.mask
TF: Final = RFlags.tf.mask
IF: Final = RFlags.if_.mask
DF: Final = RFlags.df.mask
OF: Final = RFlags.of.mask
IOPL: Final = RFlags.iopl.mask
NT: Final = RFlags.nt.mask
RF: Final = RFlags.rf.mask
VM: Final = RFlags.vm.mask
AC: Final = RFlags.ac.mask
VIF: Final = RFlags.vif.mask
VIP: Final = RFlags.vip.mask
ID: Final = RFlags.id.mask
ALWAYS_SET: Final = 1 << 1
"""Bit 1 reads as 1 (SDM 1 3.4.3)."""
