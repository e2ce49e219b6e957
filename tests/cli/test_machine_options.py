"""The options that say on what machine an image runs are those of every command, and reach the machine."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from idtviz.cli.main import app
from tests.lab.folders import SCENARIOS

OPTIONS = (
    "--cmdline",
    "--initrd",
    "--module",
    "--loader",
    "--disk",
    "--rom",
    "--memory",
    "--apic",
    "--speed",
    "--symbols",
)


@pytest.mark.parametrize("command", ["run", "trace", "shot"])
def test_each_command_that_opens_a_file_has_them(command):
    shown = CliRunner().invoke(app, [command, "--help"], terminal_width=200).output
    assert [option for option in OPTIONS if option not in shown] == []


def test_they_reach_the_machine():
    kernel = str(SCENARIOS / "bzimage_hello.bin")
    said = ["--cmdline", "a b c", "--initrd", str(SCENARIOS / "hello.txt"), "--memory", "32 MiB", "--pic"]
    result = CliRunner().invoke(app, ["trace", kernel, *said])
    assert result.exit_code == 0
    assert "bzimage, protected mode, 33554432 bytes" in result.output
    assert "command line: a b c" in result.output
    assert "initial RAM disk: hello from a file of its own" in result.output


@pytest.mark.parametrize("size", ["7", "1 KiB", "2 GiB", "65537 B"])
def test_a_size_that_no_machine_has_is_a_usage_error(size):
    assert CliRunner().invoke(app, ["trace", "page_fault", "--memory", size]).exit_code == 2


def test_symbols_of_another_file_name_the_addresses():
    kernel, names = str(SCENARIOS / "bzimage_hello.bin"), str(SCENARIOS / "bzimage_hello.elf")
    said = ["trace", kernel, "--limit", "3", "--instructions"]
    assert "startup_32" not in CliRunner().invoke(app, said).output
    assert "startup_32" in CliRunner().invoke(app, [*said, "--symbols", names]).output
