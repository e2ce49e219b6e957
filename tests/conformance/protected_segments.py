"""Selectors and descriptors for a protected-mode world: right, or with one thing wrong."""

from __future__ import annotations

from dataclasses import replace

from tests.oracle.long_mode import AC, IF, NT, Descriptor, data_segment
from tests.oracle.protected_mode import (
    BEYOND_GDT,
    CALL_GATE,
    CODE,
    CODE_BY_RING,
    CONFORMING_CODE,
    DATA_BY_RING,
    KERNEL_CODE16,
    KERNEL_STACK16,
    LDT_CODE,
    LDT_SELECTOR,
    LDT_STACK,
    OUTER,
    SPARE,
    SPARE2,
    STACK_BY_RING,
    TASK,
    TASK16,
    TASK_GATE,
    TSS16_SELECTOR,
    TSS_SELECTOR,
    code_segment,
    stack_segment,
)

from .dice import Dice

RETURN_TO = CODE + 0x40


FREE_FLAGS = 0x28_0CD5 | IF | AC | NT
"""The bits of EFLAGS that may be anything in an image: the arithmetic ones, IF, DF, NT, AC, VIF, ID."""


def selector(dice: Dice, ring: int) -> int:
    """Any selector: of a segment there is, of none, of the null descriptor, of a system segment."""
    rpl = dice.pick((ring, ring, 0, dice.below(4)))
    chosen = dice.weighted((
        (4, dice.pick(CODE_BY_RING)),
        (2, dice.pick(DATA_BY_RING)),
        (3, dice.pick(STACK_BY_RING)),
        (2, CONFORMING_CODE),
        (5, SPARE),
        (4, SPARE2),
        (3, dice.pick((LDT_CODE, LDT_STACK))),
        (2, dice.pick((KERNEL_CODE16, KERNEL_STACK16))),
        (3, dice.pick((TSS_SELECTOR, LDT_SELECTOR, TASK, TASK16, OUTER, CALL_GATE, TASK_GATE, TSS16_SELECTOR))),
        (2, BEYOND_GDT),
        (3, 0),
    ))  # fmt: skip
    return chosen & ~3 | rpl


def code_descriptor(dice: Dice, dpl: int, eip: int = RETURN_TO) -> Descriptor:
    """A code segment that mostly has one thing wrong; a limit in it is close to `eip`."""
    return dice.weighted((
        (2, code_segment(dpl)),
        (2, code_segment(dpl, type=0xA)),
        (3, code_segment(dpl, present=False)),
        (3, code_segment(dpl, granularity=False, limit=dice.near(eip))),
        (1, code_segment(dpl, default=False, granularity=False, limit=0xFFFF)),
        (1, code_segment(dpl, long=True)),
        (3, code_segment(dice.below(4), type=dice.pick((0xC, 0xE, 0xF)))),
        (3, code_segment(dice.below(4))),
        (1, stack_segment(dpl)),
        (2, descriptor(dice, dpl)),
    ))  # fmt: skip


def stack_descriptor(dice: Dice, dpl: int) -> Descriptor:
    """A stack segment that mostly has one thing wrong, or is of another kind."""
    return dice.weighted((
        (2, stack_segment(dpl)),
        (2, stack_segment(dpl, type=0x2)),
        (3, stack_segment(dpl, present=False)),
        (2, stack_segment(dpl, type=dice.pick((0x0, 0x1, 0x5)))),
        (2, stack_segment(dpl, default=False, limit=0xFFFF)),
        (2, stack_segment(dpl, limit=dice.pick((0xFFF, 0x1FFF, 0xF80 + dice.below(0x100))))),
        (1, stack_segment(dpl, type=0x7, limit=dice.pick((0xFFF, 0xF80 + dice.below(0x80), 0x7F)))),
        (3, stack_segment(dice.below(4))),
        (1, data_segment(dpl)),
        (1, code_segment(dpl)),
        (2, descriptor(dice, dpl)),
    ))  # fmt: skip


def descriptor(dice: Dice, dpl: int) -> Descriptor:
    """Any segment descriptor at all; its base is that of the stacks where it is no code."""
    kind, system = dice.below(16), dice.chance(0.2)
    made = stack_segment(dice.pick((dpl, dice.below(4))), type=kind, system=system, present=dice.chance(0.8))
    return made if kind < 8 and not system else replace(made, base=0, granularity=dice.chance(0.8), limit=0xFFFFF)
