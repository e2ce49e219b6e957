"""The runs of a session that part from one another, by keys: take an edit back, go to another run."""

from __future__ import annotations

from idtviz.tui.branch_commands import switched, undone
from idtviz.tui.moving import MovingScreen


class BranchingScreen(MovingScreen):
    """A screen that goes from one branch to another."""

    def action_undo(self) -> None:
        self.move(lambda: undone(self.session), long=True)

    def action_switch(self) -> None:
        """To the next branch, and from the last to the first."""
        numbers = [branch.number for branch in self.session.branches]
        if len(numbers) == 1:
            self.say("There is one run only: an edit, or an input at a moment of the past, begins another.")
            return
        number = numbers[(numbers.index(self.session.branch.number) + 1) % len(numbers)]
        self.move(lambda: switched(self.session, number), long=True)

    def action_compare(self) -> None:
        """The present branch beside the one from which it parts."""
        self.submit("compare", opens=True)
