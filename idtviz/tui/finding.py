"""What the rules have found, by keys: to the next, to the one before; and why things are as they are."""

from __future__ import annotations

from idtviz.checks.why import lines_of_interest
from idtviz.tui.finding_commands import gone_back, gone_on, gone_to
from idtviz.tui.moving import MovingScreen


class FindingScreen(MovingScreen):
    """A screen that goes from finding to finding."""

    def action_finding(self) -> None:
        self.move(lambda: gone_on(self.session), long=True)

    def action_finding_back(self) -> None:
        self.move(lambda: gone_back(self.session), long=True)

    def action_why(self) -> None:
        """How it came to this; on a gate why its vector does not arrive, on the controllers why a line does not."""
        panel = self.panel
        row = panel.row if panel is not None else None
        if panel is not None and panel.id == "idt" and row is not None and row.key is not None:
            self.submit(f"why vector {row.key}", opens=True)
        elif panel is not None and panel.id == "pic":
            lines = lines_of_interest(self.picture.view)
            if len(lines) == 1:
                self.submit(f"why irq {lines[0]}", opens=True)
            else:
                self.ask("why", str(lines[0]) if lines else "")
        else:
            self.submit("why", opens=True)

    def go_to_finding(self, place: int) -> None:
        """To the moment of one of those that are shown; its page opens."""
        if 0 <= place < len(self.picture.findings):
            finding = self.picture.findings[place]
            self.opens = not self.is_busy
            self.move(lambda: gone_to(self.session, finding), long=True)
