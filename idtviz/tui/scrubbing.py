"""The timeline by keys and mouse: scrubbing through the run, from event to event, nearer and further away."""

from __future__ import annotations

from idtviz.checks.finding import Finding
from idtviz.debugger.moment import START, Moment
from idtviz.tui.moving import MovingScreen
from idtviz.tui.timeline import TimelinePanel

_AT_THE_FRONTIER = "This is as far as the run is recorded: s, n and c go on from here."


class ScrubbingScreen(MovingScreen):
    """A screen whose present is dragged along the timeline.

    Scrubbing asks for moments more quickly than the session may reach them. The worker goes to one at a time, and then
    to the last that was asked for: what was asked for in between is dropped, so the screen is never behind the hand.
    """

    _wanted: Moment | None = None
    """The moment that was asked for last, until it is reached."""
    _aimed: Moment | None = None
    """The one that the worker is on its way to."""

    def scrub_to(self, moment: Moment) -> None:
        """Go to a moment of the recorded run as soon as that can be done, unless another is asked for before."""
        moment = max(START, min(moment, self.session.frontier))
        if self._wanted is not None:
            self._wanted = moment
        elif not self.is_busy:
            self._wanted = moment
            self._go_on()

    @property
    def _is_free(self) -> bool:
        """Whether nothing but scrubbing goes on."""
        return self._wanted is not None or not self.is_busy

    def _go_on(self) -> None:
        aimed = self._wanted
        if aimed is not None:
            self._aimed = aimed
            self.move(lambda: self.session.seek(aimed), long=True)

    def arrived(self, answer: object, findings: tuple[Finding, ...]) -> None:
        """Draw; then on to where the hand has gone since."""
        reached, self._aimed = self._aimed, None
        if reached == self._wanted:
            self._wanted = None
        super().arrived(answer, findings)
        self._go_on()

    def action_pause(self) -> None:
        self._wanted = None
        super().action_pause()

    # Keys

    def action_scrub_back(self) -> None:
        self._scrub(-1)

    def action_scrub(self) -> None:
        self._scrub(1)

    def _scrub(self, columns: int) -> None:
        """By columns of the axis, from where the last key led."""
        here = self._wanted or self.session.moment
        scale = self.picture.scale
        if scale is None or not self._is_free:
            return
        if columns > 0 and here == self.session.frontier:
            if not self.is_busy:
                self.say(_AT_THE_FRONTIER)
            return
        start = here.instruction + (columns < 0 < here.step and scale.window.span <= scale.columns)
        self.scrub_to(Moment(max(0, scale.window.beside(start, columns, scale.columns))))

    def action_event_back(self) -> None:
        self.move(self.session.event_back, long=True)

    def action_event_forward(self) -> None:
        self.move(self.session.event_forward, long=True)

    def action_start(self) -> None:
        self.scrub_to(START)

    def action_frontier(self) -> None:
        self.scrub_to(self.session.frontier)

    def action_nearer(self) -> None:
        self._zoom(self.picture.view.moment.instruction, nearer=True)

    def action_further(self) -> None:
        self._zoom(self.picture.view.moment.instruction, nearer=False)

    def action_whole_run(self) -> None:
        self.picture.window = None
        self.draw_one("timeline")

    def _zoom(self, around: int, *, nearer: bool) -> None:
        self.picture.zoom(around, nearer=nearer)
        self.draw_one("timeline")

    # The pointer

    def on_timeline_panel_pointed(self, message: TimelinePanel.Pointed) -> None:
        """To what is shown there."""
        moment = self.picture.moment_at(message.x)
        if moment is not None and self._is_free:
            self.scrub_to(moment)

    def on_timeline_panel_zoomed(self, message: TimelinePanel.Zoomed) -> None:
        """About what the pointer stands on."""
        scale = self.picture.scale
        if scale is not None:
            self._zoom(scale.stretch(message.x)[0], nearer=message.nearer)
