"""Rows for the devices that many kernels never touch: each appears once the guest has used it."""

from __future__ import annotations

from idtviz.debugger.view import View
from idtviz.machine.chips import ata_commands, rtc, rtc_time
from idtviz.machine.chips.ata_state import BSY, DRQ, ERR, AtaState, Pending
from idtviz.machine.chips.pit import CLK_HERTZ
from idtviz.machine.chips.rtc import CRYSTAL, RtcState
from idtviz.view.layout import flow, sentence
from idtviz.view.row import Role, Rows, Span


def devices_in_use(view: View, before: View | None, width: int) -> Rows:
    """Real-time clock, disks, speaker, and A20 where it is closed."""
    rows = (*_clock(view, before, width), *_disks(view, before, width), *_speaker(view, before, width))
    if view.a20:
        return rows
    return (*rows, *sentence("A20 is closed: bit 20 of every physical address is 0", width, Role.WARNING))


def _span(text: str, *, changed: bool, role: Role = Role.VALUE) -> Span:
    return Span(f"{text} ●", Role.CHANGED) if changed else Span(text, role)


def _clock(view: View, before: View | None, width: int) -> Rows:
    state, old = view.rtc, None if before is None else before.rtc
    if not state.index and state.control == rtc_time.HOURS_24:
        return ()
    now = rtc.settled(state, view.ticks, view.hertz)
    parts = [Span("RTC", Role.LABEL), Span(f"{rtc_time.read(now.cmos):%Y-%m-%d %H:%M:%S}", Role.VALUE)]
    for bit, name in (
        (rtc.SET, "SET"),
        (rtc.PIE, _periodic(state)),
        (rtc.AIE, "alarm on"),
        (rtc.UIE, "update-ended on"),
    ):
        if state.control & bit:
            changed = old is not None and not old.control & bit
            parts.append(_span(name, changed=changed))
    changed = old is not None and old.flags != state.flags
    if state.flags:
        names = ((rtc.PF, "PF"), (rtc.AF, "AF"), (rtc.UF, "UF"))
        flags = " ".join(name for bit, name in names if state.flags & bit)
        parts.append(_span(f"C: {flags}", changed=changed))
    if state.deadline is not None:
        parts.append(Span(f"next interrupt in {max(0, state.deadline - view.ticks)} ticks", Role.DIM))
    rows = flow(parts, width)
    if state.line:
        rows += sentence("IRQ8 stays high until register C is read", width, Role.WARNING)
    return rows


def _periodic(state: RtcState) -> str:
    return f"periodic {CRYSTAL / state.period:g} Hz" if state.period else "periodic, at no rate"


def _disks(view: View, before: View | None, width: int) -> Rows:
    rows: Rows = ()
    for number, state in enumerate(view.disks):
        if state.channel.command is not None:
            rows += flow(_disk(number, state, None if before is None else before.disks[number]), width)
    return rows


def _disk(number: int, state: AtaState, old: AtaState | None) -> list[Span]:
    channel, device = state.channel, state.channel.selected
    command = channel.command
    assert command is not None
    changed = old is not None and old.channel.command != command
    parts = [Span(f"ATA{number}", Role.LABEL), _span(ata_commands.name(command), changed=changed)]
    if command in (*ata_commands.READS, *ata_commands.WRITES) and channel.pending is not Pending.COMMAND:
        moved = old is not None and old.channel.lba != channel.lba
        parts.append(_span(f"LBA {channel.lba}", changed=moved))
        if channel.remaining:
            parts.append(Span(f"{channel.remaining} more", Role.DIM))
    parts += _status(state, old)
    if device is not None:
        for verb, count, was in (
            ("read", device.sectors_read, _counts(old)[0]),
            ("written", device.sectors_written, _counts(old)[1]),
        ):
            if count:
                parts.append(_span(f"{count} {verb}", changed=old is not None and was != count, role=Role.DIM))
    return parts


def _counts(state: AtaState | None) -> tuple[int, int]:
    device = None if state is None else state.channel.selected
    return (0, 0) if device is None else (device.sectors_read, device.sectors_written)


def _status(state: AtaState, old: AtaState | None) -> list[Span]:
    changed = old is not None and old.status != state.status
    if state.status & BSY:
        return [_span("BSY", changed=changed)]
    if state.status & DRQ:
        return [_span("DRQ", changed=changed), Span(f"{state.words_left} words left", Role.DIM)]
    if state.status & ERR:
        device = state.channel.selected
        return [Span(f"ERR {0 if device is None else device.error:#04x}", Role.WARNING)]
    return [_span("DRDY", changed=True)] if changed else [Span("DRDY", Role.DIM)]


def _speaker(view: View, before: View | None, width: int) -> Rows:
    tone = _tone(view)
    if tone is None:
        return ()
    changed = before is not None and _tone(before) != tone
    return flow([Span("speaker", Role.LABEL), _span(f"{tone:.1f} Hz", changed=changed)], width)


def _tone(view: View) -> float | None:
    return view.pit.tone(view.ticks * CLK_HERTZ // view.hertz)
