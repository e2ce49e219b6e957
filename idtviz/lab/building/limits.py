"""How much a build may take: of time, memory and files."""

from __future__ import annotations

from dataclasses import dataclass

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """What a build is held to. A tool that goes beyond is stopped, and the build ends with a complaint.

    `seconds`: of each tool, by the clock on the wall and of the processor. `memory`: bytes of address space of each
    process. `file`: bytes of the largest file that is written. `source`: bytes of one source, and `sources` how
    many there may be. `output`: bytes of a tool's messages that are read. `complaints`: how many are kept.
    """

    seconds: float = 20.0
    memory: int = 2048 * MIB
    file: int = 64 * MIB
    source: int = 4 * MIB
    sources: int = 200
    output: int = 64 * 1024
    complaints: int = 40
