"""Sessions in files: what was opened, what was given, and where one stands. Opening one replays it."""

from __future__ import annotations

from idtviz.lab.saving.describing import save
from idtviz.lab.saving.problem import SavedSessionError
from idtviz.lab.saving.replay import Told, restore

__all__ = ["SavedSessionError", "Told", "restore", "save"]
