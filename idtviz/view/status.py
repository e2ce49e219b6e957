"""The first and the last line of the screen, and the list of keys."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from typing import Protocol

from idtviz.debugger.procedures import Stage
from idtviz.debugger.view import View
from idtviz.view.row import Panel, Role, Row, Rows, Span, row


class Key(Protocol):
    """What the help sheet says of a key."""

    @property
    def keys(self) -> str: ...
    @property
    def help(self) -> str: ...


def running(instructions: int, seconds: float, per_second: float | None) -> str:
    """What the head says while a run goes on: instructions completed, virtual time, and the rate in real time."""
    rate = "" if per_second is None else f" · {per_second / 1e6:.1f} MIPS"
    return f"running · {instructions:,} instructions{rate} · {_time(seconds)} · Esc stops"


_NAMES = {
    "slash": "/",
    "colon": ":",
    "question_mark": "?",
    "plus": "+",
    "minus": "-",
    "underscore": "_",
    "equals_sign": "=",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "left": "←",
    "right": "→",
    "escape": "Esc",
    "space": "Space",
    "tab": "Tab",
    "shift+left": "Shift+←",
    "shift+right": "Shift+→",
}
_KEYS_WIDTH = 11


def key_name(key: str) -> str:
    """What a person calls a key that the registry calls `key`."""
    return _NAMES.get(key, key.upper() if len(key) > 1 and key[0] == "f" else key)


def head(
    view: View, name: str, state: str, width: int, branch: Sequence[str] = (), found: tuple[Span, Span] | None = None
) -> Panel:
    """Which scenario, branch, mode, ring, moment, and what the session is doing.

    `branch`: which run this is, in words, and in fewer. `found`: the count of findings, in words, and in fewer.
    """
    procedure = view.procedure
    number = f"{view.moment.instruction:,}"
    parts = {
        "name": Span(f" {name}", Role.TITLE),
        "branch": Span(f"  {branch[0]}" if branch else "", Role.CHANGED),
        "where": Span(f"  {where(view)}"),
        "instruction": Span(f"   instruction {number}", Role.VALUE),
    }
    if procedure is not None and procedure.stage is Stage.UNDER_WAY:
        parts["check"] = Span(f"  check {procedure.performed} of {len(procedure.steps)}", Role.CURRENT)
    parts["time"] = Span(f"   {_time(view.ticks / view.hertz)}", Role.DIM)
    if found is not None:
        parts["found"] = Span(f"{found[0].text}  ", found[0].role)
    shorter_branch = f"  {branch[-1]}" if branch else ""
    for yields, shorter in (
        ("time", ""),
        ("branch", shorter_branch),
        ("instruction", f"   {number}"),
        ("found", f"{found[1].text}  " if found is not None else ""),
        ("instruction", ""),
        ("where", ""),
    ):
        if sum(len(span.text) for span in parts.values()) + len(state) + 3 <= width:
            break
        if yields in parts:
            parts[yields] = Span(shorter, parts[yields].role)
    used = sum(len(span.text) for span in parts.values())
    gap = max(1, width - used - len(state) - 1)
    role = Role.BAD if state in ("shutdown", "endless fault", "unsupported") else Role.GOOD
    right = (parts.pop("found"),) if found is not None else ()
    spans = (span for span in parts.values() if span.text)
    return Panel("", (Row((*spans, Span(" " * gap), *right, Span(state, role))),))


def where(view: View) -> str:
    """Mode and ring, with where a procedure under way leads: `long mode · ring 3 → 0`, `vm86 → protected mode`."""
    found = view.procedure
    if found is None or found.stage is not Stage.UNDER_WAY or found.after is None:
        return standing(view)
    return _mode_and_ring(view, (found.before.mode, found.after.mode), (found.before.cpl, found.after.cpl))


def standing(view: View) -> str:
    """Mode and ring of this moment; real mode has no rings."""
    return _mode_and_ring(view, (view.mode,), (view.registers.cpl,))


def _mode_and_ring(view: View, modes: tuple[str, ...], rings: tuple[int, ...]) -> str:
    text = f"{' → '.join(dict.fromkeys(modes))} mode"
    if view.mode == "protected" and view.code.bits == 16:
        text += " · 16-bit code"
    return text if set(modes) == {"real"} else f"{text} · ring {' → '.join(map(str, dict.fromkeys(rings)))}"


def tabs(names: Sequence[tuple[str, str]], chosen: str, width: int) -> Panel:
    """The panels that share a place on a small screen, the one that is shown marked."""
    spans: list[Span] = []
    for key, name in names:
        mark, role = ("▸", Role.TITLE) if name == chosen else (" ", Role.DIM)
        spans += [Span(f"{mark}{key}", Role.CURRENT), Span(f" {name} ", role)]
    return Panel("", (Row(_cut(spans, width)),))


def _cut(spans: list[Span], width: int) -> tuple[Span, ...]:
    """As many spans as fit."""
    used = 0
    kept = []
    for span in spans:
        used += len(span.text)
        if used > width:
            break
        kept.append(span)
    return tuple(kept)


def foot(shown: Sequence[tuple[str, str]], width: int) -> Panel:
    """The keys that a person needs most; where there is no room for all, the last two (help, quit) stay."""
    parts = [(Span(f" {key_name(key)}", Role.CURRENT), Span(f" {label} ", Role.LABEL)) for key, label in shown]
    kept, last = parts[:-2], parts[-2:]
    while kept and sum(len(key.text) + len(label.text) for key, label in (*kept, *last)) > width:
        kept.pop()
    return Panel("", (Row(_cut([span for part in (*kept, *last) for span in part], width)),))


def keys(actions: Iterable[Key], width: int) -> tuple[Row, ...]:
    """All keys, each with what it does."""
    rows = [Row(), row(("Keys", Role.TITLE))]
    for action in actions:
        names = " ".join(map(key_name, action.keys.split(",")))
        rows += _explained(names, action.help, width)
    rows += _explained("1-9, 0", "Focus a panel; ↑ and ↓ move its cursor, Enter opens the row", width)
    return tuple(rows)


def _explained(names: str, text: str, width: int) -> Rows:
    """A key, and a sentence beside it in as many lines as it needs."""
    indent = _KEYS_WIDTH + 2
    first, *others = textwrap.wrap(text, max(20, width - indent))
    return (
        row((f"  {names:<{_KEYS_WIDTH}}", Role.CURRENT), first),
        *(row(" " * indent + more) for more in others),
    )


def _time(seconds: float) -> str:
    for unit, factor in (("s", 1.0), ("ms", 1e3), ("µs", 1e6)):
        if seconds * factor >= 1:
            return f"{seconds * factor:.3g} {unit}"
    return "0 µs"
