"""What is wrong with a page."""

from __future__ import annotations


class PageError(Exception):
    """A page asks for something that there is not, or a command on it does not do what the page says."""
