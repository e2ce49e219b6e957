"""Control registers and IA32_EFER (SDM 3A 2.5, 2.2.1)."""

from typing import Final

from .fields import Bits, Flag, Structure


class Cr0(Structure):
    """CR0: operating mode and state of the processor (SDM 3A 2.5)."""

    __slots__ = ()
    SIZE = 8

    pe = Flag(0, "PE", "real mode", "protected mode")
    mp = Flag(1, "MP", "WAIT ignores TS", "WAIT raises #NM when TS=1")
    em = Flag(2, "EM", "x87 instructions execute", "x87 instructions raise #NM, SSE ones #UD")
    ts = Flag(3, "TS", "no task switch since the x87 state was loaded", "x87 and SSE instructions raise #NM")
    et = Flag(4, "ET", "80287 coprocessor", "387 instructions (always 1)")
    ne = Flag(5, "NE", "x87 errors go out through the PIC", "x87 errors raise #MF")
    wp = Flag(16, "WP", "supervisor writes ignore R/W=0", "supervisor writes to read-only pages raise #PF")
    am = Flag(18, "AM", "RFLAGS.AC does not check alignment", "RFLAGS.AC checks alignment in ring 3")
    nw = Flag(29, "NW", "write-back caching", "not write-through")
    cd = Flag(30, "CD", "caches in use", "caches not filled")
    pg = Flag(31, "PG", "linear addresses are physical", "paging")


class Cr3(Structure):
    """CR3: physical address of the first paging structure (SDM 3A 2.5, 4.5.2), without PCIDs."""

    __slots__ = ()
    SIZE = 8
    UNNAMED = "ignored"

    pwt = Flag(3, "PWT", "write-back", "write-through")
    pcd = Flag(4, "PCD", "cacheable", "not cacheable")
    base = Bits((51, 12), name="base", meaning=lambda cr3: f"the first table is at physical {cr3.address:#x}")

    @property
    def address(self) -> int:
        """Physical address of the PML4 table."""
        return self.value & Cr3.base.mask


class Cr4(Structure):
    """CR4: architectural extensions that the operating system has turned on (SDM 3A 2.5)."""

    __slots__ = ()
    SIZE = 8

    vme = Flag(0, "VME", "no virtual-8086 extensions", "virtual-8086 interrupt redirection")
    pvi = Flag(1, "PVI", "no protected-mode virtual interrupts", "VIF is honoured in ring 3")
    tsd = Flag(2, "TSD", "RDTSC in any ring", "RDTSC in ring 0 only")
    de = Flag(3, "DE", "DR4 and DR5 are DR6 and DR7", "DR4 and DR5 raise #UD; I/O breakpoints")
    pse = Flag(4, "PSE", "32-bit paging has 4 KiB pages", "32-bit paging has 4 MiB pages")
    pae = Flag(5, "PAE", "4-byte page table entries", "8-byte page table entries")
    mce = Flag(6, "MCE", "a machine check shuts down", "a machine check raises #MC")
    pge = Flag(7, "PGE", "no global pages", "global pages stay in the TLB when CR3 is loaded")
    pce = Flag(8, "PCE", "RDPMC in ring 0 only", "RDPMC in any ring")
    osfxsr = Flag(9, "OSFXSR", "SSE instructions raise #UD", "SSE and FXSAVE of its registers")
    osxmmexcpt = Flag(10, "OSXMMEXCPT", "unmasked SSE errors raise #UD", "unmasked SSE errors raise #XM")
    umip = Flag(11, "UMIP", "SGDT, SIDT, SLDT, SMSW, STR in any ring", "SGDT, SIDT, SLDT, SMSW, STR in ring 0 only")
    la57 = Flag(12, "LA57", "4-level paging", "5-level paging")
    vmxe = Flag(13, "VMXE", "no VMX", "VMX")
    smxe = Flag(14, "SMXE", "no SMX", "SMX")
    fsgsbase = Flag(16, "FSGSBASE", "WRGSBASE and its kin raise #UD", "RDFSBASE, WRGSBASE in any ring")
    pcide = Flag(17, "PCIDE", "no process-context identifiers", "CR3 bits 11:0 are a PCID")
    osxsave = Flag(18, "OSXSAVE", "XSAVE raises #UD", "XSAVE and XCR0")
    kl = Flag(19, "KL", "no key locker", "key locker")
    smep = Flag(20, "SMEP", "supervisor may execute user pages", "supervisor fetches from user pages raise #PF")
    smap = Flag(21, "SMAP", "supervisor may use user pages", "supervisor accesses to user pages raise #PF unless AC=1")
    pke = Flag(22, "PKE", "no protection keys for user pages", "protection keys for user pages")
    cet = Flag(23, "CET", "no shadow stacks", "control-flow enforcement")
    pks = Flag(24, "PKS", "no protection keys for supervisor pages", "protection keys for supervisor pages")
    uintr = Flag(25, "UINTR", "no user interrupts", "user interrupts")


