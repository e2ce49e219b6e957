"""A visitor's terminal: that of a web page, at the other end of two pipes."""

from __future__ import annotations

import os

from textual.drivers.web_driver import WebDriver


class VisitorDriver(WebDriver):
    """Where the server is gone, however it went, nobody is left to be served."""

    def run_input_thread(self) -> None:
        """Hear the visitor until the application ends; the end of the pipe is the end of the process, busy or not."""
        super().run_input_thread()
        if not self.exit_event.is_set():
            os._exit(0)
