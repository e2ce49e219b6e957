"""Object files as gcc and GNU as make them."""

from __future__ import annotations

import subprocess
import tempfile
from functools import cache
from pathlib import Path

from idtviz.machine.objects import LoadedObject, load

BASE, RECORDER = 0x200000, 0x100000

HANDLERS = """
typedef unsigned long word;
struct frame { word ip, cs, flags, sp, ss; };
extern void report(word);
extern volatile int outside;
extern int configured __attribute__((weak));
int common_one;
int ticks = 40;
static int zeroed[100];
static const char *const names[] = {"first", "second"};
static int helper(int k) {
  switch (k) { case 40: return 5; case 41: return 99; case 42: return 12; case 43: return 7;
  case 44: report(2); return 9; default: return 1; }
}
__attribute__((interrupt)) void page_fault_handler(struct frame *f, word e) {
  report(f->ip + e);
  outside++;
  zeroed[e & 63] = names[e & 1][0];
}
__attribute__((interrupt)) void isr33(struct frame *f) { ticks += helper(ticks); common_one = ticks; }
int sum(int a) { report(a); ticks += helper(ticks); common_one = ticks + names[1][0]; return common_one + zeroed[3]; }
"""
SUM = 40 + 5 + ord("s")
"""What `sum` gives the first time, where `report` only returns."""

FLAGS = (
    "-O2",
    "-O0 -fcommon",
    "-O2 -fno-pic",
    "-O0 -fPIC",
    "-O2 -fPIC -ffunction-sections -fdata-sections",
    "-O2 -fno-pic -mcmodel=kernel",
    "-O1 -fno-pic -mcmodel=large",
    "-O1 -fPIC -mcmodel=large",
    "-O1 -fPIC -mcmodel=medium",
    "-m32 -O2 -fno-pic",
    "-m32 -O2 -fPIC",
    "-m32 -O0 -fPIC",
    "-O2 -fPIC -fno-plt",
    "-m32 -O2 -fPIC -fno-plt",
)


@cache
def compiled(source: str, flags: str = "-O2", language: str = "c") -> bytes:
    """What gcc makes of `source`; `language` as its `-x` has it: `c`, or `assembler` for GNU as."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "handler.o"
        subprocess.run(
            ["gcc", "-c", "-g", "-mgeneral-regs-only", *flags.split(), "-x", language, "-o", path, "-"],
            input=source.encode(),
            cwd=folder,
            check=True,
            timeout=60,
        )
        return path.read_bytes()


def assembled(source: str, flags: str = "") -> bytes:
    return compiled(f"{source}\n", flags, "assembler")


def loaded(raw: bytes, base: int = BASE, recorder: int = RECORDER) -> LoadedObject:
    return load(raw, base, recorder)


def content(found: LoadedObject, name: str) -> bytes:
    """The bytes of a section in memory."""
    return next(piece.data for piece in found.pieces if piece.name == name)
