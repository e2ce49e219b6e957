"""The input line at the bottom of the debugger."""

from __future__ import annotations

from textual.screen import Screen
from textual.widgets import Input

from idtviz.debugger.symbols import Symbols
from idtviz.tui.completion import LineSuggester
from idtviz.tui.questions import QUESTIONS, Question


class Prompt(Screen[None]):
    """A screen with one line of input, which is there while something is asked."""

    def __init__(self, symbols: Symbols) -> None:
        super().__init__()
        self._symbols = symbols
        self._question: Question | None = None

    def line(self) -> Input:
        """The widget, for `compose`."""
        return Input(id="line")

    def ask(self, what: str, answer: str = "") -> None:
        """Show the line, with an answer to begin with; what is entered goes to `answered`."""
        if self.maximized is not None:
            self.minimize()  # beside a panel on the whole screen there is no place for the line
        self._question = QUESTIONS[what]
        line = self.query_one("#line", Input)
        line.value = answer
        line.border_title = self._question.prompt
        line.border_subtitle = "→ completes · esc closes"
        line.suggester = LineSuggester(self._symbols, self._question.prefix)
        line.display = True
        self.set_focus(line)

    def close_line(self) -> None:
        """Nothing is asked any more."""
        if self._question is not None:
            self._question = None
            self.query_one("#line", Input).display = False
            self.set_focus(None)

    def answered(self, question: Question, text: str) -> None:
        """`text` was entered; it is not blank."""
        raise NotImplementedError

    def on_input_submitted(self, message: Input.Submitted) -> None:
        """A line was entered."""
        question = self._question
        self.close_line()
        if question is not None and message.value.strip():
            self.answered(question, message.value)

    def action_command(self) -> None:
        self.ask("command")

    def action_goto(self) -> None:
        self.ask("goto")

    def action_type_keys(self) -> None:
        self.ask("type_keys")

    def action_raise_irq(self) -> None:
        self.ask("raise_irq")
