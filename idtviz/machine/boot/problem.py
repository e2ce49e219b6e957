"""What is wrong with an image."""

from __future__ import annotations


class ImageError(Exception):
    """An image that cannot be loaded; the message says what was found and what was expected."""
