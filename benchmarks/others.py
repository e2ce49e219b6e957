"""Single steps of QEMU under gdb, where both are installed, beside ours: a loop of 16-bit code in a boot sector."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
from pathlib import Path
from time import perf_counter

from idtviz.debugger.session import Session, Setup
from idtviz.machine import boot
from idtviz.machine.pc import Machine

STEPS = 3000
LOOP = bytes.fromhex("40 01c3 90 ebfa")  # inc ax; add bx, ax; nop; jmp back
ENTRY = 0x7C00


def _sector() -> bytes:
    return LOOP.ljust(510, b"\0") + b"\x55\xaa"


def ours() -> float:
    """Steps per second of a session."""

    def build() -> Machine:
        machine = Machine(1 << 20, 10_000_000)
        machine.memory.write(ENTRY, LOOP)
        boot.enter(machine, "real", ENTRY)
        return machine

    session = Session(Setup("benchmark", build))
    session.step()
    start = perf_counter()
    for _ in range(STEPS):
        session.step()
    return STEPS / (perf_counter() - start)


def gdb() -> float | None:
    """Steps per second of `stepi` over QEMU's gdb stub; None where one of them is not installed."""
    qemu, debugger = shutil.which("qemu-system-i386"), shutil.which("gdb")
    if qemu is None or debugger is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        image = Path(folder) / "loop.img"
        image.write_bytes(_sector())
        port = _free_port()
        machine = subprocess.Popen(
            [qemu, "-display", "none", "-S", "-gdb", f"tcp:127.0.0.1:{port}", "-drive", f"format=raw,file={image}"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            few, many = (_gdb_run(debugger, port, steps) for steps in (1, STEPS))
        finally:
            machine.kill()
            machine.wait()
    return STEPS / (many - few)


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def _gdb_run(debugger: str, port: int, steps: int) -> float:
    commands = [
        *("set architecture i8086", f"target remote 127.0.0.1:{port}", f"hbreak *{ENTRY:#x}", "continue"),
        *(f"stepi {steps}", "disconnect"),
    ]
    if steps > 1:
        commands[2:4] = []
    arguments = [part for command in commands for part in ("-ex", command)]
    start = perf_counter()
    subprocess.run([debugger, "-nx", "-batch", *arguments], check=True, capture_output=True, timeout=120)
    return perf_counter() - start


def report() -> None:
    """Print the figures."""
    other = gdb()
    if other is None:
        print("gdb and QEMU      not installed here")
        return
    mine = ours()
    print(f"single steps      session {mine:,.0f}/s, gdb stepi over QEMU {other:,.0f}/s: ratio {mine / other:.0f}")
