"""Scenario files as tests: one for the run, one for each expectation, and one for what the rules find."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from idtviz.testing.running import ScenarioRun


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line and the configuration say."""

    limit: int | None
    findings: bool
    shots: Path | None


OPTIONS = pytest.StashKey[Options]()


class NotAsExpected(Exception):  # noqa: N818 -- it is how a test fails, not an error
    """What was seen instead, and more about it."""

    def __init__(self, message: str, more: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.more = more


@dataclass(frozen=True, slots=True)
class Crash:
    """Where and how a test failed, for pytest's summary and its reports."""

    path: str
    lineno: int
    message: str


class Words:
    """A failure as pytest prints it."""

    def __init__(self, crash: Crash, more: str) -> None:
        self.reprcrash = crash
        self._more = more

    def __str__(self) -> str:
        said = f"{self.reprcrash.path}:{self.reprcrash.lineno}: {self.reprcrash.message}"
        return f"{said}\n{self._more}" if self._more else said

    def toterminal(self, tw: Any) -> None:
        """Print it."""
        first, *others = str(self).splitlines()
        tw.line(first, red=True, bold=True)
        for line in others:
            tw.line(line)


class ScenarioFile(pytest.File):
    """A scenario. It is run once, for all its tests."""

    run: ScenarioRun | None = None
    picture: Path | None = None
    """Where it went wrong: one for all its tests."""
    _problem: str | None = None
    _told = False

    def collect(self) -> Iterator[ScenarioItem]:
        from idtviz.lab import scenario_file, toml_lines  # noqa: PLC0415 -- only where there is a scenario
        from idtviz.lab.problems import ScenarioError  # noqa: PLC0415

        try:
            scenario, text = scenario_file.load(self.path, self.shown)
        except ScenarioError as error:
            raise self.CollectError(str(error)) from error
        yield Runs.from_parent(self, name="runs", line=1)
        for index, entry in enumerate(scenario.expect):
            kind = next(iter(entry.model_dump(by_alias=True, exclude_none=True)))
            line = toml_lines.line_of(text.lines, ("expect", index))
            yield Expectation.from_parent(self, name=f"expect[{index}]-{kind}", line=line, index=index)
        if self.config.stash[OPTIONS].findings and all(entry.findings is None for entry in scenario.expect):
            yield Findings.from_parent(self, name="findings", line=1)

    @property
    def shown(self) -> str:
        """The file as it is called in messages: by its path from pytest's root."""
        root = self.config.rootpath
        return str(self.path.relative_to(root)) if self.path.is_relative_to(root) else str(self.path)

    def ran(self) -> ScenarioRun:
        """The run; it is made when it is first asked for. Raises NotAsExpected where the scenario cannot be opened."""
        from idtviz.lab.problems import ScenarioError  # noqa: PLC0415 -- only a run needs the machine
        from idtviz.lab.run import DEFAULT_LIMIT  # noqa: PLC0415
        from idtviz.testing.running import run_scenario  # noqa: PLC0415

        if self._problem is None and self.run is None:
            limit = self.config.stash[OPTIONS].limit
            try:
                self.run = run_scenario(self.path, self.shown, limit=DEFAULT_LIMIT if limit is None else limit)
            except ScenarioError as error:
                self._problem = str(error)
        if self.run is None:
            raise NotAsExpected(f"cannot be opened: {self._problem}")
        return self.run

    def tell(self, run: ScenarioRun) -> str:
        """How the run came to its end: in full for the first test that asks."""
        from idtviz.testing.account import ending  # noqa: PLC0415 -- only a failure needs words

        lines = list(ending(run))
        if self._told:
            return lines[0]
        self._told = True
        return "\n".join(lines)

    def teardown(self) -> None:
        """Behind its last test nobody needs the run any more."""
        self.run = None


class ScenarioItem(pytest.Item):
    """One thing that is looked at in a run."""

    def __init__(self, *, line: int, **said: Any) -> None:
        super().__init__(**said)
        self.line = line

    @property
    def file(self) -> ScenarioFile:
        """The scenario that it belongs to."""
        assert isinstance(self.parent, ScenarioFile)
        return self.parent

    def runtest(self) -> None:
        """Run the scenario, or take the run that was made already, and look at it."""
        run = self.file.ran()
        wrong = self.wrong(run)
        if wrong is not None:
            raise NotAsExpected(wrong, self.file.tell(run))

    def wrong(self, run: ScenarioRun) -> str | None:
        """What is not as it should be."""
        raise NotImplementedError

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """In words; with a traceback only where idtviz itself went wrong."""
        if isinstance(excinfo.value, NotAsExpected):
            return Words(Crash(self.file.shown, self.line, excinfo.value.message), excinfo.value.more)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        """File, line counted from 0, and name."""
        return self.path, self.line - 1, f"{self.file.shown}: {self.name}"


class Runs(ScenarioItem):
    """It can be opened, and the machine meets nothing that it does not model."""

    def wrong(self, run: ScenarioRun) -> str | None:
        return run.text if run.end == "unsupported" else None


class Expectation(ScenarioItem):
    """An `[[expect]]` entry."""

    def __init__(self, *, index: int, **said: Any) -> None:
        super().__init__(**said)
        self.index = index

    def wrong(self, run: ScenarioRun) -> str | None:
        from idtviz.lab.problems import printable  # noqa: PLC0415 -- only a run needs the machine

        outcome = run.outcomes[self.index]
        return None if outcome.ok else printable(outcome.detail)


class Findings(ScenarioItem):
    """The rules find nothing."""

    def wrong(self, run: ScenarioRun) -> str | None:
        from idtviz.testing.account import findings  # noqa: PLC0415 -- only a failure needs words

        lines = list(findings(run, run.findings))
        return "\n".join(lines) or None
