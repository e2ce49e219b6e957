"""What an editor says of each key of a scenario and of a grade file, and what one may write there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Text:
    """What a key is for, and values that it may have."""

    says: str
    examples: tuple[Any, ...] = ()


_AT = Text(
    "The moment: a number of instructions, an event (#PF, #PF:2 for the second, irq1, delivery:3), a symbol, or end. "
    "With +3 behind it, so many steps further into the delivery.",
    ("0", "#PF", "#PF+7", "irq1:2", "kernel_ready", "end"),
)
_MEMORY = Text("The size of memory, in bytes or with its unit; a multiple of 4 KiB.", ("16 MiB", "512 KiB"))
_SPEED = Text("Instructions in a second of the machine's time, by which its timers go.", (10_000_000,))

SCENARIO: Mapping[str, Mapping[str, Text]] = {
    "Scenario": {
        "title": Text("What it is called in the gallery and on the screen.", ("Page fault",)),
        "summary": Text("A sentence or two on what is to be seen."),
        "machine": Text("The machine: memory, mode, interrupt controller, speed."),
        "image": Text("What is loaded and entered, and its sources."),
        "build": Text("How the image is made of image.source when a part of it has been written anew."),
        "input": Text("What reaches the machine from outside, and when."),
        "lesson": Text("What there is to say, to ask, or to be done, and at which moment."),
        "expect": Text("What has to hold at the end of a run: `idtviz test` tells whether it does."),
    },
    "MachineSection": {
        "memory": _MEMORY,
        "mode": Text("The mode in which an ELF or a flat image is entered; others have theirs.", ("long",)),
        "controller": Text("The interrupt controller: two 8259s, or local APIC and I/O APIC.", ("pic", "apic")),
        "instructions_per_second": _SPEED,
    },
    "ImageSection": {
        "elf": Text("A bare ELF kernel, entered at its entry point.", ("kernel.elf",)),
        "flat": Text("Bytes that are loaded at an address and entered there.", ({"file": "k.bin", "at": 0x8000},)),
        "multiboot": Text(
            "A Multiboot kernel, as QEMU loads it or as `loader` says, or a Multiboot 2 kernel, as GRUB does.",
            ("kernel.elf",),
        ),
        "bzimage": Text("A kernel of the Linux boot protocol.", ("bzImage",)),
        "boot_sector": Text("A boot sector or the image of a floppy disk, booted by the BIOS.", ("boot.bin",)),
        "rom": Text("A ROM that ends at 4 GiB, where the processor begins after a reset.", ("rom.bin",)),
        "disk": Text("A hard disk: booted by the BIOS where nothing else is named, else attached.", ("disk.img",)),
        "object": Text(
            "A bare handler of an object file, with a machine put around it.",
            ("handler.o", {"file": "handler.o", "symbol": "page_fault_handler", "vector": 14, "ring": 3}),
        ),
        "disks": Text("Hard disks that are attached behind the first.", (["data.img"],)),
        "modules": Text("Multiboot modules: each a file, and words for the kernel behind it.", (["init.bin verbose"],)),
        "command_line": Text("The words for the kernel.", ("console=ttyS0",)),
        "loader": Text("Whose Multiboot loader to be like.", ("qemu", "grub")),
        "initrd": Text("The initial RAM disk beside a bzImage.", ("initrd.img",)),
        "source": Text(
            "The files that it is made of. The first lines of a debugger's source view; .S, .s, .asm and .c are built.",
            (["kernel.S", "handler.S", "kernel.ld"],),
        ),
        "symbols": Text("ELF files whose symbols and source lines are known beside the image's.", (["kernel.elf"],)),
    },
    "FlatImage": {
        "file": Text("The file with the bytes.", ("kernel.bin",)),
        "at": Text("The physical address of the first byte, and where it is entered.", (0x8000, "0x8000")),
    },
    "ObjectImage": {
        "file": Text("The object file.", ("handler.o",)),
        "symbol": Text("The handler, where the file has more than one.", ("page_fault_handler",)),
        "vector": Text("Its vector, by number or name, where the symbol does not tell.", (14, "#PF")),
        "ring": Text("The ring that it interrupts.", (0, 3)),
    },
    "BuildSection": {
        "script": Text("The linker script. Without one: a plain one, loaded at 1 MiB.", ("kernel.ld",)),
        "red_zone": Text("Whether C code may use the 128 bytes below RSP, where an interrupt writes its frame."),
    },
    "InputEntry": {
        "at": _AT,
        "keys": Text("Keys typed on the keyboard.", ("hi\n",)),
        "irq": Text("An interrupt request line that is raised until it is acknowledged.", (5,)),
        "nmi": Text("A non-maskable interrupt."),
        "serial": Text("Bytes that arrive at COM1.", ("hello\n",)),
        "poke": Text("Bytes that are written into memory.", ({"address": 0x9000, "bytes": "90 cc"},)),
    },
    "PokeEntry": {
        "address": Text("The linear address of the first byte.", (0x9000, "0xffffffff80001000")),
        "bytes": Text("The bytes: numbers, or hex digits.", ([0x90, 0xCC], "90 cc")),
    },
    "LessonEntry": {
        "at": _AT,
        "say": Text("A text to be read at this moment."),
        "ask": Text("A question; in the debugger the machine is held until it is answered."),
        "task": Text("Something to be made to work: done as soon as all that is expected holds."),
        "answer": Text("The answer. A number may be given in any notation.", ("6", "that of the next instruction")),
        "choices": Text("What there is to choose from; the answer is one of them.", (["yes", "no"],)),
        "value": Text(
            "The answer is what this holds at that moment: a word of the frame, a register, or what :set can name.",
            ("frame.error_code", "register.cr2", "idt[14].dpl", "tss.rsp0", "pic.master.imr"),
        ),
        "hint": Text("A hint, or several: one after the other."),
        "cover": Text("Panels that are covered until the question is answered: predict, then see.", (["stack"],)),
        "explain": Text("What is shown once the question is answered."),
        "todo": Text("The file that is left to be written; it is one of image.source.", ("handler.S",)),
    },
    "EventPattern": {
        "vector": Text("Its vector.", (14, "0xe")),
        "error_code": Text("Its error code.", (2,)),
        "irq": Text("The line of the interrupt request.", (1,)),
        "source": Text("What it came from: the processor, INT n, a device, or NMI.", ("exception",)),
        "cr2": Text("The address of a page fault.", (0x600000, "0xffffffff80001000")),
        "result": Text("`delivered`, or the fault that the delivery itself met.", ("delivered", "#NP")),
        "count": Text("How many of them: exactly so many. Without it: at least one.", (1,)),
    },
    "ExpectEntry": {
        "event": Text("A delivery whose named fields have these values.", ({"vector": 14, "error_code": 2},)),
        "screen": Text("A text that stands in a row of the screen.", ("mapped",)),
        "serial": Text("A text that was sent to COM1.", ("ok\n",)),
        "note": Text("A text in what the log says of a mistake or of something that is not there.", ("here",)),
        "end": Text("How the run ends.", ("halted",)),
        "register": Text("What registers hold at the end.", ({"rax": "0x1234", "cs": 8},)),
        "findings": Text("The rules that find something, all of them; [] for none.", ([], ["STK001"])),
    },
}
"""By model, and by key as it is written in the file."""

GRADE: Mapping[str, Mapping[str, Text]] = {
    "GradeFile": {
        "seed": Text("What the variations are drawn with: the same seed gives the same runs."),
        "variations": Text("How many varied runs there are beside the plain one.", (4,)),
        "vary": Text("Registers that hold something else in each variation."),
        "at": Text("The moment at which a variation gives registers their values.", ("0", "kernel_ready")),
        "speed": Text("Factors between which the machine's speed varies.", ([0.75, 1.5],)),
        "shift": Text("Instructions by which an input at an instruction count comes later, at most."),
        "solution": Text(
            "The teacher's own todo file or files: all of this is tried on them.", ("solution/handler.S",)
        ),
        "allow": Text("Rules that may find something.", (["PIC006"],)),
        "limits": Text("Of each run, and of a whole hand-in."),
        "points": Text("What the parts are worth beside each other."),
        "case": Text("Runs that the students do not see beforehand."),
    },
    "LimitsSection": {
        "instructions": Text("Of each run."),
        "deliveries": Text("Of each run."),
        "seconds": Text("Of a whole hand-in."),
        "memory": Text("Of a whole hand-in, in bytes or with its unit.", ("1 GiB",)),
    },
    "PointsSection": {
        "expect": Text("For what the lab expects."),
        "rules": Text("For rules that find nothing."),
        "cases": Text("For the cases of this file."),
    },
    "CaseEntry": {
        "title": Text("What it is called in the report.", ("Two breakpoints in a row",)),
        "points": Text("What it is worth beside the other cases."),
        "instructions_per_second": _SPEED,
        "registers": Text("Registers that are given values.", ({"at": "kernel_ready", "set": {"rbx": 7}},)),
        "input": Text("What reaches the machine from outside, instead of the lab's inputs."),
        "expect": Text("What has to hold, instead of what the lab expects."),
    },
    "RegistersPart": {
        "at": _AT,
        "set": Text("Registers and their values.", ({"rbx": "0x1234"},)),
    },
}
"""The same of a grade file's own models."""
