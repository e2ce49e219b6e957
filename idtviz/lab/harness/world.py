"""The machine in which a bare handler is tried: tables in good order, and an interrupted program with tell-tale values.

Whatever the handler does not give back shows, for no two registers hold the same, and none what they usually hold.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import zip_longest

from idtviz.debugger.symbols.names import Named
from idtviz.lab.harness import routines
from idtviz.machine.board import NO_DRIVES
from idtviz.machine.boot import entry, image, long_tables
from idtviz.machine.boot.image import Image, Part
from idtviz.machine.chips.pic import CASCADE, PicPairState
from idtviz.machine.chips.pic8259 import InitState, Pic8259State
from idtviz.machine.memory import PAGE
from idtviz.machine.objects import LoadedObject
from idtviz.machine.pc import Machine
from idtviz.machine.registers import GENERAL_NAMES, Registers, Segment, Table
from idtviz.x86 import control, flags, msrs
from idtviz.x86.descriptors import SegmentDescriptor, SystemDescriptor64
from idtviz.x86.gates import INTERRUPT_GATE, Gate32, Gate64
from idtviz.x86.tss import Tss32, Tss64

BASE = 0x20_0000
"""Where the object lies."""
RECORDER, SLOT = 0x6_0000, 16
"""Where what it calls and does not define is stood in for."""
IRQ_BASE = 0x20
"""The vector of IRQ0; IRQ8 has the eighth behind it."""
NESTED_IRQ = 0

_GDT, _IDT, _TSS, _PROGRAM = 0x2000, 0x3000, 0x4000, 0x5000
_UNEXPECTED, _NESTED, _CLOBBER, _WAITING, _COUNTER = 0x6000, 0x6100, 0x6200, 0x6300, 0x6400
_PER_CPU, _USER_GS, _USER_FS = 0x7000, 0x8000, 0x9000
KERNEL_GS = 0xFFFF_C900_0000_0000 + _PER_CPU
"""Of the upper half: handlers tell by its sign that GS.base is the kernel's."""
_STACK, _RING0_STACK, _USER_STACK, _IST_STACK = 0x2_0000, 0x3_0000, 0x4_0000, 0x5_0000
"""The ends of stacks of 64 KiB."""
_DEVICES = 0xFEE0_0000
"""Of the local APIC, which is not there: what a handler writes to it is lost."""
_MISALIGNED = {64: 24, 32: 12}
"""Bytes that the interrupted program has on its stack: where it stands RSP is no multiple of 16."""
_HERTZ = 100_000_000
_TURNS = 800
"""What the ticks of a second are divided by for the turns of the loop that lingers: at two instructions each they take
2.5 ms, and a key takes 2 (see `chips.keyboard`)."""
_LEAST_MEMORY = 16 << 20
_MOST_MEMORY = 256 << 20
_LARGE_PAGE = 2 << 20

_NULL, _KERNEL_CODE, _KERNEL_DATA, _USER_DATA, _USER_CODE, _TLS, _TASK = 0, 0x08, 0x10, 0x1B, 0x23, 0xF3, 0xF8
"""Between them there are flat data segments: a handler loads the selectors that its own kernel's GDT has."""
_WINDOWS = (
    long_tables.Window(KERNEL_GS, _PER_CPU, PAGE),
    long_tables.Window(_DEVICES, _DEVICES, PAGE),
)

TELLTALES = {name: 0x7A00_0000_5A5A_0000 + 0x1111 * (number + 1) for number, name in enumerate(GENERAL_NAMES)}
"""What the interrupted program has in its general registers, by name; RSP excepted."""
_FLAGS = flags.ALWAYS_SET | flags.IF | flags.DF | flags.CF | flags.AC
_MXCSR = 0x1F80 | 0x6000  # rounding toward zero: no handler's own choice

FAULT_ADDRESS = 0x7000_0000
"""Linear address of the page fault that is given to a handler of vector 14; no page is mapped there."""
_KERNEL_GS_BASE = 0xC000_0102


class HarnessError(Exception):
    """A handler that cannot be tried; the message says why."""


