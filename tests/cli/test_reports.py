"""Reports of findings: as a compiler prints errors, as JSON, as SARIF."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from idtviz.checks.finding import Finding, Severity
from idtviz.checks.rules import BY_ID, RULES
from idtviz.cli.reports import as_json, as_sarif, as_text
from idtviz.cli.reports.paths import near, uri
from idtviz.debugger.moment import Moment
from idtviz.lab.checking import Checked
from idtviz.lab.places import NOWHERE, Place, Reported
from tests.cli.sarif import problems

PLAIN, COLOURED = as_text.Paint(False), as_text.Paint(True)
IRET = Place("isr.S", 9, "isr:\tiretq   // back", "isr14", 0x101003, 3, "iretq")
ENTRY = Place("isr.S", 7, "    enter", "isr14", 0x101000, 0, "push rax")
HIGH = Place(None, None, None, None, 0xFFFFFFFF80001000, 0, "iretq")


def finding(rule: str = "STK001", severity: Severity = Severity.ERROR, message: str = "it is wrong") -> Finding:
    return Finding(rule, severity, message, 0x101003, Moment(812))


def checked(*reported: Reported, file: str = "kernel.elf") -> Checked:
    return Checked(file, "elf64 kernel", reported, ("ran 9 instructions: halted",))


def text(*reported: Reported) -> str:
    return as_text.file(checked(*reported), PLAIN)


def test_a_finding_is_printed_as_a_compiler_prints_an_error():
    shown = text(Reported(finding(), IRET, (("the handler begins here", ENTRY),)))
    assert shown.splitlines()[:13] == [
        "error[STK001]: it is wrong",
        " --> isr.S:9 (isr14+0x3, 0x101003)",
        "  |",
        "9 | isr:    iretq   // back",
        "  |         ^^^^^",
        "  |",
        "note: the handler begins here",
        " --> isr.S:7 (isr14, 0x101000)",
        "  |",
        "7 |     enter",
        "  |     ----- push rax",
        "  |",
        "  = when: moment 812 of the run",
    ]
    assert shown.splitlines()[13].startswith("  = help: Take the error code off the stack")
    assert f"  = see: {BY_ID['STK001'].source}" in shown.splitlines()
    assert shown.splitlines()[-1] == "kernel.elf (elf64 kernel): 1 error; ran 9 instructions: halted"


def test_where_there_is_no_source_the_instruction_stands_in_its_place():
    lines = text(Reported(finding(), HIGH)).splitlines()
    assert lines[1:5] == [
        " --> kernel.elf (0xffffffff80001000)",
        "  |",
        "  | iretq",
        "  | ^^^^^",
    ]


def test_a_finding_that_is_about_no_place_names_the_file():
    lines = text(Reported(finding(), NOWHERE, (("a note of no place", NOWHERE),))).splitlines()
    assert lines[1].endswith("--> kernel.elf")
    assert lines[2].endswith("= note: a note of no place")


@pytest.mark.parametrize(
    ("line", "marked"),
    [
        ("    iretq", "iretq"),
        ("isr:  iretq # back", "iretq"),
        ("isr14:", "isr14:"),
        ("\tmovq $1, %rax # x", "movq $1, %rax"),
        ("    mov rax, [fs:8] ; y", "mov rax, [fs:8]"),
        ("std::foo(x); // z", "std::foo(x)"),
        ("// only words", "// only words"),
        ("", " "),
    ],
)
def test_the_mark_stands_under_the_statement_of_a_line(line, marked):
    shown = text(Reported(finding(), Place("isr.S", 9, line, None, 0x1000))).splitlines()
    source, mark = shown[3], shown[4]
    begin = mark.index("^") if "^" in mark else 0
    assert source[begin : begin + mark.count("^")].strip() == marked.strip()


def test_what_to_change_is_said_once_for_each_rule():
    shown = text(Reported(finding(), IRET), Reported(finding(message="it is wrong again"), ENTRY))
    assert shown.count("= help: ") == shown.count("= see: ") == 1
    assert shown.count("error[STK001]: ") == 2


def test_what_a_guest_has_named_cannot_write_to_the_terminal():
    evil = Place("a\x1b[31m.S", 1, "iretq \x1b]0;x\x07", "s\x1b[1m", 0x1000, 0, "iretq\x1b")
    report = as_text.file(
        Checked(
            "k\x1b.elf", "elf64 kernel", (Reported(finding(message="m\x1b\n"), evil, (("n\x9b", evil),)),), ("s\x1b",)
        ),
        PLAIN,
    )
    assert report.replace("\n", "").isprintable()


def test_colours_change_nothing_but_colours():
    reported = Reported(finding(), IRET, (("here", ENTRY),))
    plain, coloured = as_text.file(checked(reported), PLAIN), as_text.file(checked(reported), COLOURED)
    assert "\x1b[1;31merror[STK001]" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == plain


def test_the_summary_counts_and_points_to_the_rules():
    clean = checked()
    bad = checked(Reported(finding(), IRET), Reported(finding("STK007", Severity.WARNING), IRET))
    assert as_text.summary([clean]) == ""
    assert as_text.counts([clean]) == "nothing found"
    assert as_text.counts([bad, bad]) == "2 errors, 2 warnings"
    assert as_text.summary([clean, bad]).splitlines() == [
        "2 files: 1 error, 1 warning",
        "What is behind it: idtviz explain STK001 (or STK007)",
    ]


def test_the_json_has_the_keys_of_the_contract_in_their_order():
    found = json.loads(as_json.report([checked(Reported(finding(), IRET), Reported(finding(), HIGH))]))
    assert list(found) == ["schema", "findings"]
    assert found["schema"] == 1
    first, second = found["findings"]
    assert list(first) == ["rule", "class", "severity", "message", "file", "line", "symbol", "address", "help"]
    assert first["class"] == 1
    assert (first["file"], first["line"], first["symbol"], first["address"]) == ("isr.S", 9, "isr14", "0x101003")
    assert first["help"] == BY_ID["STK001"].fix
    assert (second["file"], second["line"], second["symbol"]) == ("kernel.elf", None, None)
    assert second["address"] == "0xffffffff80001000"


def test_a_sarif_log_is_what_the_standard_asks_for():
    files = [
        checked(
            Reported(finding(message="the frame of {{closure}}"), IRET, (("here", ENTRY), ("here", NOWHERE))),
            Reported(finding("STK007", Severity.WARNING), HIGH),
            file="a b#ü.elf",
        ),
        checked(),
    ]
    log = json.loads(as_sarif.report(files, ["x.elf: is no file"]))
    assert problems(log) == []
    (run,) = log["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == [rule.id for rule in RULES]
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
    first, second = run["results"]
    assert first["message"]["text"] == "the frame of {{{{closure}}}}"
    assert first["locations"][0]["physicalLocation"]["region"] == {
        "startLine": 9,
        "snippet": {"text": IRET.source},
    }
    assert [related["id"] for related in first["relatedLocations"]] == [1, 2]
    assert second["level"] == "warning"
    assert second["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "a%20b%23%C3%BC.elf"
    assert second["locations"][0]["properties"]["address"] == "0xffffffff80001000"
    assert not run["invocations"][0]["executionSuccessful"]
    assert run["invocations"][0]["toolExecutionNotifications"][-1]["level"] == "error"


def test_an_empty_sarif_log_is_one_too():
    assert problems(json.loads(as_sarif.report([], []))) == []


def test_the_check_of_sarif_logs_sees_what_is_wrong():
    log = json.loads(as_sarif.report([checked(Reported(finding(), IRET))], []))
    log["runs"][0]["results"][0]["level"] = "fatal"
    log["runs"][0]["results"][0]["colour"] = "red"
    del log["runs"][0]["tool"]["driver"]["name"]
    assert len(problems(log)) == 3


def test_a_file_is_named_from_the_current_folder_if_it_lies_in_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert near(str(tmp_path / "a" / "isr.S")) == str(Path("a/isr.S"))
    assert near("/elsewhere/isr.S") == "/elsewhere/isr.S"
    assert near("../isr.S") == "../isr.S"
    assert uri(str(tmp_path / "a" / "is r.S")) == "a/is%20r.S"
    assert uri("/elsewhere/isr.S") == "file:///elsewhere/isr.S"
    assert uri("c:isr.S") == "c%3Aisr.S"
