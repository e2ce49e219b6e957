"""What a rule has found, as a value."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from idtviz.debugger.moment import Moment


class Severity(Enum):
    """How bad it is; the values are those of SARIF's `level`."""

    ERROR = "error"
    """It breaks what it touches."""
    WARNING = "warning"
    """It breaks something under other circumstances: on hardware, with another timing."""
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Finding:
    """One bug in one place.

    `message` names the cause in one or two sentences, with the values found. `address` is the linear address of the
    instruction to change, or of the table entry; `moment` is when it showed, None where nothing had to run for it.
    `notes` tell what led there, each with an address that it is about, or None.
    """

    rule: str
    severity: Severity
    message: str
    address: int | None
    moment: Moment | None = None
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True)
class Note:
    """A sentence beside a finding, about the instruction or bytes at a linear address."""

    text: str
    address: int | None = None