class Efer(Structure):
    """IA32_EFER, MSR 0xC0000080: extended features (SDM 3A 2.2.1; bits 15:12 are AMD's, APM 2 3.1.7)."""

    __slots__ = ()
    SIZE = 8

    sce = Flag(0, "SCE", "SYSCALL raises #UD", "SYSCALL and SYSRET")
    lme = Flag(8, "LME", "no long mode", "paging turns long mode on")
    lma = Flag(10, "LMA", "long mode is not active", "long mode is active")
    nxe = Flag(11, "NXE", "bit 63 of page table entries is reserved", "bit 63 of page table entries forbids execution")
    svme = Flag(12, "SVME", "no SVM", "SVM")
    lmsle = Flag(13, "LMSLE", "no segment limits in long mode", "segment limits in long mode")
    ffxsr = Flag(14, "FFXSR", "FXSAVE saves all", "FXSAVE in ring 0 leaves the XMM registers out")
    tce = Flag(15, "TCE", "INVLPG drops all upper levels", "INVLPG drops the upper levels it used")


CR0_PE: Final = Cr0.pe.mask
CR0_MP: Final = Cr0.mp.mask
CR0_EM: Final = Cr0.em.mask
CR0_TS: Final = Cr0.ts.mask
CR0_ET: Final = Cr0.et.mask
CR0_NE: Final = Cr0.ne.mask
CR0_WP: Final = Cr0.wp.mask
CR0_AM: Final = Cr0.am.mask
CR0_NW: Final = Cr0.nw.mask
CR0_CD: Final = Cr0.cd.mask
CR0_PG: Final = Cr0.pg.mask

CR4_VME: Final = Cr4.vme.mask
CR4_PVI: Final = Cr4.pvi.mask
CR4_TSD: Final = Cr4.tsd.mask
CR4_DE: Final = Cr4.de.mask
CR4_PSE: Final = Cr4.pse.mask
CR4_PAE: Final = Cr4.pae.mask
CR4_MCE: Final = Cr4.mce.mask
CR4_PGE: Final = Cr4.pge.mask
CR4_PCE: Final = Cr4.pce.mask
CR4_OSFXSR: Final = Cr4.osfxsr.mask
CR4_OSXMMEXCPT: Final = Cr4.osxmmexcpt.mask
CR4_UMIP: Final = Cr4.umip.mask
CR4_LA57: Final = Cr4.la57.mask
CR4_VMXE: Final = Cr4.vmxe.mask
CR4_SMXE: Final = Cr4.smxe.mask
CR4_FSGSBASE: Final = Cr4.fsgsbase.mask
CR4_PCIDE: Final = Cr4.pcide.mask
CR4_OSXSAVE: Final = Cr4.osxsave.mask
CR4_KL: Final = Cr4.kl.mask
CR4_SMEP: Final = Cr4.smep.mask
CR4_SMAP: Final = Cr4.smap.mask
CR4_PKE: Final = Cr4.pke.mask
CR4_CET: Final = Cr4.cet.mask
CR4_PKS: Final = Cr4.pks.mask
CR4_UINTR: Final = Cr4.uintr.mask

EFER_MSR: Final = 0xC000_0080
"""Number of the model-specific register IA32_EFER (SDM 4 table 2-2)."""

EFER_SCE: Final = Efer.sce.mask
EFER_LME: Final = Efer.lme.mask
EFER_LMA: Final = Efer.lma.mask
EFER_NXE: Final = Efer.nxe.mask
EFER_SVME: Final = Efer.svme.mask
EFER_FFXSR: Final = Efer.ffxsr.mask
