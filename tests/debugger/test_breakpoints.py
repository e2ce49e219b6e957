"""Each kind of breakpoint stops a run where single steps find it, and is found again on the way back."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from idtviz.debugger.code import readable
from idtviz.debugger.moment import START, Moment
from idtviz.debugger.session import Session, Setup
from idtviz.debugger.stops import Reason
from idtviz.machine.delivery.delivery import Delivery
from idtviz.machine.delivery.returns import Return
from idtviz.machine.pc import Machine
from idtviz.machine.registers import Registers
from tests.debugger.breaking import asked_through, run_back_through, run_through, set_at, stepped_through
from tests.debugger.sessions import KERNELS, code, kernel
from tests.machine.bare import EOI_AND_RETURN, bare, remap, start_timer
from tests.oracle.long_mode import CODE, DATA, IF, LongModeWorld

END = Moment(1300)
SCREEN = 0xB8000
KINDS = (
    *("delivery", "interrupt", "any exception", "#PF if error & 2", "irq0", "irq1", "fault in delivery", "shutdown"),
    *("iret", "iret to ring 3", "mode", "ring", "port 0..0xffff", "port 0x60 read", "port 0x20 write"),
    *("write 0xb8000 4000", "write 0xb8002 1", "write rbp", "write cr2", "kernel_ready"),
)


def first_hits(session: Session, *texts: str) -> list[Moment]:
    set_at(session, *texts)
    return run_through(session, END)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["page_fault", "keyboard", "boot_to_long_mode", "task_gate_double_fault"])
def test_a_run_and_single_steps_stop_at_the_same_moments_and_running_back_finds_them(name: str, kind: str) -> None:
    session = kernel(name)
    if kind == "kernel_ready" and session.symbols.address_of(kind) is None:
        kind = "_start"
    found = first_hits(session, kind)
    assert found == stepped_through(kernel(name), END, kind)
    here = session.moment
    assert run_back_through(session) == [moment for moment in reversed(found) if moment < here]


def test_every_kind_is_met_somewhere() -> None:
    met = {kind for kind in KINDS if kind != "kernel_ready" for name in KERNELS if first_hits(kernel(name), kind)}
    assert met | {"kernel_ready", "fault in delivery", "shutdown"} == set(KINDS)


# Each kind against the machine itself


def ring_changed(session: Session, before: Registers) -> bool:
    return session.machine.cpu.cpl != before.cpl


def mode_changed(session: Session, before: Registers) -> bool:
    return session.machine.cpu.registers().mode != before.mode


def accessed_port(session: Session, before: Registers) -> bool:
    machine = session.machine
    raw = readable(machine.linear(before), before.linear_rip, 1)
    return raw[:1] in (b"\xe4", b"\xe6", b"\xec", b"\xee") and machine.step == 0 and machine.activity is None


def in_front_of(kind: type[Delivery | Return], session: Session) -> list[Moment]:
    found = []
    while session.moment < END and not session.machine.stuck:
        session.micro_step()
        activity = session.machine.activity
        if isinstance(activity, kind) and len(activity.steps) == 1:
            found.append(Moment(session.moment.instruction, session.moment.step - 1))
    return found


def test_ring_stops_where_the_cpl_differs_from_the_step_before() -> None:
    expected = asked_through(kernel("page_fault"), END, ring_changed)
    assert first_hits(kernel("page_fault"), "ring") == expected
    assert len(expected) >= 4


def test_mode_stops_where_the_mode_differs_from_the_step_before() -> None:
    expected = asked_through(kernel("boot_to_long_mode"), END, mode_changed)
    assert first_hits(kernel("boot_to_long_mode"), "mode") == expected
    assert len(expected) == 3


def test_port_stops_behind_every_in_and_out() -> None:
    expected = asked_through(kernel("keyboard"), END, accessed_port)
    assert first_hits(kernel("keyboard"), "port 0..0xffff") == expected
    assert len(expected) > 20


@pytest.mark.parametrize(("text", "kind"), [("iret", Return), ("delivery", Delivery)])
def test_iret_and_delivery_stop_in_front_of_the_first_step(text: str, kind: type[Delivery | Return]) -> None:
    assert first_hits(kernel("keyboard"), text) == in_front_of(kind, kernel("keyboard"))


def test_write_stops_wherever_the_bytes_have_changed() -> None:
    def screen(session: Session) -> bytes:
        return session.machine.memory.read(SCREEN, 4000)

    session = kernel("page_fault")
    changed, old = [], screen(session)
    while session.moment < END and not session.machine.stuck:
        session.micro_step()
        new = screen(session)
        if new != old:
            changed.append(session.moment)
        old = new
    found = first_hits(kernel("page_fault"), "write 0xb8000 4000")
    assert changed
    assert set(changed) <= set(found)


# What a stop says


def test_a_stop_at_a_port_names_instruction_value_and_port() -> None:
    session = code(bytes.fromhex("b0 41 e6 80 f4"))
    set_at(session, "port 0x80 write")
    assert session.run().text == f"“out 0x80, al” at {CODE + 2:#x} wrote 0x41 to port 0x80"
    assert session.moment == Moment(2)


def test_a_stop_at_a_write_names_instruction_old_and_new_value() -> None:
    session = code(bytes.fromhex("48ff0425 00000200 48ff0425 00000200 f4"))
    set_at(session, f"write {DATA:#x}")
    session.run()
    stop = session.run()
    assert stop.text == f"“inc qword ptr [{DATA:#x}]” at {CODE + 8:#x} wrote {DATA:#x}: 0x1 → 0x2"
    assert session.moment == Moment(2)


def test_a_push_onto_a_watched_word_stops_behind_its_step() -> None:
    session = code(b"\x90\xcc\xf4")
    before = session.view.registers
    session.run("#BP")
    frame = next(step for step in session.view.procedure.steps if step.writes) if session.view.procedure else None
    assert frame is not None
    session.seek(START)
    set_at(session, f"write {frame.writes[0].address:#x}")
    stop = session.run()
    assert stop.reason is Reason.BREAKPOINT
    assert f"“{frame.text}” of #BP wrote {frame.writes[0].address:#x}" in stop.text
    assert session.moment.step
    assert session.view.registers.rsp == before.rsp


def test_a_failed_delivery_and_the_shutdown_to_come_are_told() -> None:
    session = kernel("double_fault_no_ist")
    set_at(session, "fault in delivery", "shutdown")
    stop = session.run()
    assert "#PF met #PF at" in stop.text
    assert "the processor shuts down" in stop.text
    assert [entry.hits for entry in session.breakpoints.listed] == [1, 1]
    assert session.moment == next(start for start, event in session.recognised if event.name == "#DF")
    assert session.run().reason is Reason.SHUTDOWN


def test_a_port_stop_in_the_past_is_found_by_a_breakpoint_set_afterwards() -> None:
    session = kernel("keyboard")
    session.run(END)
    set_at(session, "port 0x60 read")
    session.run_back()
    latest = session.moment
    assert latest == stepped_through(kernel("keyboard"), END, "port 0x60 read")[-1]


# Hooks


def test_hooks_stay_from_slice_to_slice_and_from_run_to_run() -> None:
    session = code(b"\x48\xff\xc0\xeb\xfb")
    flushed = []
    forget = session.machine.cpu.forget_all_code
    session.machine.cpu.forget_all_code = lambda: (flushed.append(session.moment), forget())[1]  # type: ignore[method-assign]
    set_at(session, f"{CODE + 0x100:#x}", f"write {DATA:#x}", "port 0x80")
    session.run(Moment(1_000_000))
    session.run(Moment(1_500_000))
    assert len(flushed) <= 4
    assert all(moment == START for moment in flushed)


@pytest.mark.parametrize("count", [1, 2, 3, 40])
def test_a_breakpoint_at_an_instruction_that_jumps_to_itself_stops_at_each_turn(count: int) -> None:
    session = code(b"\xeb\xfe")
    set_at(session, f"{CODE:#x}")
    for turn in range(1, count + 1):
        assert session.run().reason is Reason.BREAKPOINT
        assert session.moment == Moment(turn)


# All together


SNIPPETS = tuple(
    bytes.fromhex(text)
    for text in (
        "48ffc0",  # inc rax
        "48890425 00000200",  # mov [DATA], rax
        "89042504000200",  # mov [DATA+4], eax
        "66890425 06000200",  # mov [DATA+6], ax
        "88042509000200",  # mov [DATA+9], al
        "48890425 fcff0100",  # mov [DATA-4], rax: from the page before
        "f048ff0425 00000200",  # lock inc qword [DATA]
        "90 f3a4",  # nop; rep movsb
        "50 58",  # push rax; pop rax
        "e800000000 58",  # call +0; pop rax
        "cd80",  # int 0x80
        "cc",  # int3
        "0f0b",  # ud2
        "e680",  # out 0x80, al
        "e460",  # in al, 0x60
        "9c 9d",  # pushfq; popfq
        "fb",  # sti
        "fa",  # cli
        "fb f4",  # sti; hlt
        "8ed0",  # mov ss, ax
    )
)
WATCHES = (
    *("write 0x20000 8", "write 0x20006 1", "write 0x20004 8", "write 0x1fffe 4", "write 0x10fc0 8", "port 0x80"),
    *("port 0x60 read", "iret", "delivery", "int 0x80", "#UD", "irq0", "interrupt", "any exception", "ring", "#SS"),
    *("write rdi", "write rcx", "write rsp", "write rflags", "write ss", "write rax"),
    *(f"{CODE + offset:#x}" for offset in (0, 3, 11, 20)),
)
MOVS = bytes.fromhex("48c7c6 00020200 48c7c7 fcff0100 48c7c1 09000000")  # rsi, rdi, rcx for rep movsb


def busy(raw: bytes) -> Session:
    """Some code over and over, with a timer; faults are skipped by their handlers, as far as two bytes go."""
    skip = bytes.fromhex("4883042402 48cf")  # add qword [rsp], 2; iretq
    world = LongModeWorld(code=raw + b"\xe9" + (-(len(raw) + 5) & 0xFFFFFFFF).to_bytes(4, "little"), rflags=0x2 | IF)
    world = world.with_page(DATA - 0x1000)
    handlers = {0x20: EOI_AND_RETURN, 6: skip, 3: b"\x48\xcf", 0x80: b"\x48\xcf", 13: skip, 12: skip}

    def build() -> Machine:
        return start_timer(remap(bare(world, handlers), unmasked=1), 37).machine

    return Session(Setup("busy", build))


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    parts=st.lists(st.sampled_from(SNIPPETS), min_size=1, max_size=8),
    watches=st.lists(st.sampled_from(WATCHES), min_size=1, max_size=4, unique=True),
)
def test_any_breakpoints_over_any_code_are_met_at_the_same_moments_stepped_run_and_on_the_way_back(
    parts: list[bytes], watches: list[str]
) -> None:
    raw, end = MOVS + b"".join(parts), Moment(160)
    session = busy(raw)
    set_at(session, *watches)
    found = run_through(session, end)
    assert found == stepped_through(busy(raw), end, *watches)
    here = session.moment
    assert run_back_through(session) == [moment for moment in reversed(found) if moment < here]


def test_a_write_to_a_register_outside_ram_is_told_without_what_an_empty_bus_reads() -> None:
    session = kernel("lapic_timer")
    set_at(session, "write 0xfee000b0 4")
    session.run()
    assert session.stop.text.endswith("at timer_done wrote 0x0 to 0xfee000b0, outside RAM")
    assert "→" not in session.stop.text
