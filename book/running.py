"""The commands on a page, run as a reader would: in a folder of their own, with the files that the page shows."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from book.directives import BLOCK, options_of
from book.problem import PageError

_PROMPT = "$ "
_PATIENCE = 120
_PYTHON = {"idtviz": ("-m", "idtviz"), "pytest": ("-m", "pytest"), "python": ()}
_PLAIN = ("gcc", "cat", "ls", "cp", "mkdir")
"""What else may be run, beside Python: no shell is."""
_MORE = "…"
_SECONDS = re.compile(r" in \d+\.\d+s\b")
_CAT = re.compile(r"\$ cat (?P<file>\S+)")
_LANGUAGES = {".toml": "toml", ".S": "asm", ".s": "asm", ".c": "c", ".py": "python", ".yml": "yaml", ".json": "json"}


def run_page(text: str, folder: Path | None) -> str:
    """The page with the output of its commands. What it shows with a `title` is put into `folder` as it comes;
    what `adds="FILE"` is put to the end of that file.

    What a block says is said of its last command: `exit=1`, else 0; `head=5 tail=2`, the lines to show. Without a
    folder nothing is run. Raises PageError where a command ends otherwise.
    """

    def shown(block: re.Match[str]) -> str:
        said = options_of(block["said"])
        fence, language, text = block["fence"], block["language"], block["text"]
        if language == "console":
            return "\n".join([*_console(text.splitlines(), said, folder, fence), fence])
        if "adds" in said:
            head = f'{fence}{language} title="{said["adds"]}, at its end"'
        else:
            head = f"{fence}{language}{block['said']}"
        if folder is not None and said.keys() & {"title", "adds"}:
            _put(folder, said.get("title") or said["adds"], text, adds="adds" in said)
        return f"{head}\n{text}{fence}"

    return BLOCK.sub(shown, text)


def _console(commands: list[str], said: dict[str, str], folder: Path | None, fence: str) -> list[str]:
    """The lines of a block of commands but the last; a file that is shown on its own is shown as one."""
    for line in commands:
        if not line.startswith(_PROMPT):
            raise PageError(f"{line!r} in a block of commands: they begin with {_PROMPT!r}, output is not written")
    whole = _CAT.fullmatch(commands[0]) if len(commands) == 1 else None
    head = f"{fence}console"
    if whole is not None:
        head = f'{fence}{_LANGUAGES.get(Path(whole["file"]).suffix, "text")} title="{whole["file"]}"'
    lines = [head]
    for place, line in enumerate(commands):
        if whole is None:
            lines.append(line)
        if folder is not None:
            last = place == len(commands) - 1
            lines += _output(line.removeprefix(_PROMPT), folder, said if last else {})
    return lines


def _put(folder: Path, name: str, text: str, *, adds: bool) -> None:
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise PageError(f"{name!r} lies outside the folder of the page")
    path.parent.mkdir(parents=True, exist_ok=True)
    before = path.read_text(encoding="utf-8") + "\n" if adds else ""
    path.write_text(before + text, encoding="utf-8")


def _output(command: str, folder: Path, said: dict[str, str]) -> list[str]:
    words = shlex.split(command)
    if words[0] in _PYTHON:
        words[:1] = [sys.executable, *_PYTHON[words[0]]]
    elif words[0] not in _PLAIN:
        raise PageError(f"{command!r}: a page runs {', '.join((*_PYTHON, *_PLAIN))}, nothing else")
    environment = os.environ | {"NO_COLOR": "1", "TERM": "dumb", "COLUMNS": "100", "IDTVIZ_DATA": str(folder / ".data")}
    done = subprocess.run(
        words,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=_PATIENCE,
    )
    expected = int(said.get("exit", "0"))
    if done.returncode != expected:
        raise PageError(f"{command!r} ends with {done.returncode}, not {expected}:\n{done.stdout}")
    lines = _SECONDS.sub("", done.stdout.replace(str(folder), "~")).splitlines()
    head, tail = int(said.get("head", len(lines))), int(said.get("tail", 0))
    if head + tail >= len(lines):
        return lines
    return [*lines[:head], _MORE, *(lines[-tail:] if tail else ())]
