"""An editor for the parts of a lab that a student writes."""

from __future__ import annotations

from pathlib import Path

from textual.app import ComposeResult
from textual.binding import Binding
from textual.screen import Screen
from textual.widgets import Static, TextArea

from idtviz.lab.problems import ScenarioError
from idtviz.lab.saving import atomic
from idtviz.lab.teaching.workshop import read_part
from idtviz.view.layout import printable


class Editor(Screen[bool]):
    """One part after the other, as text. Answers whether something was saved."""

    BINDINGS = [
        Binding("f2,escape", "save", "save and build", show=False, priority=True),
        Binding("f3", "next_part", "next file", show=False, priority=True),
        Binding("f4", "abandon", "leave as it was", show=False, priority=True),
    ]

    def __init__(self, parts: tuple[Path, ...]) -> None:
        """Raises ScenarioError where a part cannot be read."""
        super().__init__()
        self._parts = parts
        self._texts = {part: read_part(part) for part in parts}
        self._before = dict(self._texts)
        self._shown = 0

    def compose(self) -> ComposeResult:
        area = TextArea(id="text", show_line_numbers=True, tab_behavior="indent")
        area.indent_width = 8
        yield area
        more = " · F3 next file" if len(self._parts) > 1 else ""
        yield Static(f"Esc or F2 saves and builds{more} · F4 leaves the file as it was", id="keys", markup=False)

    def on_mount(self) -> None:
        self._show()
        self.query_one(TextArea).focus()

    @property
    def _area(self) -> TextArea:
        return self.query_one("#text", TextArea)

    def _show(self) -> None:
        part = self._parts[self._shown]
        self._area.text = self._texts[part]
        self._area.move_cursor((_first_line(self._texts[part]), 0), center=True)
        self._area.border_title = printable(str(part))

    def _keep(self) -> None:
        self._texts[self._parts[self._shown]] = self._area.text

    def action_next_part(self) -> None:
        self._keep()
        self._shown = (self._shown + 1) % len(self._parts)
        self._show()

    def action_save(self) -> None:
        """Write what differs, and close; where that fails the text stays open."""
        self._keep()
        changed = [part for part in self._parts if self._texts[part] != self._before[part]]
        for part in changed:
            problem = self._overwrites(part) or self._write(part)
            if problem:
                self.query_one("#keys", Static).update(f"{printable(part.name)} {problem} · F4 leaves")
                return
        self.dismiss(bool(changed))

    def _overwrites(self, part: Path) -> str:
        """What is lost if the part is written, said once: another editor may have saved it meanwhile."""
        try:
            there = read_part(part)
        except ScenarioError:
            return ""
        lost = there not in (self._before[part], self._texts[part])
        self._before[part] = there
        return "has been changed by another program: F2 writes over that" if lost else ""

    def _write(self, part: Path) -> str:
        """Put the text into the file; or say why that cannot be."""
        try:
            atomic.write(part, self._texts[part].encode())
        except atomic.NotSyncedError:
            return ""
        except OSError as error:
            return f"cannot be written: {error.strerror}"
        return ""

    def action_abandon(self) -> None:
        self.dismiss(result=False)


def _first_line(text: str) -> int:
    """Where the code begins, behind the comments and directives in front of it."""
    lines = text.splitlines()
    code = (number for number, line in enumerate(lines) if line.strip() and not line.strip().startswith(_HEADING))
    return next(code, 0)


_HEADING = ("//", "/*", "*", "#", ";", ".", "%", "@")
