"""Files that a loader brings beside the kernel."""

from __future__ import annotations

from dataclasses import dataclass

from idtviz.machine.boot.problem import ImageError


@dataclass(frozen=True, slots=True)
class Module:
    """A boot module: its contents, the name of its file, and the words behind the name."""

    data: bytes
    name: str
    arguments: str = ""


@dataclass(frozen=True, slots=True)
class Extras:
    """What the user of a loader says beside the kernel. `name` is the file of the kernel."""

    name: str = ""
    command_line: str = ""
    modules: tuple[Module, ...] = ()


NO_EXTRAS = Extras()


def text(said: str, what: str) -> bytes:
    """`said` as a string that ends with a zero byte. Raises ImageError for one that cannot be said so."""
    if "\0" in said:
        raise ImageError(f"{what} has a zero byte in it, where the kernel would see its end")
    return said.encode("utf-8", errors="surrogateescape") + b"\0"
