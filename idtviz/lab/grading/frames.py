"""Messages between processes: JSON, with its length in front."""

from __future__ import annotations

import json
import os
import struct
from typing import Any

LARGEST = 1 << 30
"""Bytes of the largest message."""
_LENGTH = struct.Struct("<I")
_PIECE = 1 << 20


class FrameError(Exception):
    """What comes is no message, or only a part of one."""


def send(descriptor: int, message: Any) -> None:
    """Write one message. Raises OSError."""
    raw = json.dumps(message, separators=(",", ":")).encode()
    rest = memoryview(_LENGTH.pack(len(raw)) + raw)
    while rest:
        rest = rest[os.write(descriptor, rest[:_PIECE]) :]


def receive(descriptor: int) -> Any:
    """Read one message; None at the end. Raises FrameError, OSError."""
    head = _read(descriptor, _LENGTH.size)
    if not head:
        return None
    length = _LENGTH.unpack(head)[0] if len(head) == _LENGTH.size else LARGEST + 1
    raw = _read(descriptor, length) if length <= LARGEST else b""
    if len(raw) < length:
        raise FrameError("half a message")
    try:
        return json.loads(raw)
    except ValueError as error:
        raise FrameError("no message") from error


def _read(descriptor: int, size: int) -> bytes:
    """So many bytes, fewer only at the end."""
    parts = bytearray()
    while len(parts) < size and (part := os.read(descriptor, min(size - len(parts), _PIECE))):
        parts += part
    return bytes(parts)
