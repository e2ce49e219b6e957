"""Names and source lines for addresses: from ELF symbol tables, DWARF line programs, and the text files of linkers."""

from idtviz.debugger.symbols.elf import from_elf, from_file
from idtviz.debugger.symbols.symbol import Line, Symbol
from idtviz.debugger.symbols.table import Symbols
from idtviz.debugger.symbols.text import from_text

__all__ = ["Line", "Symbol", "Symbols", "from_elf", "from_file", "from_text"]
