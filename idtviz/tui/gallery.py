"""The gallery: the course, files that were opened before, the scenarios, and the kernels that are wrong in one way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from textual.app import ComposeResult
from textual.binding import Binding
from textual.content import Content
from textual.screen import Screen
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from idtviz.lab import recent
from idtviz.lab.library import bugs, course, shipped
from idtviz.lab.problems import ScenarioError, printable
from idtviz.lab.session import LabSession
from idtviz.lab.teaching.progress import all_progress
from idtviz.lab.teaching.workshop import at_work
from idtviz.tui.debugger import DebuggerScreen
from idtviz.view.fitting import clip

_INDENT = 5
_MARGIN = 4
"""Columns in front of a title, and those that the list needs for itself at its sides."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """What can be chosen: a file, its title, what is said of it, and how far one has come with it."""

    path: Path
    title: str
    summary: str = ""
    come: str = ""

    def option(self, width: int) -> Option:
        parts = [(f"{self.come:>4} ", "$success"), (clip(self.title, width - _INDENT), "bold")]
        if self.summary:
            below = clip(" ".join(self.summary.split()), width - _INDENT)
            parts += [(f"\n{' ' * _INDENT}", ""), (below, "dim")]
        return Option(Content.assemble(*parts), id=str(self.path))


class Gallery(Screen[None]):
    """What there is to be run; Enter runs one."""

    BINDINGS = [Binding("q,escape", "app.quit", "quit")]

    def compose(self) -> ComposeResult:
        found = OptionList(id="gallery", markup=False)
        found.border_title = "idtviz · ↑ ↓ choose, Enter runs, q leaves"
        yield found

    def on_screen_resume(self) -> None:
        """The list is on the screen, for the first time or again: there may be progress to be seen."""
        self.call_after_refresh(self._fill)

    def on_resize(self) -> None:
        """There is another width."""
        self.call_after_refresh(self._fill)

    def _fill(self) -> None:
        options = self.query_one(OptionList)
        at = options.highlighted_option.id if options.highlighted_option is not None else None
        options.clear_options()
        options.add_options(list(_options(options.scrollable_content_region.width - _MARGIN)))
        places = [place for place, option in enumerate(options.options) if not option.disabled]
        options.highlighted = next((place for place in places if options.options[place].id == at), places[0])

    def on_option_list_option_selected(self, message: OptionList.OptionSelected) -> None:
        """Run the one that was chosen."""
        path = Path(message.option.id or "")
        try:
            session = LabSession.open(at_work(path))
        except ScenarioError as error:
            self.notify(str(error), title=path.name, severity="error", markup=False)
            return
        recent.opened(path)
        self.app.push_screen(DebuggerScreen(session))


def _options(width: int) -> Iterator[Option]:
    wrong = (item for item in bugs() if not item.name.endswith("_fixed"))
    sections = {
        "The course": _lessons(),
        "Opened before": (_Entry(path, printable(str(path))) for path in recent.files()),
        "Scenarios": (_Entry(item.path, item.title, item.summary) for item in shipped()),
        "Kernels that are wrong in one way each": (_Entry(item.path, item.title, item.summary, "⚑") for item in wrong),
    }
    for title, entries in sections.items():
        options = [entry.option(width) for entry in entries]
        if options:
            yield Option(Content.assemble((title, "bold")), disabled=True)
            yield from options
            yield Option("", disabled=True)


def _lessons() -> Iterator[_Entry]:
    done = all_progress()
    for item in course():
        yield _Entry(item.path, item.title, item.summary, str(done[item.name]) if item.name in done else "")
