"""A way into the past, a search there and a comparison can be paused: one is where one was, and nothing is lost."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from idtviz.debugger.inputs import SetRegister
from idtviz.debugger.moment import Moment
from idtviz.debugger.session import Phase, Session, SessionError
from idtviz.debugger.stops import Reason
from idtviz.machine.watch import Bytes
from tests.debugger.breaking import set_at
from tests.debugger.sessions import ticking

HERE, END = Moment(30_000), Moment(60_000)


@pytest.fixture(autouse=True)
def no_checkpoints(monkeypatch: pytest.MonkeyPatch) -> None:
    """How many stand on the way depends on how busy this machine is; here none does, so that each way is long."""
    monkeypatch.setattr("idtviz.debugger.history.perf_counter", lambda: 0.0)


def two_runs() -> Session:
    """Two branches, which part at 1000; it stands far behind that on the second."""
    session = ticking(b"\x48\xff\xc0\xeb\xfb", 100)
    session.run(END)
    session.seek(Moment(1000))
    session.give(SetRegister("rbx", 7))
    session.run(END)
    session.seek(HERE)
    return session


def paused_soon(session: Session, command: Callable[[], object], runs: int) -> None:
    """Carry out a command, and pause it when the machine has run at speed `runs` times."""
    run, left = session.machine.run, [runs]

    def counted(until: int) -> None:
        left[0] -= 1
        if not left[0]:
            session.pause()
        run(until)

    session.machine.run = counted  # type: ignore[method-assign]
    command()
    session.machine.run = run  # type: ignore[method-assign]
    assert left[0] <= 0, "it was over before"


def run_back(session: Session) -> None:
    set_at(session, "write cr2")
    session.run_back()


@pytest.mark.parametrize("runs", [1, 2, 5])
@pytest.mark.parametrize(
    "command",
    [
        lambda session: session.who_wrote(Bytes(0xB8000, 2)),
        lambda session: session.who_wrote("cr2"),
        lambda session: session.seek(Moment(45_000)),
        lambda session: session.switch(1),
        run_back,
    ],
    ids=["who wrote memory", "who wrote a register", "seek", "switch", "run back"],
)
def test_what_is_paused_on_its_way_leaves_one_where_one_was(command: Callable[[Session], None], runs: int) -> None:
    session = two_runs()
    before = session.branch, session.moment, session.digest(), session.seen
    events = list(session.events)
    paused_soon(session, lambda: command(session), runs)
    assert (session.stop.reason, session.phase) == (Reason.PAUSED, Phase.STOPPED)
    assert (session.branch, session.moment, session.digest(), session.seen) == before
    assert list(session.events) == events
    session.step()
    assert session.moment > HERE
    session.seek(END)
    assert session.moment == END


def test_a_comparison_that_is_paused_says_so() -> None:
    session = two_runs()
    before = session.branch, session.moment, session.digest()

    def compare() -> None:
        with pytest.raises(SessionError, match="paused"):
            session.compare(1, 2)

    paused_soon(session, compare, 3)
    assert (session.branch, session.moment, session.digest()) == before
    assert [name for name, _, _ in session.compare(1, 2).registers] == ["rbx"]


def test_a_pause_that_comes_when_nothing_goes_on_ends_nothing() -> None:
    session = two_runs()
    session.pause()
    session.seek(END)
    assert session.moment == END


def test_a_pause_does_not_end_the_digests_that_are_saved() -> None:
    session = two_runs()
    before, expected = (session.branch, session.moment, session.stop), session.digests()
    paused_soon(session, lambda: expected.update(session.digests()), 2)
    assert expected == session.digests()
    assert (session.branch, session.moment, session.stop) == before
