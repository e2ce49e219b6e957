"""A second opinion: some of the cases through QEMU (TCG), with its known deviations in one table.

QEMU is asked less than Bochs: which events there are, in which order, with which error codes (without EXT, which it
never sets), whether it ends in a shutdown; and of a plain delivery, the bytes of the stack. What it executes behind
the first delivery is not looked at.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tests.oracle.case import PAGE, Case
from tests.oracle.catalogue import VECTOR_NAMES
from tests.oracle.long_mode import STACK, UNMAPPED

from .generator import Mode, random_case
from .ours import DELIVERED, Walk, walk
from .qemu_image import STUB_DATA, bios, fits, image
from .seen import writes

EXECUTABLE = "qemu-system-x86_64"
PATIENCE = 5.0
"""Seconds that one case may take."""

EVENT = re.compile(
    rb"^ *\d+: v=([0-9a-f]{2}) e=([0-9a-f]{4}) i=([01]) cpl=\d IP=[0-9a-f]+:[0-9a-f]+ pc=([0-9a-f]+)", re.M
)


@dataclass(frozen=True, slots=True)
class Deviation:
    """What QEMU is known to do otherwise: told by the row of any failure on our way, or by the first event's vector."""

    text: str
    rows: tuple[str, ...] = ()
    vectors: tuple[int, ...] = ()

    def applies(self, found: Walk) -> bool:
        rows = {procedure.steps[-1].rule.id for procedure in found.procedures if procedure.fault is not None}
        begins = found.answer.events[0].vector in self.vectors if found.answer.events else False
        return begins or any(row.startswith(known) for row in rows for known in self.rows)


DEVIATIONS = (
    Deviation("INT1 is #UD", vectors=(1,)),
    Deviation("there is no alignment check", vectors=(17,)),
    Deviation("#GP, not #SS, for an address of the stack that is not canonical", ("push.", "pop."), (12,)),
    Deviation(
        "reads 12 of the 16 bytes of a gate, and does not look at the upper type field", ("gate.reserved", "idt.read")
    ),
    Deviation("16 times the vector in the error code for a gate of 64-bit mode", ("gate.", "idt.limit")),
    Deviation("looks at P before L and D", ("descriptor.long", "descriptor.present")),
    Deviation("a far transfer or return may go to a segment with L=1 and D=1", ("far.code.long", "return.cs.code")),
    Deviation("does not look at the handler's address: the fault comes when it is fetched", ("handler.canonical",)),
    Deviation("does not compare offsets with the limit of CS", ("handler.limit", "far.address", "return.rip")),
    Deviation("writes to and reads from a stack without asking for room", ("push.room", "pop.room")),
    Deviation("reads the frame of IRET and RET as a supervisor", ("pop.",)),
    Deviation("#TS instead of #SS for a stack segment that is not present", ("stack.present", "far.gate.ss.present")),
    Deviation("#TS instead of #GP for what is no available TSS", ("task.type", "task.selector")),
    Deviation("checks the segments of a new task in another order", ("task.",)),
    Deviation("lets a handler outside ring 0 take an event of virtual-8086 mode", ("descriptor.vm86",)),
)
"""All of them, the narrower ones first."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What QEMU did: vector and error code of each event, and whether it shut down."""

    events: tuple[tuple[int, int], ...]
    shutdown: bool
    memory: bytes = b""
    """Physical memory at the end, from 0 on."""

    def __str__(self) -> str:
        words = [f"{VECTOR_NAMES.get(vector, f'{vector:#x}')}({code:#x})" for vector, code in self.events]
        return " > ".join(words + ["shutdown"] * self.shutdown) or "runs"


def installed() -> bool:
    return shutil.which(EXECUTABLE) is not None


def run(case: Case, folder: Path) -> Seen:
    """The case in a QEMU process of its own."""
    memory, firmware, log, dump = (folder / name for name in ("memory.bin", "bios.bin", "log", "dump.bin"))
    memory.write_bytes(image(case))
    firmware.write_bytes(bios())
    log.write_bytes(b"")
    command = [
        EXECUTABLE, "-accel", "tcg", "-cpu", "max", "-m", "16", "-nodefaults", "-display", "none",
        "-bios", str(firmware), "-device", f"loader,file={memory},addr=0,force-raw=on",
        "-d", "int,cpu_reset", "-D", str(log), "-no-reboot", "-no-shutdown", "-monitor", "stdio",
    ]  # fmt: skip
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        _wait_for_end(process.stdin, process.stdout)
        process.communicate(f'pmemsave 0 {STUB_DATA} "{dump}"\nquit\n'.encode())
    text = log.read_bytes()
    events = tuple((int(vector, 16), int(code, 16)) for vector, code, _, _ in EVENT.findall(text))
    return Seen(events, b"Triple fault" in text, dump.read_bytes() if dump.exists() else b"")


