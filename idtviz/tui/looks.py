"""What a role looks like. Colour is never the only sign: rows carry ●, ✓, ✗ and ▶ as well."""

from __future__ import annotations

from rich.style import Style

from idtviz.view.row import Role

_DARK = {
    Role.TEXT: "#d8dee9",
    Role.LABEL: "#8fa1b3",
    Role.VALUE: "#e5e9f0",
    Role.DIM: "#66707f",
    Role.TITLE: "bold #ffffff",
    Role.CHANGED: "bold #ebcb8b",
    Role.CURRENT: "bold #88e0ef",
    Role.READ: "#88c0d0",
    Role.WRITTEN: "#f0a868",
    Role.GOOD: "#a3be8c",
    Role.BAD: "bold #ff7b72",
    Role.WARNING: "#ebcb8b",
    Role.ADDRESS: "#7d8ca0",
    Role.SYMBOL: "#b8a1e3",
    Role.SOURCE: "#c3ccd8",
    Role.CODE: "#d8dee9",
    Role.FRAME: "#9ecbff",
}
_LIGHT = {
    Role.TEXT: "#24292f",
    Role.LABEL: "#57606a",
    Role.VALUE: "#1b1f24",
    Role.DIM: "#8c959f",
    Role.TITLE: "bold #000000",
    Role.CHANGED: "bold #9a6700",
    Role.CURRENT: "bold #0550ae",
    Role.READ: "#0969da",
    Role.WRITTEN: "#bc4c00",
    Role.GOOD: "#1a7f37",
    Role.BAD: "bold #cf222e",
    Role.WARNING: "#9a6700",
    Role.ADDRESS: "#6e7781",
    Role.SYMBOL: "#8250df",
    Role.SOURCE: "#32383f",
    Role.CODE: "#24292f",
    Role.FRAME: "#0a58ca",
}
_DARK_GROUND = "#12161c"
_LIGHT_GROUND = "#fbfcfd"
_DARK_LIT = {Role.CURRENT: "#1d3a46", Role.READ: "#173545", Role.WRITTEN: "#43301a", Role.BAD: "#4a1f22"}
_LIGHT_LIT = {Role.CURRENT: "#d6ecff", Role.READ: "#dbeeff", Role.WRITTEN: "#ffe9d2", Role.BAD: "#ffdcdc"}
_DARK_CURSOR, _LIGHT_CURSOR = "#2c3440", "#e4e9ee"


class Looks:
    """The styles of one theme."""

    def __init__(self, *, dark: bool) -> None:
        colours = _DARK if dark else _LIGHT
        self.ground = _DARK_GROUND if dark else _LIGHT_GROUND
        self.cursor = _DARK_CURSOR if dark else _LIGHT_CURSOR
        self._lit = _DARK_LIT if dark else _LIGHT_LIT
        self._styles = {role: Style.parse(colour) for role, colour in colours.items()}
        self._grounds: dict[str, Style] = {}

    def style(self, role: Role, lit: Role | None, *, cursor: bool) -> Style:
        """The style of a span of `role` in a row that is `lit`, or under the cursor."""
        ground = self._lit.get(lit) if lit is not None else None
        ground = ground or (self.cursor if cursor else self.ground)
        return self._styles[role] + self._ground(ground)

    def _ground(self, colour: str) -> Style:
        found = self._grounds.get(colour)
        if found is None:
            found = self._grounds[colour] = Style.parse(f"on {colour}")
        return found


DARK, LIGHT = Looks(dark=True), Looks(dark=False)
