"""Every class of bugs is found where it is, and nowhere else."""

import pytest

from idtviz.checks.rules import BY_ID
from idtviz.lab.library import bugs, shipped
from tests.checks.bugs import CLASSES, ON_PURPOSE, found_in

WRONG = [item for item in bugs() if not item.name.endswith("_fixed")]
FIXED = [item for item in bugs() if item.name.endswith("_fixed")]


def test_each_wrong_kernel_has_a_fixed_twin():
    assert {item.name for item in FIXED} == {f"{item.name}_fixed" for item in WRONG}


@pytest.fixture(scope="module")
def found():
    return {item.name: found_in(item) for item in WRONG}


@pytest.mark.parametrize("name", [item.name for item in WRONG])
def test_exactly_one_rule_speaks_of_a_kernel_that_is_wrong_in_one_way(found, name):
    assert len(found[name]) == 1


@pytest.mark.parametrize("number", CLASSES)
def test_each_class_of_bugs_is_found(found, number):
    assert any(BY_ID[rule].bug_class == number for rules in found.values() for rule in rules)


@pytest.mark.parametrize("item", FIXED, ids=lambda item: item.name)
def test_nothing_is_found_in_a_fixed_kernel(item):
    assert found_in(item) == set()


@pytest.mark.parametrize("item", shipped(), ids=lambda item: item.name)
def test_in_the_other_scenarios_nothing_is_found_but_what_they_show_on_purpose(item):
    assert found_in(item) == ON_PURPOSE.get(item.name, set())
