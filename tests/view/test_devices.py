from dataclasses import replace

from idtviz.machine.chips.pit import PitState
from idtviz.machine.chips.pit_counter import CounterState
from idtviz.view import controllers
from idtviz.view.devices import devices_in_use

from .sessions import at


def shown(view, before=None):
    return [row.text.strip() for row in devices_in_use(view, before, 80)]


def test_devices_that_the_kernel_never_touches_have_no_row():
    view = at("keyboard", "irq1").view
    assert shown(view) == []


def test_the_clock_shows_its_time_what_is_enabled_and_when_the_next_interrupt_comes():
    view = at("rtc_periodic", "kernel_ready").view
    (row,) = shown(view)
    assert row.startswith("RTC 2026-01-01 00:00:00 periodic 1024 Hz")
    assert f"next interrupt in {view.rtc.deadline - view.ticks} ticks" in row


def test_the_clocks_time_is_that_of_the_moment_though_nobody_has_read_it():
    view = at("rtc_periodic", "kernel_ready").view
    assert "00:01:30" in shown(replace(view, ticks=90 * view.hertz))[0]


def test_a_line_that_waits_for_register_c_says_so():
    session = at("rtc_periodic", "rtc_handler")
    assert shown(session.view)[1] == "IRQ8 stays high until register C is read"
    session.seek("end_of_interrupt")
    assert len(shown(session.view)) == 1


def test_what_the_kernel_has_just_enabled_bears_a_mark():
    session = at("rtc_periodic", "set_up_rtc")
    before = session.view
    session.seek("kernel_ready")
    assert "periodic 1024 Hz ●" in shown(session.view, before)[0]


def test_the_disk_shows_its_command_where_it_is_and_what_is_left():
    session = at("disk_sector", "wait_for_disk")
    assert shown(session.view) == ["ATA0 READ SECTORS BSY"]
    before = session.view
    session.seek("data_in")
    assert shown(session.view, before) == ["ATA0 READ SECTORS LBA 1 ● DRQ ● 256 words left 1 read ●"]
    session.seek("done")
    assert shown(session.view) == ["ATA0 READ SECTORS LBA 1 DRDY 2 read 1 written"]


def test_a_command_that_failed_shows_the_error_register():
    view = at("disk_sector", "done").view
    channel = view.disks[0].channel
    failed = channel.with_selected(replace(channel.devices[0], status=0x51, error=0x04))
    view = replace(view, disks=(replace(view.disks[0], channel=replace(failed, command=0xA1)), view.disks[1]))
    assert shown(view)[0].startswith("ATA0 command 0xa1 ERR 0x04")


def test_the_speaker_shows_its_tone_while_it_sounds():
    view = at("keyboard", "irq1").view
    sounding = CounterState(mode=3, written=True, counting=True, initial=2712)
    tone = PitState((*view.pit.counters[:2], sounding), port_b=3)
    assert shown(replace(view, pit=tone)) == ["speaker 440.0 Hz"]
    assert shown(replace(view, pit=tone), view) == ["speaker 440.0 Hz ●"]
    for silent in (replace(tone, port_b=1), replace(tone, port_b=2)):
        assert shown(replace(view, pit=silent)) == []


def test_a_closed_a20_is_a_warning():
    view = replace(at("keyboard", "irq1").view, a20=False)
    assert shown(view) == ["A20 is closed: bit 20 of every physical address is 0"]


def test_devices_in_use_stand_in_the_controllers_panel_above_the_timer():
    panel = controllers.panel(at("disk_sector", "data_in").view, None, 60)
    rows = [row.text.split()[0] for row in panel.rows if row.text.strip()]
    assert rows.index("ATA0") < rows.index("8254")


def test_a_serial_interrupt_that_out2_keeps_from_its_line_says_so():
    view = at("keyboard", "irq1").view
    port = replace(view.com1, ier=1, mcr=0, received=b"x")
    for mcr, said in ((0x00, True), (0x08, False)):
        panel = controllers.panel(replace(view, com1=replace(port, mcr=mcr)), None, 80)
        assert any("OUT2=0 holds IRQ4 back" in row.text for row in panel.rows) is said
