"""The words that a far CALL pushes, on the caller's stack or on that of an inner ring."""

from __future__ import annotations

from idtviz.machine.delivery import rules
from idtviz.machine.delivery.event import Fault
from idtviz.machine.delivery.procedure import Procedure, Steps
from idtviz.machine.delivery.rules import Rule
from idtviz.machine.delivery.stack import Stack


class PushedWords:
    """Words of `size` bytes, pushed on `stack` from stack pointer `pointer` downward. `user`: in ring 3."""

    def __init__(self, procedure: Procedure, stack: Stack, pointer: int, size: int, *, user: bool) -> None:
        self._procedure = procedure
        self._stack = stack
        self._size = size
        self._user = user
        self.pointer = pointer & stack.mask
        """Where the stack pointer stands now."""

    def room(self, words: int, full: Fault) -> Steps:
        """The check that `words` words still find room; none in 64-bit mode. `full` is the fault otherwise."""
        if self._stack.flat:
            return
        pointers = [self.pointer - self._size * place & self._stack.mask for place in range(1, words + 1)]
        outside = [pointer for pointer in pointers if not self._stack.holds(pointer, self._size)]
        limit = f"limit {self._stack.segment.limit:#x}"
        what = f"room for {words} words of {self._size} bytes below {self.pointer:#x}"
        value = f"{outside[0]:#x}, {limit}" if outside else limit
        yield self._procedure.check(rules.PUSH_ROOM, not outside, what, value, full)

    def push(self, rule: Rule, name: str, value: int) -> Steps:
        """Push one word: a step."""
        self.pointer = self.pointer - self._size & self._stack.mask
        address = self._stack.address(self.pointer)
        value &= (1 << 8 * self._size) - 1
        self._procedure.write(rule, f"push {name}", address, value, self._size, user=self._user)
        yield self._procedure.did(rule, f"push {name}", f"{value:#x} → {address:x}")

    def rsp(self, before: int) -> int:
        """RSP with the stack pointer of now, where it was `before`."""
        return self._stack.moved(before, self.pointer)
