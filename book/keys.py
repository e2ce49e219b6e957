"""The keys and what the panels show, from the one place where the debugger has them."""

from __future__ import annotations

from book.tables import escaped, table
from idtviz.tui.actions import ACTIONS, PANEL_HELP, PANELS, TABS, Action
from idtviz.view.status import key_name


def caps(action: Action) -> tuple[str, ...]:
    """The keys of an action, as they are labelled."""
    return tuple(key_name(key) for key in action.keys.split(","))


def pressed(key: str) -> str:
    """A key in the text of a page."""
    return f"<kbd>{key.replace('<', '&lt;')}</kbd>"


def keys() -> str:
    """Every key, in the order of the debugger's own help."""
    rows = [(" ".join(map(pressed, caps(action))), action.label, f"{escaped(action.help)}.") for action in ACTIONS]
    panels = (" ".join(pressed(key) for key in "1234567890"), "panel", "Go to a panel: see below.")
    return table(("key", "in the footer", "does"), [*rows, panels])


def panels() -> str:
    """What each panel shows."""
    numbered = {name: (str((place + 1) % 10), tab) for place, (name, tab) in enumerate(zip(PANELS, TABS, strict=True))}
    parts = []
    for name, text in PANEL_HELP.items():
        key, tab = numbered.get(name, ("", ""))
        where = f" {pressed(key)}" if key else ""
        title = tab if tab.casefold() == name else name.capitalize()
        called = f" In a narrow terminal its tab is called `{tab}`." if tab.casefold() not in ("", name) else ""
        parts.append(f"### {title}{where} {{ #panel-{name} }}\n\n{escaped(text)}{called}")
    return "\n\n".join(parts)
