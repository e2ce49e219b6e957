"""The commands, as a shell sees them: output, exit code, and what is imported."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree as ET

import pytest

from idtviz.cli.start import start
from idtviz.lab.library import bugs, course
from tests.lab.folders import FIVE_LEVELS, GOOD, LOOP, NAMES, SCENARIOS, write

ROOT = SCENARIOS.parent
DELIVERY_KEYS = [
    *("type", "instruction", "vector", "name", "source", "irq", "error_code", "cr2", "from", "gate", "stack", "frame"),
    *("to", "steps", "result"),
]


def idtviz(*arguments: str | Path, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "100"}
    command = [sys.executable, "-m", "idtviz", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=environment, timeout=120, check=False)


def trace(name: str, *options: str) -> list[dict]:
    done = idtviz("trace", SCENARIOS / f"{name}.toml", "--format", "json", *options)
    assert done.stderr == ""
    assert done.returncode == 0
    return [json.loads(line) for line in done.stdout.splitlines()]


def refused(*arguments: str | Path) -> str:
    done = idtviz(*arguments)
    assert done.returncode == 2, done
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert all(line.startswith("idtviz: ") for line in done.stderr.splitlines())
    assert done.stderr
    return done.stderr


@pytest.mark.parametrize("name", NAMES)
def test_a_trace_gives_the_same_bytes_twice(name):
    once = idtviz("trace", SCENARIOS / f"{name}.toml", "--format", "json", "--instructions")
    assert once.stdout == idtviz("trace", SCENARIOS / f"{name}.toml", "--format", "json", "--instructions").stdout
    assert once.returncode == 0


@pytest.mark.parametrize("name", NAMES)
def test_a_trace_has_the_same_events_with_and_without_its_instructions(name):
    lines = trace(name, "--instructions")
    assert [line for line in lines if line["type"] != "instruction"] == trace(name)


def test_a_trace_begins_with_what_runs_and_ends_with_how_it_ended():
    first, *_, last = trace("page_fault")
    assert first == {
        "type": "start",
        "schema": 1,
        "file": "page_fault.toml",
        "boot": "elf64",
        "mode": "long",
        "memory": 16777216,
    }
    assert list(last) == ["type", "reason", "instructions", "digest"]
    assert last["reason"] == "halted"


def test_a_delivery_has_the_keys_of_the_contract_in_its_order():
    delivery = next(line for line in trace("page_fault") if line["type"] == "delivery")
    assert list(delivery) == DELIVERY_KEYS
    assert list(delivery["from"]) == ["mode", "cs", "rip", "cpl", "ss", "rsp", "rflags"]
    assert list(delivery["gate"]) == ["index", "type", "dpl", "ist", "present", "selector", "offset"]
    assert list(delivery["frame"]) == ["address", "words"]
    assert list(delivery["to"]) == ["cs", "rip", "cpl", "ss", "rsp", "rflags"]
    assert delivery["steps"][0] == {"rule": "idt.limit", "ok": True, "reads": [], "writes": []}
    address, size = delivery["steps"][1]["reads"][0]
    assert (address[:2], size) == ("0x", 16)
    assert delivery["gate"]["present"] is True
    assert delivery["gate"]["type"] == "interrupt"
    assert delivery["stack"] == "tss.rsp0"
    assert len(delivery["frame"]["words"]) == 6
    assert delivery["frame"]["words"][0] == hex(delivery["error_code"])
    assert delivery["frame"]["words"][1] == delivery["from"]["rip"]
    assert delivery["result"] == "delivered"


def test_lines_are_compact_and_numbers_above_53_bits_are_text():
    done = idtviz("trace", "page_fault", "--format", "json")
    for line in done.stdout.splitlines():
        assert line == json.dumps(json.loads(line), separators=(",", ":"))


def test_a_failed_delivery_names_its_fault_and_the_next_one_names_its_cause():
    deliveries = [line for line in trace("double_fault_no_ist") if line["type"] == "delivery"]
    assert [line["name"] for line in deliveries] == ["#PF", "#DF"]
    first, second = deliveries
    assert (first["result"], first["fault_error_code"]) == ("#PF", 2)
    assert (first["to"], first["frame"], first["stack"]) == (None, None, None)
    assert first["steps"][-1]["ok"] is False
    assert second["caused_by"] == 0


def test_a_shutdown_names_the_deliveries_that_led_to_it():
    shutdown = next(line for line in trace("double_fault_no_ist") if line["type"] == "shutdown")
    assert list(shutdown) == ["type", "instruction", "cause"]
    assert shutdown["cause"] == [0, 1]


def test_the_keyboard_tells_its_lines_its_ends_of_interrupt_and_its_returns():
    lines = trace("keyboard")
    assert lines[-1]["reason"] == "expectations"
    kinds = {line["type"]: line for line in reversed(lines)}
    assert list(kinds["irq"]) == ["type", "instruction", "line", "level"]
    assert list(kinds["eoi"]) == ["type", "instruction", "controller", "irq"]
    assert kinds["eoi"]["controller"] == "pic.master"
    assert list(kinds["halt"]) == ["type", "instruction"]
    assert list(kinds["return"]) == ["type", "instruction", "delivery", "from", "to"]
    assert kinds["delivery"]["source"] == "external"
    assert [line["type"] for line in lines[-5:]] == ["screen", "expect", "expect", "expect", "end"]
    assert any("hi idtviz" in row for row in kinds["screen"]["lines"])


def test_instructions_come_before_what_they_do():
    lines = trace("page_fault", "--instructions")
    begun = [line for line in lines if line["type"] == "instruction"]
    assert list(begun[0]) == ["type", "instruction", "rip", "text"]
    assert [line["instruction"] for line in begun] == sorted(line["instruction"] for line in begun)
    place = next(index for index, line in enumerate(lines) if line["type"] == "delivery")
    assert lines[place - 1]["rip"] == lines[place]["from"]["rip"]
    assert lines[place - 1]["instruction"] == lines[place]["instruction"]


def test_every_instruction_but_those_that_faulted_is_counted_once():
    lines = trace("keyboard", "--instructions")
    counts = [line["instruction"] for line in lines if line["type"] == "instruction"]
    assert counts == list(range(lines[-1]["instructions"]))


def test_a_limit_ends_the_trace_there(tmp_path):
    done = idtviz("trace", write(tmp_path, GOOD, LOOP), "--format", "json", "--limit", "1000")
    end = json.loads(done.stdout.splitlines()[-1])
    assert (end["reason"], end["instructions"], done.returncode) == ("limit", 1000, 0)


def test_an_expectation_that_fails_is_exit_code_1(tmp_path):
    path = write(tmp_path, GOOD + '[[expect]]\nscreen = "never"\n')
    done = idtviz("trace", path, "--format", "json")
    assert done.returncode == 1
    assert json.loads(done.stdout.splitlines()[-2])["ok"] is False
    assert idtviz("test", path).returncode == 1


def test_what_is_not_modelled_ends_the_trace_and_is_said(tmp_path):
    done = idtviz("trace", write(tmp_path, GOOD, FIVE_LEVELS), "--format", "json")
    assert done.returncode == 1
    assert json.loads(done.stdout.splitlines()[-1])["reason"] == "unsupported"
    assert "only 4-level paging" in done.stderr


def test_the_text_form_has_a_line_for_each_event():
    done = idtviz("trace", "page_fault")
    assert done.returncode == 0
    assert "#PF          delivery 0, vector 0xe, error code 0x6, CR2 0x600000" in done.stdout
    assert "to 0x" in done.stdout
    assert "page_fault_handler in ring 0, stack tss.rsp0" in done.stdout


def test_all_scenarios_hold_what_they_expect_and_junit_says_so(tmp_path):
    report = tmp_path / "report.xml"
    files = [SCENARIOS / f"{name}.toml" for name in NAMES]
    done = idtviz("test", *files, "--junit", report)
    assert (done.returncode, done.stderr) == (0, "")
    assert all(line.startswith("ok ") for line in done.stdout.splitlines())
    suites = ET.parse(report).getroot()
    assert [suite.get("name") for suite in suites] == [str(file) for file in files]
    cases = suites.findall("testsuite/testcase")
    assert len(cases) == len(done.stdout.splitlines())
    assert not suites.findall(".//failure")


def test_junit_holds_failures_errors_and_no_character_that_xml_refuses(tmp_path):
    failing = write(tmp_path, GOOD + '[[expect]]\nscreen = "\\u0001<&>"\n')
    (tmp_path / "wrong.toml").write_text("x = 1\n")
    report = tmp_path / "report.xml"
    done = idtviz("test", failing, tmp_path / "wrong.toml", "--junit", report)
    assert done.returncode == 2
    assert "FAIL" in done.stdout
    suites = ET.parse(report).getroot()
    assert len(suites.findall(".//failure")) == 1
    assert len(suites.findall(".//error")) == 1
    assert suites[0].get("failures") == "1"


def test_the_list_names_every_shipped_scenario():
    done = idtviz("list")
    assert done.returncode == 0
    good, wrong = done.stdout.split("\n\nKernels that are wrong")
    good, lessons = good.split("\n\nThe course, in its order:\n\n")
    assert [line.split()[0] for line in good.splitlines()] == sorted(NAMES)
    assert [line.split()[0] for line in lessons.splitlines()] == [item.name for item in course()]
    listed = [line.split()[0] for line in wrong.splitlines()[2:]]
    assert listed == [item.name for item in bugs() if not item.name.endswith("_fixed")]


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("#PF", "Page Fault"),
        ("pf", "Page Fault"),
        ("14", "Page Fault"),
        ("0xe", "Page Fault"),
        ("255", "User Defined Interrupt"),
        ("idt.limit", "The vector lies within the IDT"),
        ("return.ss.null", "A null SS is allowed here"),
    ],
)
def test_a_vector_or_a_rule_is_explained_with_its_source(word, says):
    done = idtviz("explain", word)
    assert done.returncode == 0
    assert says in done.stdout
    assert "Source: SDM" in done.stdout


def test_an_unknown_word_is_answered_with_what_is_near():
    assert "idt.limit" in refused("explain", "idt.limt")
    assert "#PF" in refused("explain", "page fault")
    assert refused("explain", "300")
    assert refused("explain", "")


@pytest.mark.parametrize(
    "arguments",
    [
        ("trace",),
        ("trace", "page_fault", "--limit", "-1"),
        ("trace", "page_fault", "--limit", "many"),
        ("trace", "page_fault", "--format", "xml"),
        ("trace", "page_fault", "more"),
        ("trace", "no_such_scenario"),
        ("trace", "/"),
        ("test",),
        ("test", "no_such_scenario"),
        ("explain",),
        ("unknown",),
        ("--unknown",),
        ("shot", "page_fault", "--at", "#PF"),
        ("shot", "page_fault", "--at", "nowhere", "-o", "x.svg"),
        ("shot", "page_fault", "--at", "9" * 5000, "-o", "x.svg"),
        ("shot", "page_fault", "--at", "#PF", "-o", "/no/such/folder/x.svg"),
        ("shot", "page_fault", "--at", "#PF", "-o", "/"),
        ("shot", "page_fault", "--at", "#PF", "-o", "x.svg", "--size", "10x10"),
        ("shot", "page_fault", "--at", "#PF", "-o", "x.svg", "--size", "9999x9999"),
        ("shot", "page_fault", "--at", "#PF", "-o", "x.svg", "--size", "big"),
        ("run", "no_such_scenario"),
        ("run",),
    ],
)
def test_wrong_usage_is_one_clear_message_and_exit_code_2(arguments):
    refused(*arguments)


@pytest.mark.parametrize("command", ["trace", "test", "run"])
def test_a_wrong_scenario_is_refused_by_every_command_with_file_and_line(tmp_path, command):
    path = write(tmp_path, GOOD.replace("summary", "sumary").replace("1 MiB", "1 MB"))
    lines = refused(command, path).splitlines()
    assert lines[0] == f"idtviz: {path}:2: unknown key sumary"
    assert lines[1].startswith(f"idtviz: {path}:4: machine.memory: expected a size")
    assert len(lines) == 2


def test_a_file_name_cannot_write_to_the_terminal(tmp_path):
    path = tmp_path / "a\x1b[31m\nb.toml"
    path.write_text("x = 1\n")
    message = refused("trace", path)
    assert "\x1b" not in message


def test_a_reader_that_goes_away_is_no_error():
    command = f"{sys.executable} -m idtviz trace keyboard --instructions | head -1"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, shell=True, capture_output=True, text=True, env=environment, check=False)
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) == 1


def test_ctrl_c_is_exit_code_130(tmp_path):
    path = write(tmp_path, GOOD, LOOP)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    # Whoever runs the tests in the background may have it ignored.
    heeding = ["env", "--default-signal=INT"]
    command = [*heeding, sys.executable, "-m", "idtviz", "trace", str(path), "--limit", str(1 << 50)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        assert "start" in process.stdout.readline()
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        _, complaint = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in complaint


@pytest.mark.parametrize(
    "arguments",
    [
        ["trace", "page_fault"],
        ["check", "page_fault"],
        ["test", "page_fault"],
        ["list"],
        ["explain", "#PF"],
        ["run", "nothing"],
    ],
)
def test_a_command_without_a_screen_never_imports_textual(arguments):
    code = (
        "import sys\n"
        f"sys.argv = ['idtviz', *{arguments!r}]\n"
        "from idtviz.cli.main import run\n"
        "try:\n    run()\nexcept SystemExit:\n    pass\n"
        "print([name for name in sys.modules if name.split('.')[0] == 'textual'], file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.stderr.splitlines()[-1] == "[]"


def test_the_version_is_printed():
    assert idtviz("--version").stdout.startswith("idtviz 0.")


def test_ctrl_c_during_the_imports_ends_it_without_a_word(monkeypatch, capsys):
    def imported(name: str) -> None:
        raise KeyboardInterrupt(name)

    main = ModuleType("idtviz.cli.main")
    main.__getattr__ = imported
    monkeypatch.setitem(sys.modules, "idtviz.cli.main", main)
    with pytest.raises(SystemExit) as ended:
        start()
    assert ended.value.code == 130
    assert capsys.readouterr() == ("", "")


def test_a_name_that_no_file_can_have_is_refused():
    assert "File name too long" in refused("run", "x" * 5000)
