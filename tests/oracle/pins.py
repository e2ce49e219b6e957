"""Inputs and hidden registers of the processor that the package does not offer, by symbols that its library exports.

External events go through Bochs' own local APIC and NMI entry points (`bx_local_apic_c::trigger_irq`,
`BX_CPU_C::deliver_NMI`).
"""

from __future__ import annotations

import ctypes

import bochscpu._bochscpu as native  # type: ignore[import-untyped]


class Pins:
    """The processor's INTR and NMI inputs, and what else the package lacks.

    A vector from 16 up goes through the local APIC as it would on a board. Below 16 no APIC accepts a vector (SDM 3A
    10.5.2), while a PIC may well send one; there the spurious vector register stands in: a request that has gone by
    the time of the acknowledge makes Bochs deliver the spurious vector, whatever it is, as an ordinary external
    interrupt.
    """

    def __init__(self) -> None:
        library = ctypes.CDLL(native.__file__)
        self._deliver_nmi = library._ZN8BX_CPU_C11deliver_NMIEv
        self._trigger = library._ZN15bx_local_apic_c11trigger_irqEhjb
        self._trigger.argtypes = [ctypes.c_void_p, ctypes.c_uint8, ctypes.c_uint, ctypes.c_bool]
        self._untrigger = library._ZN15bx_local_apic_c13untrigger_irqEhj
        self._untrigger.argtypes = [ctypes.c_void_p, ctypes.c_uint8, ctypes.c_uint]
        self._write_spurious = library._ZN15bx_local_apic_c33write_spurious_interrupt_registerEj
        self._write_spurious.argtypes = [ctypes.c_void_p, ctypes.c_uint]
        self._apic = self._find_apic(library)
        self._set_killbit = library.cpu_set_killbit
        self._set_killbit.argtypes = [ctypes.c_uint]
        self._handle_fpu_mode = library._ZN8BX_CPU_C22handleFpuMmxModeChangeEv
        self._force_flags = library._ZN8BX_CPU_C11force_flagsEv
        self._clear_killbit = library.cpu_clear_killbit
        self._clear_killbit.argtypes = [ctypes.c_uint]
        self._set_eflags = library.cpu_set_eflags
        self._set_eflags.argtypes = [ctypes.c_uint, ctypes.c_uint32]
        self._pdptes = self._find_pdptes(library)

    @staticmethod
    def _find_apic(library: ctypes.CDLL) -> int:
        """The local APIC that the processor points to.

        Its place in the processor is read from the first instructions of an exported function that uses it (`mov rdi,
        [rax+displacement]`), and the object found there is known by its virtual method table.
        """
        code = ctypes.string_at(ctypes.cast(library.cpu_set_cr8, ctypes.c_void_p).value or 0, 30)
        load = code.find(b"\x48\x8b\xb8")
        if load < 0:
            raise RuntimeError("this build of bochscpu is not the one known here: interrupts cannot be injected")
        displacement = int.from_bytes(code[load + 3 : load + 7], "little")
        processor = ctypes.addressof(ctypes.c_char.in_dll(library, "bx_cpu"))
        apic = ctypes.c_uint64.from_address(processor + displacement).value
        methods = ctypes.addressof(ctypes.c_char.in_dll(library, "_ZTV15bx_local_apic_c")) + 16
        if ctypes.c_uint64.from_address(apic).value != methods:
            raise RuntimeError("no local APIC where this build of bochscpu should have it")
        return apic

    @staticmethod
    def _find_pdptes(library: ctypes.CDLL) -> ctypes.Array[ctypes.c_uint64]:
        """The registers that hold the four entries of PAE's page-directory-pointer table (SDM 3A 4.4.1).

        Setting CR3 alone leaves them as they were. Their place is read from the function that loads them in a run
        (`movups [r13+displacement], xmm0`).
        """
        code = ctypes.string_at(ctypes.cast(library._ZN8BX_CPU_C10CheckPDPTREm, ctypes.c_void_p).value or 0, 0xF0)
        store = code.find(b"\x41\x0f\x11\x85")
        if store < 0:
            raise RuntimeError("this build of bochscpu is not the one known here: no PAE paging")
        displacement = int.from_bytes(code[store + 4 : store + 8], "little")
        processor = ctypes.addressof(ctypes.c_char.in_dll(library, "bx_cpu"))
        return (ctypes.c_uint64 * 4).from_address(processor + displacement)

    def stop_at_boundary(self) -> None:
        """End the run before the next fetch, once the present instruction or delivery is complete.

        `Session.stop` is no good for that: it leaves the processor as soon as the hook returns, in the middle.
        """
        self._set_killbit(0)

    def look_again(self, rflags: int) -> None:
        """Turn a `Session.stop` just made into a fresh look for traps and events at the present boundary.

        A run begins without that look. Stopping leaves the instruction before it executes; with the request to end
        taken back the processor starts again in front of it. Loading flags with TF set makes it look, and so do the
        events below.
        """
        self._clear_killbit(0)
        self._set_eflags(0, rflags)

    def notice_fpu_mode(self) -> None:
        """Make the processor act on CR0.TS, EM and MP, which setting its state alone does not."""
        self._handle_fpu_mode()

    def set_pdptes(self, entries: bytes) -> None:
        """Put the four entries of PAE's page-directory-pointer table into their registers."""
        ctypes.memmove(self._pdptes, entries, 32)

    def settle_flags(self) -> None:
        """Make RFLAGS hold the arithmetic flags, which Bochs works out only when something asks for them."""
        self._force_flags()

    def raise_nmi(self) -> None:
        """Raise the non-maskable interrupt."""
        self._deliver_nmi()

    def raise_external(self, vector: int) -> None:
        """Raise a maskable external interrupt with any vector from 0 to 255."""
        if vector >= 16:
            self._trigger(self._apic, vector, 0, False)
            return
        self._write_spurious(self._apic, 0x100 | vector)
        self._trigger(self._apic, 0xFF, 0, False)
        self._untrigger(self._apic, 0xFF, 0)
