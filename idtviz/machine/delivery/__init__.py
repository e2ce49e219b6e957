"""How the processor gets into a handler and out of it, one named step at a time (SDM 3A chapter 6)."""
