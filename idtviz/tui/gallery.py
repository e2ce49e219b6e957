"""The gallery: the course, files that were opened before, the scenarios, and the kernels that are wrong in one way."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding
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


@dataclass(frozen=True, slots=True)
class _Entry:
    """What can be chosen: a file, and the two lines that it has in the list."""

    path: Path
    title: str
    below: str = ""

    @property
    def option(self) -> Option:
        below = f"\n     {' '.join(self.below.split())}" if self.below else ""
        return Option(f"  {self.title}{below}", id=str(self.path))


class Gallery(Screen[None]):
    """What there is to be run; Enter runs one."""

    BINDINGS = [Binding("q,escape", "app.quit", "quit")]

    def compose(self) -> ComposeResult:
        found = OptionList(id="gallery", markup=False)
        found.border_title = "idtviz · ↑ ↓ choose, Enter runs, q leaves"
        yield found

    def on_screen_resume(self, _event: events.ScreenResume) -> None:
        """The list is on the screen, for the first time or again: there may be progress to be seen."""
        options = self.query_one(OptionList)
        at = options.highlighted_option.id if options.highlighted_option is not None else None
        options.clear_options()
        options.add_options(list(_options()))
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


def _options() -> Iterator[Option]:
    wrong = (item for item in bugs() if not item.name.endswith("_fixed"))
    files = recent.files()
    yield from _section("The course", _lessons())
    if files:
        yield from _section("Opened before", (_Entry(path, printable(str(path))) for path in files))
    yield from _section("Scenarios", (_Entry(item.path, item.title, item.summary) for item in shipped()))
    yield from _section(
        "Kernels that are wrong in one way each",
        (_Entry(item.path, f"⚑ {item.title}", item.summary) for item in wrong),
    )


def _section(title: str, entries: Iterable[_Entry]) -> Iterator[Option]:
    yield Option(f"{title}\n", disabled=True)
    yield from (entry.option for entry in entries)
    yield Option("", disabled=True)


def _lessons() -> Iterator[_Entry]:
    done = all_progress()
    for item in course():
        come = str(done[item.name]) if item.name in done else ""
        yield _Entry(item.path, f"{come:>3}  {item.title}", item.summary)
