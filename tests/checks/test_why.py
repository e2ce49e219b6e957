"""Explanations: the chain to the end of a run, and why an interrupt does not arrive."""

from functools import cache

import pytest

from idtviz.checks.why import Ending, arrival, explain, looping
from idtviz.checks.why.by_pic import COMES_BY_ITSELF
from idtviz.checks.why.values import Arrival, Condition
from idtviz.debugger.inputs import Irq, SetChip
from idtviz.debugger.moment import Moment
from idtviz.debugger.session import Session, Setup
from idtviz.lab.library import bugs, shipped
from idtviz.lab.reaching import reach_end
from idtviz.lab.session import LabSession
from tests.checks.running_guests import guest
from tests.debugger import test_endless
from tests.machine.bare import start_timer

SHIPPED = [item.name for item in shipped()]
BUGS = {item.path.stem: item.path for item in bugs()}
LOOP = "1: nop; jmp 1b"


@cache
def session_and_chain(name):
    session = LabSession.open(BUGS.get(name, name), narrated=False)
    reached = reach_end(session, limit=3_000_000)
    return session, explain(session, session.findings, hang=reached.hang, loop=reached.loop)


def chain(name):
    return session_and_chain(name)[1]


def titles(name):
    return [link.title for link in chain(name).links]


def names(link):
    return [entry.name for entry in link.entries]


# The chain


@pytest.mark.parametrize("name", [*SHIPPED, *BUGS])
def test_every_run_has_a_verdict_and_an_end(name):
    found = chain(name)
    assert found.verdict.endswith(".")
    assert found.links[-1].title
    assert all(link.prose or link.findings for link in found.links)
    moments = [link.moment for link in found.links if link.moment is not None]
    assert moments == sorted(moments)


@pytest.mark.parametrize("name", [name for name in BUGS if name.endswith("_fixed")])
def test_a_kernel_without_a_bug_has_nothing_found_on_its_way(name):
    assert not any(link.findings for link in chain(name).links)


def test_a_shutdown_is_explained_from_the_first_fault_on():
    found = chain("double_fault_no_ist")
    assert found.ending is Ending.SHUTDOWN
    assert found.verdict == "The processor shut down after 88 instructions: it could deliver neither #PF nor #DF."
    fault, double, end = found.links
    assert (fault.title, double.title, end.title) == (
        "#PF at one_level_deeper",
        "#DF instead of #PF",
        "shutdown (triple fault)",
    )
    assert fault.place.file.endswith("double_fault.S")
    assert "writes to 0x108ff8 in ring 0: no page is mapped there. That is the stack" in fault.prose[0]
    assert (fault.failure.rule, fault.failure.fault) == ("push.ss", "#PF(0x2)")
    assert names(fault)[:2] == ["IDT[14]", "GDT[1] (selector 0x8)"]


def test_the_bytes_of_a_gate_are_decoded():
    fault = chain("double_fault_no_ist").links[0]
    gate = fault.entries[0]
    assert gate.address == 0x1070E0
    assert gate.raw.hex() == "b6000800008e10000000000000000000"
    assert {part.name: part.value for part in gate.parts}["IST"] == 0


def test_the_page_table_entry_that_refused_is_shown():
    walked = chain("double_fault_no_ist").links[0].entries[-1]
    assert walked.physical
    assert walked.name == "PT entry of 0x108ff8"
    assert {part.name: part.value for part in walked.parts}["P"] == 0


def test_a_return_that_fails_shows_what_it_took_and_what_it_read():
    fault = next(link for link in chain("stale_ss").links if link.title.startswith("#GP"))
    assert fault.returning.rule == "return.ss.data"
    assert "SS 0x10" in fault.prose[0]
    assert names(fault)[-1] == "GDT[2] (selector 0x10)"


