"""The session: every way to move in time, and what can be seen at each moment."""
