"""Why something cannot be edited, or not so."""

from __future__ import annotations


class EditError(Exception):
    """One sentence that says what is wrong, for a person to read."""
