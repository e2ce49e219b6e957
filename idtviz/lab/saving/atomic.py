"""Putting a file in place as a whole: whoever opens it finds what was there before, or what is there now.

The new content goes to a file of its own in the same folder, is brought to disk, and takes the name of the old one.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import secrets
import stat
from contextlib import suppress
from pathlib import Path

_TEMPORARY = re.compile(r"\.idtviz-[0-9a-f]{16}\.saving")
_CANNOT_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.EACCES, errno.EPERM)
_TRIES = 100


class NotSyncedError(OSError):
    """The file is in place, but the folder could not be brought to disk."""


def write(path: Path, raw: bytes) -> None:
    """Have `path` hold `raw`. Raises OSError; then it holds what it held before, but for NotSyncedError."""
    folder = path.parent
    _clear(folder)
    handle, temporary = _begin(folder)
    try:
        try:
            _take_after(path, handle)
            _write_all(handle, raw)
            os.fsync(handle)
            os.replace(temporary, path)  # noqa: PTH105 -- each call to the system stands here as it is
        except BaseException:
            _take_away(temporary)
            raise
    finally:
        os.close(handle)
    _sync(folder)


def _begin(folder: Path) -> tuple[int, Path]:
    """A new file, locked: a lock that can be had is that of a process that has died."""
    for _ in range(_TRIES):
        temporary = folder / f".idtviz-{secrets.token_hex(8)}.saving"
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        try:
            with suppress(OSError):  # a file system without locks: what is left there is never cleared away
                fcntl.flock(handle, fcntl.LOCK_EX)
            if os.fstat(handle).st_nlink:
                return handle, temporary
        except BaseException:
            _take_away(temporary)
            os.close(handle)
            raise
        os.close(handle)  # someone found it before it was locked, and took it for one that was left
    raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))


def _take_away(temporary: Path) -> None:
    with suppress(OSError):
        os.unlink(temporary)  # noqa: PTH108


def _take_after(path: Path, handle: int) -> None:
    """The permissions of the file that is replaced, and its owner as far as that can be had."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return
    mine = os.fstat(handle)
    if (found.st_uid, found.st_gid) != (mine.st_uid, mine.st_gid):
        with suppress(PermissionError):
            os.fchown(handle, found.st_uid, found.st_gid)
    os.fchmod(handle, stat.S_IMODE(found.st_mode) & 0o777)


def _write_all(handle: int, raw: bytes) -> None:
    rest = memoryview(raw)
    while rest:
        rest = rest[os.write(handle, rest) :]


def _sync(folder: Path) -> None:
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        if error.errno not in _CANNOT_SYNC:
            raise NotSyncedError(error.errno, error.strerror) from error


def _clear(folder: Path) -> None:
    """Take away what processes have left that died while they were saving."""
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in [entry.path for entry in entries if _TEMPORARY.fullmatch(entry.name)]:
            with suppress(OSError):
                _clear_one(entry)


def _clear_one(path: str) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        found = os.fstat(handle)
        if stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid():
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.unlink(path)  # noqa: PTH108
    finally:
        os.close(handle)
