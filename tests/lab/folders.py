"""Scenario folders for tests: a good one to break in one place, and kernels of a few bytes."""

from __future__ import annotations

from pathlib import Path

SCENARIOS = Path(__file__).resolve().parents[2] / "scenarios"
NAMES = tuple(sorted(path.stem for path in SCENARIOS.glob("*.toml")))
"""Every scenario that idtviz ships."""

HALT = bytes.fromhex("fa f4")  # cli; hlt
LOOP = bytes.fromhex("eb fe")

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
