"""The command line, as the program itself has it."""

from __future__ import annotations

import re
from typing import Any

from typer.main import get_command

from book.tables import anchor, code, escaped, table
from idtviz.cli.main import app
from idtviz.tui.commands import WORDS

_HELP = "--help"
_ON_A_MACHINE = "run"
"""The command whose options are those of every command that runs a machine."""
_SAID = re.compile(r"\s*\[(?P<said>[^\[\]]*)\]$")
_LIMITS = re.compile(r"(?P<low>[\d.]+)<=x<=(?P<high>[\d.]+)|x>=(?P<least>[\d.]+)")
_LONGEST = 12
"""Digits of a limit that is worth telling."""
_KIND = re.compile(r" ?<(?P<kind>[^<>]+)>")


def tree() -> dict[str, Any]:
    """Every command by its name, those of a group behind it: `cluster worker`."""
    return dict(_under("", get_command(app)))


def _under(prefix: str, group: Any) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name, command in group.commands.items():
        if not command.hidden:
            found.append((prefix + name, command))
            if hasattr(command, "commands"):
                found += _under(f"{prefix}{name} ", command)
    return found


def options(command: Any) -> dict[str, str]:
    """What a command takes, as its help names it, and what each means."""
    context = command.make_context("", [], resilient_parsing=True)
    given = [parameter for parameter in command.params if _HELP not in parameter.opts and not parameter.hidden]
    return dict(parameter.get_help_record(context) for parameter in given)


def machine_options() -> str:
    """The options that every command takes that runs a machine."""
    shared = options(tree()[_ON_A_MACHINE])
    return table(("option", "means"), [_row(name, text) for name, text in shared.items() if name.startswith("-")])


def commands() -> str:
    """Each command with its arguments and options; those of machines only where it says something else of them."""
    shared = options(tree()[_ON_A_MACHINE])
    return "\n\n".join(_command(name, command, shared) for name, command in tree().items())


def _command(name: str, command: Any, shared: dict[str, str]) -> str:
    own = options(command)
    on_a_machine = len(shared.items() & own.items()) > len(shared) // 2
    if on_a_machine:
        own = {option: text for option, text in own.items() if shared.get(option) != text or not option.startswith("-")}
    arguments = [_name(option) for option in own if not option.startswith("-")]
    more = " [OPTIONS]" if on_a_machine or len(own) > len(arguments) else ""
    usage = " ".join(["idtviz", name, *arguments]) + more
    parts = [f"## idtviz {name} {{ #{anchor(name)} }}", code(usage), escaped(command.help or "")]
    if own:
        parts.append(table(("", "means"), [_row(option, text) for option, text in own.items()]))
    if on_a_machine:
        parts.append("And the [options of the machine](#options-of-the-machine).")
    return "\n\n".join(parts)


def _row(name: str, text: str) -> tuple[str, str]:
    match = _SAID.search(text)
    if match is None:
        return code(_name(name)), escaped(text)
    said = [found for part in match["said"].split("; ") if (found := _words(part))]
    return code(_name(name)), " ".join([escaped(text[: match.start()]), *said])


def _words(said: str) -> str:
    """What the help of an option says in brackets, as a sentence; nothing where it says no more than the option."""
    limits = _LIMITS.fullmatch(said)
    if limits is not None and limits["least"] is not None:
        return f"At least {limits['least']}."
    if limits is not None:
        return f"From {limits['low']} to {limits['high']}." if len(limits["high"]) <= _LONGEST else ""
    if said == "required":
        return "Must be given."
    kind, _, value = said.partition(": ")
    if kind == "env var":
        return f"The environment variable {code(value)} says it, too."
    return f"Otherwise {code(value)}." if kind == "default" else escaped(f"{said}.")


_VALUES = {"str": " TEXT", "path": " FILE", "int": " N", "int range": " N", "float": " N", "float range": " N"}


def _name(record: str) -> str:
    """The name of an option or argument; of an option what its value is, too, where its help has no word for that."""

    def value(match: re.Match[str]) -> str:
        kind = match["kind"]
        return "" if not record.startswith("-") else f" {kind}" if "|" in kind else _VALUES.get(kind, "")

    return _KIND.sub(value, record)


def words() -> str:
    """What a line behind `:` in the debugger may begin with."""
    return ", ".join(code(word) for word in WORDS)
