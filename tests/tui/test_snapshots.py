"""The screens as they look. A changed picture is either a mistake or is accepted with `pytest --snapshot-update`."""

from collections.abc import Awaitable, Callable

import pytest
from textual.pilot import Pilot

from idtviz.lab.session import LabSession
from idtviz.lab.teaching.progress import Progress
from idtviz.lab.teaching.tutor import Tutor
from idtviz.tui.app import IdtvizApp
from tests.tui.test_timeline import settled

MOMENTS = {
    "page_fault": "#PF+15",
    "breakpoint": "#BP:2+14",
    "double_fault": "#DF+13",
    "double_fault_no_ist": "end",
    "keyboard": "irq1:9+17",
    "protected_keyboard": "irq1:3+15",
    "real_mode_ivt": "#DE+6",
    "task_gate_double_fault": "#DF+16",
    "boot_to_long_mode": "262",
}
Compare = Callable[..., bool]


def app_at(name: str, moment: str) -> IdtvizApp:
    session = LabSession.open(name)
    session.seek(moment)
    return IdtvizApp(session)


def lesson_at(name: str, moment: str) -> IdtvizApp:
    """A lesson where it ships, seen by a student who has answered all that was asked before."""
    session = LabSession.open(name)
    session.seek(moment)
    tutor = Tutor(session, Progress(""))
    tutor.pass_by(session.moment)
    return IdtvizApp(session, tutor)


BOTH_SIZES = pytest.mark.parametrize("size", [(80, 24), (160, 48)], ids=["80x24", "160x48"])


def app_with_branches() -> IdtvizApp:
    """The page fault scenario, and the same with the gate of #PF taken away, at the end of that."""
    session = LabSession.open("page_fault")
    session.seek("end")
    session.seek("#PF")
    session.edit("idt[14].p", 0)
    session.run()
    return IdtvizApp(session)


def pressing(*keys: str) -> Callable[[Pilot[None]], Awaitable[None]]:
    """Press keys, each when what came of the one before has ended."""

    async def press(pilot: Pilot[None]) -> None:
        await settled(pilot)
        for key in keys:
            await pilot.press(key)
            await pilot.app.workers.wait_for_complete()
            await pilot.pause()

    return press


@BOTH_SIZES
@pytest.mark.parametrize("name", MOMENTS)
def test_the_screen_at_the_moment_that_the_scenario_is_about(
    name: str, size: tuple[int, int], snap_compare: Compare
) -> None:
    assert snap_compare(app_at(name, MOMENTS[name]), terminal_size=size)


@BOTH_SIZES
def test_a_wrong_kernel_where_a_rule_has_found_the_bug(size: tuple[int, int], snap_compare: Compare) -> None:
    app = IdtvizApp(LabSession.open("bugs/error_code_not_popped"))
    assert snap_compare(app, terminal_size=size, run_before=pressing("x"))


@BOTH_SIZES
def test_the_page_of_what_was_found(size: tuple[int, int], snap_compare: Compare) -> None:
    app = IdtvizApp(LabSession.open("bugs/gate_dpl"))
    assert snap_compare(app, terminal_size=size, run_before=pressing("x", "colon", *"explain", "enter"))


def test_a_large_screen(snap_compare: Compare) -> None:
    assert snap_compare(app_at("page_fault", "#PF+20"), terminal_size=(240, 70))


def test_the_light_theme(snap_compare: Compare) -> None:
    assert snap_compare(app_at("page_fault", "#PF+9"), terminal_size=(160, 48), press=["f2"])


def test_the_help_of_a_panel(snap_compare: Compare) -> None:
    assert snap_compare(app_at("page_fault", "#PF"), terminal_size=(100, 40), press=["2", "question_mark"])


def test_a_gate_bit_by_bit(snap_compare: Compare) -> None:
    assert snap_compare(app_at("page_fault", "#PF"), terminal_size=(120, 40), press=["5", "home", "enter"])


