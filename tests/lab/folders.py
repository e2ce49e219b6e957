"""Scenario folders for tests: a good one to break in one place, and kernels of a few bytes."""

from __future__ import annotations

from pathlib import Path

SCENARIOS = Path(__file__).resolve().parents[2] / "scenarios"
NAMES = tuple(sorted(path.stem for path in SCENARIOS.glob("*.toml")))
"""Every scenario that idtviz ships."""

HALT = bytes.fromhex("fa f4")  # cli; hlt
LOOP = bytes.fromhex("eb fe")

FIVE_LEVELS = bytes.fromhex("0f011c2530800000 0f20e0 0d00100000 0f22e0 0f0b").ljust(0x30, b"\x90") + bytes.fromhex(
    "ff0f 0090000000000000"
)
"""lidt [0x8030]; mov rax, cr4; or eax, CR4.LA57; mov cr4, rax; ud2: needs the IDT by way of five levels of tables."""

GOOD = """\
title = "Small"
summary = "Two bytes."
[machine]
memory = "1 MiB"
[image]
flat = { file = "small.bin", at = 0x8000 }
"""


def write(folder: Path, text: str | bytes, code: bytes = HALT) -> Path:
    """A scenario with `code` as its flat image."""
    (folder / "small.bin").write_bytes(code)
    path = folder / "small.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path
