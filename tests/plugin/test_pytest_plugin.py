"""The pytest plugin, as the tests of a kernel project have it."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from tests.lab.folders import FIVE_LEVELS
from tests.plugin.projects import ASKS_TWICE, SAYS_A, TRIPLE_FAULT, Project

pytest_plugins = ["pytester"]


@pytest.fixture
def project(pytester, monkeypatch):
    # The plugin is named, whether it is installed as one or not; no other plugin has a say.
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    return Project(pytester)


def outcomes(done: pytest.RunResult) -> dict[str, int]:
    return {name: count for name, count in done.parseoutcomes().items() if name not in ("warnings", "seconds")}


def test_a_project_without_scenarios_is_left_alone_and_nothing_is_imported(project):
    project.test(
        "import sys\n"
        "def test_nothing_of_the_machine_is_there():\n"
        "    heavy = {'unicorn', 'capstone', 'elftools', 'pydantic', 'textual', 'rich', 'typer'}\n"
        "    assert not heavy & set(sys.modules)\n"
        "    assert not [name for name in sys.modules if name.startswith(('idtviz.lab', 'idtviz.machine'))]\n"
    )
    (project.folder / "other.toml").write_text("not = [a, scenario")
    done = project.run_apart("-W", "error", "--strict-config", "--strict-markers")
    assert outcomes(done) == {"passed": 1}
    assert "idtviz" not in done.stdout.str().replace("idtviz.pytest_plugin", "")


def test_each_expectation_is_a_test_of_its_own(project):
    project.scenario('[[expect]]\nend = "halted"\n[[expect]]\nserial = "A"\n[[expect]]\nfindings = []\n', SAYS_A)
    done = project.run("-v")
    assert outcomes(done) == {"passed": 4}
    names = ("runs", "expect[[]0]-end", "expect[[]1]-serial", "expect[[]2]-findings")
    done.stdout.fnmatch_lines([f"small.idtviz.toml::{name} PASSED*" for name in names])


def test_what_was_seen_instead_is_said_with_the_line_of_the_expectation(project):
    project.scenario(ASKS_TWICE)
    done = project.run()
    assert outcomes(done) == {"passed": 2, "failed": 1}
    done.stdout.fnmatch_lines(
        [
            "*small.idtviz.toml: expect[[]1]-serial*",
            "small.idtviz.toml:9: 'A' was not sent to COM1; nothing was",
            "the run ended: halted, after 2 instructions*",
            "FAILED small.idtviz.toml::expect[[]1]-serial - 'A' was not sent*",
        ]
    )
    assert "Traceback" not in done.stdout.str()


def test_the_chain_that_led_to_a_shutdown_is_told_once(project):
    project.scenario(ASKS_TWICE, TRIPLE_FAULT)
    done = project.run()
    assert outcomes(done) == {"passed": 1, "failed": 2}
    assert done.stdout.str().count("The processor shut down") == 1
    done.stdout.fnmatch_lines(["*deliver #UD, then #GP, then #DF*", "*IDT008*", "the run ended: shutdown*"])


def test_a_scenario_that_is_malformed_stops_the_collection_with_its_line(project):
    project.scenario("[[expect]]\nend = 3\nsreen = ''\n")
    done = project.run()
    assert outcomes(done) == {"errors": 1}
    done.stdout.fnmatch_lines(
        ["small.idtviz.toml:8: expect[[]0].end: expected *", "small.idtviz.toml:9: unknown key *"]
    )
    assert "Traceback" not in done.stdout.str()


def test_an_image_that_has_not_been_built_fails_in_one_line(project):
    project.scenario()
    (project.folder / "small.bin").unlink()
    done = project.run()
    assert outcomes(done) == {"failed": 1}
    done.stdout.fnmatch_lines(["small.idtviz.toml:1: cannot be opened: *'small.bin' does not exist"])


def test_what_the_machine_does_not_model_fails_the_run(project):
    project.scenario(code=FIVE_LEVELS)
    done = project.run()
    assert outcomes(done) == {"failed": 1}
    done.stdout.fnmatch_lines(["*only 4-level paging*"])


def test_a_limit_ends_a_run(project):
    project.scenario('[[expect]]\nend = "limit"\n', bytes.fromhex("ebfe"))
    assert outcomes(project.run("--idtviz-limit", "1_000")) == {"passed": 2}
    assert project.run("--idtviz-limit", "many").ret == pytest.ExitCode.USAGE_ERROR


def test_findings_are_a_test_where_they_are_asked_for(project):
    project.scenario(code=TRIPLE_FAULT)
    assert outcomes(project.run()) == {"passed": 1}
    done = project.run("--idtviz-findings")
    assert outcomes(done) == {"passed": 1, "failed": 1}
    done.stdout.fnmatch_lines(["small.idtviz.toml:1: IDT* error: *"])


def test_scenarios_may_have_other_names(project):
    project.scenario(ASKS_TWICE, SAYS_A, "boots/first.toml")
    project.scenario()
    (project.folder / "pytest.ini").write_text("[pytest]\nidtviz_files = boots/*.toml\n")
    assert outcomes(project.run()) == {"passed": 3}


def test_the_workers_of_xdist_run_scenarios(project):
    project.scenario(ASKS_TWICE)
    project.test("def test_it(idtviz_scenario):\n    assert idtviz_scenario('small.idtviz.toml').end == 'halted'\n")
    done = project.run_apart("-p", "xdist", "-n", "2", "-W", "error")
    assert outcomes(done) == {"passed": 3, "failed": 1}
    done.stdout.fnmatch_lines(["small.idtviz.toml:9: 'A' was not sent to COM1*"])


FIXTURE = """
import pytest
from idtviz.lab.problems import ScenarioError

