"""What a PC's firmware leaves in memory for the program that it starts."""
