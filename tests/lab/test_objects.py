"""A bare handler is run as a kernel is: in a machine with tables in good order, by all that runs, saves and judges."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from idtviz.cli.main import app
from idtviz.debugger.inputs import Irq, Keys, Raised
from idtviz.debugger.moment import START, Moment
from idtviz.debugger.session import Phase
from idtviz.debugger.tables import handler_address
from idtviz.lab.overrides import Overrides
from idtviz.lab.preparation import prepare
from idtviz.lab.problems import Problem, ScenarioError
from idtviz.lab.run import run
from idtviz.lab.saving import SavedSessionError
from idtviz.lab.session import LabSession
from idtviz.machine.events import Delivered, EndOfInterrupt, Returned
from idtviz.x86 import flags
from tests.lab.folders import SCENARIOS
from tests.lab.harness.built import assembled, needs_gcc

OBJECT = (SCENARIOS / "bare_handler.o").read_bytes()
GOOD = """\
title = "A handler"
[machine]
memory = "8 MiB"
[image]
object = "handler.o"
"""
LATE = """
        .globl irq1
irq1:   push {a}
        in al, 0x60
        mov al, 0x20
        out 0x20, al
        pop {a}
        iret{q}
        .globl opened
opened: sti
        nop
        nop
        cli
        iret{q}
        .globl tick
tick:   push {a}
        push {c}
        push {d}
        cld
        call elsewhere
        pop {d}
        pop {c}
        pop {a}
        iret{q}
        .globl breakpoint_handler
breakpoint_handler:
        iret{q}
        .globl gives_up
gives_up:
        cld
        call panic
        ud2
