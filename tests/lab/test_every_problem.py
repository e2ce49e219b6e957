"""Every problem of a scenario is listed at once."""

from pathlib import Path

import pytest

from idtviz.lab.preparation import prepare
from idtviz.lab.problems import Problem, ScenarioError

SHIPPED = Path(__file__).parents[2] / "scenarios"


def problems_of(folder: Path, text: str) -> list[Problem]:
    (folder / "kernel.elf").write_bytes((SHIPPED / "page_fault.elf").read_bytes())
    path = folder / "scenario.toml"
    path.write_text(text)
    with pytest.raises(ScenarioError) as caught:
        prepare(path)
    return list(caught.value.problems)


def test_a_wrong_key_hides_neither_a_wrong_file_nor_a_wrong_moment(tmp_path: Path) -> None:
    found = problems_of(
        tmp_path,
        """title = "x"
[machine]
bogus = 1
mode = "sideways"
[image]
elf = "kernel.elf"
source = ["../outside.S"]
[[input]]
at = "nowhere"
keys = "h\u00e9"
[[lesson]]
at = "no_such_symbol"
say = "hello"
""",
    )
    assert [problem.line for problem in found] == [3, 4, 7, 9, 10, 12]


def test_a_missing_title_is_told_beside_a_missing_image(tmp_path: Path) -> None:
    found = problems_of(tmp_path, 'summary = "x"\n[image]\nelf = "other.elf"\n')
    assert any("title is missing" in str(problem) for problem in found)
    assert any("other.elf" in str(problem) for problem in found)
