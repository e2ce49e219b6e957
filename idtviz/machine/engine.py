"""The emulation engine as idtviz uses it: the part of the binding's interface that is called, with its types.

The binding publishes hardly any types of its own. They are written down here once, and nowhere else is it taken on
trust.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol, cast

import unicorn
from unicorn.unicorn_py3 import unicorn as binding

EngineError = binding.UcError
"""What a call to the engine raises; `errno` is one of `unicorn.UC_ERR_*`."""
VERSION: Final[str] = cast("Any", unicorn).__version__


class Snapshot(Protocol):
    """A complete processor state, as the engine saved it."""

    @property
    def size(self) -> int:
        """In bytes."""


class Block(Protocol):
    """A block of translated code: linear address, number of instructions, and size in bytes."""

    @property
    def pc(self) -> int: ...
    @property
    def icount(self) -> int: ...
    @property
    def size(self) -> int: ...


class Engine(Protocol):
    """One engine handle. Addresses are physical except where the engine runs code."""

    def emu_start(self, begin: int, until: int, timeout: int = 0, count: int = 0) -> None: ...
    def emu_stop(self) -> None: ...
    def reg_read(self, register: int) -> Any: ...
    def reg_write(self, register: int, value: Any) -> None: ...
    def msr_read(self, number: int) -> int: ...
    def msr_write(self, number: int, value: int) -> None: ...
    def mem_map(self, address: int, size: int) -> None: ...
    def mem_map_ptr(self, address: int, size: int, perms: int, ptr: int) -> None: ...
    def mem_unmap(self, address: int, size: int) -> None: ...
    def mem_write(self, address: int, data: bytes) -> None: ...
    def mmio_map(
        self,
        address: int,
        size: int,
        read_cb: Callable[..., int],
        user_data_read: object,
        write_cb: Callable[..., None],
        user_data_write: object,
    ) -> None: ...
    def hook_add(
        self,
        kind: int,
        callback: Callable[..., object],
        user_data: object = None,
        begin: int = 1,
        end: int = 0,
        instruction: int = 0,
    ) -> int: ...
    def hook_del(self, handle: int) -> None: ...
    def context_save(self) -> Snapshot: ...
    def context_restore(self, context: Snapshot) -> None: ...
    def ctl_exits_enabled(self, enable: bool, /) -> None: ...
    def ctl_set_exits(self, exits: Sequence[int]) -> None: ...
    def ctl_remove_cache(self, begin: int, end: int) -> None: ...
    def ctl_flush_tb(self) -> None: ...
    def ctl(self, control: int, operation: int, /) -> None: ...
    def mem_protect(self, address: int, size: int, perms: int) -> None: ...


def open_engine() -> Engine:
    """A handle for every CPU mode: the CPU's state, not the handle, decides what runs."""
    return cast("Engine", cast("Any", binding.Uc)(unicorn.UC_ARCH_X86, unicorn.UC_MODE_64))


def handle_address(engine: Engine) -> int:
    """Where the engine's own structure lies in this process. Raises AttributeError where the binding hides it."""
    return int(cast("Any", engine)._uch.value)  # noqa: SLF001 -- there is no public way to it
