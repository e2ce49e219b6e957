"""The command line: one file for each command. Nothing here imports Textual before a screen is wanted."""
