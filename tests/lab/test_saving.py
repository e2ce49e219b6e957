"""A session goes into a file and comes back as it was."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from idtviz import __version__
from idtviz.debugger.breakpoint_text import parse_breakpoint, text_of
from idtviz.debugger.breakpoints import AddressBreakpoint, DeliveryBreakpoint, Listed, WriteBreakpoint
from idtviz.debugger.inputs import Irq, Keys, Nmi, Poke, PokePhysical, Serial, SetChip, SetRegister
from idtviz.debugger.moment import Moment
from idtviz.debugger.session import Phase, SessionError
from idtviz.debugger.stops import Reason
from idtviz.debugger.symbols import Symbols
from idtviz.lab.overrides import Overrides
from idtviz.lab.preparation import prepare
from idtviz.lab.problems import ScenarioError
from idtviz.lab.run import run
from idtviz.lab.saving import SavedSessionError
from idtviz.lab.saving.given import KINDS, entry_of, input_of
from idtviz.lab.session import LabSession
from idtviz.machine.watch import Bytes
from idtviz.x86.vectors import VECTORS
from tests.debugger.wandering import Wanderer
from tests.lab.folders import FIVE_LEVELS, GOOD, SCENARIOS, write
from tests.lab.sessions import BREAKPOINTS, at_the_frontiers, small, with_a_history

ROOT = SCENARIOS.parent


def same(one: LabSession, other: LabSession) -> None:
    """Both stand at the same moment of the same branch, and have the same to show of every other."""
    assert (one.branch.number, one.moment, one.digest()) == (other.branch.number, other.moment, other.digest())
    assert at_the_frontiers(one) == at_the_frontiers(other)
    assert one.breakpoints.listed == other.breakpoints.listed
    assert one.breakpoints.last == other.breakpoints.last
    assert one.remark == other.remark


def test_a_session_comes_back_with_its_branches_inputs_breakpoints_and_notes(tmp_path: Path) -> None:
    session = with_a_history()
    path = session.save(tmp_path / "one")
    assert path == tmp_path / "one.idtviz"
    found = LabSession.open(path)
    assert [branch.number for branch in found.branches] == [1, 2, 3]
    assert [str(given.moment) for given in found.branches[1].own] == ["77+3", "77+57"]
    assert found.moment == Moment(77, 5)
    assert found.branch.number == 2
    assert len(found.breakpoints) == len(BREAKPOINTS) - 2
    same(session, found)


def test_saving_a_session_leaves_it_as_it_is_and_a_second_time_gives_the_same_bytes(tmp_path: Path) -> None:
    session = with_a_history()
    before = session.branch, session.moment, session.digest(), session.phase, session.stop, session.breakpoints.listed
    raw = session.save(tmp_path / "one").read_bytes()
    now = session.branch, session.moment, session.digest(), session.phase, session.stop, session.breakpoints.listed
    assert before == now
    assert session.save().read_bytes() == raw
    assert LabSession.open(tmp_path / "one.idtviz").save().read_bytes() == raw
    assert [path.name for path in tmp_path.iterdir()] == ["one.idtviz"]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", ["page_fault", "keyboard", "double_fault_no_ist", "real_mode_ivt", "lapic_timer"])
def test_a_session_of_any_commands_comes_back_and_each_moment_of_it_is_the_same(
    name: str, seed: int, tmp_path: Path
) -> None:
    person, chance = Wanderer(small(name), seed), random.Random(seed)
    for number in range(60):
        person.go()
        if chance.random() < 0.05:
            person.session.note(f"note {number}")
    session = person.session
    assert isinstance(session, LabSession)
    path = session.save(tmp_path / "wandered")
    raw, found = path.read_bytes(), LabSession.open(path)
    same(session, found)
    assert found.save().read_bytes() == raw
    for branch in found.branches:
        remembered = person.stories[branch.number].moments
        known = sorted(moment for moment in remembered if moment <= branch.frontier)
        found.switch(branch.number)
        for moment in chance.sample(known, min(8, len(known))):
            found.seek(moment)
            assert found.digest() == remembered[moment][0], (branch.number, moment)


def test_what_a_branch_was_given_after_another_had_parted_is_not_given_to_that_one(tmp_path: Path) -> None:
    session = small("keyboard")
    session.seek("200")
    session.give(Keys("a"))
    session.give(Poke(0x9000, b"x"))
    session.seek("400")
    session.switch(1)
    session.seek("200")
    assert session.frontier == Moment(200)
    session.give(Keys("b"))
    session.seek("400")
    found = LabSession.open(session.save(tmp_path / "x"))
    same(session, found)
    assert [given.input for given in found.branches[0].own] == [Keys("a"), Keys("b")]
    found.switch(2)
    assert [given.input for given in found.inputs if given.script is None] == [Keys("a"), Poke(0x9000, b"x")]


def test_numbers_of_branches_that_have_been_deleted_stay_free(tmp_path: Path) -> None:
    session = with_a_history()
    session.delete_branch(2)
    found = LabSession.open(session.save(tmp_path / "x"))
    assert [branch.number for branch in found.branches] == [1, 3]
    same(session, found)


def test_a_processor_that_has_shut_down_comes_back_shut_down(tmp_path: Path) -> None:
    session = small("double_fault_no_ist")
    session.run()
    found = LabSession.open(session.save(tmp_path / "x"))
    assert (found.phase, found.stop) == (session.phase, session.stop)
    assert found.phase is Phase.ENDED


def test_a_machine_that_met_what_is_not_modelled_comes_back_in_front_of_it(tmp_path: Path) -> None:
    session = LabSession.open(write(tmp_path, GOOD, FIVE_LEVELS))
    session.run()
    assert session.stop.reason is Reason.UNSUPPORTED
    same(session, LabSession.open(session.save(tmp_path / "x")))


def test_a_fault_without_end_comes_back_at_the_same_step_of_it(tmp_path: Path) -> None:
    raises_ud_for_ever = bytes.fromhex("c70618000680 0f0b")  # mov word [6 * 4], 0x8006; ud2
    session = LabSession.open(write(tmp_path, GOOD.replace("[image]", 'mode = "real"\n[image]'), raises_ud_for_ever))
    assert session.run().reason is Reason.ENDLESS_FAULT
    for _ in range(37):
        session.micro_step()
    session.give(Poke(0x9000, b"x"))
    session.micro_step()
    assert session.moment == Moment(1, 438)
    same(session, LabSession.open(session.save(tmp_path / "x")))


def test_what_is_given_before_the_first_instruction_comes_back(tmp_path: Path) -> None:
    session = small("keyboard")
    for given in (Keys("a"), Serial(b"xy"), Irq(4), Poke(0x9000, b"1"), SetRegister("rax", 5)):
        session.give(given)
    session.seek("1000")
    session.seek("0")
    session.give(SetRegister("rbx", 7))
    session.seek("500")
    found = LabSession.open(session.save(tmp_path / "x"))
    same(session, found)
    for branch in (1, 2, 3):
        for moment in ("0", "1", "500"):
            for each in (session, found):
                each.switch(branch)
                each.seek(moment)
            assert session.digest() == found.digest()


# From elsewhere


def test_it_opens_from_another_folder_and_in_another_process(tmp_path: Path) -> None:
    session = with_a_history()
    session.save(tmp_path / "one")
    program = (
        "import sys; from idtviz import Session; session = Session.open(sys.argv[1]); note = session.notes[0].text\n"
        "print(session.branch.number, session.moment, session.digest(), len(session.breakpoints), note)"
    )
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", program, "../one.idtviz"],
        cwd=elsewhere,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert done.stdout == f"2 77+5 {session.digest()} {len(session.breakpoints)} the first fault\n"


def test_a_folder_with_scenario_and_session_can_be_moved(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    session = LabSession.open(write(here, GOOD))
    session.step()
    session.save(here / "x")
    shutil.move(here, there)
    found = LabSession.open(there / "x.idtviz")
    assert found.path == there / "small.toml"
    assert found.digest() == session.digest()
    assert json.loads(found.save().read_text())["opened"]["files"][0]["absolute"] == str(there / "small.toml")


def test_a_session_alone_finds_its_scenario_where_it_was_or_in_its_own_folder(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir(), there.mkdir()
    LabSession.open(write(here, GOOD)).save(here / "x")
    shutil.move(here / "x.idtviz", there / "x.idtviz")
    assert LabSession.open(there / "x.idtviz").path == here / "small.toml"
    write(there, GOOD)
    shutil.rmtree(here)
    assert LabSession.open(there / "x.idtviz").path == there / "small.toml"


def test_a_session_on_a_shipped_scenario_opens_where_idtviz_is_installed_elsewhere(tmp_path: Path) -> None:
    copied = tmp_path / "scenarios"
    shutil.copytree(SCENARIOS, copied)
    LabSession.open(copied / "page_fault.toml").save(tmp_path / "x")
    shutil.rmtree(copied)
    assert LabSession.open(tmp_path / "x.idtviz").path == SCENARIOS / "page_fault.toml"


def test_the_files_and_words_of_the_command_line_come_back(tmp_path: Path) -> None:
    folder = tmp_path / "with a blank"
    folder.mkdir()
    for name in ("multiboot_hello.elf", "hello.txt", "disk_sector.img", "page_fault.elf"):
        shutil.copy(SCENARIOS / name, folder)
    said = Overrides(
        command_line="root=\udcff quiet",  # not UTF-8, as a terminal may pass it
        modules=("hello.txt one two", "hello.txt"),
        disks=("disk_sector.img",),
        symbols=("page_fault.elf",),
        sources=(".",),
        memory=5 << 20,
        apic=False,
        speed=1_000_000,
        loader="grub",
    )
    before = Path.cwd()
    os.chdir(folder)
    try:
        session = LabSession(prepare("multiboot_hello.elf", said))
    finally:
        os.chdir(before)
    session.seek("500")
    session.save(folder / "x")
    found = LabSession.open(folder / "x.idtviz")
    assert found.digest() == session.digest()
    assert found.origin.given == "multiboot_hello.elf"
    assert found.origin.overrides.modules == said.modules
    assert found.origin.overrides.command_line == said.command_line
    assert [file.role for file in found.origin.files] == [file.role for file in session.origin.files]
    raw = (folder / "x.idtviz").read_bytes()
    assert found.save().read_bytes() == raw
    raw.decode()


def test_a_file_whose_name_is_not_utf_8_is_found_again(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"m\xfcll")
    folder.mkdir()
    session = LabSession.open(write(folder, GOOD))
    path = session.save(folder / "x")
    path.read_bytes().decode()
    assert LabSession.open(path).path == folder / "small.toml"


# The document


def test_the_file_can_be_read_by_a_person(tmp_path: Path) -> None:
    text = with_a_history().save(tmp_path / "one").read_text(encoding="utf-8")
    content = json.loads(text)
    assert list(content)[:4] == ["format", "schema", "checksum", "idtviz"]
    assert (content["format"], content["schema"], content["idtviz"]) == ("idtviz session", 1, __version__)
    assert content["note"] == "for the lecture: “what if”"
    assert content["opened"]["files"][0]["absolute"] == str(SCENARIOS / "page_fault.toml")
    lines = [line.strip().rstrip(",") for line in text.splitlines()]
    assert '{"at": "77+3", "kind": "nmi"}' in lines
    assert '{"at": "77", "kind": "register", "register": "rax", "value": "0x1234", "name": "rax 0 → 0x1234"}' in lines
    assert any(line.startswith('"present": {"branch": 2, "at": "77+5"') for line in lines)


@pytest.mark.parametrize(
    "given",
    [
        *(
            Keys("<ctrl+c>\n“"),
            Irq(5),
            Nmi(),
            Serial(bytes(range(256))),
            Poke(0xFFFFFFFF80000000, b"\0\xff", "idt[14]"),
        ),
        *(PokePhysical(0, b""), SetRegister("rax", 1 << 63, ""), SetChip("pic.master", "imr", 0xFF, "x")),
    ],
)
def test_every_kind_of_input_comes_back(given: object) -> None:
    entry = entry_of(given)
    assert input_of(json.loads(json.dumps(entry))) == given
    assert type(given) in KINDS.values()


def test_every_kind_of_input_has_a_name() -> None:
    from idtviz.debugger.inputs import Input  # noqa: PLC0415 -- what the union holds today

    assert set(KINDS.values()) == set(Input.__args__)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"kind": "reset"}, "no input is of the kind 'reset'"),
        ({"at": "1"}, "no input is of the kind None"),
        ({"kind": "irq"}, "irq: expected line, not nothing"),
        ({"kind": "irq", "line": "1"}, "line: expected a small number"),
        ({"kind": "nmi", "line": 1}, "nmi: expected nothing more, not line"),
        ({"kind": "poke", "address": 5, "data": "", "name": ""}, "address: expected a number in hex"),
        ({"kind": "poke", "address": "0x-5", "data": "", "name": ""}, "address: expected a number in hex"),
        ({"kind": "poke", "address": "0x5", "data": "9", "name": ""}, "data: expected bytes in hex"),
        ({"kind": "keys", "text": 5}, "text: expected a text"),
    ],
)
def test_an_entry_that_is_no_input_is_refused_by_what_is_wrong(entry: dict, said: str) -> None:
    with pytest.raises(ValueError, match=said.replace("[", r"\[")):
        input_of(entry)


# Breakpoints as texts


@pytest.mark.parametrize("text", [*BREAKPOINTS, "kernel_ready", "page_fault.S:30", "write kernel_ready"])
def test_what_a_breakpoint_is_called_means_the_same_breakpoint(text: str) -> None:
    symbols = small("page_fault").symbols
    item = parse_breakpoint(text, symbols)
    assert parse_breakpoint(str(item), symbols) == item
    assert text_of(item, symbols) == str(item)


@pytest.mark.parametrize("vector", range(256))
def test_a_breakpoint_on_any_vector_has_a_text(vector: int) -> None:
    item = DeliveryBreakpoint(VECTORS[vector].mnemonic, vector)
    assert parse_breakpoint(text_of(item, Symbols()), Symbols()) == item


def test_a_breakpoint_whose_name_means_something_else_is_written_in_numbers() -> None:
    symbols = Symbols()
    assert text_of(AddressBreakpoint((0x1000,), "ring"), symbols) == "0x1000"
    assert text_of(WriteBreakpoint(Bytes(0x1000, 8), "…::operator new (int)"), symbols) == "write 0x1000 8"
    assert text_of(WriteBreakpoint(Bytes(0x1000, 8), "rax"), symbols) == "write 0x1000 8"


def test_a_place_behind_a_symbol_can_be_written_as_it_is_shown() -> None:
    symbols = small("page_fault").symbols
    start = symbols.address_of("kernel_ready")
    item = parse_breakpoint(f"{start + 1:#x}", symbols)
    assert "+0x1" in str(item) or symbols.name(start + 1) != "kernel_ready+0x1"
    assert parse_breakpoint("kernel_ready+0x1", symbols) == item
    assert parse_breakpoint("write kernel_ready+0x1 4", symbols) == WriteBreakpoint(Bytes(start + 1, 4), "")


def test_hits_and_numbers_come_back(tmp_path: Path) -> None:
    session = small("page_fault")
    item = parse_breakpoint("#PF", session.symbols)
    session.breakpoints.put_back([Listed(7, item, False, 41)], 9)
    found = LabSession.open(session.save(tmp_path / "x")).breakpoints
    assert found.listed == (Listed(7, item, False, 41),)
    assert found.add(parse_breakpoint("iret", session.symbols)).number == 10


# Where it cannot be saved


def test_a_session_without_a_name_says_so() -> None:
    with pytest.raises(SavedSessionError, match="has not been saved yet"):
        small("page_fault").save()


def test_a_session_that_runs_is_not_saved(tmp_path: Path) -> None:
    session = small("page_fault")
    session.phase = Phase.RUNNING
    with pytest.raises(SessionError, match="pause it first"):
        session.save(tmp_path / "x")


def test_what_is_too_much_for_a_file_is_said_and_the_file_stays(tmp_path: Path) -> None:
    session = small("page_fault")
    raw = session.save(tmp_path / "x").read_bytes()
    session.note("x" * 70_000)
    with pytest.raises(SavedSessionError) as refused:
        session.save()
    assert str(refused.value) == (
        f"{tmp_path}/x.idtviz: cannot be saved: text: String should have at most 65536 characters"
    )
    assert (tmp_path / "x.idtviz").read_bytes() == raw


# In a run


def test_a_run_of_a_saved_branch_has_the_events_of_the_session(tmp_path: Path) -> None:
    session = with_a_history()
    session.seek(session.frontier)
    for on_instruction in (None, lambda _: None):
        found = LabSession.open(session.save(tmp_path / "x"))
        events, anew = [], found.anew()
        end = run(anew, on_event=events.append, on_instruction=on_instruction, given=found.given)
        assert events == list(session.events)
        assert anew.digest() == session.digest()
        assert end.reason == "halted"


def test_progress_is_told_for_every_branch(tmp_path: Path) -> None:
    told: list[tuple[int, int, int]] = []
    path = with_a_history().save(tmp_path / "x")
    session = LabSession.open(path, told=lambda *each: told.append(each))
    assert {number for number, _, _ in told} == {1, 2, 3}
    assert all(0 <= done <= of for _, done, of in told)
    assert max(done for number, done, _ in told if number == 1) == session.branches[0].frontier.instruction


def test_what_is_wrong_with_a_session_is_a_scenario_error() -> None:
    assert issubclass(SavedSessionError, ScenarioError)
