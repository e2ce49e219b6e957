"""Runs cases on the Bochs CPU: JSON lines of cases on stdin, JSON lines of answers on stdout, in the same order.

Every case runs in a child forked from one prepared process. A child is cheap (a millisecond), starts from a processor
that has run nothing, and may die: Bochs resets the machine on a shutdown, the package has no machine to reset, and
its assertion aborts the process. That abort, and nothing inferred from the order of the hooks, is how a shutdown is
told. Guest memory lies in pages shared with the parent, which therefore sees what was written up to the last moment.

What the package has no way to do (raise an external event, for one) is in pins.py.
"""

from __future__ import annotations

import ctypes
import faulthandler
import json
import mmap
import os
import resource
import select
import signal
import sys
import time
from dataclasses import replace
from typing import Any

import bochscpu  # type: ignore[import-untyped]
import bochscpu.memory  # type: ignore[import-untyped]

from .case import (
    PAGE,
    PLAIN_REGISTERS,
    SEGMENT_REGISTERS,
    Answer,
    Case,
    Event,
    Segment,
    State,
    TableRegister,
    changes_in_page,
)
from .pins import Pins

CR0_PE, CR0_PG, CR4_VME, CR4_PAE, EFER_LMA = 1 << 0, 1 << 31, 1 << 0, 1 << 5, 1 << 10
IOPL, VM = 3 << 12, 1 << 17

MEMORY_PAGES = 256
"""Pages of guest memory that one case may have."""

ERROR_CODE_VECTORS = frozenset({8, 10, 11, 12, 13, 14, 17, 21, 30})
"""Exceptions that push an error code, outside real mode (SDM 3A table 6-1; 30 is AMD's #SX)."""

SHUTDOWN_ASSERTIONS = (b"BX_MEM_C::dbg_fetch_mem", b"bx_pc_system_c::Reset")
"""What the package aborts with when the processor, shutting down, prints its state and asks for a reset."""


class Board:
    """One prepared processor and the memory that its children share with us."""

    def __init__(self, time_limit: float) -> None:
        self._time_limit = time_limit
        self._memory = mmap.mmap(-1, MEMORY_PAGES * PAGE)
        self._host = ctypes.addressof(ctypes.c_char.from_buffer(self._memory))
        self._session = bochscpu.Session()
        self._pins = Pins()

    def judge(self, case: Case) -> Answer:
        """Run one case in a child and put together what it told and what it wrote."""
        start = case.pages()
        if len(start) > MEMORY_PAGES:
            return Answer(case.name, error=f"{len(start)} pages of memory, at most {MEMORY_PAGES} are possible")
        places = {page: index * PAGE for index, page in enumerate(sorted(start))}
        for page, place in places.items():
            self._memory[place : place + PAGE] = bytes(start[page])
        records, noise, status = self._run_child(case, places)
        events = tuple(Event.from_json(record["event"]) for record in records if "event" in record)
        changes = tuple(
            change for page, place in places.items()
            for change in changes_in_page(page, bytes(start[page]), self._memory[place : place + PAGE])
        )  # fmt: skip
        told = {name: value for record in records for name, value in record.items() if name != "event"}
        answer = Answer(case.name, events, instructions=told.get("instructions", 0), changes=changes)
        if status is None:
            return replace(answer, error=f"no end after {self._time_limit:g} seconds")
        return _concluded(answer, told, noise, status)

    def _run_child(self, case: Case, places: dict[int, int]) -> tuple[list[dict[str, Any]], bytes, int | None]:
        """Fork, run, and collect: the child's records, its stderr, and its wait status (None: it took too long)."""
        record_read, record_write = os.pipe()
        noise_read, noise_write = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                os.dup2(noise_write, 2)
                resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
                faulthandler.disable()
                Run(self._session, self._pins, case, record_write).go({p: self._host + at for p, at in places.items()})
                os._exit(0)
            except BaseException as problem:  # noqa: BLE001 -- the parent is told, whatever it is
                os.write(2, f"{type(problem).__name__}: {problem}".encode())
                os._exit(99)
        os.close(record_write)
        os.close(noise_write)
        told, finished = _read_all([record_read, noise_read], time.monotonic() + self._time_limit)
        if not finished:
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        os.close(record_read)
        os.close(noise_read)
        records = [json.loads(line) for line in told[0].splitlines() if line.endswith(b"}")]
        return records, told[1], status if finished else None


