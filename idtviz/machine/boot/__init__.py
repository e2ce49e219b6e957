"""How a machine is started: images in memory, and the state in which they are entered."""

from idtviz.machine.boot.bootable import Bootable
from idtviz.machine.boot.elf import parse_elf
from idtviz.machine.boot.entry import enter
from idtviz.machine.boot.image import Image, Part, load
from idtviz.machine.boot.problem import ImageError

__all__ = ["Bootable", "Image", "ImageError", "Part", "enter", "load", "parse_elf"]