def test_an_entry_of_the_vector_table_bit_by_bit(snap_compare: Compare) -> None:
    assert snap_compare(app_at("real_mode_ivt", "#DE"), terminal_size=(120, 40), press=["5", "home", "enter"])


def test_the_page_walk_of_an_address_of_32_bit_paging(snap_compare: Compare) -> None:
    press = ["3", *["down"] * 4, "enter"]
    assert snap_compare(app_at("task_gate_double_fault", "#PF"), terminal_size=(160, 48), press=press)


@pytest.mark.parametrize("key", ["3", "4", "5", "7"])
def test_panels_of_protected_mode_on_a_small_screen(key: str, snap_compare: Compare) -> None:
    assert snap_compare(app_at("task_gate_double_fault", "#DF+16"), terminal_size=(80, 24), press=[key])


@pytest.mark.parametrize("key", ["3", "4", "5", "6"])
def test_panels_of_real_mode_on_a_small_screen(key: str, snap_compare: Compare) -> None:
    assert snap_compare(app_at("real_mode_ivt", "irq1+7"), terminal_size=(80, 24), press=[key])


def test_the_return_from_a_handler_is_stepped_like_the_way_in(snap_compare: Compare) -> None:
    async def to_the_return(pilot: Pilot[None]) -> None:
        await pilot.press("f")
        await pilot.app.workers.wait_for_complete()
        await pilot.press("M", "M", "M", "M", "M")
        await pilot.pause()

    assert snap_compare(app_at("page_fault", "#PF+25"), terminal_size=(160, 48), run_before=to_the_return)


@BOTH_SIZES
def test_two_branches_side_by_side(size: tuple[int, int], snap_compare: Compare) -> None:
    assert snap_compare(app_with_branches(), terminal_size=size, run_before=pressing("equals_sign"))


def test_the_list_of_branches(snap_compare: Compare) -> None:
    keys = ("colon", *"branch", "enter")
    assert snap_compare(app_with_branches(), terminal_size=(100, 30), run_before=pressing(*keys))


@BOTH_SIZES
def test_a_timeline_on_which_branches_part(size: tuple[int, int], snap_compare: Compare) -> None:
    app = app_with_branches()
    screen = pressing("colon", *"note", "space", *"here", "space", *"it", "space", *"ends", "enter", "o")
    assert snap_compare(app, terminal_size=size, run_before=screen)


@BOTH_SIZES
def test_a_gate_on_the_edit_line(size: tuple[int, int], snap_compare: Compare) -> None:
    keys = ("5", "home", "down", "e", *["down"] * 7, "enter")
    assert snap_compare(app_at("page_fault", "#PF"), terminal_size=size, run_before=pressing(*keys))


def test_the_fields_of_a_gate_to_edit(snap_compare: Compare) -> None:
    keys = ("5", "home", "down", "e")
    assert snap_compare(app_at("page_fault", "#PF"), terminal_size=(120, 40), run_before=pressing(*keys))


def test_without_colour_the_signs_remain(snap_compare: Compare, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert snap_compare(app_at("double_fault", "#DF+5"), terminal_size=(160, 48))


@BOTH_SIZES
def test_a_question_and_the_panels_that_it_covers(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert snap_compare(lesson_at("course/02_frame", "bad_load"), terminal_size=size)


@BOTH_SIZES
def test_a_task(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert snap_compare(lesson_at("course/02_frame", "read_the_frame"), terminal_size=size)


def test_the_page_of_a_lesson(snap_compare: Compare) -> None:
    app = lesson_at("course/08_ist", "#DF")
    assert snap_compare(app, terminal_size=(160, 48), run_before=pressing("l"))


@pytest.mark.usefixtures("nothing_done")
def test_the_gallery(snap_compare: Compare) -> None:
    assert snap_compare(IdtvizApp(), terminal_size=(100, 30))
