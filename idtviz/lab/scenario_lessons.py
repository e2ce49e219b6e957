"""`[[lesson]]` of a scenario file: something to say, a question with its answer, or something to make work."""

from __future__ import annotations

import re
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, model_validator

from idtviz.debugger.editing import GROUPS
from idtviz.lab.registers import REGISTER_NAMES
from idtviz.lab.scenario_values import FileName, MomentText, Part, exactly_one
from idtviz.lab.teaching.lessons import PANELS

FRAME_NAMES = (
    *("error_code", "rip", "cs", "rflags", "rsp", "ss", "es", "ds", "fs", "gs"),
    *("eip", "eflags", "esp", "ip", "flags", "sp"),
)
"""The words of an interrupt frame, by their names in every mode: `frame.eip` and `frame.rip` are the same."""
VALUE_NAMES = (*(f"frame.{name}" for name in FRAME_NAMES), *(f"register.{name}" for name in REGISTER_NAMES))
"""Words of the frame and registers that the answer to a question can be computed from."""
_VALUE_HEAD = re.compile(r"[a-z][a-z0-9]*|(?=\[)", re.IGNORECASE)


def is_value(text: str) -> bool:
    """Whether the answer to a question can be computed from this: a word of the frame, a register, a path to edit."""
    head = _VALUE_HEAD.match(text)
    if head is None or text in VALUE_NAMES:
        return head is not None
    if head[0] in ("frame", "register"):
        return False
    return head[0].lower() in (*GROUPS, *_STRUCTURES, *REGISTER_NAMES, "")


_STRUCTURES = ("ivt", "pml4e", "pdpte", "pde", "pte", "idtr", "gdtr", "cr8")


def _alone(value: Any) -> Any:
    """One text may stand for a list of one."""
    return [value] if isinstance(value, str) else value


Texts = Annotated[
    list[Annotated[str, Field(min_length=1)]], BeforeValidator(_alone), Field(min_length=1, max_length=100)
]


class LessonEntry(Part):
    """`[[lesson]]`: something to say, a question, or something to make work."""

    at: MomentText
    say: str | None = None
    ask: str | None = None
    task: str | None = None
    answer: str | None = None
    choices: Annotated[list[str], Field(max_length=20)] | None = None
    value: Annotated[str, Field(max_length=200)] | None = None
    hint: Texts | None = None
    cover: Texts | None = None
    explain: str | None = None
    todo: FileName | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        exactly_one(self, tuple(_GOES_WITH))
        kind = next(name for name in _GOES_WITH if getattr(self, name) is not None)
        extra = [name for name in _BELONGS if getattr(self, name) is not None and name not in _GOES_WITH[kind]]
        if extra:
            raise ValueError(f"{', '.join(extra)} belongs to {_BELONGS[extra[0]]}, not to {kind}")
        if kind == "ask":
            self._check_answer()
        unknown = [name for name in self.cover or () if name not in PANELS]
        if unknown:
            raise ValueError(f"expected cover to name panels ({', '.join(PANELS)}), found {unknown[0][:60]!r}")
        return self

    def _check_answer(self) -> None:
        exactly_one(self, ("answer", "value"))
        if self.choices is not None and len(self.choices) < 2:
            raise ValueError("expected at least two choices")
        if self.choices is not None and len({choice.strip().casefold() for choice in self.choices}) < len(self.choices):
            raise ValueError("expected choices that differ, found one twice")
        if self.answer is not None and not self.answer.strip():
            raise ValueError("expected an answer that is not empty")
        if self.choices is not None and self.answer is not None and self.answer not in self.choices:
            raise ValueError("expected an answer that is one of the choices")
        if self.value is not None and not is_value(self.value):
            raise ValueError(
                f"expected value to be {VALUE_NAMES[0]}, register.rax or what :set can change, such as idt[14].dpl, "
                f"not {self.value[:60]!r}"
            )


_GOES_WITH = {
    "say": ("todo",),
    "ask": ("answer", "choices", "value", "hint", "cover", "explain"),
    "task": ("hint", "todo"),
}
"""The kinds of lessons, and what may stand beside each."""
_BELONGS = {
    **dict.fromkeys(("answer", "choices", "value", "cover", "explain"), "a question (ask)"),
    "hint": "a question (ask) or a task",
    "todo": "a task",
}
