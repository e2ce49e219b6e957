"""Files as they are named in reports: from the current folder, where they lie in it."""

from __future__ import annotations

import os
from pathlib import Path, PurePath
from urllib.parse import quote_from_bytes


def near(path: str) -> str:
    """`path` as it is, or relative to the current folder if it lies in it."""
    try:
        return str(Path(path).relative_to(Path.cwd())) if PurePath(path).is_absolute() else path
    except (OSError, ValueError):
        return path


def uri(path: str) -> str:
    """`path` as a URI (RFC 3986): a relative reference from the current folder, or `file:///…`."""
    shown = PurePath(near(path))
    return shown.as_uri() if shown.is_absolute() else quote_from_bytes(os.fsencode(shown.as_posix()))
