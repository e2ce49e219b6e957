"""Scenarios as tests of pytest: what the plugin `idtviz.pytest_plugin` collects, runs and says."""