"""


def write(folder: Path, text: str, raw: bytes = OBJECT) -> Path:
    (folder / "handler.o").write_bytes(raw)
    path = folder / "handler.toml"
    path.write_text(text)
    return path


def opened(folder: Path, raw: bytes = OBJECT, **said) -> LabSession:
    path = folder / "handler.o"
    path.write_bytes(raw)
    return LabSession.open(path, Overrides(**said))


def late(bits: int) -> bytes:
    names = ("rax", "rcx", "rdx") if bits == 64 else ("eax", "ecx", "edx")
    text = LATE.format(**dict(zip("acd", names, strict=True)), q="q" if bits == 64 else "d")
    return assembled(text, f"-m{bits}").read_bytes()


def deliveries(session: LabSession) -> list[Delivered]:
    return [event for event in session.events if isinstance(event, Delivered)]


def problems(path: Path) -> list[Problem]:
    with pytest.raises(ScenarioError) as caught:
        prepare(path)
    return list(caught.value.problems)


@pytest.mark.parametrize(("ring", "code", "end"), [(0, 2, 4), (3, 6, 2)])
def test_the_handler_is_entered_from_the_ring_that_is_wanted_and_returns_there(tmp_path, ring, code, end):
    session = opened(tmp_path, ring=ring)
    assert run(session).reason == "halted"
    (entered,) = deliveries(session)
    assert (entered.event.vector, entered.event.error_code, entered.origin.cpl) == (14, code, ring)
    (back,) = [event for event in session.events if isinstance(event, Returned)]
    assert (back.to.cpl, back.to.rip) == (ring, entered.origin.rip)
    assert session.findings == []


def test_ring_0_is_interrupted_where_nothing_is_said(tmp_path):
    session = opened(tmp_path)
    run(session)
    assert deliveries(session)[0].origin.cpl == 0


def test_all_that_is_put_around_the_handler_has_a_name():
    session = LabSession.open("bare_handler")
    view, name = session.view, session.symbols.name
    assert name(view.registers.rip) == "interrupted_program"
    assert (name(view.registers.idtr.base), name(view.registers.gdtr.base)) == ("idt", "gdt")
    assert name(view.registers.tr.base) == "tss"
    assert name(view.registers.general[4]) == "interrupted_stack"
    gates = [name(handler_address(view.idt.gates[vector], view.gdt, None) or 0) for vector in (13, 14, 32)]
    assert gates == ["no_handler", "page_fault_handler", "nested_handler"]
    report = session.symbols.address_of("report")
    assert report is not None


def test_a_name_of_the_object_goes_before_one_of_what_is_around_it(tmp_path):
    raw = OBJECT.replace(b"call_report", b"idt\0_report")
    session = opened(tmp_path, raw)
    address = session.symbols.address_of("idt")
    assert address is not None
    assert session.symbols.name(address) == "idt"
    assert address >= 0x20_0000


@pytest.mark.parametrize("ring", [0, 3])
def test_a_run_and_single_steps_are_the_same(tmp_path, ring):
    ran, stepped = opened(tmp_path, ring=ring), opened(tmp_path, ring=ring)
    one, other = run(ran), run(stepped, on_instruction=lambda begun: None)
    assert ran.events == stepped.events
    assert (one, ran.moment, ran.digest()) == (other, stepped.moment, stepped.digest())


def test_one_goes_back_through_all_of_it_and_finds_every_moment_as_it_was():
    session = LabSession.open("bare_handler")
    seen = {session.moment: session.digest()}
    while session.phase is not Phase.ENDED and not session.machine.stuck:
        session.micro_step()
        seen[session.moment] = session.digest()
    back = []
    while session.moment > START:
        session.micro_back()
        back.append(session.moment)
        assert session.digest() == seen[session.moment]
    assert back == sorted(seen, reverse=True)[1:]


def test_a_session_on_an_object_is_saved_with_what_was_said_and_comes_back(tmp_path):
    session = opened(tmp_path, symbol="page_fault_handler", vector=14, ring=3)
    session.seek(Moment(20))
    session.give(Irq(0))
    session.step()
    path = session.save(tmp_path / "one")
    found = LabSession.open(path)
    assert (found.moment, found.digest(), found.origin.overrides) == (
        session.moment,
        session.digest(),
        session.origin.overrides,
    )
    (saved,) = json.loads(path.read_text())["opened"]["files"]
    assert (saved["role"], saved["name"], saved["size"]) == ("image", "handler.o", len(OBJECT))
    found.run()
    session.run()
    assert found.digest() == session.digest()
    (tmp_path / "handler.o").write_bytes(OBJECT + b"\0")
    with pytest.raises(SavedSessionError, match=r"handler\.o has changed since: its SHA-256"):
        LabSession.open(path)


def test_a_scenarios_session_is_saved_with_the_hash_of_its_object(tmp_path):
    path = write(tmp_path, GOOD + '[[input]]\nat = "page_fault_handler"\nirq = 0\n')
    session = LabSession.open(path)
    session.seek(Moment(9))
    saved = session.save(tmp_path / "one")
    assert [file["role"] for file in json.loads(saved.read_text())["opened"]["files"]] == ["scenario", "image.object"]
    assert LabSession.open(saved).digest() == session.digest()
    (tmp_path / "handler.o").write_bytes(OBJECT + b"\0")
    with pytest.raises(SavedSessionError, match=r"handler\.o has changed since"):
        LabSession.open(saved)


@pytest.mark.parametrize("ring", [0, 3])
def test_an_irq_that_the_scenario_has_at_the_handler_comes_when_interrupts_are_open_again(tmp_path, ring):
    text = GOOD.replace('"handler.o"', f'{{ file = "handler.o", ring = {ring} }}')
    path = write(tmp_path, text + '[[input]]\nat = "page_fault_handler"\nirq = 0\n')
    session = LabSession.open(path)
    assert run(session).reason == "halted"
    first, second = deliveries(session)
    assert (first.event.vector, second.event.irq) == (14, 0)
    assert session.symbols.name(second.to.rip if second.to else 0) == "nested_handler"
    assert second.origin.rip == first.origin.rip
    assert any(isinstance(event, EndOfInterrupt) for event in session.events)
    assert session.findings == []


@needs_gcc
@pytest.mark.parametrize("bits", [64, 32])
def test_an_irq_nests_in_a_handler_that_opens_interrupts(tmp_path, bits):
    text = GOOD.replace('"handler.o"', '{ file = "handler.o", symbol = "opened", vector = 0x80, ring = 3 }')
    path = write(tmp_path, text + '[[input]]\nat = "opened"\nirq = 0\n', late(bits))
    ran, stepped = LabSession.open(path), LabSession.open(path)
    run(ran)
    run(stepped, on_instruction=lambda begun: None)
    first, second = deliveries(ran)
    assert (first.event.vector, first.origin.cpl, second.origin.cpl) == (0x80, 3, 0)
    assert (ran.symbols.name(second.origin.rip) or "").startswith("opened+")
    assert (ran.events, ran.digest()) == (stepped.events, stepped.digest())


@needs_gcc
@pytest.mark.parametrize("ring", [0, 3])
@pytest.mark.parametrize("bits", [64, 32])
def test_a_keyboard_handler_gets_a_key_that_is_pressed_and_released(tmp_path, bits, ring):
    session = opened(tmp_path, late(bits), symbol="irq1", ring=ring)
    assert run(session).reason == "halted"
    assert [(event.event.irq, event.origin.cpl) for event in deliveries(session)] == [(1, ring), (1, ring)]
    assert session.scenario.machine.mode == ("long" if bits == 64 else "protected")
    assert session.findings == []


@needs_gcc
@pytest.mark.parametrize("bits", [64, 32])
def test_an_instruction_of_the_program_raises_what_instructions_raise(tmp_path, bits):
    session = opened(tmp_path, late(bits), symbol="breakpoint_handler", ring=3)
    run(session)
    (entered,) = deliveries(session)
    assert (entered.event.vector, entered.event.source.value) == (3, "software")
    assert not session.inputs


@needs_gcc
def test_what_a_function_that_is_not_there_may_have_done_is_blamed_on_nobody(tmp_path):
    session = opened(tmp_path, late(32), symbol="tick", vector=32)
    assert run(session).reason == "halted"
    assert session.findings == []
    assert any(
        session.symbols.name(instant.registers.linear_rip) == "elsewhere" for instant in session.observations.instants
    )


@needs_gcc
def test_what_it_changes_is_blamed_on_the_call(tmp_path):
    session = opened(tmp_path, late(64), symbol="tick", vector=32)
    run(session)
    (found,) = session.findings
    assert found.rule == "REG001"
    call = session.symbols.address_of("tick")
    assert call is not None
    assert found.address == call + 4


@needs_gcc
def test_a_function_behind_whose_call_there_is_nothing_does_not_return(tmp_path):
    session = opened(tmp_path, late(64), symbol="gives_up", vector=6)
    assert run(session).reason == "halted"
    assert session.symbols.name(session.machine.cpu.registers().linear_rip) == "panic+0x1"


@pytest.mark.parametrize(
    ("vector", "given"),
    [
        (14, Raised(14, 2, 0x7000_0000)),
        (8, Raised(8)),
        (13, Raised(13, 0x148)),
        (6, Raised(6)),
        (33, Keys("a")),
        (40, Irq(8)),
    ],
)
def test_what_raises_the_event_is_an_input_of_the_scenario(tmp_path, vector, given):
    session = opened(tmp_path, vector=vector)
    session.seek(Moment(3))
    assert [(str(each.moment), each.input, each.script) for each in session.inputs] == [("2", given, 0)]
    assert session.given == ()


def test_no_alignment_check_comes_from_ring_0(tmp_path):
    session = opened(tmp_path, vector=17)
    run(session)
    assert deliveries(session)[0].origin.cpl == 3


def test_the_flags_of_the_program_are_those_that_show_what_a_handler_forgets(tmp_path):
    session = opened(tmp_path)
    at = session.view.registers.rflags
    assert at & flags.DF
    assert at & flags.IF


CHANGES = [
    ('object = "handler.o"', "object = 3", 5, "expected the name of a file, or a table such as"),
    ('object = "handler.o"', "object = []", 5, "expected the name of a file, or a table such as"),
    ('object = "handler.o"', 'object = ""', 5, "image.object.file: expected a text that is not empty"),
    ('object = "handler.o"', "object = { vector = 14 }", 5, "image.object.file is missing"),
    ('"handler.o"', '{ file = "handler.o", colour = 1 }', 5, "unknown key image.object.colour"),
    ('"handler.o"', '{ file = "handler.o", ring = 1 }', 5, "image.object.ring: expected 0 or 3, not 1"),
    ('"handler.o"', '{ file = "handler.o", ring = true }', 5, "image.object.ring: expected 0 or 3, not true"),
    (
        '"handler.o"',
        '{ file = "handler.o", vector = 256 }',
        5,
        "image.object.vector: expected less than or equal to 255",
    ),
    ('"handler.o"', '{ file = "handler.o", vector = "#ZZ" }', 5, "'#ZZ' is no vector"),
    ('"handler.o"', '{ file = "handler.o", vector = 34 }', 5, "no interrupt comes with its vector"),
    ('"handler.o"', '{ file = "handler.o", vector = 17, ring = 0 }', 5, "never comes from ring 0; expected ring 3"),
    ('"handler.o"', '{ file = "handler.o", symbol = "x" }', 5, "what it has: page_fault_handler"),
    ('"handler.o"', '{ file = "handler.o", symbol = "go_back" }', 5, "tells no vector: give it with vector = N"),
    ('"handler.o"', '"missing.o"', 5, "image.object: 'missing.o' does not exist"),
    ('"handler.o"', '"../handler.o"', 5, "lies outside the scenario's folder"),
    ('"handler.o"', '"/etc/passwd"', 5, "lies outside the scenario's folder"),
    ('"handler.o"', '"."', 5, "is a folder; expected a file"),
    ('"handler.o"', '"handler.toml"', 5, "this is not an ELF object file"),
    ('object = "handler.o"', 'object = "handler.o"\nelf = "handler.o"', 4, "found elf and object"),
    ('object = "handler.o"', 'object = "handler.o"\ndisk = "handler.o"', 4, "disk does not go with object"),
    ('object = "handler.o"', 'object = "handler.o"\ncommand_line = ""', 4, "command_line does not go with object"),
    ('memory = "8 MiB"', 'memory = "2 MiB"', 5, "outside memory; expected at most 0x200000 (machine.memory)"),
    ('memory = "8 MiB"', 'mode = "protected"', 3, 'a bare handler of 64 bits is entered in long mode; expected "long"'),
    ('memory = "8 MiB"', 'mode = "real"', 3, 'a bare handler of 64 bits is entered in long mode; expected "long"'),
    (
        'memory = "8 MiB"',
        'controller = "apic"',
        3,
        'a bare handler runs on a machine with the 8259s alone; expected "pic"',
    ),
]


@pytest.mark.parametrize(("old", "new", "line", "says"), CHANGES)
def test_what_is_wrong_is_named_in_its_line(tmp_path, old, new, line, says):
    assert old in GOOD
    (problem,) = problems(write(tmp_path, GOOD.replace(old, new)))
    assert problem.line == line
    assert says in problem.message


def test_a_linked_program_is_no_bare_handler(tmp_path):
    (problem,) = problems(write(tmp_path, GOOD, (SCENARIOS / "page_fault.elf").read_bytes()))
    assert "this is a linked program, which is run as it is; expected an object file (ET_REL)" in problem.message


@needs_gcc
def test_the_mode_is_that_of_the_objects_class(tmp_path):
    text = GOOD.replace('"handler.o"', '{ file = "handler.o", symbol = "irq1" }')
    (problem,) = problems(write(tmp_path, text.replace("memory", 'mode = "long"\nmemory'), late(32)))
    assert 'a bare handler of 32 bits is entered in protected mode; expected "protected"' in problem.message
    assert prepare(tmp_path / write(tmp_path, text, late(32)).name).scenario.machine.mode == "protected"


@needs_gcc
def test_several_handlers_are_listed_with_the_way_to_name_one(tmp_path):
    (problem,) = problems(write(tmp_path, GOOD, late(64)))
    assert problem.message.endswith(
        'which of these handlers is meant? Give it with symbol = "S": irq1 (IRQ1), breakpoint_handler (#BP)'
    )
    with pytest.raises(ScenarioError, match=r"Give it with --symbol S: irq1 \(IRQ1\), breakpoint_handler \(#BP\)"):
        opened(tmp_path, late(64))


def test_where_no_name_tells_a_vector_one_says_it(tmp_path):
    raw = OBJECT.replace(b"page_fault_handler", b"some_other_handler")
    with pytest.raises(
        ScenarioError, match="give --vector N, and --symbol S to say which of them is meant: some_other"
    ):
        opened(tmp_path, raw)
    session = opened(tmp_path, raw, symbol="some_other_handler", vector=14)
    assert run(session).reason == "halted"


def test_every_problem_of_such_a_scenario_is_listed_at_once(tmp_path):
    text = GOOD.replace("[machine]", '[machine]\ncontroller = "apic"').replace("8 MiB", "2 MiB")
    text += 'source = ["gone.S"]\n[[input]]\nat = "nowhere"\nirq = 0\n[[lesson]]\nat = "call_report"\nsay = "."\n'
    assert [problem.line for problem in problems(write(tmp_path, text))] == [3, 6, 7, 9]


def test_options_say_otherwise_than_the_scenario():
    session = LabSession.open("bare_handler", Overrides(ring=0, memory=8 << 20))
    run(session)
    assert deliveries(session)[0].origin.cpl == 0
    assert session.machine.memory.size == 8 << 20


@pytest.mark.parametrize("file", ["bare_handler", "bare_handler.o"])
def test_the_commands_take_it_as_they_take_a_kernel(file, tmp_path):
    path = str(SCENARIOS / file) if file.endswith(".o") else file
    say = CliRunner().invoke
    traced = say(app, ["trace", path, "--ring", "3", "--format", "json"])
    lines = [json.loads(line) for line in traced.output.splitlines()]
    assert (traced.exit_code, lines[0]["boot"], lines[0]["mode"]) == (0, "object", "long")
    assert [line["error_code"] for line in lines if line["type"] == "delivery"] == [6]
    assert lines[-1]["reason"] == "halted"
    shot = tmp_path / "shot.svg"
    assert say(app, ["shot", path, "--at", "page_fault_handler", "-o", str(shot)]).exit_code == 0
    assert "interrupted_program" in shot.read_text()
    assert say(app, ["why", path]).exit_code == 0
    checked = say(app, ["check", path])
    assert (checked.exit_code, "nothing found" in checked.output) == (0, True)
    assert say(app, ["trace", path, "--ring", "2"]).exit_code == 2


QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@QUICK
@given(changes=st.lists(st.tuples(st.integers(0, len(OBJECT) - 1), st.integers(0, 255)), min_size=1, max_size=6))
def test_an_object_with_wrong_bytes_is_opened_or_refused_but_never_breaks(tmp_path, changes):
    raw = bytearray(OBJECT)
    for at, value in changes:
        raw[at] = value
    try:
        opened(tmp_path, bytes(raw), ring=3)
    except ScenarioError as error:
        assert error.problems


@QUICK
@given(length=st.integers(0, len(OBJECT) - 1))
def test_an_object_cut_short_is_opened_or_refused_but_never_breaks(tmp_path, length):
    try:
        opened(tmp_path, OBJECT[:length])
    except ScenarioError as error:
        assert error.problems