class Run:
    """One case inside its child: sets the processor up, watches it through the hooks, and tells what it sees."""

    def __init__(self, session: Any, pins: Pins, case: Case, output: int) -> None:
        self._session = session
        self._pins = pins
        self._case = case
        self._output = output
        self._begun = 0
        self._started = False
        self._instruction_rip = 0
        self._events: list[dict[str, Any]] = []

    def go(self, host_pages: dict[int, int]) -> None:
        """Run the case to its end and tell the final state."""
        self._session.missing_page_handler = self._missing_page
        for page, host in host_pages.items():
            bochscpu.memory.page_insert(page, host)
        processor = self._session.cpu
        processor.state = _native_state(processor.state, self._case.state)
        processor.set_mode()
        self._pins.notice_fpu_mode()
        state = self._case.state
        if state.cr0 & CR0_PG and state.cr4 & CR4_PAE and not state.efer & EFER_LMA:
            table = state.cr3 & 0xFFFFFFE0
            self._pins.set_pdptes(bytes(self._case.pages()[table & -PAGE][table % PAGE : table % PAGE + 32]))
        self._session.run([self._hooks()])
        self._pins.settle_flags()
        self._tell({"final": _portable_state(processor.state).to_json(), "instructions": self._begun})

    def _hooks(self) -> Any:
        hook = bochscpu.Hook()
        hook.before_execution = self._before_execution
        hook.exception = self._exception
        hook.interrupt = self._interrupt
        hook.hw_interrupt = self._hardware_interrupt
        hook.after_execution = self._after_execution
        hook.hlt = self._halt
        return hook

    def _tell(self, record: dict[str, Any]) -> None:
        os.write(self._output, json.dumps(record).encode() + b"\n")

    def _tell_event(self, session: Any, kind: str, vector: int, error_code: int | None) -> None:
        state = session.cpu
        event = {"kind": kind, "vector": vector, "error_code": error_code, "cr2": hex(state.cr2), "rip": hex(state.rip)}
        self._events.append(event)
        self._tell({"event": event, "instructions": self._begun})
        self._pins.stop_at_boundary()

    def _before_execution(self, session: Any, _processor: int, _instruction: int) -> None:
        if self._events:
            session.stop()
            return
        if not self._started:
            self._started = True
            session.stop()
            self._pins.look_again(self._case.state.rflags)
            self._inject(after=0)
            return
        self._begun += 1
        self._instruction_rip = session.cpu.rip
        self._inject(after=self._begun)

    def _inject(self, after: int) -> None:
        """Raise the case's event if this is its moment: before the first instruction, or during a later one."""
        inject = self._case.inject
        if inject is None or inject.after != after:
            return
        if inject.kind == "nmi":
            self._pins.raise_nmi()
        else:
            self._pins.raise_external(inject.vector)

    def _after_execution(self, session: Any, _processor: int, _instruction: int) -> None:
        if self._begun >= self._case.instructions:
            session.stop()

    def _halt(self, session: Any, _processor: int) -> None:
        inject = self._case.inject
        wakes = inject is not None and (inject.kind == "nmi" or bool(session.cpu.rflags & 0x200))
        if inject is None or not wakes or inject.after > self._begun:
            self._tell({"halted": True})
            session.stop()

    def _exception(self, session: Any, _processor: int, vector: int, error_code: int) -> None:
        first = self._events[0] if self._events else None
        if first is not None and first["kind"] in ("external", "nmi") and int(first["rip"], 16) != session.cpu.rip:
            session.cpu.cr2 = int(self._events[-1]["cr2"], 16)
            session.stop()
            return
        has_code = vector in ERROR_CODE_VECTORS and bool(self._case.state.cr0 & CR0_PE)
        self._tell_event(session, "exception", vector, error_code if has_code else None)

    def _interrupt(self, session: Any, _processor: int, vector: int) -> None:
        # the hook runs for exceptions and external interrupts too, behind their own
        if not self._events and not self._is_refused_int_n(session.cpu):
            self._tell_event(session, "software", vector, None)

    def _is_refused_int_n(self, state: Any) -> bool:
        """Whether this is INT n in virtual-8086 mode with IOPL below 3: a #GP(0) before it is any interrupt.

        Bochs calls the hook before it looks at IOPL. INT3, INTO and INT1, which never ask for it, have one byte.
        """
        sensitive = bool(state.rflags & VM) and state.rflags & IOPL != IOPL and not self._case.state.cr4 & CR4_VME
        return sensitive and state.rip - self._instruction_rip > 1

    def _hardware_interrupt(self, session: Any, _processor: int, vector: int, _selector: int, _rip: int) -> None:
        nmi = self._case.inject is not None and self._case.inject.kind == "nmi"
        self._tell_event(session, "nmi" if nmi else "external", vector, None)

    def _missing_page(self, address: int, *_: Any) -> None:
        self._tell({"missing": hex(address)})
        os._exit(1)


