"""What can be edited at a moment, what is refused, and that an edit is the same however its moment is reached."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from idtviz.debugger import editing
from idtviz.debugger.editing import EditError, Slot, parse_value
from idtviz.debugger.inputs import Poke, PokePhysical, SetChip, SetRegister
from idtviz.debugger.moment import Moment
from idtviz.debugger.session import Phase, Session
from idtviz.lab.overrides import Overrides
from idtviz.lab.preparation import prepare
from idtviz.machine.delivery.delivery import Delivery
from idtviz.machine.events import Delivered
from tests.debugger.sessions import MEMORY, SCENARIOS, code, kernel
from tests.oracle.long_mode import IF, LongModeWorld

NAMES = tuple(sorted(path.stem for path in SCENARIOS.glob("*.toml")))


def scenario(name: str, place: str = "0") -> Session:
    """Any scenario, with little memory and what it types."""
    prepared = prepare(SCENARIOS / f"{name}.toml", Overrides(memory=MEMORY)).setup
    session = Session(prepared)
    session.seek(place)
    return session


def value(session: Session, path: str) -> int:
    return editing.slot(session, path).value


def edit(session: Session, path: str, new: int | bytes) -> None:
    session.give(editing.edit_input(session, path, new))


def refused(session: Session, path: str, new: int | bytes) -> str:
    with pytest.raises(EditError) as error:
        editing.edit_input(session, path, new)
    return str(error.value)


def deliveries(session: Session) -> list[tuple[int, str]]:
    """The vectors that were delivered, and what came of each."""
    return [
        (event.event.vector, event.fault.name if event.fault else "delivered")
        for event in session.events
        if isinstance(event, Delivered)
    ]


# Paths


EVERY_KIND = (
    *("rax", "eax", "al", "r9w", "rip", "rflags", "rflags.if", "rflags.iopl", "cr0.wp", "cr2", "cr3.base", "cr4.pge"),
    *("efer.nxe", "dr0", "dr7", "cs.rpl", "ds", "gs.base", "gdtr.base", "idtr.limit", "lstar", "star.syscall_cs"),
    *("idt[14]", "idt[#PF].dpl", "idt[0xe].offset", "gdt[0x8].l", "gdt[8].dpl", "tss.rsp0", "tss.ist1"),
    *("pml4e[rip].p", "pdpte[rip].us", "pde[rip].w", "pte[rip].xd", "[rip]", "[rip+1]:2", "[kernel_stack_top-8]:8"),
    *("pic.master.imr", "pic.slave.vector_base", "pit[0].reload", "pit[2].mode", "cmos[0x10]", "keyboard.output"),
    *("com1.ier", "a20"),
)


@pytest.mark.parametrize("path", EVERY_KIND)
def test_a_path_names_a_slot_whose_own_path_names_it_again(path: str) -> None:
    session = kernel("page_fault")
    session.seek("#PF")
    found = editing.slot(session, path)
    assert 0 <= found.value < 1 << found.width
    assert editing.slot(session, found.path) == found or found.path == editing.slot(session, found.path).path


def test_the_words_of_the_innermost_frame_have_the_names_of_the_mode() -> None:
    session = kernel("page_fault")
    session.seek("page_fault_handler")
    words = [slot.path for slot in editing.slots(session, "frame")]
    assert words == [f"frame.{name}" for name in ("error_code", "rip", "cs", "rflags", "rsp", "ss")]
    assert value(session, "frame.rflags.if") == 1
    assert value(session, "frame.eip") == value(session, "frame.rip")
    real = kernel("real_mode_ivt")
    real.seek("delivery:0")
    real.step()
    assert [slot.path for slot in editing.slots(real, "frame")] == ["frame.ip", "frame.cs", "frame.flags"]


def test_in_32_bit_code_the_registers_have_32_bits_and_their_names() -> None:
    session = scenario("protected_keyboard")
    assert editing.slot(session, "rax").path == "eax"
    assert editing.slot(session, "eip").width == 32
    assert "64-bit code only" in refused(session, "r8", 1)
    assert "32 bits" in refused(session, "eax", 1 << 32)


def test_the_slots_of_a_gate_are_its_fields_in_order_with_what_they_mean() -> None:
    session = kernel("page_fault")
    session.seek("#PF")
    found = editing.slots(session, "idt[14]")
    assert [slot.label for slot in found[:3]] == ["offset", "segment selector", "IST"]
    dpl = next(slot for slot in found if slot.label == "DPL")
    assert (dpl.path, dpl.bits, dpl.text) == ("idt[14].dpl", "46:45", "0")
    assert dpl.meaning == "INT n, INT3 and INTO may use the gate from ring 0 only"


@pytest.mark.parametrize("group", ["registers", "rflags", "idt", "gdt", "tss", "pic", "pit", "walk[rip]", "cmos"])
def test_every_slot_of_a_group_is_found_by_its_path(group: str) -> None:
    session = kernel("page_fault")
    session.seek("#PF")
    found = editing.slots(session, group)
    assert found
    assert [editing.slot(session, slot.path).path for slot in found] == [slot.path for slot in found]


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("", "names nothing"),
        ("nonsense", "expected a path such as"),
        ("idt", "idt[14]"),
        ("idt[256]", "vectors go from 0 to 255"),
        ("idt[14].colour", "it has offset, selector, ist"),
        ("gdt[0x800]", "its limit is"),
        ("gdt[0x30]", "second half of gdt[0x28]"),
        ("ldt[4].p", "no LDT is loaded"),
        ("pte[0x8000000000000000]", "not canonical"),
        ("pml4e[nobody]", "is no address"),
        ("[0x700000000]", "no page is mapped"),
        ("[rsp]:3", "1, 2, 4 or 8 bytes"),
        ("frame.rip", "no handler is running"),
        ("pic.master", "it has irr, imr, isr"),
        ("lapic.tpr", "no lapic on this machine"),
        ("rflags.if.more", "has no parts"),
        ("]", "names nothing"),
    ],
)
def test_a_path_that_names_nothing_is_answered_with_what_there_is(path: str, words: str) -> None:
    session = kernel("page_fault")
    session.seek("#PF")
    with pytest.raises(EditError, match=words.replace("[", r"\[")):
        editing.slot(session, path)


def test_letters_of_a_path_may_be_large_or_small_and_those_of_a_symbol_are_its_own() -> None:
    session = kernel("page_fault")
    assert editing.slot(session, "RFLAGS.IF").path == "rflags.if"
    assert editing.slots(session, "PIC.Master")[0].path == "pic.master.irr"
    assert editing.slots(session, "walk[kernel_ready]")
    with pytest.raises(EditError):
        editing.slots(session, "walk[Kernel_Ready]")


# Widths and rules


@pytest.mark.parametrize(
    ("path", "new", "words"),
    [
        ("idt[14].dpl", 4, "idt[14].dpl has 2 bits: 0x4 is outside 0..0x3"),
        ("rflags.if", 2, "1 bit"),
        ("rax", 1 << 64, "64 bits"),
        ("rax", -1, "-1 is outside"),
        ("al", 256, "8 bits"),
        ("tss.rsp0", 1 << 64, "64 bits"),
        ("pte[rip].page", 1 << 40, "40 bits"),
        ("[rip]", 256, "8 bits"),
        ("pic.master.imr", 0x100, "8 bits"),
        ("pic.master.vector_base", 0x21, "low three bits"),
        ("pic.master.elcr", 1, "level triggered"),
        ("pit[0].mode", 6, "modes 0 to 5"),
        ("cmos[0xc]", 1, "read-only"),
        ("rip", 0x8000_0000_0000, "not canonical"),
        ("rflags.vm", 1, "IRET and task switches alone"),
        ("cr0.pg", 0, "paging cannot be switched off in 64-bit mode"),
        ("cr0.pe", 0, "CR0.PG=1 needs PE=1"),
        ("cr0", 0x8000_0011 | 1 << 28, "reserved"),
        ("cr0.nw", 1, "CD=1"),
        ("cr3", 1 << 40, "reserved"),
        ("cr4.pae", 0, "cannot be switched off in long mode"),
        ("cr4.la57", 1, "LA57 of cr4 cannot be set"),
        ("efer.lme", 0, "while paging is on"),
        ("efer.lma", 0, "read-only"),
        ("dr7", 1 << 32, "reserved"),
        ("gdtr.base", 0x8000_0000_0000, "not canonical"),
        ("lstar", 0x8000_0000_0000, "not canonical"),
        ("cs", 0, "cannot be null"),
        ("cs", 0x08, "its RPL is the ring, which is 3"),
        ("cs", 0x1B, "not code"),
        ("ss", 0x10, "must both be the ring, 3"),
        ("ss", 0x23, "not writable data"),
        ("ss", 3, "null only in 64-bit code of rings 0 to 2"),
        ("ds", 0x10, "DPL 0 is below 3"),
        ("ds", 0x800, "beyond the GDT's limit"),
        ("ds", 0x1F, "no LDT is loaded"),
        ("tr", 0x28, "not an available TSS"),
        ("tr", 0, "cannot be null"),
        ("ldtr", 0x18, "not an LDT"),
        ("keyboard.output_port", 2, "resets the processor"),
        ("a20", 0, "with paging on"),
    ],
)
def test_a_value_that_does_not_fit_or_that_the_processor_would_refuse_is_refused_in_words(
    path: str, new: int, words: str
) -> None:
    session = kernel("page_fault")
    session.seek("#PF")
    before = session.digest()
    assert words in refused(session, path, new)
    assert session.digest() == before
    assert len(session.inputs) == 0


def test_while_a_delivery_is_under_way_registers_are_refused_and_memory_and_chips_are_not() -> None:
    session = kernel("page_fault")
    session.seek("#PF+3")
    assert "registers are the processor's own" in refused(session, "rax", 1)
    edit(session, "pic.master.imr", 0x12)
    edit(session, "[0x5000]", 0x34)
    assert (value(session, "pic.master.imr"), value(session, "[0x5000]")) == (0x12, 0x34)


def test_where_the_processor_has_shut_down_nothing_is_left_to_edit() -> None:
    session = kernel("double_fault_no_ist")
    session.run()
    assert session.machine.shut_down
    assert "go back" in refused(session, "rax", 1)
    assert "go back" in refused(session, "pic.master.imr", 1)


def test_memory_that_is_not_ram_is_refused() -> None:
    session = scenario("boot_sector")
    assert "ROM" in refused(session, "[0xf0000]", 1)


def test_reserved_bits_of_rflags_stay_as_they_are() -> None:
    session = kernel("page_fault")
    edit(session, "rflags", 0)
    assert value(session, "rflags") == 2
    edit(session, "rflags", 0xFFFF_FFFF_FFFF_FFFF & ~(1 << 17))
    assert value(session, "rflags") == 0x3D_7FD7


def test_in_real_mode_a_segment_begins_at_sixteen_times_its_selector() -> None:
    session = kernel("real_mode_ivt")
    edit(session, "ds", 0x1234)
    at = session.view.registers.ds
    assert (at.selector, at.base) == (0x1234, 0x12340)
    assert "change fs" in refused(session, "fs.base", 1)


def test_loading_a_segment_takes_the_descriptor_and_marks_it_accessed() -> None:
    session = kernel("page_fault")
    session.seek("kernel_ready")
    edit(session, "gdt[0x18].type", 2)
    edit(session, "fs", 0x1B)
    at = session.view.registers.fs
    assert (at.selector, at.limit, at.dpl) == (0x1B, 0xFFFFFFFF, 3)
    assert value(session, "gdt[0x18].type") == 3


def test_ltr_marks_the_tss_busy() -> None:
    session = kernel("page_fault")
    session.seek("kernel_ready")
    assert "not an available TSS" in refused(session, "tr", 0x28)
    edit(session, "gdt[0x28].type", 9)
    edit(session, "tr", 0x28)
    assert value(session, "gdt[0x28].type") == 0xB


# Effect


def test_a_gate_that_is_opened_between_two_checks_of_int_n_lets_the_interrupt_through() -> None:
    session = kernel("breakpoint")
    session.seek("int 0x80+1")
    activity = session.machine.activity
    assert isinstance(activity, Delivery) and activity.event.vector == 0x80
    assert value(session, "idt[0x80].dpl") == 0
    edit(session, "idt[0x80].dpl", 3)
    while session.machine.activity is activity:
        session.micro_step()
    assert deliveries(session)[-1] == (0x80, "delivered")
    assert session.view.name(session.view.code.linear(session.view.registers.rip)) == "system_call_handler"


def test_what_is_to_come_is_foreseen_from_the_edited_bytes_alone_where_they_are_still_to_be_read() -> None:
    session = kernel("breakpoint")
    session.seek("int 0x80+3")  # the gate has been read
    foreseen = session.view.procedure
    edit(session, "idt[0x80].offset", 0x123456)
    now = session.view.procedure
    assert foreseen is not None and now is not None
    assert now.steps == foreseen.steps
    session.step()
    done = next(event for event in session.events if isinstance(event, Delivered) and event.event.vector == 0x80)
    assert [step.text for step in done.steps] == [step.text for step in foreseen.steps]


def test_a_page_that_is_taken_away_is_missed_by_the_very_next_fetch() -> None:
    session = kernel("page_fault")
    session.seek("user_start")
    session.step()
    edit(session, "pte[rip].p", 0)
    session.micro_step()
    activity = session.machine.activity
    assert isinstance(activity, Delivery)
    assert activity.event.vector == 14
    assert activity.event.error_code == 0b10100


def test_a_reserved_bit_of_a_page_table_entry_makes_the_next_access_a_page_fault_with_rsvd() -> None:
    session = kernel("page_fault")
    session.seek("user_start")
    edit(session, "pte[rip].page", 1 << 30)
    session.micro_step()
    activity = session.machine.activity
    assert isinstance(activity, Delivery) and activity.event.error_code is not None
    assert activity.event.error_code & 0b1001 == 0b1001


def test_an_instruction_that_is_written_over_runs_as_it_stands_now() -> None:
    session = code(bytes.fromhex("48ffc0 48ffc0 48ffc0 f4"))  # inc rax
    session.step()
    here = value(session, "rax")
    edit(session, "[rip]", bytes.fromhex("48ffc8"))  # dec rax
    session.step()
    assert value(session, "rax") == here - 1
    session.step()
    assert value(session, "rax") == here


def test_the_base_of_a_64_bit_code_segment_moves_nothing() -> None:
    session = kernel("keyboard", ())
    session.seek("kernel_ready")
    edit(session, "gdt[0x8].base", 0x40)
    session.step()
    assert deliveries(session)[-1] == (0x20, "delivered")
    assert session.view.registers.rip == session.symbols.address_of("timer_handler")
    session.finish()
    assert session.view.name(session.view.registers.rip) in ("kernel_ready", "kernel_ready+0x1")


def test_an_edit_of_rip_is_where_the_next_instruction_is_taken_from() -> None:
    session = code(bytes.fromhex("48ffc0 48ffc8 f4"))
    before = value(session, "rax")
    edit(session, "rip", value(session, "rip") + 3)
    session.step()
    assert value(session, "rax") == (before - 1) % (1 << 64)


def test_a_mask_that_is_taken_away_lets_the_waiting_interrupt_through() -> None:
    session = kernel("keyboard", ())
    session.seek("kernel_ready:2")
    seen = len(deliveries(session))
    edit(session, "pic.master.imr", 0xFF)
    edit(session, "keyboard.output", 0x1E)
    edit(session, "keyboard.output_full", 1)
    session.step()
    assert len(deliveries(session)) == seen
    edit(session, "pic.master.imr", 0xFD)
    session.step()
    assert [vector for vector, _ in deliveries(session)[seen:]] == [0x21]


def test_a_mask_that_comes_when_intr_is_up_already_leaves_a_spurious_interrupt() -> None:
    session = kernel("keyboard", ())
    session.seek("kernel_ready")
    edit(session, "pic.master.imr", 0xFF)
    session.step()
    session.step()
    assert deliveries(session)[0] == (0x27, "#GP")


def test_interrupts_switched_off_while_the_processor_waits_in_hlt_leave_it_there_for_ever() -> None:
    session = code(b"\xf4\x90", world=LongModeWorld(code=b"\xf4\x90", rflags=0x2 | IF))
    session.step()
    assert session.machine.halted
    edit(session, "rflags.if", 0)
    assert session.phase is Phase.ENDED


def test_a_pit_that_is_given_another_count_interrupts_at_another_time() -> None:
    session = scenario("lapic_timer")
    edit(session, "pit[0].reload", 0x1234)
    edit(session, "pit[0].mode", 2)
    assert (value(session, "pit[0].reload"), value(session, "pit[0].mode")) == (0x1234, 2)
    assert session.machine.board.pit.state.deadline is not None


def test_the_apics_have_their_registers_by_field() -> None:
    session = scenario("ioapic_keyboard", "kernel_ready")
    for path, new in (
        *(("lapic.tpr", 0x20), ("cr8", 5), ("lapic.svr", 0x1FE), ("lapic.timer_initial", 1000)),
        *(("lapic.isr[0x31]", 1), ("lapic.lvt_timer.vector", 0x40), ("ioapic[1].mask", 1), ("ioapic[1].vector", 0x55)),
    ):
        edit(session, path, new)
        assert value(session, path) == new
    assert "reserved" in refused(session, "lapic.timer_divide", 4)


# Replay


REPLAYED = (
    *(("rax", 5), ("rflags.df", 1), ("rip", 0x100000), ("cr2", 0xDEAD), ("cr0.ts", 1), ("cr4.pge", 1), ("dr0", 7)),
    *(("gs.base", 0x1000), ("idtr.limit", 0x20), ("lstar", 0x1234), ("ds", 0x1B), ("idt[14].dpl", 3)),
    *(("gdt[0x8].avl", 1), ("tss.rsp0", 0x9000), ("pte[rip].ignored_11_9", 1), ("pde[rip].a", 0), ("[rsp-8]:8", 9)),
    *(("[0x5000]", b"abcdefgh"), ("pic.master.imr", 0), ("pit[0].reload", 100), ("cmos[0x20]", 3)),
)


@pytest.mark.parametrize(("path", "new"), REPLAYED)
@pytest.mark.parametrize("place", ["kernel_ready", "#PF", "#PF+4"])
def test_an_edit_is_the_same_however_its_moment_is_reached_again(path: str, new: int | bytes, place: str) -> None:
    session = kernel("page_fault")
    session.seek(place)
    try:
        given = editing.edit_input(session, path, new)
    except EditError:
        assert place == "#PF+4" or (path, place) in {
            ("ds", "kernel_ready"),
            ("[rsp-8]:8", "#PF"),
            ("pte[rip].ignored_11_9", "kernel_ready"),
        }
        return
    session.give(given)
    here, digest = session.moment, session.digest()
    for _ in range(30):
        session.micro_step()
    there, end = session.moment, session.digest()
    session.seek(Moment(0))
    session.seek(here)
    assert (session.moment, session.digest()) == (here, digest)
    session.seek(there)
    assert (session.moment, session.digest()) == (there, end)
    session.seek(Moment(0))
    session.run(there)
    if there.step == 0:
        assert (session.moment, session.digest()) == (there, end)


def test_a20_that_is_closed_without_paging_is_open_in_the_past_again() -> None:
    session = scenario("irq_on_vector_8", "2+6")
    edit(session, "a20", 0)
    here, digest = session.moment, session.digest()
    for _ in range(20):
        session.micro_step()
    session.seek(Moment(0))
    session.seek(here)
    assert (session.moment, session.digest()) == (here, digest)


@pytest.mark.parametrize(
    ("given", "kind"), [("rax", SetRegister), ("[rip]", Poke), ("pte[rip].a", PokePhysical), ("a20", SetChip)]
)
def test_an_edit_is_made_of_plain_values_and_says_what_it_did(given: str, kind: type) -> None:
    session = kernel("page_fault")
    session.seek("#PF")
    found = editing.edit_input(session, given, 1)
    assert type(found) is kind
    fields: dict[str, Any] = {name: getattr(found, name) for name in found.__dataclass_fields__}
    assert all(type(item) in (int, str, bytes) for item in fields.values())
    assert kind(**fields) == found
    path = editing.slot(session, given).path
    assert str(found).startswith(f"edit {path} ")
    assert str(found).endswith(" → 1")


def test_an_edit_that_no_longer_fits_where_it_is_replayed_does_nothing() -> None:
    session = kernel("page_fault")
    before = session.digest()
    for late in (
        *(
            SetRegister("cr0", 0),
            SetRegister("nobody", 1),
            SetChip("nobody", "x", 1),
            SetChip("pic.master", "imr", 256),
        ),
        *(Poke(1 << 47, b"x"), PokePhysical(1 << 39, b"x")),
    ):
        late.apply(session.machine)
    assert session.digest() == before


# Values


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        ("rax", "10", 10),
        ("rax", "0x2a", 42),
        ("rax", "0b101", 5),
        ("rax", "1_000", 1000),
        ("rax", "-1", (1 << 64) - 1),
        ("al", "'A'", 65),
        ("rip", "kernel_ready", None),
        ("rax", "rsp+8", None),
        ("rflags.if", "off", 0),
        ("rflags.if", "on", 1),
        ("[rip]", "2a ff 00", b"\x2a\xff\x00"),
        ("[rip]", "90", 90),
        ("idt[14].type", "interrupt", 14),
        ("idt[14].type", "trap", 15),
        ("pic.master.imr", "0xfd", 0xFD),
    ],
)
def test_a_value_is_read_as_a_person_writes_it(path: str, text: str, expected: int | bytes | None) -> None:
    session = kernel("page_fault")
    session.seek("#PF")
    if expected is None:
        expected = session.symbols.address_of(text) or value(session, "rsp") + 8
    assert parse_value(session, text, editing.slot(session, path)) == expected


@pytest.mark.parametrize(
    ("path", "text", "words"),
    [
        ("rflags.if", "maybe", "expected 0 or 1, off or on"),
        ("idt[14].type", "nonsense", "expected 0 to 0xf, or a name such as"),
        ("[rip]", "2a zz", "or bytes such as 90 90"),
        ("rax", "nobody", "or a symbol"),
        ("rax", " ", "needs a value"),
        ("al", "0x", "expected 0 to 0xff"),
    ],
)
def test_a_value_that_is_none_is_answered_with_what_is_expected(path: str, text: str, words: str) -> None:
    session = kernel("page_fault")
    session.seek("#PF")
    with pytest.raises(EditError, match=words):
        parse_value(session, text, editing.slot(session, path))


# Anything, anywhere


PLACES = ("rip", "rsp", "rsp+8", "idtr.base", "gdtr.base")
GROUPS: tuple[Callable[[Session, st.DataObject], str], ...] = (
    *(
        lambda _session, _data, group=group: group
        for group in ("registers", "rflags", "cr0", "cr4", "efer", "cs", "ss")
    ),
    *(lambda _session, _data, group=group: group for group in editing.GROUPS if group not in ("walk", "idt", "gdt")),
    *(
        lambda session, data, table=table: data.draw(st.sampled_from(editing.slots(session, table) or [None])).path
        for table in ("idt", "gdt")
    ),
    lambda _session, data: f"walk[{data.draw(st.sampled_from(PLACES))}]",
    lambda _session, data: (
        f"[{data.draw(st.sampled_from(PLACES))}]{data.draw(st.sampled_from(('', ':2', ':4', ':8')))}"
    ),
)


def drawn(session: Session, data: st.DataObject) -> Slot | None:
    """Some slot of the session's moment, if the kind of things that was drawn is there."""
    try:
        found = editing.slots(session, data.draw(st.sampled_from(GROUPS))(session, data))
    except (EditError, AttributeError):
        return None
    return data.draw(st.sampled_from(found)) if found else None


@settings(max_examples=70, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(data=st.data(), name=st.sampled_from(NAMES), ticks=st.integers(0, 4000), steps=st.integers(0, 30))
def test_anything_can_be_edited_anywhere_or_is_refused_and_the_machine_goes_on(
    data: st.DataObject, name: str, ticks: int, steps: int
) -> None:
    session = scenario(name)
    session.run(limit=ticks)
    for _ in range(steps):
        session.micro_step()
    slot = drawn(session, data)
    if slot is None:
        return
    new = data.draw(st.sampled_from((0, 1, -1, slot.value ^ 1, 1 << slot.width, (1 << slot.width) - 1)) | st.integers())
    try:
        given = slot.input(new)
    except EditError as error:
        assert str(error)
        return
    session.give(given)
    here, digest = session.moment, session.digest()
    again = editing.slot(session, slot.path)
    assert (again.value ^ new) & ~slot.fixed & (1 << again.width) - 1 == 0
    for _ in range(50):
        session.micro_step()
    assert session.view.moment == session.moment
    there, end = session.moment, session.digest()
    session.seek(here)
    assert (session.moment, session.digest()) == (here, digest)
    session.seek(there)
    assert session.digest() == end
