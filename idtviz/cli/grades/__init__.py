"""The outcome of grading, for people and for programs."""
