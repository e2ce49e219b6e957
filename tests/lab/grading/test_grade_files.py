"""`LAB.grade.toml`, and what it makes of a lab."""

from __future__ import annotations

import shutil

import pytest

from idtviz.lab.grading.bundle import Bundle, bundle
from idtviz.lab.grading.plan import plan
from idtviz.lab.problems import ScenarioError
from tests.lab.grading.classroom import LAB


@pytest.fixture
def lab(tmp_path):
    shutil.copytree(LAB.parent, tmp_path / "lab")
    return tmp_path / "lab" / LAB.name


def write(lab, text):
    lab.with_name("memory.grade.toml").write_text(text)


def problems(lab):
    with pytest.raises(ScenarioError) as caught:
        plan(lab, "memory.toml")
    return list(map(str, caught.value.problems))


def test_every_problem_is_said_with_its_line(lab):
    write(lab, 'seed = "x"\nvary = ["rsp"]\n[limits]\nmemory = "1 KiB"\n[[case]]\ntitle = "a"\npoint = 1\n')
    found = problems(lab)
    assert [problem.partition(" ")[0] for problem in found] == [f"memory.grade.toml:{line}:" for line in (1, 2, 4, 7)]
    assert "unknown key case[0].point" in found[3]


def test_a_lab_in_which_nothing_is_to_be_written_cannot_be_graded(lab):
    lab.write_text(lab.read_text().replace('todo = "handler.S"', ""))
    assert problems(lab) == ["memory.toml: nothing is to be written in it (todo): there is nothing to grade"]


def test_a_lab_that_expects_nothing_cannot_be_graded(lab):
    lab.write_text(lab.read_text().partition("[[expect]]")[0])
    write(lab, "")
    assert "there is nothing to grade" in problems(lab)[0]


def test_variations_are_the_same_every_time_and_others_with_another_seed(lab):
    cases = plan(lab, "x").cases
    assert cases == plan(lab, "x").cases
    write(lab, 'seed = 8\nvariations = 2\nsolution = "solutions/handler.S"\n')
    others = plan(lab, "x").cases
    assert [case.title for case in others] == ["as handed out", "variation 1", "variation 2"]
    assert others[0] == cases[0]
    assert others[1].registers != cases[1].registers
    assert others[1].speed != cases[1].speed


def test_without_a_solution_to_try_them_on_there_are_no_variations(lab):
    write(lab, "")
    assert len(plan(lab, "x").cases) == 5  # the one in solutions/ is found
    shutil.rmtree(lab.parent / "solutions")
    assert [case.title for case in plan(lab, "x").cases] == ["as handed out"]


def test_a_variation_varies_what_it_is_told_and_nothing_that_a_kernel_was_promised(lab):
    assert "rsp" not in dict(plan(lab, "x").cases[1].registers)
    write(lab, 'vary = ["r12", "rbx"]\nat = "kernel_ready"\n')
    first = plan(lab, "x").cases[1]
    assert (first.at, list(dict(first.registers))) == ("kernel_ready", ["r12", "rbx"])


def test_inputs_at_instruction_counts_come_later(lab):
    lab.write_text(lab.read_text().replace('at = "waiting"\n', "at = 5000\n"))
    counts = {int(case.input[0].at) for case in plan(lab, "x").cases[1:3]}
    assert len(counts) == 2
    assert counts <= set(range(5000, 6001))


def test_a_lab_goes_through_json_and_comes_out_whole(lab, tmp_path):
    packed = bundle(lab, "memory.toml")
    again = Bundle.from_json(packed.to_json())
    assert again == packed
    assert plan(again.write_to(tmp_path / "copy"), "x").cases == plan(lab, "x").cases


def test_a_file_outside_of_the_folder_is_not_taken_along(lab):
    write(lab, 'solution = "../../secret.S"\n')
    with pytest.raises(ScenarioError, match="lies outside the scenario's folder"):
        bundle(lab, "memory.toml")
