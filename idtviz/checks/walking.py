"""Reading the code behind gates: every path of a handler, with the depth of its stack, and nothing executed.

The walk gives up quietly: where it cannot tell what an instruction does to the stack pointer, the depth is unknown from
there on, and where it cannot tell where a branch goes, the stub is not `whole`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from idtviz.checks.stub import PushedConstant, Stub, StubReturn
from idtviz.debugger.tables import handler_address
from idtviz.debugger.view import View
from idtviz.machine.decoding import Decoded, Kind, capstone_instruction, decode
from idtviz.machine.instructions import MAXIMUM_LENGTH
from idtviz.x86.addresses import MASK32, MASK64
from idtviz.x86.gates import Gate64, IvtEntry
from idtviz.x86.selectors import Selector
from idtviz.x86.vectors import VECTORS

Read = Callable[[int, int], bytes | None]
"""The bytes at a linear address; None where they are not all there."""

_BUDGET: Final = 4000
"""Instructions that are followed for one gate."""
_NESTED: Final = 12
"""Calls inside calls that are followed."""
_EXCEPTIONS: Final = 32
_GATE_TYPES: Final = (0x6, 0x7, 0xE, 0xF)
_STRING: Final = re.compile(r"(?:movs|stos|lods|scas|cmps|ins|outs)[bwdq]")
_MEMORY: Final = re.compile(r"\[(\w+)(?: ([+-]) (\w+))?\]")
_NUMBER: Final = re.compile(r"-?(?:0x[0-9a-f]+|\d+)")
_STACK_POINTERS: Final = frozenset(("rsp", "esp", "sp"))
_COMMANDS: Final = frozenset(("0x20", "0xa0"))
_ENDS: Final = frozenset(("hlt", "ud2", "ud0", "ud1", "int3", "sysretq", "sysret", "sysexit", "sysexitq"))
"""Where a path ends for sure; what follows a HLT is not followed, since most handlers halt for good."""


@dataclass(frozen=True, slots=True)
class _At:
    """Where a path stands. `copies`: registers that hold the stack pointer of some depth."""

    address: int
    depth: int | None = 0
    copies: tuple[tuple[str, int], ...] = ()
    direction: bool = True
    """Whether RFLAGS.DF is still the interrupted program's."""

    def without(self, registers: Collection[str]) -> _At:
        return replace(self, copies=tuple(pair for pair in self.copies if pair[0] not in registers))

    def keeping(self, registers: Collection[str]) -> _At:
        return replace(self, copies=tuple(pair for pair in self.copies if pair[0] in registers))

    def copy_of(self, register: str) -> int | None:
        return dict(self.copies).get(register)

    def with_copy(self, register: str, depth: int | None) -> _At:
        kept = self.without((register,))
        if depth is None:
            return kept
        return replace(kept, copies=tuple(sorted((*kept.copies, (register, depth)))))

    def moved(self, by: int) -> _At:
        """`by` bytes deeper."""
        return replace(self, depth=None if self.depth is None else self.depth + by)


@dataclass(slots=True)
class _Called:
    """What is known of a procedure: whether it returns, and how many bytes its RET takes besides the address."""

    returns: bool = False
    whole: bool = True
    popped: set[int] = field(default_factory=set)
    direction: bool = False
    """Whether it sets or clears DF."""