@dataclass(frozen=True)
class World:
    """A handler of `vector` at linear `handler`, and a program in `ring` that it interrupts."""

    loaded: LoadedObject
    handler: int
    vector: int
    ring: int
    event: bytes = b""
    """The instruction of the interrupted program that raises the vector; none where it comes from outside."""
    stops: frozenset[int] = frozenset()
    """Slots of functions that do not return."""
    vectors: bool = False
    """Whether what the handler calls and is not there changes the XMM registers too."""
    ends: bool = False
    """Whether the interrupted program halts at last, and does not run in circles."""
    lingers: bool = False
    """Whether it gives a key time to be pressed and released before that."""

    kind = "object"
    drives = NO_DRIVES

    @property
    def bits(self) -> int:
        return self.loaded.bits

    @property
    def mode(self) -> str:
        return "long" if self.bits == 64 else "protected"

    @property
    def room(self) -> int:
        """Bytes of RAM that it needs at least, with its page tables."""
        found = self._image
        return found.end + (long_tables.size((*found.windows, *_WINDOWS)) if self.mode == "long" else 0)

    @property
    def memory(self) -> int:
        """Bytes of RAM that it is tried in. Raises HarnessError where that would be too many."""
        return _memory(self._image.end)

    def build(self) -> Machine:
        """The machine, in front of the interrupted program's first instruction."""
        machine = Machine(self.memory, _HERTZ)
        self.boot(machine)
        return machine

    def boot(self, machine: Machine) -> None:
        """Put everything into a new machine. Raises ImageError."""
        loaded = self._image
        image.load(machine, loaded, self.mode)
        entry.enter(machine, self.mode, _PROGRAM, (*loaded.windows, *_WINDOWS))
        if self.bits == 64:
            _open_low_pages(machine)
        machine.cpu.load(self._registers(machine.cpu.registers()))
        self._set_the_rest(machine)
        machine.board.pic.state = _PICS
        if self.lingers:
            machine.memory.write(_COUNTER, (machine.clock.hertz // _TURNS).to_bytes(4, "little"))

    def names(self) -> Iterator[Named]:
        """What is there beside the object, and what it is called."""
        inner = self.ring == 0
        for name, address, raw in self._own():
            if name:
                yield Named(address, 0, name, len(raw), address + len(raw), code=name not in _TABLES)
        tops = {"interrupted_stack": self._stack_pointer, "ist1_stack_top": _IST_STACK}
        for name, address in (tops if inner else tops | {"ring0_stack_top": _RING0_STACK}).items():
            yield Named(address, 0, name, 0, address + 1, code=False)
        if self.bits == 64:
            yield Named(KERNEL_GS, 0, "per_cpu_data", PAGE, KERNEL_GS + PAGE, code=False)

    @property
    def _stack_pointer(self) -> int:
        """RSP of the interrupted program."""
        return (_STACK if self.ring == 0 else _USER_STACK) - _MISALIGNED[self.bits]

    # Memory

    @property
    def _image(self) -> Image:
        return Image(tuple(self._parts()), self.handler)

    def _parts(self) -> Iterator[Part]:
        yield from (Part(address, raw, len(raw)) for _, address, raw in self._own())
        low = BASE
        for piece, behind in zip_longest(self.loaded.pieces, self.loaded.pieces[1:]):
            linked, data, size = piece.address, piece.data, piece.size
            room = 2 if behind is None else behind.address - piece.end
            if piece.executable and len(data) == size and room > 0:
                # Who runs past the last instruction is told so at once.
                end = routines.UD2 if room > 1 else routines.INT1
                data, size = data + end, size + len(end)
            if linked >= long_tables.IDENTITY:
                # Of the higher half: anywhere, at the same place within a large page.
                at = -(-low // _LARGE_PAGE) * _LARGE_PAGE + linked % _LARGE_PAGE
                low = at + size
            else:
                at = linked
                low = max(low, at + size)
            yield Part(at, data, size, linked)

    def _own(self) -> Iterator[tuple[str, int, bytes]]:
        """Name, address and bytes of all that is not of the object; nameless, what stands in for its callees."""
        yield "null", 0, routines.UD2
        yield "gdt", _GDT, self._gdt()
        yield "idt", _IDT, self._idt()
        yield "tss", _TSS, self._tss()
        end = self._leave_for_good() if self.ends else routines.CIRCLE
        yield "interrupted_program", _PROGRAM, routines.interrupted(self.event, end)
        yield "no_handler", _UNEXPECTED, routines.HLT
        yield "nested_handler", _NESTED, routines.NESTED[self.bits]
        yield "changes_registers", _CLOBBER, routines.clobber(self.bits, vectors=self.vectors)
        yield "wait_for_ever", _WAITING, routines.WAIT
        for slot in self.loaded.slots:
            yield "", slot, routines.HLT if slot in self.stops else routines.jump(slot, _CLOBBER)

    def _leave_for_good(self) -> bytes:
        """Ring 3 may not HLT. It gets to ring 0 in a way that is no interrupt, and changes RSP alone."""
        if self.ring == 0:
            return routines.HLT
        return (routines.COUNT_DOWN[self.bits] if self.lingers else b"") + routines.SYSENTER

    def _gdt(self) -> bytes:
        long = self.bits == 64
        code = {"type": 0xB, "s": 1, "present": 1, "limit": 0xFFFFF, "g": 1, "l": int(long), "db": int(not long)}
        data = {"type": 0x3, "s": 1, "present": 1, "limit": 0xFFFFF, "g": 1, "db": 1}
        tss = {"type": 0xB, "present": 1, "limit": 0x67, "base": _TSS}
        task = (
            SystemDescriptor64(**tss).encode()
            if long
            else SegmentDescriptor(**tss).encode() + SegmentDescriptor().encode()
        )
        entries = [SegmentDescriptor(**data, dpl=3).encode()] * (_TASK // 8)
        entries[0] = SegmentDescriptor().encode()
        entries[_KERNEL_CODE // 8] = SegmentDescriptor(**code).encode()
        entries[_KERNEL_DATA // 8] = SegmentDescriptor(**data).encode()
        entries[_USER_CODE // 8] = SegmentDescriptor(**code, dpl=3).encode()
        entries[_TLS // 8] = SegmentDescriptor(**data, dpl=3, base=_USER_FS).encode()
        return routines.table([*entries, task])

    def _idt(self) -> bytes:
        kind: type[Gate64 | Gate32] = Gate64 if self.bits == 64 else Gate32
        gates = []
        for vector in range(256):
            offset = _UNEXPECTED
            if vector == self.vector:
                offset = self.handler
            elif vector == IRQ_BASE + NESTED_IRQ:
                offset = _NESTED
            fields = {"offset": offset, "selector": _KERNEL_CODE, "type": INTERRUPT_GATE, "present": 1, "dpl": 3}
            fields["dpl"] = 0 if vector < 32 and vector not in (3, 4) else 3
            if IRQ_BASE <= vector < IRQ_BASE + 16:
                fields["dpl"] = 0
            gates.append(kind(**fields, ist=1) if kind is Gate64 and vector == _DOUBLE_FAULT else kind(**fields))
        return routines.table(gate.encode() for gate in gates)

    def _tss(self) -> bytes:
        if self.bits == 64:
            return Tss64(rsp0=_RING0_STACK, ist1=_IST_STACK, io_map_base=Tss64.SIZE).encode()
        return Tss32(esp0=_RING0_STACK, ss0=_KERNEL_DATA, io_map_base=Tss32.SIZE).encode()

    # Registers

    def _registers(self, at: Registers) -> Registers:
        inner = self.ring == 0
        general = [value if self.bits == 64 else value & 0xFFFFFFFF for value in TELLTALES.values()]
        if self.bits == 32:
            general[8:] = [0] * 8
        general[4] = self._stack_pointer
        make = self._long_segments if self.bits == 64 else self._flat_segments
        segments = make(at, inner=inner)
        return replace(
            at,
            general=tuple(general),
            rip=_PROGRAM,
            rflags=_FLAGS,
            cpl=self.ring,
            gdtr=Table(_GDT, len(self._gdt()) - 1),
            idtr=Table(_IDT, len(self._idt()) - 1),
            tr=Segment(_TASK, _TSS, 0x67, 0x8B00),
            cr0=at.cr0 | control.CR0_NE | control.CR0_MP,
            cr4=at.cr4 | control.CR4_OSFXSR | control.CR4_OSXMMEXCPT,
            cs=segments["cs"],
            ss=segments["ss"],
            ds=segments["ds"],
            es=segments["es"],
            fs=segments["fs"],
            gs=segments["gs"],
        )

    def _long_segments(self, at: Registers, *, inner: bool) -> dict[str, Segment]:
        code = at.cs if inner else replace(at.cs, selector=_USER_CODE, flags=at.cs.flags | _DPL3)
        data = at.ds if inner else replace(at.ds, selector=_USER_DATA, flags=at.ds.flags | _DPL3)
        user = replace(at.ds, selector=_USER_DATA, flags=at.ds.flags | _DPL3)
        return {
            "cs": code,
            "ss": data,
            "ds": user,
            "es": user,
            "fs": replace(user, selector=_TLS, base=_USER_FS),
            "gs": replace(user, selector=_NULL, base=KERNEL_GS if inner else _USER_GS),
        }

    def _flat_segments(self, at: Registers, *, inner: bool) -> dict[str, Segment]:
        found = self._long_segments(at, inner=inner)
        user = found["fs"]
        data = at.ds if inner else replace(user, selector=_USER_DATA, base=0)
        return found | {"ds": data, "es": data, "fs": replace(user, selector=_TLS), "gs": replace(user, selector=_TLS)}

    def _set_the_rest(self, machine: Machine) -> None:
        cpu = machine.cpu
        if self.bits == 64:
            cpu.write_msr(_KERNEL_GS_BASE, _USER_GS if self.ring == 0 else KERNEL_GS)
        if self.ends:
            cpu.write_msr(msrs.SYSENTER_CS_MSR, _KERNEL_CODE)
            cpu.write_msr(msrs.SYSENTER_EIP_MSR, _WAITING)
            cpu.write_msr(msrs.SYSENTER_ESP_MSR, _RING0_STACK)
        cpu.set_vector_registers([0x5E00_0000_0000_0000_5E00_0000_0000_0000 + number for number in range(16)], _MXCSR)


_TABLES = frozenset(("gdt", "idt", "tss"))
_DPL3 = 3 << 13
_DOUBLE_FAULT = 8
_MASTER = Pic8259State(
    init_state=InitState.READY, icw1=0x11, vector_base=IRQ_BASE, cascade=1 << CASCADE, mode_8086=True, imr=0
)
_SLAVE = Pic8259State(
    init_state=InitState.READY,
    icw1=0x11,
    vector_base=IRQ_BASE + 8,
    cascade=CASCADE,
    mode_8086=True,
    imr=0,
    master=False,
)
_PICS = PicPairState(master=_MASTER, slave=_SLAVE)


def is_interrupted(address: int) -> bool:
    """Whether a linear address lies in the program that is interrupted."""
    return _PROGRAM <= address < _PROGRAM + PAGE


def _memory(end: int) -> int:
    size = -(-(end + (1 << 20)) // _LARGE_PAGE) * _LARGE_PAGE
    if size > _MOST_MEMORY:
        raise HarnessError(f"it needs memory up to {end:#x}; a handler is tried in {_MOST_MEMORY >> 20} MiB at most")
    return max(size, _LEAST_MEMORY)


def _open_low_pages(machine: Machine) -> None:
    """Let ring 3 have the first 2 MiB: its program and its stack are there (SDM 3A 4.6, the U/S flag)."""
    table = machine.cpu.cr3
    for _ in range(3):
        raw = int.from_bytes(machine.memory.read(table, 8), "little") | _USER
        machine.memory.write(table, raw.to_bytes(8, "little"))
        table = raw & -PAGE & ~(1 << 63)


_USER = 1 << 2
