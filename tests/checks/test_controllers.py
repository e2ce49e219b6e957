"""Rules over the interrupt controllers and the keyboard: what they see, and what they do not."""

import pytest

from idtviz.checks.examination import Examination
from idtviz.checks.finding import Severity
from idtviz.debugger.inputs import Irq, Keys, Poke
from idtviz.lab.session import LabSession
from tests.checks.guests import assembled
from tests.checks.running_guests import findings, found, guest

LOOP = "1: nop; jmp 1b"
EOI = "mov al, 0x20; out 0x20, al"
SLAVE_EOI = "mov al, 0x20; out 0xa0, al"
SLAVE_OPEN = "mov al, 0xfe; out 0xa1, al;"
TIMER, KEYBOARD, CASCADE = 1, 2, 4


def handler(body):
    return f"push rax; {body}; pop rax; iretq"


def test_a_handler_that_sends_no_eoi_leaves_its_isr_bit_set():
    (finding,) = findings(guest(LOOP, {0x20: handler("nop")}, (9, Irq(0)), unmasked=TIMER))
    assert finding.rule == "PIC001"
    assert "bit 0 of the master 8259's ISR (0x01)" in finding.message
    (note,) = finding.notes
    assert note.text == "the handler begins here"
    assert finding.address == note.address + len(assembled("push rax; nop; pop rax"))


def test_a_handler_that_sends_eoi_is_left_in_peace():
    assert found(LOOP, {0x20: handler(EOI)}, (9, Irq(0)), (50, Irq(0)), unmasked=TIMER) == []


def test_with_automatic_eoi_none_has_to_be_sent():
    icws = ((0x20, 0x11), (0x21, 0x20), (0x21, 4), (0x21, 3), (0x21, 0xFE))
    code = "; ".join(f"mov al, {value:#x}; out {port:#x}, al" for port, value in icws)
    assert found(f"cli; {code}; sti; {LOOP}", {0x20: "iretq"}, (40, Irq(0)), unmasked=TIMER) == []


def test_a_second_eoi_ends_nothing():
    (finding,) = findings(guest(LOOP, {0x20: handler(f"{EOI}; {EOI}")}, (9, Irq(0)), unmasked=TIMER))
    assert finding.rule == "PIC003"
    assert "once more" in finding.message


def test_a_software_interrupt_has_nothing_to_end():
    (finding,) = findings(guest(f"int 0x80; {LOOP}", {0x80: handler(EOI)}, unmasked=TIMER))
    assert finding.rule == "PIC003"
    assert "INT 0x80 did not come through an interrupt controller" in finding.message


def test_eoi_at_boot_is_no_bug():
    assert found(f"{EOI}; {LOOP}", {}, unmasked=TIMER) == []


@pytest.mark.parametrize(("body", "left"), [(EOI, "master only"), (SLAVE_EOI, "slave only")])
def test_irq8_wants_two_eois(body, left):
    (finding,) = findings(
        guest(f"{SLAVE_OPEN} {LOOP}", {0x28: handler(body)}, (20, Irq(8)), unmasked=CASCADE),
    )
    assert finding.rule == "PIC002"
    assert left in finding.message
    (note,) = finding.notes
    assert note.text == "the handler returns here"
    assert finding.address == note.address - len(assembled("out 0x20, al; pop rax"))


@pytest.mark.parametrize("body", [f"{SLAVE_EOI}; {EOI}", f"{EOI}; {SLAVE_EOI}"])
def test_the_order_of_the_two_eois_does_not_matter(body):
    assert found(f"{SLAVE_OPEN} {LOOP}", {0x28: handler(body)}, (20, Irq(8)), (60, Irq(8)), unmasked=CASCADE) == []


def test_no_eoi_for_irq8_at_all_is_one_finding():
    assert found(f"{SLAVE_OPEN} {LOOP}", {0x28: handler("nop")}, (20, Irq(8)), unmasked=CASCADE) == ["PIC001"]


def test_an_interrupt_on_an_exceptions_vector_is_named_after_it():
    open_timer = "mov al, 0xfe; out 0x21, al"
    (finding,) = findings(guest(f"{open_timer}; {LOOP}", {8: handler(EOI)}, (9, Irq(0)), interrupts=True))
    assert finding.rule == "PIC004"
    assert "IRQ0 came on vector 8, which is #DF's: ICW2 of the 8259s is 0x08" in finding.message


def test_an_open_line_on_an_exceptions_vector_is_seen_before_it_comes():
    code = f"mov al, 0xfe; out 0x21, al; int3; int3; {LOOP}"
    (finding,) = findings(guest(code, {3: "iretq"}, interrupts=True))
    assert finding.rule == "PIC004"
    assert "IRQ0 is not masked, but it would come on vector 8" in finding.message


def test_masked_lines_may_keep_the_vectors_of_the_bios():
    assert found(f"mov al, 0xff; out 0x21, al; int3; int3; {LOOP}", {3: "iretq"}, interrupts=True) == []


def test_a_request_of_the_slave_stops_at_a_masked_cascade():
    (finding,) = findings(guest(f"{SLAVE_OPEN} 1: hlt; jmp 1b", {}, (2, Irq(8)), unmasked=TIMER))
    assert (finding.rule, finding.severity) == ("PIC005", Severity.ERROR)
    assert "bit 2 of the master's IMR (0xfe)" in finding.message


def test_it_is_a_warning_where_no_line_of_the_slave_was_masked():
    code = "mov al, 0; out 0xa1, al; 1: hlt; jmp 1b"
    (finding,) = findings(guest(code, {}, (2, Irq(8)), unmasked=TIMER))
    assert (finding.rule, finding.severity) == ("PIC005", Severity.WARNING)


def test_a_keyboard_handler_has_to_read_the_scan_code():
    idle = "1: hlt; jmp 1b"
    assert found(idle, {0x21: handler(EOI)}, (1, Keys("a")), unmasked=KEYBOARD) == ["DEV001"]
    assert found(idle, {0x21: handler(f"in al, 0x60; {EOI}")}, (1, Keys("ab")), unmasked=KEYBOARD) == []


def test_a_keyboard_handler_may_mask_its_line_and_leave_the_byte_to_others():
    later = handler(f"mov al, 0xff; out 0x21, al; {EOI}")
    assert found("1: hlt; jmp 1b", {0x21: later}, (1, Keys("a")), unmasked=KEYBOARD) == []


def test_the_local_apic_wants_an_eoi_of_its_own():
    session = LabSession.open("lapic_timer", narrated=False)
    done = session.symbols.address_of("timer_done")
    assert done is not None
    size = 10  # mov dword ptr [rax + 0xb0], 0
    session.give(Poke(done, b"\x90" * size))
    session.run(limit=1_000_000)
    rules = [finding.rule for finding in session.findings]
    assert rules == ["PIC006"]
    assert "vector" not in session.findings[0].notes[-1].text


def test_the_texts_are_told_once_in_a_place():
    session = guest(LOOP, {0x20: handler(f"{EOI}; {EOI}")}, (9, Irq(0)), (60, Irq(0)), unmasked=TIMER)
    once = Examination(session.observations, session.symbols)
    once.go_on()
    assert len([finding for finding in once.findings if finding.rule == "PIC003"]) == 1
