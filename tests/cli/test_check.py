"""`idtviz check`, and what the rules find in `trace` and `explain`, as a shell sees them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import suppress

import pytest

from idtviz.checks.rules import RULES
from tests.cli.sarif import problems
from tests.cli.test_commands import idtviz, refused
from tests.lab.folders import GOOD, LOOP, SCENARIOS, write

BUGS = SCENARIOS / "bugs"
BAD = BUGS / "error_code_not_popped.toml"
SOUND = SCENARIOS / "page_fault.toml"
RELOCATABLE = b"\x7fELF\x02\x01\x01".ljust(16, b"\0") + b"\x01\0\x3e\0"


def test_a_sound_kernel_is_exit_code_0():
    done = idtviz("check", SOUND)
    assert (done.returncode, done.stderr) == (0, "")
    assert "page_fault.toml (elf64 kernel): nothing found; ran" in done.stdout


def test_a_bug_is_exit_code_1_with_its_line_and_what_to_change():
    done = idtviz("check", BAD)
    assert (done.returncode, done.stderr) == (1, "")
    lines = done.stdout.splitlines()
    assert lines[0].startswith("error[STK001]: ")
    assert "--> scenarios/bugs/error_code_not_popped.S:" in lines[1]
    assert lines[3].endswith("iretq")
    assert lines[4].endswith("^^^^^")
    assert any("= help: Take the error code off the stack" in line for line in lines)
    assert lines[-1] == "What is behind it: idtviz explain STK001"
    assert "\x1b" not in done.stdout


def test_every_file_is_checked_even_behind_one_that_cannot_be(tmp_path):
    wrong = write(tmp_path, GOOD.replace("summary", "sumary"))
    done = idtviz("check", wrong, tmp_path / "nothing.elf", BAD, SOUND)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 2
    assert all(line.startswith("idtviz: ") for line in done.stderr.splitlines())
    assert "error[STK001]" in done.stdout
    assert done.stdout.splitlines()[-3:-1] == ["2 files: 1 error", "2 files could not be checked"]


def test_the_json_of_several_files_is_one_object_and_the_same_twice():
    done = idtviz("check", BAD, SOUND, BUGS / "argument_not_popped.toml", "--format", "json")
    assert (done.returncode, done.stderr) == (1, "")
    found = json.loads(done.stdout)["findings"]
    assert {"STK001", "STK006"} <= {each["rule"] for each in found}
    first = next(each for each in found if each["rule"] == "STK001")
    assert first["file"] == "scenarios/bugs/error_code_not_popped.S"
    assert (BUGS / "error_code_not_popped.S").read_text().splitlines()[first["line"] - 1].strip() == "iretq"
    again = idtviz("check", BAD, SOUND, BUGS / "argument_not_popped.toml", "--format", "json")
    assert again.stdout == done.stdout


def test_nothing_found_is_an_empty_list():
    done = idtviz("check", SOUND, "--format", "json")
    assert done.returncode == 0
    assert json.loads(done.stdout) == {"schema": 1, "findings": []}


def test_the_sarif_log_is_what_the_standard_asks_for(tmp_path):
    done = idtviz("check", BAD, tmp_path / "nothing.elf", SOUND, "--format", "sarif")
    assert done.returncode == 2
    log = json.loads(done.stdout)
    assert problems(log) == []
    (result,) = log["runs"][0]["results"]
    place = result["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "scenarios/bugs/error_code_not_popped.S"


def test_a_kernel_that_hangs_is_stopped_at_the_limit(tmp_path):
    done = idtviz("check", write(tmp_path, GOOD, LOOP), "--limit", "5000")
    assert done.returncode == 0
    assert "ran 5,000 instructions and was stopped" in done.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("no_such_file",),
        ("page_fault", "--symbol", "page_fault_handler"),
        ("page_fault", "--vector", "14"),
        ("page_fault", "--vector", "256"),
        ("page_fault", "--vector", "much"),
        ("page_fault", "--format", "xml"),
        ("page_fault", "--limit", "-1"),
        ("/",),
    ],
)
def test_wrong_usage_is_one_clear_message_and_exit_code_2(arguments):
    done = idtviz("check", *arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("idtviz: ")


def test_an_object_file_is_known_by_its_content_and_takes_no_machine(tmp_path):
    path = tmp_path / "handler"
    path.write_bytes(RELOCATABLE)
    assert "a handler alone has no machine" in refused("check", path, "--memory", "64 MiB")
    message = refused("check", path, "--vector", "14")
    assert str(path) in message


@pytest.mark.parametrize(
    "name", ["error_code_not_popped", "dummy_error_code", "argument_not_popped", "iret_operand_size"]
)
def test_a_trace_has_the_same_findings_in_the_same_order_with_and_without_its_instructions(name):
    once = [idtviz("trace", BUGS / f"{name}.toml", "--format", "json", *more) for more in ((), ("--instructions",))]
    plain, single = ([json.loads(line) for line in done.stdout.splitlines()] for done in once)
    assert [line for line in single if line["type"] != "instruction"] == plain
    found = [line for line in plain if line["type"] == "finding"]
    assert found
    assert list(found[0]) == ["type", "instruction", "rule", "severity", "message", "address"]


def test_a_finding_is_printed_behind_the_event_with_which_it_showed():
    lines = idtviz("trace", BAD).stdout.splitlines()
    kinds = [line.split()[1] for line in lines if line[:10].strip()]
    at = kinds.index("STK001")
    assert kinds[at - 1] == "#GP"


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_every_rule_is_explained_with_what_to_change_and_its_source(rule):
    done = idtviz("explain", rule.id.lower())
    assert done.returncode == 0
    assert done.stdout.startswith(f"{rule.id}  {rule.title}")
    assert "What to change: " in done.stdout
    assert f"Source: {rule.source}"[:90] in done.stdout


def test_a_rule_that_is_misspelt_is_answered_with_what_is_near():
    assert "STK001" in refused("explain", "stk01")


def test_the_rules_are_listed():
    lines = idtviz("explain", "rules").stdout.splitlines()
    assert {rule.id for rule in RULES} <= {line.split()[0] for line in lines}
    assert "idt.limit" in {line.split()[0] for line in lines}


@pytest.mark.skipif(sys.platform == "win32", reason="has no pseudo-terminals")
@pytest.mark.parametrize(("variables", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)])
def test_colours_are_for_a_terminal_whose_user_wants_them(variables, coloured):
    import pty  # noqa: PLC0415 -- not on every system

    ours, theirs = pty.openpty()
    environment = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    environment |= {"TERM": "xterm", "PYTHONPATH": str(SCENARIOS.parent)} | variables
    command = [sys.executable, "-m", "idtviz", "check", str(BAD)]
    with subprocess.Popen(command, stdout=theirs, stderr=subprocess.DEVNULL, env=environment):
        os.close(theirs)
        shown = b""
        with suppress(OSError):  # Linux says so at the end of what is to be read
            while part := os.read(ours, 4096):
                shown += part
    os.close(ours)
    assert b"STK001" in shown
    assert (b"\x1b[1;31merror[STK001]\x1b[0m" in shown) is coloured
    assert (b"\x1b" in shown) is coloured
