"""The code behind a gate, read without running it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Stub:
    """The handler of `vector` at linear `address`."""

    vector: int
    address: int
