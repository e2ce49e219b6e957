"""Mangled names of C++ and Rust, made readable, and found by what a person would write."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from demangle import Signature

_PREFIXES = ("_Z", "_R", "__Z", "__R")
_LANGUAGES = ("itanium", "rust")
_LONGEST = 2048  # characters of a mangled name that is still read
_DEEPEST = 64
_MOST_OUTPUT = 4096
_MOST_CANDIDATES = 4096
_WORD = re.compile(r"[A-Za-z_]\w*")
_ARGUMENTS = re.compile(r"[(<]")
_NOT_WRITTEN = frozenset(("operator", "anonymous", "namespace"))  # words that a mangled name spells another way


def is_mangled(name: str) -> bool:
    """Whether the name looks like one that a C++ or Rust compiler has made."""
    return name.startswith(_PREFIXES)


@lru_cache(maxsize=1 << 16)
def readable(name: str) -> str:
    """The path of a mangled name: without parameters, without Rust's hash; any other name as it is."""
    found = _signature(name)
    if found is None:
        return name
    text = found.qualified_name if found.is_function else found.demangled.removesuffix(f" ({found.decoration})")
    return f"{text} ({found.decoration})" if found.decoration and "llvm" not in found.decoration else text


def written(names: Iterable[str], wanted: str) -> tuple[str, ...]:
    """The mangled ones of `names` that `wanted` may stand for: the best kind of match that there is.

    `wanted` is the demangled name with its parameters, without them, or the last components of its path; these also
    without their arguments.
    """
    words = [word for word in _WORD.findall(_ARGUMENTS.split(wanted, maxsplit=1)[0]) if word not in _NOT_WRITTEN]
    if not words:
        return ()
    longest = max(words, key=len)
    candidates = [name for name in names if longest in name and is_mangled(name)][:_MOST_CANDIDATES]
    text = wanted.replace(" ", "")
    whole, path, tail = [], [], []
    for name in candidates:
        found = _signature(name)
        if found is None:
            continue
        shown = readable(name).replace(" ", "")
        plain = _without_arguments(shown)
        if found.demangled.replace(" ", "") == text:
            whole.append(name)
        elif text in (shown, plain):
            path.append(name)
        elif shown.endswith(f"::{text}") or plain.endswith(f"::{text}"):
            tail.append(name)
    return tuple(whole or path or tail)


def brief(path: str, most: int = 40) -> str:
    """A readable name where there is little room: if it is long without its arguments, if need be only its end."""
    if len(path) <= most:
        return path
    path = _without_arguments(path, "<…>")
    starts = [place for place, depth in _depths(path) if not depth and path.startswith("::", place)]
    if len(path) <= most or not starts:
        return path
    start = next((place for place in starts if len(path) - place < most), starts[-1])
    return f"…{path[start:]}"


def _without_arguments(path: str, mark: str = "") -> str:
    """The path with `mark` for each list of arguments: what stands between angle brackets behind a name."""
    found: list[str] = []
    skipped = 0
    for place, depth in _depths(path):
        begins = path[place] == "<" and place and (path[place - 1].isalnum() or path[place - 1] in "_:")
        if not skipped and begins and not path.endswith("operator", 0, place):
            skipped = depth
            while found and found[-1] == ":":
                found.pop()
            found.append(mark)
        elif not skipped:
            found.append(path[place])
        elif path[place] == ">" and depth < skipped:
            skipped = 0
    return "".join(found)


def _depths(path: str) -> Iterator[tuple[int, int]]:
    """Each place of the path, and how many angle brackets are open behind it; those of operators do not count."""
    depth = 0
    for place, sign in enumerate(path):
        if sign in "<>" and path[place - 1 : place] not in ("-", "="):
            of_operator = path[:place].rstrip("<>=-").endswith("operator")
            depth += 0 if of_operator else 1 if sign == "<" else -1
        yield place, depth


def _signature(name: str) -> Signature | None:
    if not is_mangled(name) or len(name) > _LONGEST:
        return None
    from demangle import DemanglingError, Limits, signature  # noqa: PLC0415 -- 0.1 s that only such names cost

    limits = Limits(max_depth=_DEEPEST, max_output=_MOST_OUTPUT, max_input=_LONGEST)
    try:
        return signature(name, language=_LANGUAGES, limits=limits)
    except (DemanglingError, RecursionError):
        return None
