"""What stands behind the keys of a scenario file: numbers, sizes, moments, files; and what a table of it is."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
SMALLEST_MEMORY, LARGEST_MEMORY = 64 * KIB, GIB

_UNITS = {"B": 1, "KIB": KIB, "MIB": MIB, "GIB": GIB}
_SIZE = re.compile(r"(\d{1,12})\s*([KMG]iB|B)", re.IGNORECASE)
_HEX = re.compile(r"0[xX][0-9a-fA-F_]{1,40}")


def _number(value: Any) -> Any:
    if isinstance(value, str):
        if not _HEX.fullmatch(value):
            raise ValueError(f"expected a number, or an address in hex such as '0x1000', not {value[:60]!r}")
        return int(value.replace("_", ""), 16)
    return value


def size(value: Any) -> Any:
    """A number of bytes, or a text such as `16 MiB`."""
    if isinstance(value, str):
        match = _SIZE.fullmatch(value.strip())
        if match is None:
            raise ValueError(f"expected a size such as '16 MiB' or '64 KiB', or a number of bytes, not {value[:60]!r}")
        return int(match[1]) * _UNITS[match[2].upper()]
    return value


def _hex_digits(value: Any) -> Any:
    if isinstance(value, str):
        try:
            return list(bytes.fromhex(value))
        except ValueError:
            raise ValueError("expected bytes such as [0x90, 0xcc] or '90 cc'") from None
    return value


def _moment(value: Any) -> Any:
    """A count of instructions may be written as a number."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 62 else value


Number = Annotated[int, BeforeValidator(_number), Field(ge=0, le=0xFFFF_FFFF_FFFF_FFFF)]
SmallNumber = Annotated[int, BeforeValidator(_number), Field(ge=0, le=255)]
Bytes = Annotated[list[Annotated[int, Field(ge=0, le=255)]], BeforeValidator(_hex_digits)]
Count = Annotated[int, Field(ge=0, le=1 << 40)]
MomentText = Annotated[str, BeforeValidator(_moment), Field(min_length=1, max_length=200)]
FileName = Annotated[str, Field(min_length=1)]


class Part(BaseModel):
    """A table of a scenario file: it refuses what it does not know."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def exactly_one(part: Part, names: tuple[str, ...]) -> None:
    """Raises ValueError where not just one of these keys is there."""
    given = [name for name in names if getattr(part, name) is not None]
    if len(given) != 1:
        found = "none of them" if not given else " and ".join(given)
        raise ValueError(f"expected exactly one of {', '.join(names)}; found {found}")