def test_a_run_is_at_its_end(idtviz_scenario):
    run = idtviz_scenario("small.idtviz.toml")
    assert run.ok, run
    assert (run.end, run.serial, run.screen.strip(), run.instructions) == ("halted", "A", "B", 6)
    assert str(run.session.moment) == "6"
    assert not run.events[:-1] and not run.findings
    run.session.seek("3")
    assert run.session.view.registers.general[0] & 0xff == 0x41
    run.check()

def test_inputs_and_expectations_are_tables_as_in_a_scenario(idtviz_scenario):
    poke = {"at": 0, "poke": {"address": 0x8004, "bytes": "b0 43"}}
    run = idtviz_scenario("small.idtviz.toml", inputs=[poke], expect=[{"serial": "C"}])
    assert run.serial == "C"
    assert [outcome.ok for outcome in run.outcomes] == [True, False, True]

def test_what_idtviz_ships_and_options_of_the_machine(idtviz_scenario):
    assert idtviz_scenario("page_fault", memory="32 MiB", limit=100).end == "limit"
    with pytest.raises(ScenarioError, match="a bare ELF kernel takes none"):
        idtviz_scenario("page_fault", command_line="x")
    with pytest.raises(TypeError, match="memry"):
        idtviz_scenario("page_fault", memry=1)

@pytest.mark.parametrize(("given", "said"), [
    ({"inputs": [{"at": "nowhere", "nmi": True}]}, r"inputs\\[0\\].at: .*nowhere"),
    ({"inputs": [{"at": 1, "kes": "a"}]}, r"inputs\\[0\\].kes"),
    ({"expect": [{"screen": "a", "serial": "b"}]}, r"expect\\[0\\]: .*exactly one"),
    ({"memory": "lots"}, "memory: expected a size"),
])
def test_what_is_wrong_is_said(idtviz_scenario, given, said):
    with pytest.raises(ScenarioError, match=said):
        idtviz_scenario("small.idtviz.toml", **given)
"""


def test_the_fixture_runs_a_scenario_beside_the_test(project):
    project.scenario(ASKS_TWICE, SAYS_A, "kernel/small.idtviz.toml")
    project.test(FIXTURE, "kernel/test_kernel.py")
    project.test(
        "def test_root(idtviz_scenario):\n    idtviz_scenario('kernel/small.idtviz.toml').check()\n", "a/test_a.py"
    )
    assert outcomes(project.run("kernel/test_kernel.py", "a/test_a.py")) == {"passed": 8}


def test_a_failed_test_says_what_went_wrong_in_its_runs(project):
    project.scenario(ASKS_TWICE, TRIPLE_FAULT)
    project.test(
        "def test_bool(idtviz_scenario):\n    assert idtviz_scenario('small.idtviz.toml').ok\n"
        "def test_check(idtviz_scenario):\n    idtviz_scenario('small.idtviz.toml').check()\n"
        "def test_missing(idtviz_scenario):\n    idtviz_scenario('missing.elf')\n"
    )
    done = project.run("test_kernel.py")
    assert outcomes(done) == {"failed": 3}
    done.stdout.fnmatch_lines(
        [
            "*<run of small.idtviz.toml: 2 of 2 expectations missed; ended: shutdown>.ok",
            "*- idtviz: small.idtviz.toml -*",
            "small.idtviz.toml:7: expect[[]0]: the run ended: shutdown; expected halted",
            "*deliver #UD, then #GP, then #DF*",
            "E  *AssertionError: small.idtviz.toml:7: expect[[]0]: the run ended: shutdown; expected halted",
            "E  *ScenarioError: missing.elf: does not exist*",
        ]
    )
    assert "idtviz/lab" not in done.stdout.str()


def test_a_picture_of_where_it_went_wrong_is_drawn_where_a_folder_is_named(project):
    project.scenario(ASKS_TWICE, TRIPLE_FAULT)
    project.test("def test_ok(idtviz_scenario):\n    idtviz_scenario('page_fault').check()\n")
    done = project.run("--idtviz-shots", "shots/here", "--junit-xml", "report.xml")
    assert outcomes(done) == {"passed": 2, "failed": 2}
    (picture,) = (project.folder / "shots/here").iterdir()
    assert picture.name == "small.idtviz.toml.svg"
    assert picture.read_text().startswith("<svg")
    assert "#UD" in picture.read_text()
    properties = ET.parse(project.folder / "report.xml").getroot().findall(".//property")
    assert [each.get("value") for each in properties] == [str(picture)] * 2


def test_a_picture_that_cannot_be_put_anywhere_hides_no_failure(project):
    project.scenario(ASKS_TWICE)
    (project.folder / "shots").write_text("a file")
    done = project.run("--idtviz-shots", "shots")
    assert outcomes(done) == {"passed": 2, "failed": 1}
    done.stdout.fnmatch_lines(["small.idtviz.toml:9: 'A' was not sent to COM1*", "*cannot be written*"])


def test_the_report_for_a_server_has_the_reason_in_each_message(project):
    project.scenario(ASKS_TWICE)
    project.run("--junit-xml", "report.xml")
    cases = ET.parse(project.folder / "report.xml").getroot().findall(".//testcase")
    assert [(case.get("classname"), case.get("name")) for case in cases] == [
        ("small.idtviz.toml", name) for name in ("runs", "expect[0]-end", "expect[1]-serial")
    ]
    (failure,) = [each for case in cases for each in case]
    assert failure.tag == "failure"
    assert failure.get("message") == "'A' was not sent to COM1; nothing was"
    assert failure.text.startswith("small.idtviz.toml:9: ")
