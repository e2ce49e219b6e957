"""Object files that are kept, for builds that have sources in common."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from pathlib import Path

from idtviz.lab.building.made import Made, Maker
from idtviz.lab.building.target import Target
from idtviz.lab.building.workplace import Workplace
from idtviz.lab.saving import atomic


class Kept:
    """Finds an object file that was made by the same tool of the same source, and of what it read.

    Two files for each: `KEY.json` has the names of what such a source read when it was last made, `KEY.o` is what was
    made of files with just these bytes. One that was made with warnings is not kept, for they would be missing.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def find(self, maker: Maker, place: Workplace, source: str, target: Target) -> Made | None:
        """What was kept; None: nothing that is still right."""
        if self._folder is None:
            return None
        key = _key(maker, place, source, target)
        try:
            reads = tuple(map(str, json.loads((self._folder / f"{key}.json").read_bytes())))
            raw = (self._folder / f"{_whole(key, place, reads)}.o").read_bytes()
        except (OSError, ValueError, KeyError, TypeError):
            return None
        made = place.room() / f"{Path(source).stem}.o"
        made.write_bytes(raw)
        return Made(made, reads)

    def keep(self, maker: Maker, place: Workplace, source: str, target: Target, made: Made) -> None:
        """Keep what was made, if it can be told of what."""
        if self._folder is None or made.reads is None or made.warnings:
            return
        key = _key(maker, place, source, target)
        with suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            atomic.write(self._folder / f"{_whole(key, place, made.reads)}.o", made.object.read_bytes())
            atomic.write(self._folder / f"{key}.json", json.dumps(made.reads).encode())


def _key(maker: Maker, place: Workplace, source: str, target: Target) -> str:
    """Of the tool, of what it is asked, of the source, and of the names of all others."""
    said = repr((maker.tools, maker.identity, target.bits, target.red_zone, source, sorted(place.files)))
    return hashlib.sha256(said.encode() + place.files[source]).hexdigest()


def _whole(key: str, place: Workplace, reads: tuple[str, ...]) -> str:
    """Of all that and of what was read. Raises KeyError for a file that is not there."""
    digest = hashlib.sha256(key.encode())
    for name in reads:
        digest.update(hashlib.sha256(place.files[name]).digest())
    return digest.hexdigest()
