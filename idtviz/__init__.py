"""A time-travelling debugger for the moment in which an x86 processor enters an interrupt handler."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from idtviz.lab.session import LabSession as Session

__all__ = ["Session", "__version__"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """`Session` is loaded when it is asked for, and the emulator with it."""
    if name == "Session":
        from idtviz.lab.session import LabSession  # noqa: PLC0415 -- importing idtviz itself stays cheap

        return LabSession
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
