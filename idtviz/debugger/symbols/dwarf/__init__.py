"""Source lines from DWARF 2 to 5, read as far as a question needs them."""