def walk_gates(view: View, read: Read, interrupts: Collection[int] = ()) -> Iterator[Stub]:
    """The handler of each present gate, in the order of the vectors, each address once.

    `interrupts`: vectors at which interrupts came from outside. Where that is an exception's vector, its handler is not
    one of the exception, and is left out.
    """
    handlers: dict[int, list[int]] = {}
    for vector, gate in enumerate(view.idt.gates[: len(VECTORS)]):
        if isinstance(gate, IvtEntry) or not gate.present or gate.s or gate.type not in _GATE_TYPES:
            continue
        found = handler_address(gate, view.gdt, view.ldt)
        if found is not None and not (vector < _EXCEPTIONS and vector in interrupts):
            handlers.setdefault(found, []).append(vector)
    ring_3 = bool(view.registers.tr.selector & ~3) and any(
        entry.descriptor.is_code and entry.descriptor.dpl == 3 for entry in view.gdt.entries
    )
    walks: dict[int, _Walk] = {}
    for address, vectors in sorted(handlers.items(), key=lambda pair: pair[1]):
        gate = view.idt.gates[vectors[0]]
        assert not isinstance(gate, IvtEntry)
        if isinstance(gate, Gate64):
            bits, word = 64, 8
        else:
            segment = view.find(Selector(gate.selector))
            bits = 32 if segment is not None and segment.db else 16
            word = 2 if gate.is_16_bit else 4
        walk_of = walks.setdefault(bits, _Walk(read, bits))
        yield replace(walk_of.stub(vectors[0], address, word), shared=tuple(vectors[1:]), ring_3=ring_3)


def walk(vector: int, address: int, read: Read, *, bits: int = 64, word: int = 8) -> Stub:
    """The handler of `vector`, whose code of `bits` bits begins at linear `address`."""
    return _Walk(read, bits).stub(vector, address, word)


