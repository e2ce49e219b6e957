"""An editor for the parts of a lab that a student writes."""

from __future__ import annotations

from pathlib import Path

from textual.app import ComposeResult
from textual.binding import Binding
from textual.screen import Screen
from textual.widgets import Static, TextArea

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
    DEFAULT_CSS = """
    Editor TextArea { border: round #88e0ef; height: 1fr; }
    Editor Static { height: 1; padding: 0 1; }
    """

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
            try:
                atomic.write(part, self._texts[part].encode())
            except atomic.NotSyncedError:
                pass
            except OSError as error:
                self.query_one("#keys", Static).update(f"{part.name} cannot be written: {error.strerror} · F4 leaves")
                return
            self._before[part] = self._texts[part]
        self.dismiss(bool(changed))

    def action_abandon(self) -> None:
        self.dismiss(result=False)