def test_a_finding_stands_with_what_it_led_to():
    fault = next(link for link in chain("error_code_not_popped").links if link.title.startswith("#GP"))
    assert [finding.rule for finding in fault.findings] == ["STK001"]


def test_an_interrupt_on_an_exceptions_vector_is_said_to_be_one():
    found = chain("irq_on_vector_8")
    assert found.ending is Ending.STOPPED
    assert "the 8259s sent IRQ0 on vector 8, which is that of #DF." in found.links[0].prose


def test_an_endless_fault_ends_the_run():
    found = chain("endless_fault")
    assert found.ending is Ending.ENDLESS_FAULT
    assert "#PF comes again and again" in found.verdict


def test_deliveries_without_end_are_told_from_their_first():
    session = Session(Setup("endless", test_endless.machine))
    session.run()
    found = explain(session, ())
    assert found.ending is Ending.ENDLESS_DELIVERY
    assert found.verdict.endswith("out of #UD comes one exception after the other, and no instruction.")
    first, second, *_ = found.links
    assert (first.title, second.title) == ("#UD at 0x8018", "#PF at 0x40000000")


def test_a_lock_ends_the_run():
    found = chain("handler_takes_lock")
    assert found.ending is Ending.SPIN
    assert "It waits for lock to change." in found.links[-1].prose[0]


def test_an_idle_kernel_is_no_hang():
    assert chain("protected_keyboard").ending is Ending.RUNNING


def test_hlt_that_waits_for_a_masked_interrupt_is_a_hang():
    session = guest("1: hlt; jmp 1b", {}, (1, Irq(0)), unmasked=4)
    found = explain(session, ())
    assert found.ending is Ending.HANG


def test_a_loop_that_waits_for_nothing_is_the_end():
    session = guest("cli; 1: jmp 1b", {}, unmasked=1)
    assert explain(session, (), loop=looping(session)).ending is Ending.DONE


def test_a_loop_that_waits_for_an_interrupt_is_a_hang():
    session = guest("lea rax, [rip + 0x1000]; mov byte ptr [rax], 1; 1: cmp byte ptr [rax], 0; jne 1b", {}, unmasked=1)
    found = explain(session, (), loop=looping(session))
    assert found.ending is Ending.SPIN
    assert "an interrupt's handler would have to end it" in found.links[-1].prose[0]


def test_a_loop_that_waits_for_the_timer_is_none():
    code = "lea rax, [rip + 0x1000]; mov byte ptr [rax], 1; 1: cmp byte ptr [rax], 0; jne 1b"
    tick = {0x20: "push rax; mov al, 0x20; out 0x20, al; pop rax; iretq"}
    session = guest(code, tick, unmasked=1, prepare=lambda watched: start_timer(watched, 0xFFFF))
    assert explain(session, (), loop=looping(session)).ending is Ending.RUNNING


def test_a_limit_in_the_midst_of_a_run_is_no_hang():
    session = LabSession.open("multiboot_stale_gdt", narrated=False)
    reached = reach_end(session, limit=100)
    assert session.moment == Moment(100)
    assert explain(session, session.findings, loop=reached.loop).ending is Ending.RUNNING


def test_the_session_stands_where_it_stood():
    session, _ = session_and_chain("stale_ss")
    here, digest = session.moment, session.digest()
    explain(session, session.findings)
    assert (session.moment, session.digest()) == (here, digest)


def test_recursion_is_told_shortly():
    session = guest("ud2", {6: "nop; ud2"})
    found = explain(session, ())
    assert len(found.links) <= 12
    assert any("more of that kind" in link.title for link in found.links)


# Arrival


def blocked(session, **asked):
    found = arrival(session, **asked).blocked
    return None if found is None else found.name


def waiting(code, *inputs, until=60, **options):
    """A guest that has got as far as `until`."""
    session = guest(code, {0x20: "iretq"}, *inputs, **options)
    session.seek(Moment(until))
    return session


