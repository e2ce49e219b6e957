"""A check: a run to its end, findings with their places in the source, and scenarios that expect findings."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from idtviz.checks.finding import Finding, Severity
from idtviz.lab.checking import BUDGET, Checked, check_run
from idtviz.lab.problems import ScenarioError
from idtviz.lab.run import run
from idtviz.lab.session import LabSession
from tests.lab.folders import GOOD, LOOP, SCENARIOS, write

BUGS = SCENARIOS / "bugs"
NAME = "error_code_not_popped"


def check(path: Path, **options: int) -> Checked:
    return check_run(LabSession.open(path, narrated=False), str(path), **options)


def outcome(folder: Path, expected: str) -> tuple[bool, str, str]:
    """Whether the last expectation holds in the scenario with the error code on the stack, its detail, the end."""
    for file in BUGS.glob(f"{NAME}.*"):
        shutil.copy(file, folder)
    path = folder / f"{NAME}.toml"
    text = path.read_text()
    head = text[: text.index("[[expect]]")].replace(", ".join(_sources(text)), f'"{NAME}.S"')
    path.write_text(f"{head}\n[[expect]]\n{expected}\n")
    end = run(LabSession.open(path, narrated=False))
    return end.outcomes[-1].ok, end.outcomes[-1].detail, end.reason


def _sources(text: str) -> list[str]:
    line = next(line for line in text.splitlines() if line.startswith("source"))
    return line.partition("[")[2].rstrip("]").split(", ")


def test_a_finding_has_the_line_of_source_that_is_to_be_changed():
    checked = check(BUGS / f"{NAME}.toml")
    (reported,) = [each for each in checked.reported if each.finding.rule == "STK001"]
    place = reported.place
    assert place.file == str(BUGS / f"{NAME}.S")
    assert place.line is not None
    assert place.source == (BUGS / f"{NAME}.S").read_text().splitlines()[place.line - 1]
    assert place.source.strip() == place.instruction == "iretq"
    assert place.address == reported.finding.address
    assert (place.symbol, place.name) == ("handler_return", "handler_return")


def test_a_note_has_its_own_place():
    checked = check(BUGS / f"{NAME}.toml")
    (text, place), *_ = checked.reported[0].notes
    assert text
    assert place.symbol == "page_fault_handler"
    assert place.line != checked.reported[0].place.line


def test_a_check_says_what_the_file_is_and_how_its_run_ended():
    checked = check(SCENARIOS / "page_fault.toml")
    assert checked.file == str(SCENARIOS / "page_fault.toml")
    assert checked.what == "elf64 kernel"
    assert not checked.reported
    assert checked.said[0].startswith("ran 2,0")
    assert "HLT" in checked.said[0]


def test_an_image_without_its_sources_has_the_instruction_in_place_of_the_line(tmp_path):
    image = Path(shutil.copy(BUGS / f"{NAME}.elf", tmp_path))
    place = check(image).reported[0].place
    assert place.source is None
    assert place.instruction == "iretq"
    assert place.line is not None


def test_an_image_beside_its_source_has_the_line(tmp_path):
    image = Path(shutil.copy(BUGS / f"{NAME}.elf", tmp_path))
    shutil.copy(BUGS / f"{NAME}.S", tmp_path)
    place = check(image).reported[0].place
    assert place.source == "    iretq"
    assert place.file == str(tmp_path / f"{NAME}.S")


def test_a_kernel_that_waits_for_ever_is_stopped_and_the_check_says_so(tmp_path):
    checked = check(write(tmp_path, GOOD, LOOP))
    assert checked.said[0].startswith(f"ran {BUDGET:,} instructions and was stopped: that is the limit")
    checked = check(write(tmp_path, GOOD, LOOP), limit=1000)
    assert checked.said[0].startswith("ran 1,000 instructions and was stopped: that is the limit")


@pytest.mark.parametrize(
    ("expected", "ok", "says"),
    [
        ('findings = ["STK001"]', True, "found by rules: STK001"),
        ("findings = []", False, "found by rules: STK001; not expected STK001"),
        ('findings = ["STK001", "STK007"]', False, "found by rules: STK001; expected STK007"),
    ],
)
def test_a_scenario_expects_exactly_the_rules_that_find_something(tmp_path, expected, ok, says):
    assert outcome(tmp_path, expected) == (ok, says, "halted")


def test_a_scenario_that_expects_nothing_to_be_found_is_run_to_its_end(tmp_path):
    path = write(tmp_path, GOOD + "[[expect]]\nfindings = []\n")
    end = run(LabSession.open(path, narrated=False))
    assert end.reason == "halted"
    assert end.outcomes[0].ok
    assert end.outcomes[0].detail == "found by rules: nothing"


def test_expecting_findings_does_not_change_when_a_run_ends(tmp_path):
    text = (SCENARIOS / "keyboard.toml").read_text()
    for file in SCENARIOS.iterdir():
        if file.is_file():
            shutil.copy(file, tmp_path)
    ends = []
    for more in ("", '\n[[expect]]\nfindings = ["STK001"]\n'):
        path = tmp_path / "keyboard.toml"
        path.write_text(text + more)
        session = LabSession.open(path, narrated=False)
        ends.append((run(session).reason, session.machine.instructions))
    assert ends[0] == ends[1]
    assert ends[0][0] == "expectations"


def test_a_rule_that_does_not_exist_is_refused_with_its_line_and_what_is_near(tmp_path):
    path = write(tmp_path, GOOD + '[[expect]]\nfindings = ["STK01"]\n')
    with pytest.raises(ScenarioError) as refused:
        LabSession.open(path)
    (problem,) = refused.value.problems
    assert problem.line == 8
    assert "STK001" in problem.message
    assert "'STK01'" in problem.message


def test_what_is_found_by_reading_a_handler_has_a_place_and_no_moment(monkeypatch):
    session = LabSession.open(SCENARIOS / "page_fault.toml", narrated=False)
    address = session.symbols.address_of("page_fault_handler")
    found = Finding("STK001", Severity.ERROR, "read, not run", address)
    asked = []

    def read_handlers(view, read, interrupts, told):
        asked.append((view.idt.limit, read(address, 4), set(interrupts), set(told)))
        yield found

    monkeypatch.setattr("idtviz.lab.checking.read_handlers", read_handlers)
    (reported,) = check_run(session, "page_fault.toml").reported
    assert reported.finding is found
    assert reported.place.symbol == "page_fault_handler"
    assert reported.place.instruction
    ((limit, code, interrupts, told),) = asked
    assert limit == 0xFFF
    assert len(code) == 4
    assert (interrupts, told) == (set(), set())
