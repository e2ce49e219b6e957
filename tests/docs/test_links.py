"""Whoever follows a link arrives, and whoever reads is not told on to another host."""

from __future__ import annotations

import re
from urllib.parse import unquote, urlsplit

from tests.docs.pages import Site

_URL = re.compile(r"url\(['\"]?(?!data:)(https?:)?//")


def test_every_link_leads_to_a_page_and_a_place_on_it(site: Site) -> None:
    lost = []
    for name in site.names:
        for link in site.page(name).links:
            parts = urlsplit(link)
            if parts.scheme in ("http", "https") or name == "404.html":
                continue
            target = (site.folder / name).parent / unquote(parts.path) if parts.path else site.folder / name
            found = target / "index.html" if target.is_dir() else target
            if not found.is_file():
                lost.append((name, link))
            elif parts.fragment and found.suffix == ".html":
                places = site.page(found.resolve().relative_to(site.folder.resolve()).as_posix()).places
                if unquote(parts.fragment) not in places and parts.fragment != "__skip":
                    lost.append((name, link))
    assert not lost


def test_every_picture_script_and_style_comes_with_the_book(site: Site) -> None:
    for name in site.names:
        for fetched in site.page(name).fetched:
            parts = urlsplit(fetched)
            assert not parts.scheme, (name, fetched)
            assert not parts.netloc, (name, fetched)
            if name != "404.html":
                assert ((site.folder / name).parent / unquote(parts.path)).is_file(), (name, fetched)


def test_no_style_and_no_picture_fetches_anything(site: Site) -> None:
    for path in (*site.folder.rglob("*.css"), *site.folder.rglob("*.svg")):
        assert not _URL.search(path.read_text(encoding="utf-8")), path