class _Walk:
    """Walks over code of `bits` bits; what has been decoded is kept for the next handler."""

    def __init__(self, read: Read, bits: int) -> None:
        self.read, self.bits = read, bits
        self.mask = MASK64 if bits == 64 else MASK32
        self.code: dict[int, tuple[Decoded, Any] | None] = {}
        self._begin()
        preserved = ("rbx", "rbp", "r12", "r13", "r14", "r15") if bits == 64 else ("rbx", "rbp", "rsi", "rdi")
        self.preserved = frozenset(preserved)

    def _begin(self) -> None:
        self.left = _BUDGET
        self.called: dict[tuple[int, bool], _Called] = {}
        self.returns: dict[tuple[int, int | None], StubReturn] = {}
        self.strings: set[int] = set()
        self.clears_direction = self.swaps_gs = self.ends_interrupt = False

    def stub(self, vector: int, address: int, word: int) -> Stub:
        self._begin()
        entry = self._follow(address, direction=True, nested=0)
        return Stub(
            vector,
            address,
            word=word,
            error_code=VECTORS[vector].error_code,
            constants=tuple(self._constants(address)),
            returns=tuple(self.returns[key] for key in sorted(self.returns, key=lambda key: key[0])),
            strings=tuple(sorted(self.strings)),
            clears_direction=self.clears_direction,
            swaps_gs=self.swaps_gs,
            ends_interrupt=self.ends_interrupt,
            whole=entry.whole and self.left > 0,
        )

    def _fetch(self, address: int) -> tuple[Decoded, Any] | None:
        if address not in self.code:
            self.code[address] = self._decode(address)
        return self.code[address]

    def _decode(self, address: int) -> tuple[Decoded, Any] | None:
        raw = next((raw for size in range(MAXIMUM_LENGTH, 0, -1) if (raw := self.read(address, size))), None)
        decoded = None if raw is None else decode(raw, self.bits)
        return None if raw is None or decoded is None else (decoded, capstone_instruction(raw, 0, self.bits))

    def _constants(self, address: int) -> Iterator[PushedConstant]:
        for _ in range(4):
            fetched = self._fetch(address)
            if fetched is None:
                return
            decoded, found = fetched
            if decoded.mnemonic == "push" and _NUMBER.fullmatch(found.op_str):
                yield PushedConstant(address, int(found.op_str, 0))
            elif decoded.mnemonic not in ("cli", "cld", "endbr64", "endbr32"):
                return
            address = (address + decoded.length) & self.mask

    # One procedure

    def _follow(self, address: int, *, direction: bool, nested: int) -> _Called:
        """Every path from `address` to a RET, or to the IRETs of the handler itself (`nested` is 0)."""
        known = self.called.get((address, direction))
        if known is not None:
            return known
        called = self.called[address, direction] = _Called()
        if nested > _NESTED:
            called.whole = False
            return called
        seen: set[_At] = set()
        todo = [_At(address, direction=direction)]
        while todo:
            at = todo.pop()
            if at in seen:
                continue
            seen.add(at)
            self.left -= 1
            fetched = self._fetch(at.address) if self.left > 0 else None
            if fetched is None:
                called.whole = False
                continue
            todo.extend(self._step(at, *fetched, called, nested))
        return called

    def _step(self, at: _At, decoded: Decoded, found: Any, called: _Called, nested: int) -> Iterator[_At]:
        """Where a path goes from an instruction."""
        name = decoded.mnemonic
        self._note(at, name, found)
        behind = replace(at, address=(at.address + decoded.length) & self.mask)
        if name.startswith("iret"):
            self._iret(at, decoded, found, called, nested)
        elif name == "ret":
            self._ret(at, found, called, nested)
        elif name in _ENDS:
            return
        elif Kind.FAR in decoded.kind or name in ("int", "retf", "retfq", "syscall", "sysenter"):
            called.whole = False
        elif name == "call":
            yield from self._call(behind, at, decoded, called, nested)
        elif Kind.BRANCH in decoded.kind:
            if decoded.displacement is None:
                called.whole = False
                return
            yield replace(at, address=(at.address + decoded.displacement) & self.mask)
            if name != "jmp":
                yield behind
        else:
            after = self._effect(behind, decoded, found)
            if nested and after.depth is not None and after.depth < 0:
                called.whole = False  # it takes its own return address off the stack
                return
            called.direction |= name in ("cld", "std")
            yield after

    def _note(self, at: _At, name: str, found: Any) -> None:
        self.clears_direction |= name == "cld"
        self.swaps_gs |= name == "swapgs"
        self.ends_interrupt |= name == "out" and found.op_str.split(",")[0] in _COMMANDS
        if at.direction and _STRING.fullmatch(name) and "xmm" not in found.op_str:
            self.strings.add(at.address)

    def _iret(self, at: _At, decoded: Decoded, found: Any, called: _Called, nested: int) -> None:
        if nested:
            called.whole = False
            return
        narrow = 0x66 in found.bytes[: max(0, decoded.length - 1)]
        if self.bits == 64:
            size = 8 if decoded.wide else 2 if narrow else 4
        else:
            size = 2 if narrow == (self.bits == 32) else 4
        self.returns[at.address, at.depth] = StubReturn(at.address, size, at.depth)

    def _ret(self, at: _At, found: Any, called: _Called, nested: int) -> None:
        if not nested or at.depth not in (0, None):
            called.whole = False  # a jump through the stack
            return
        called.returns = True
        called.popped.add(int(found.op_str, 0) if found.op_str else 0)

    def _call(self, behind: _At, at: _At, decoded: Decoded, called: _Called, nested: int) -> Iterator[_At]:
        after = behind.keeping(self.preserved)
        if decoded.displacement is None:
            yield replace(after, direction=False)
            return
        target = (at.address + decoded.displacement) & self.mask
        callee = self._follow(target, direction=at.direction, nested=nested + 1)
        called.direction |= callee.direction
        if not callee.returns:
            called.whole &= callee.whole  # else it never returns, and the path ends there
            return
        taken = next(iter(callee.popped)) if len(callee.popped) == 1 else None
        after = after.moved(-taken) if taken is not None else replace(after, depth=None)
        yield replace(after, direction=at.direction and not callee.direction)

    # One instruction

    def _effect(self, at: _At, decoded: Decoded, found: Any) -> _At:
        """What an instruction that goes on to the next one does to what is followed."""
        name, size = decoded.mnemonic, decoded.operand_size
        operands = [text.strip() for text in found.op_str.split(",")]
        if name in ("cld", "std") or name.startswith("popf"):
            at = replace(at, direction=False)
        if name.startswith("pusha"):
            return at.moved(8 * size)
        if name.startswith("popa"):
            return replace(at.moved(-8 * size), copies=())
        if name.startswith("push"):
            return at.moved(size)
        if name.startswith("pop"):
            return self._pop(at, size, operands)
        if name == "leave":
            depth = at.copy_of("rbp")
            return replace(at, depth=None if depth is None else depth - size).without(("rbp",))
        if name == "enter":
            return replace(at, depth=None, copies=())
        if operands[0] in _STACK_POINTERS and name not in _ONLY_READ:
            return replace(at, depth=self._moved_pointer(at, name, operands))
        return self._written(at, name, operands, found)

    def _pop(self, at: _At, size: int, operands: list[str]) -> _At:
        if operands[0] in _STACK_POINTERS:
            return replace(at, depth=None)
        return at.moved(-size).without((_FULL.get(operands[0], ""),))

    def _moved_pointer(self, at: _At, name: str, operands: list[str]) -> int | None:
        """The depth behind an instruction that writes to the stack pointer."""
        if name in ("inc", "dec") and at.depth is not None:
            return at.depth + (1 if name == "dec" else -1)
        if len(operands) != 2:
            return None
        source = operands[1]
        if name in ("add", "sub") and _NUMBER.fullmatch(source) and at.depth is not None:
            number = self._signed(int(source, 0))
            return at.depth + (number if name == "sub" else -number)
        if name == "mov" and source in _FULL:
            return at.copy_of(_FULL[source])
        if name == "lea":
            return self._address(at, source)
        return None

    def _written(self, at: _At, name: str, operands: list[str], found: Any) -> _At:
        """What is written to is no copy any more, but for MOV and LEA from the stack pointer or a copy of it."""
        written = [found.reg_name(number) for number in found.regs_access()[1]]
        lost = {_FULL[register] for register in written if register in _FULL}
        if lost & {"rsp"}:
            at = replace(at, depth=None)
        fresh = None
        if operands[0] in _FULL and len(operands) == 2:
            if name == "mov" and operands[1] in _STACK_POINTERS:
                fresh = at.depth
            elif name == "mov" and operands[1] in _FULL:
                fresh = at.copy_of(_FULL[operands[1]])
            elif name == "lea":
                fresh = self._address(at, operands[1])
        after = at.without(lost)
        return after if fresh is None else after.with_copy(_FULL[operands[0]], fresh)

    def _address(self, at: _At, text: str) -> int | None:
        """The depth that an address stands for: that of `[rsp + 8]` is 8 less than the present one."""
        memory = _MEMORY.fullmatch(text)
        if memory is None or (memory[3] and not _NUMBER.fullmatch(memory[3])):
            return None
        depth = at.depth if memory[1] in _STACK_POINTERS else at.copy_of(_FULL.get(memory[1], ""))
        if depth is None:
            return None
        distance = int(memory[3], 0) if memory[3] else 0
        return depth - distance if memory[2] != "-" else depth + distance

    def _signed(self, value: int) -> int:
        half = 1 << (self.bits - 1)
        return ((value & (2 * half - 1)) ^ half) - half


def _full_names() -> Mapping[str, str]:
    """Every name of a general register or a part of one, and the name of the whole."""
    names: dict[str, str] = {}
    for letter in "abcd":
        names |= dict.fromkeys((f"r{letter}x", f"e{letter}x", f"{letter}x", f"{letter}l", f"{letter}h"), f"r{letter}x")
    for name in ("si", "di", "bp", "sp"):
        names |= dict.fromkeys((f"r{name}", f"e{name}", name, f"{name}l"), f"r{name}")
    for place in range(8, 16):
        whole = f"r{place}"
        names |= dict.fromkeys((whole, f"{whole}d", f"{whole}w", f"{whole}b"), whole)
    return names


_FULL: Final = _full_names()
_ONLY_READ: Final = frozenset(("cmp", "test", "bt"))
