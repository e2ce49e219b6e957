"""Model-specific registers of SYSCALL and SYSENTER (SDM 3A 5.8.7, 5.8.8; 4 table 2-2)."""

from typing import Final

from .fields import Bits, Structure

STAR_MSR: Final = 0xC000_0081
LSTAR_MSR: Final = 0xC000_0082
CSTAR_MSR: Final = 0xC000_0083
FMASK_MSR: Final = 0xC000_0084
SYSENTER_CS_MSR: Final = 0x174
SYSENTER_ESP_MSR: Final = 0x175
SYSENTER_EIP_MSR: Final = 0x176


class Star(Structure):
    """IA32_STAR: the segments of SYSCALL and SYSRET (SDM 3A 5.8.8, figure 5-14)."""

    __slots__ = ()
    SIZE = 8

    eip = Bits((31, 0), name="EIP", meaning="where SYSCALL goes outside long mode, on AMD processors alone")
    syscall_cs = Bits((47, 32), name="SYSCALL CS", meaning="CS of SYSCALL; SS is the next descriptor")
    sysret_cs = Bits((63, 48), name="SYSRET CS", meaning="CS of SYSRET, + 16 to 64-bit code; SS is at + 8")
