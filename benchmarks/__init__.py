"""How fast it is, as figures measured side by side in one run. Nothing here passes or fails: `python -m benchmarks`."""
