"""The chips of the PC: one file each, with its data sheet's register names and its whole state in one frozen value."""
