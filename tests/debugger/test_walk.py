"""Wherever commands lead, a moment of a branch that is seen again is the same, and so is all that happened before."""

from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from idtviz.debugger.moment import START
from tests.debugger.sessions import ticking
from tests.debugger.walk import opened
from tests.debugger.wandering import BACK, CHANGES, FORWARD, SEARCHES, Command, Wanderer

NAMES = (
    *("page_fault", "double_fault_no_ist", "keyboard", "task_gate_double_fault", "real_mode_ivt"),
    *("lapic_timer", "nmi_during_fault", "syscall_vs_int80"),
)
SUITE = settings(
    max_examples=5,
    stateful_step_count=30,
    deadline=None,
    derandomize=True,
    print_blob=False,
    suppress_health_check=list(HealthCheck),
)


class Walk(RuleBasedStateMachine):
    """Somebody with one scenario, who looks about behind every command."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    @initialize(chance=st.randoms(use_true_random=False))
    def begin(self, chance: random.Random) -> None:
        self.person = Wanderer(opened(self.name), chance)

    @rule(command=st.sampled_from(FORWARD))
    def forward(self, command: Command) -> None:
        command(self.person)

    @precondition(lambda self: self.person.session.moment > START)
    @rule(command=st.sampled_from(BACK))
    def back(self, command: Command) -> None:
        command(self.person)

    @rule(command=st.sampled_from(SEARCHES))
    def search(self, command: Command) -> None:
        command(self.person)

    @rule(command=st.sampled_from(CHANGES))
    def change(self, command: Command) -> None:
        command(self.person)

    @rule()
    def switch(self) -> None:
        self.person.switch()

    @rule()
    def save_and_reopen(self) -> None:
        self.person.save_and_reopen()

    @invariant()
    def a_moment_seen_again_has_not_changed(self) -> None:
        self.person.look()


@pytest.mark.parametrize("name", NAMES)
def test_wherever_commands_lead_a_moment_seen_again_has_not_changed(name: str) -> None:
    run_state_machine_as_test(lambda: Walk(name), settings=SUITE)


def test_commands_at_random_among_timer_interrupts_find_each_moment_again() -> None:
    wanderer = Wanderer(ticking(b"\x48\xff\xc0\x48\xff\xc3\xeb\xf8", 40), 7)
    for _ in range(80):
        wanderer.go()
