"""Teaching: what a scenario says, asks and wants made to work, and how far a student has come."""
