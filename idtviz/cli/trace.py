"""`idtviz trace`: every event of a run, in order, on stdout."""

from __future__ import annotations

import json
from enum import Enum
from typing import Annotated, Any, Protocol

import typer

from idtviz.checks.finding import Finding
from idtviz.cli import trace_json, trace_text
from idtviz.cli.machine_options import FILE_HELP, on_a_machine
from idtviz.cli.opening import opened_run
from idtviz.cli.problems import FAILED, complain
from idtviz.lab.expectations import screen_of
from idtviz.lab.overrides import Overrides
from idtviz.lab.problems import printable
from idtviz.lab.run import DEFAULT_LIMIT, Begun, End, run
from idtviz.lab.session import LabSession
from idtviz.machine.events import Happened


class Format(Enum):
    """How the events are printed."""

    TEXT = "text"
    JSON = "json"


@on_a_machine
def command(
    file: Annotated[str, typer.Argument(metavar="FILE", help=FILE_HELP)],
    form: Annotated[Format, typer.Option("--format", help="For people, or one JSON object a line.")] = Format.TEXT,
    limit: Annotated[int, typer.Option(min=0, max=1 << 50, help="Stop after so many instructions.")] = DEFAULT_LIMIT,
    *,
    instructions: Annotated[bool, typer.Option("--instructions", help="Print each instruction as well.")] = False,
    overrides: Overrides,
) -> None:
    """Run FILE without a screen, and print every event, in order, and what the rules find.

    Of a saved session the present branch is run, with all that was given on its way.
    """
    session, given = opened_run(file, overrides)
    printer: _Printer = _JsonPrinter(session) if form is Format.JSON else _TextPrinter(session)
    printer.begin()
    end = run(
        session,
        limit=limit,
        on_event=printer.event,
        on_instruction=printer.instruction if instructions else None,
        on_finding=printer.finding,
        given=given,
    )
    printer.finish(end)
    if end.reason == "unsupported":
        complain(f"{file}: {end.text}")
    if not end.ok:
        raise typer.Exit(FAILED)


class _Printer(Protocol):
    def begin(self) -> None: ...

    def event(self, happened: Happened) -> None: ...

    def instruction(self, begun: Begun) -> None: ...

    def finding(self, found: Finding) -> None: ...

    def finish(self, end: End) -> None: ...


class _JsonPrinter:
    def __init__(self, session: LabSession) -> None:
        self.session = session

    def _line(self, content: dict[str, Any]) -> None:
        print(json.dumps(content, separators=(",", ":")))

    def begin(self) -> None:
        self._line(trace_json.start(self.session))

    def event(self, happened: Happened) -> None:
        self._line(trace_json.event(happened))

    def instruction(self, begun: Begun) -> None:
        self._line(trace_json.instruction(begun))

    def finding(self, found: Finding) -> None:
        self._line(trace_json.finding(found))

    def finish(self, end: End) -> None:
        machine = self.session.machine
        if end.reason == "unsupported":
            self._line({"type": "note", "instruction": machine.instructions, "text": end.text})
        for port, output in _outputs(self.session):
            self._line({"type": "serial", "port": port, "text": output})
        text = screen_of(machine).text
        if text:
            self._line({"type": "screen", "lines": text.split("\n")})
        for outcome in end.outcomes:
            self._line(trace_json.expect(outcome))
        digest = self.session.digest()
        self._line({"type": "end", "reason": end.reason, "instructions": machine.instructions, "digest": digest})


class _TextPrinter:
    def __init__(self, session: LabSession) -> None:
        self.session = session

    def begin(self) -> None:
        section = self.session.scenario.machine
        what = f"{printable(self.session.path.name)}: {self.session.boot}, {section.mode} mode, {section.memory} bytes"
        print(trace_text.line(0, "start", what))

    def event(self, happened: Happened) -> None:
        print(printable(trace_text.event(happened, self.session.symbols)))

    def instruction(self, begun: Begun) -> None:
        print(printable(trace_text.instruction(begun, self.session.symbols)))

    def finding(self, found: Finding) -> None:
        print(printable(trace_text.finding(found, self.session.symbols)))

    def finish(self, end: End) -> None:
        machine = self.session.machine
        for port, output in _outputs(self.session):
            for line in output.splitlines():
                print(trace_text.line("", port, printable(line)))
        text = screen_of(machine).text
        for line in text.split("\n") if text else []:
            print(trace_text.line("", "screen", printable(line)))
        for outcome in end.outcomes:
            print(printable(trace_text.expect(outcome)))
        said = f"{end.reason}: {end.text}" if end.text else end.reason
        print(trace_text.line(machine.instructions, "end", printable(said)))


def _outputs(session: LabSession) -> list[tuple[str, str]]:
    """What was sent to COM1 and to the debug console."""
    board = session.machine.board
    sent = (("com1", board.com1.state.output), ("debugcon", board.debugcon.state.output))
    return [(port, output.decode("utf-8", errors="replace")) for port, output in sent if output]
