"""Grading: every hand-in of a class against what a lab expects, each in a process of its own that can harm no other."""
