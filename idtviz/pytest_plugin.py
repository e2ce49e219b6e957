"""The pytest plugin: collects scenarios, and has a fixture that runs them.

It is loaded by every pytest of an environment that has idtviz: it imports nothing of the machine, nor of the screen,
until a scenario is collected or run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from idtviz.testing.collecting import OPTIONS, Options, ScenarioFile, ScenarioItem

if TYPE_CHECKING:
    from idtviz.testing.running import ScenarioRun

_RUNS = pytest.StashKey[list["ScenarioRun"]]()
_PATTERN = "*.idtviz.toml"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options, and the names of the files that are collected."""
    group = parser.getgroup("idtviz", "scenarios of x86 machines")
    group.addoption(
        "--idtviz-limit",
        type=_limit,
        metavar="N",
        help="stop each scenario after N instructions; else 100 million",
    )
    group.addoption(
        "--idtviz-shots", metavar="FOLDER", help="draw the moment at which a scenario went wrong into FOLDER, as SVG"
    )
    group.addoption(
        "--idtviz-findings", action="store_true", help="a test for each scenario: that the rules find nothing"
    )
    parser.addini("idtviz_files", f"scenario files that are tests; else {_PATTERN}", type="args", default=[_PATTERN])


def _limit(text: str) -> int:
    number = int(text.replace("_", ""))
    if not 0 <= number <= 1 << 50:
        raise ValueError
    return number


def pytest_configure(config: pytest.Config) -> None:
    """What was said, as values."""
    shots = config.getoption("--idtviz-shots")
    config.stash[OPTIONS] = Options(
        limit=config.getoption("--idtviz-limit"),
        findings=config.getoption("--idtviz-findings"),
        shots=None if shots is None else config.invocation_params.dir / shots,
    )


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> ScenarioFile | None:
    """A scenario, if it has one of the names."""
    if file_path.suffix != ".toml" or not any(map(file_path.match, parent.config.getini("idtviz_files"))):
        return None
    found: ScenarioFile = ScenarioFile.from_parent(parent, path=file_path)
    return found


class RunScenario:
    """What the fixture `idtviz_scenario` is."""

    def __init__(self, request: pytest.FixtureRequest) -> None:
        self._folders = (request.path.parent, request.config.rootpath)
        self._limit = request.config.stash[OPTIONS].limit
        self._runs: list[ScenarioRun] = []
        request.node.stash[_RUNS] = self._runs

    def __call__(
        self,
        path: str | Path,
        *,
        limit: int | None = None,
        inputs: Sequence[Mapping[str, Any]] = (),
        expect: Sequence[Mapping[str, Any]] = (),
        **machine: Any,
    ) -> ScenarioRun:
        """Run a scenario, anything that a PC can boot, or a bare handler, to its end.

        `path`: from the test's folder, or from pytest's root; or the name of a scenario that comes with idtviz.
        `inputs` and `expect` are entries as in a scenario file, beside its own. `machine`: `memory`, `apic`,
        `speed`, `command_line`, ...; see `idtviz.lab.overrides.Overrides`. Raises ScenarioError where it cannot be
        opened.
        """
        from idtviz.lab.problems import ScenarioError  # noqa: PLC0415 -- only a run needs the machine
        from idtviz.lab.run import DEFAULT_LIMIT  # noqa: PLC0415
        from idtviz.testing.running import run_scenario  # noqa: PLC0415

        __tracebackhide__ = True
        most = next((each for each in (limit, self._limit) if each is not None), DEFAULT_LIMIT)
        found = next((folder / path for folder in self._folders if (folder / path).is_file()), path)
        try:
            run = run_scenario(found, str(path), limit=most, inputs=inputs, expect=expect, machine=machine)
        except ScenarioError as error:
            # What is wrong stands in its text; the test's own line is the one to be seen above it.
            raise ScenarioError(list(error.problems)) from None
        self._runs.append(run)
        return run


@pytest.fixture
def idtviz_scenario(request: pytest.FixtureRequest) -> Iterator[RunScenario]:
    """What runs scenarios: `idtviz_scenario("kernel.idtviz.toml").check()` fails if something did not hold."""
    yield RunScenario(request)
    request.node.stash[_RUNS] = []


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:  # noqa: ARG001 -- pytest's
    """Beside a failure: what went wrong in the runs of the test, and pictures of it where they are asked for."""
    outcome: Any = yield
    report: pytest.TestReport = outcome.get_result()
    if report.when != "call" or not report.failed:
        return
    folder = item.config.stash[OPTIONS].shots
    try:
        if isinstance(item, ScenarioItem):
            _show(item, report, _picture(item.file, folder))
        for run in item.stash.get(_RUNS, []):
            if not run.ok:
                from idtviz.testing.account import account  # noqa: PLC0415 -- only a failure needs words

                report.sections.append((f"idtviz: {run.file}", account(run)))
            _show(item, report, _drawn(run, folder, f"{report.nodeid}-{Path(run.file).stem}"))
    except OSError as error:
        report.sections.append(("idtviz: no picture", f"{folder}: cannot be written: {error.strerror}"))


def _picture(file: ScenarioFile, folder: Path | None) -> Path | None:
    if file.picture is None and file.run is not None:
        file.picture = _drawn(file.run, folder, file.nodeid)
    return file.picture


def _drawn(run: ScenarioRun, folder: Path | None, name: str) -> Path | None:
    if folder is None:
        return None
    from idtviz.testing.pictures import draw  # noqa: PLC0415 -- only a picture needs Textual

    return draw(run, folder, name)


def _show(item: pytest.Item, report: pytest.TestReport, picture: Path | None) -> None:
    """Name the picture beside the failure, and in a report in XML."""
    if picture is not None:
        report.sections.append(("idtviz: picture", str(picture)))
        item.user_properties.append(("idtviz_picture", str(picture)))