def _wait_for_end(commands: IO[bytes], answers: IO[bytes]) -> None:
    """Until the processor is in HLT, or has stopped for good."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        commands.write(b"info registers\ninfo status\n")
        commands.flush()
        text = b""
        while b"VM status" not in text:
            piece = answers.readline()
            if not piece:
                return
            text += piece
        if b"HLT=1" in text or b"paused" in text:
            return
        time.sleep(0.01)


def logged(found: Walk) -> Seen:
    """What QEMU's log says of such a run: of two faults that make a third thing, it has not the second."""
    ours = found.answer
    events = [(event.vector, event.error_code or 0) for event in ours.events]
    kept = [event for event, following in zip(events, [*events[1:], None], strict=True) if following != DOUBLE_FAULT]
    return Seen(tuple(kept[:-1] if ours.shutdown else kept), ours.shutdown)


DOUBLE_FAULT = (8, 0)


def _flags_saved(found: Walk) -> list[tuple[int, int]]:
    """Where the delivery saved RFLAGS, and in how many bytes."""
    return [place for delivery in found.deliveries for place in writes(delivery, "push.rflags")]


def frame_difference(case: Case, found: Walk, qemu: Seen) -> str | None:
    """The first byte of a stack that QEMU leaves otherwise, where one event came to its handler and that is all.

    QEMU sets RF in no image of RFLAGS.
    """
    if len(qemu.events) != 1 or found.row != DELIVERED:
        return None
    ours = found.answer.pages(case)
    memory = bytearray(qemu.memory)
    for address, size in _flags_saved(found):
        if size > 2:
            ours[address & -PAGE][address % PAGE + 2] &= ~1
            memory[address + 2 : address + 3] = bytes(byte & ~1 for byte in memory[address + 2 : address + 3])
    for page in (page for page in sorted(ours) if STACK <= page < UNMAPPED and page + PAGE <= len(qemu.memory)):
        theirs = memory[page : page + PAGE]
        if theirs != ours[page]:
            at = next(at for at in range(PAGE) if theirs[at] != ours[page][at])
            return f"stack at {page + at:#x}: qemu {theirs[at]:02x}, idtviz {ours[page][at]:02x}"
    return None


def difference(case: Case, found: Walk, qemu: Seen) -> str | None:
    """The first thing that QEMU does otherwise, in one line; error codes without EXT."""
    ours, expected = found.answer, logged(found)
    count = len(expected.events)
    seen = qemu.events[:count]
    same = [(vector, code & ~1) for vector, code in seen] == [(vector, code & ~1) for vector, code in expected.events]
    if same and (qemu.shutdown or not ours.shutdown):
        return frame_difference(case, found, qemu)
    return f"qemu {Seen(seen, qemu.shutdown and ours.shutdown)}, idtviz {expected}"


def second_opinion(modes: tuple[Mode, ...], count: int, seed: int) -> None:
    """Print how many of so many cases agree, and what is known and not known of the others."""
    if not installed():
        print(f"{EXECUTABLE} is not installed: no second opinion")
        return
    agree, known, others = 0, Counter[str](), list[str]()
    chosen = [mode for mode in modes if mode != "real"]
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        for at in range(count if chosen else 0):
            case, found = _next_case(chosen[at % len(chosen)], (seed - 1) * 1_000_000 + at * 100)
            line = difference(case, found, run(case, Path(folder)))
            if line is None:
                agree += 1
            elif deviation := next((one for one in DEVIATIONS if one.applies(found)), None):
                known[deviation.text] += 1
            else:
                others.append(f"  {case.name} ({found.row}): {line}")
    seconds = time.monotonic() - began
    print(
        f"qemu: {count} cases in {seconds:.0f} s: {agree} agree, {known.total()} known deviations, {len(others)} others"
    )
    for text, number in known.most_common():
        print(f"  {number:6} {text}")
    print("\n".join(others))


def _next_case(mode: Mode, seed: int) -> tuple[Case, Walk]:
    """The first case from `seed` on that QEMU can be asked: it fits the stub, and something happens in it."""
    while True:
        case = random_case(seed, mode)
        if fits(case):
            found = walk(case)
            if found.answer.error is None and found.answer.events:
                return case, found
        seed += 1
