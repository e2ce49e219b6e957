"""What MkDocs calls while it builds the book.

`extra.quick` in its configuration leaves out what takes time: screens are empty, commands are shown and not run.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from book import directives, parts, running  # noqa: E402 -- MkDocs runs this file by its path
from book.problem import PageError  # noqa: E402

_Asked = TypeVar("_Asked")
_Found = TypeVar("_Found")
_EMPTY = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 9"/>\n'
_SHOTS = "screenshots"

_pages: dict[str, Future[str]] = {}
"""Each page as it will be, by its name: commands are run while screens are drawn."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Begin to run the commands of all pages; add the pictures of the README, and the screens that pages ask for."""
    quick = bool(config.extra.get("quick"))
    documents = list(files.documentation_pages())
    others = ThreadPoolExecutor(max_workers=1)
    _pages.update({file.src_uri: others.submit(_shown, file.src_uri, file.content_string, quick) for file in documents})
    others.shutdown(wait=False)
    for path in sorted((ROOT / _SHOTS).glob("*.svg")):
        files.append(File.generated(config, f"{_SHOTS}/{path.name}", abs_src_path=str(path)))
    wanted = [
        (_name(file, place), file.src_uri, screen) for file in documents for place, screen in enumerate(_screens(file))
    ]
    for name, picture in _empty(wanted) if quick else _drawn(wanted):
        files.append(File.generated(config, name, content=picture))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001
    """What was written from the code and by its commands, with the pictures."""
    text = _pages.pop(page.file.src_uri).result()
    for place, wanted in enumerate(_screens(page.file)):
        text = text.replace(wanted.text, _figure(wanted, _name(page.file, place).rpartition("/")[2]), 1)
    return text


def _shown(page: str, markdown: str, quick: bool) -> str:
    """A page with what comes from the code, and with what its commands print."""
    text = _told(page, parts.filled, markdown)
    if quick:
        return _told(page, lambda asked: running.run_page(asked, None), text)
    with tempfile.TemporaryDirectory() as folder:
        return _told(page, lambda asked: running.run_page(asked, Path(folder)), text)


def _screens(file: File) -> list[directives.Screen]:
    return _told(file.src_uri, lambda page: list(directives.screens(page)), file.content_string)


_Wanted = Iterable[tuple[str, str, directives.Screen]]


def _empty(wanted: _Wanted) -> Iterator[tuple[str, str]]:
    return ((name, _EMPTY) for name, _, _ in wanted)


def _drawn(wanted: _Wanted) -> Iterator[tuple[str, str]]:
    from book import pictures  # noqa: PLC0415 -- only a picture needs the debugger

    with pictures.reader() as data:
        for name, page, screen in wanted:
            pictures.forget(data)
            yield name, _told(page, pictures.draw, screen)


def _name(file: File, place: int) -> str:
    return f"screens/{file.src_uri.removesuffix('.md').replace('/', '_')}_{place + 1}.svg"


def _figure(wanted: directives.Screen, name: str) -> str:
    """The picture, which opens by itself at a click."""
    return f"[![{wanted.caption}](screens/{name})](screens/{name})\n*{wanted.caption}*\n{{ .screen }}"


def _told(page: str, do: Callable[[_Asked], _Found], asked: _Asked) -> _Found:
    """What is wrong with a page ends the building, with the name of the page."""
    try:
        return do(asked)
    except PageError as error:
        raise PluginError(f"{page}: {error}") from error
