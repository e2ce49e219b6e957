"""Imports at the start of the program."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def importing() -> Iterator[None]:
    """Import with the garbage collector off.

    Importing allocates much and frees next to nothing: the collector would only look at it again and again. What is
    there afterwards stays for good, so it is never looked at later either, in the middle of a key press.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
