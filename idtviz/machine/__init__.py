"""The PC: processor, memory, chips, clock and interrupt delivery. The only user of the emulator."""