def test_a_line_that_nobody_raises():
    session = waiting(LOOP, unmasked=2)
    assert blocked(session, irq=5) == "the device requests"


def test_a_masked_line():
    session = waiting(LOOP, (9, Irq(0)), unmasked=2)
    assert blocked(session, irq=0) == "not masked in the master"


def test_a_line_without_an_eoi():
    session = waiting(LOOP, (9, Irq(0)), unmasked=1)
    assert blocked(session, irq=0) == "not in service in the master"


def test_a_line_behind_another_that_has_no_eoi():
    session = waiting(LOOP, (9, Irq(0)), (30, Irq(1)), unmasked=3)
    assert blocked(session, irq=1) == "nothing of higher priority in service in the master"


def test_a_masked_cascade():
    session = waiting(f"mov al, 0xfe; out 0xa1, al; {LOOP}", (9, Irq(8)), unmasked=1)
    found = arrival(session, irq=8)
    assert found.blocked.name == "not masked in the master"
    assert found.blocked.change == "clear bit 2 of the mask at port 0x21"


def test_interrupts_off():
    session = waiting(LOOP, (9, Irq(0)), unmasked=1, interrupts=False)
    found = arrival(session, irq=0)
    assert found.blocked.name == "RFLAGS.IF"
    assert found.blocked.change == "execute STI once the IDT and the controllers are set up"


def test_a_gate_that_is_not_there():
    session = waiting(f"lea rax, [rip]; lidt [rip + 0x800]; {LOOP}", (9, Irq(0)), unmasked=1, interrupts=False)
    gate = next(each for each in arrival(session, irq=0).conditions if each.name == "the gate IDT[32]")
    assert not gate.holds
    assert gate.change.startswith("give IDTR a limit that covers IDT[32]")


def test_a_vector_that_nobody_sends():
    assert blocked(waiting(LOOP, unmasked=1), vector=0x77) == "a source"


def test_a_vector_is_a_line_where_the_8259s_send_it():
    assert arrival(waiting(LOOP, unmasked=1), vector=0x21).subject == "IRQ1"


def test_an_exception_asks_no_controller():
    assert [each.name for each in arrival(waiting(LOOP, unmasked=1), vector=14).conditions] == ["the gate IDT[14]"]


def test_the_task_priority_holds_a_vector_back():
    session = LabSession.open("lapic_timer", narrated=False)
    session.seek("timer_handler")
    session.give(SetChip("lapic", "tpr", 0x50))
    found = arrival(session, vector=0x40)
    condition = next(each for each in found.conditions if each.name == "above the task priority")
    assert not condition.holds
    assert condition.change == "lower CR8 below 4, or use a higher vector"


def test_a_line_of_the_io_apic():
    session = LabSession.open("ioapic_keyboard", narrated=False)
    reach_end(session)
    found = arrival(session, irq=1)
    assert found.way == "the I/O APIC and the local APIC"
    assert found.blocked.name == "the device requests"


@pytest.mark.parametrize(
    "asked", [{"irq": 2}, {"irq": 16}, {"vector": 256}, {"vector": -1}, {}, {"irq": 1, "vector": 1}]
)
def test_what_is_no_line_and_no_vector_is_refused(asked):
    with pytest.raises(ValueError, match=r"expected|one line"):
        arrival(waiting(LOOP), **asked)


def test_what_comes_by_itself_is_not_blamed_where_something_has_to_be_changed():
    waits = Condition("the device requests", holds=False, found="the edge is still to come", change=COMES_BY_ITSELF)
    follows = Condition("the slave's INT is high", holds=False, found="the slave asks for nothing")
    masked = Condition("RFLAGS.IF", holds=False, found="IF is 0", change="execute STI")
    assert Arrival("IRQ8", Moment(9), "the 8259s", (waits, follows, masked)).blocked is masked
    assert Arrival("IRQ8", Moment(9), "the 8259s", (waits, follows)).blocked is waits
