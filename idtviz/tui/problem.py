"""What the command line answers when it does not understand."""

from __future__ import annotations


class CommandError(Exception):
    """A command line that means nothing; the message says what would."""
