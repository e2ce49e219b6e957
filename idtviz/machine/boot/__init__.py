"""How a machine is started: images in memory, and the state in which they are entered."""

from idtviz.machine.boot.entry import enter
from idtviz.machine.boot.image import TABLE_BYTES, Image, ImageError, Part, entry_problem, load, parse_elf, room

__all__ = ["TABLE_BYTES", "Image", "ImageError", "Part", "enter", "entry_problem", "load", "parse_elf", "room"]