def _concluded(answer: Answer, told: dict[str, Any], noise: bytes, status: int) -> Answer:
    """The answer with its ending: a final state, a shutdown, or the reason why there is neither."""
    if "missing" in told:
        return replace(answer, error=f"physical address {told['missing']} is not in the case's memory")
    after_double_fault = any(event.kind == "exception" and event.vector == 8 for event in answer.events[:-1])
    if os.WIFSIGNALED(status) and after_double_fault and any(mark in noise for mark in SHUTDOWN_ASSERTIONS):
        return replace(answer, shutdown=True)
    if status != 0 or "final" not in told:
        how = f"signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else f"exit {os.WEXITSTATUS(status)}"
        return replace(answer, error=f"{how}: {noise.decode(errors='replace').strip()}")
    return replace(answer, final=State.from_json(told["final"]), halted="halted" in told)


def _read_all(sources: list[int], deadline: float) -> tuple[list[bytes], bool]:
    """Everything from each pipe up to its end, and whether the end came before the deadline."""
    texts = dict.fromkeys(sources, b"")
    waiting = set(sources)
    while waiting:
        ready, _, _ = select.select(list(waiting), [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            break
        for source in ready:
            piece = os.read(source, 1 << 16)
            texts[source] += piece
            if not piece:
                waiting.discard(source)
    return list(texts.values()), not waiting


def _native_state(native_state: Any, state: State) -> Any:
    """Bochs' own state after reset, with everything that the case names put in."""
    for name in PLAIN_REGISTERS:
        setattr(native_state, name, getattr(state, name))
    for name in SEGMENT_REGISTERS:
        ours: Segment = getattr(state, name)
        segment = bochscpu.Segment()
        segment.present = ours.usable
        segment.selector = ours.selector
        segment.base = ours.base
        segment.limit = ours.limit
        segment.attr = ours.attributes >> 8 & 0xF0FF
        setattr(native_state, name, segment)
    for name in ("gdtr", "idtr"):
        table: TableRegister = getattr(state, name)
        register = bochscpu.GlobalSegment()
        register.base = table.base
        register.limit = table.limit
        setattr(native_state, name, register)
    return native_state


def _portable_state(native_state: Any) -> State:
    """Bochs' state in our terms."""
    arguments: dict[str, Any] = {}
    for name in PLAIN_REGISTERS:
        arguments[name] = getattr(native_state, name)
    for name in SEGMENT_REGISTERS:
        segment = getattr(native_state, name)
        arguments[name] = Segment(
            selector=segment.selector,
            base=segment.base,
            limit=segment.limit,
            attributes=(segment.attr & 0xF0FF) << 8,
            usable=bool(segment.present),
        )
    for name in ("gdtr", "idtr"):
        table = getattr(native_state, name)
        arguments[name] = TableRegister(table.base, table.limit)
    return State(**arguments)


def main() -> None:
    """Answer every line of stdin on stdout. The one argument is how many seconds a case may take."""
    board = Board(float(sys.argv[1]))
    for line in sys.stdin:
        answer = board.judge(Case.from_json(json.loads(line)))
        print(json.dumps(answer.to_json()), flush=True)


if __name__ == "__main__":
    main()
