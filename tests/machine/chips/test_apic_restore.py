"""The APICs' states are all that they remember: put back, they make the same future."""

from __future__ import annotations

from dataclasses import fields, is_dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.machine.chips.apics import Apics, Time

Action = tuple[str, int, int]

OFFSETS = [*range(0, 0x400, 0x10)]
MSRS = [0x1B, *range(0x802, 0x840)]
VALUES = [0, 0x41, 0x1FF, 0xFF, 0x8041, 0x700, 0x10400, 0x20040, 0x40041, 0xFEE00900, 0xFEE00D00, 0xFEE00100, 0xB, 500]
ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["write", "read"]), st.sampled_from(OFFSETS), st.sampled_from(VALUES)),
        st.tuples(st.sampled_from(["wrmsr", "rdmsr"]), st.sampled_from(MSRS), st.sampled_from(VALUES)),
        st.tuples(st.just("redirect"), st.integers(0, 23), st.sampled_from([0x41, 0x8051, 0x10061, 0xA071, 0x700])),
        st.tuples(st.just("line"), st.sampled_from([0, 1, 3, 4, 9, 15]), st.integers(0, 1)),
        st.tuples(st.sampled_from(["wait", "acknowledge", "lint1"]), st.just(0), st.integers(0, 2000)),
    ),
    max_size=60,
)


def do(apics: Apics, action: Action) -> object:
    """Perform an action; what can be seen of it outside."""
    kind, place, value = action
    seen: object = None
    match kind:
        case "write":
            apics.write(place, value)
        case "read":
            seen = apics.read(place)
        case "wrmsr":
            seen = apics.lapic.write_msr(place, value)
        case "rdmsr":
            seen = apics.lapic.read_msr(place)
        case "redirect":
            apics.redirect(place, value)
            seen = apics.redirection(place)
        case "line":
            apics.drive(place, bool(value))
        case "wait":
            apics.wait(value)
        case "lint1":
            apics.lapic.set_lint1(bool(value & 1))
        case _:
            seen = apics.lapic.acknowledge() if apics.lapic.intr else None
    return seen, apics.lapic.intr, apics.lapic.deadline(), apics.ioapic.waiting(), apics.nmis, tuple(apics.eois)


def put_back(apics: Apics, snapshot: tuple[object, ...]) -> None:
    apics.time.now, apics.pic.state, apics.lapic.state, apics.ioapic.state = snapshot  # type: ignore[assignment]
    apics.nmis = 0
    apics.eois.clear()
    apics.notes.clear()


@settings(max_examples=300, deadline=None)
@given(before=ACTIONS, after=ACTIONS)
def test_restored_apics_behave_as_they_did(before: list[Action], after: list[Action]) -> None:
    apics = Apics(time=Time(hertz=10_000_000))
    for action in before:
        do(apics, action)
    snapshot = (apics.time.now, apics.pic.state, apics.lapic.state, apics.ioapic.state)
    put_back(apics, snapshot)
    first = [do(apics, action) for action in after]
    put_back(apics, snapshot)
    assert [do(apics, action) for action in after] == first
    fresh = Apics(time=Time(hertz=10_000_000))
    put_back(fresh, snapshot)
    assert [do(fresh, action) for action in after] == first
    assert (fresh.lapic.state, fresh.ioapic.state) == (apics.lapic.state, apics.ioapic.state)


def test_every_state_is_made_of_frozen_values() -> None:
    def check(value: object) -> None:
        if is_dataclass(value):
            assert not hasattr(value, "__dict__")
            for part in fields(value):
                check(getattr(value, part.name))
        elif isinstance(value, tuple):
            for part in value:
                check(part)
        else:
            assert isinstance(value, int)

    apics = Apics()
    for chip in (apics.lapic, apics.ioapic):
        check(chip.state)
        hash(chip.state)
