"""`idtviz why`, as a shell sees it."""

import json

import pytest

from tests.cli.test_commands import SCENARIOS, idtviz, refused


def explained(*arguments):
    done = idtviz("why", *arguments)
    assert done.stderr == ""
    assert done.returncode == 0
    return done.stdout


def test_a_shutdown_is_explained_in_words():
    text = explained("double_fault_no_ist")
    first, *_ = text.splitlines()
    assert first == "The processor shut down after 88 instructions: it could deliver neither #PF nor #DF."
    assert "IDT[8] at 0x107080: c5 00 08 00 00 8e 10 00" in text
    assert "✗ push.ss" in text
    assert "double_fault.S:62" in text


def test_every_line_has_at_most_110_columns():
    assert max(map(len, explained("irq_on_vector_8").splitlines())) <= 110


def test_a_shutdown_is_one_json_object():
    found = json.loads(explained("double_fault_no_ist", "--format", "json"))
    assert (found["type"], found["schema"], found["ending"]) == ("why", 1, "shutdown")
    fault = found["links"][0]
    assert fault["failure"]["rule"] == "push.ss"
    assert fault["place"]["line"] == 62
    assert fault["entries"][0]["bytes"] == "b6000800008e10000000000000000000"
    assert all(set(link) == set(fault) for link in found["links"])


def test_nothing_wrong_is_said_in_a_sentence():
    assert explained("page_fault").startswith("Nothing crashed: the kernel ended in HLT with IF=0")


def test_a_limit_stops_the_run():
    assert explained("page_fault", "--limit", "20").startswith("Nothing crashed so far: the run was stopped here")


def test_a_line_is_asked_about_at_a_moment():
    text = explained(SCENARIOS / "bugs" / "cascade_masked.toml", "--irq", "8", "--at", "300000")
    assert text.startswith("IRQ8 does not arrive: IMR of the master is 0xff")
    assert "What to change: clear bit 2 of the mask at port 0x21." in text


def test_a_vector_is_asked_about_at_the_end():
    found = json.loads(explained("irq_on_vector_8", "--vector", "0x8", "--format", "json"))
    assert found["subject"] == "IRQ0"
    assert found["blocked"] == "not in service in the master"
    assert any(each["name"] == "a vector of its own" and not each["holds"] for each in found["conditions"])


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--irq", "2"], "--irq: expected a line from 0 to 15"),
        (["--irq", "-1"], "--irq: expected a line from 0 to 15"),
        (["--vector", "256"], "--vector: expected a number from 0 to 255"),
        (["--vector", "timer"], "--vector: expected a number from 0 to 255"),
        (["--irq", "1", "--vector", "33"], "expected one of the two"),
        (["--at", "nowhere_at_all"], "--at:"),
    ],
)
def test_wrong_usage_is_refused(options, expected):
    assert expected in refused("why", SCENARIOS / "keyboard.toml", *options)


def test_a_file_that_is_not_there_is_refused():
    assert "no_such_file" in refused("why", "no_such_file.toml")
