"""Going back to where something came from: a value, a handler, a call, an event."""

from __future__ import annotations

import bisect

from idtviz.debugger import stop_texts
from idtviz.debugger.breakpoints import RegisterBreakpoint, WriteBreakpoint
from idtviz.debugger.code import call_return_address, readable
from idtviz.debugger.disassembly import LONGEST, Instruction, disassemble
from idtviz.debugger.inputs import Input, Poke, Recorded, SetRegister
from idtviz.debugger.moment import START, Moment
from idtviz.debugger.stack import stack_view
from idtviz.debugger.stops import Interrupted, Reason, Stop
from idtviz.debugger.travel import SEARCH_LIMIT, Traveller
from idtviz.machine.decoding import code_bits
from idtviz.machine.delivery.delivery import Delivery
from idtviz.machine.events import Happened, Returned
from idtviz.machine.registers import RCX
from idtviz.machine.watch import Bytes

_RETURN_ADDRESS = 2  # bytes of it that are looked for: no return address has fewer


class CauseFinder(Traveller):
    """A machine that goes back to what caused something."""

    # Who wrote this?

    def _to_writer(self, place: Bytes | str) -> None:
        """Be in front of the instruction or step that wrote the bytes, or the register, last; always interrupts."""
        now = self.moment
        name = place if isinstance(place, str) else stop_texts.place(place.address, self.symbols)
        item = RegisterBreakpoint(place) if isinstance(place, str) else WriteBreakpoint(place, name)
        edit = self._last_edit(place, now)
        floor = START if edit is None else edit.moment
        met = self._last_met((item,), floor, now, including=True)
        if met is not None:
            goal, text = self._in_front_of(met.moment), met.text
        elif edit is not None:
            goal, text = edit.moment, _edited(edit)
        else:
            goal, text = now, f"nothing has written {name} since the start"
        self._replay_to(goal, pausable=True)
        raise Interrupted(Stop(Reason.FOUND, text))

    def _in_front_of(self, moment: Moment) -> Moment:
        """The moment before what has just been done at `moment`."""
        return self._recording.before(moment, micro=True) or START

    def _last_edit(self, place: Bytes | str, now: Moment) -> Recorded | None:
        """The last input up to `now` that wrote there, but not the one that was found just before."""
        found = [given for given in self._recording.inputs if given.moment <= now and _writes(given.input, place)]
        if found and found[-1].moment == now and self._last_answer == _edited(found[-1]):
            found.pop()
        return found[-1] if found else None

    @property
    def _last_answer(self) -> str:
        """What the last command had to say."""
        raise NotImplementedError

    # Where did we come from?

    def _origin(self) -> Moment | None:
        """Where the interrupt, the call or the repeated string instruction came that has just ended; None: none has."""
        now, events = self.moment, self._recording.events
        last = events[self.machine.events - 1] if self.machine.events else None
        if isinstance(last, Returned) and now == Moment(last.instruction + 1):
            return self._recording.recognised[last.delivery][0]
        previous = self._recording.before(now, micro=False)
        if now.step or previous is None:
            return None
        resume = self.machine.cpu.linear_rip
        self._replay_to(previous, pausable=True)
        if self._here().mnemonic.startswith("ret"):
            return self._call(previous, resume)
        if self._here().repeats:
            return self._first_repetition(previous)
        return None

    def _call(self, returning: Moment, resume: int) -> Moment | None:
        """The call that goes on at `resume` once it has returned, where the RET is next at `returning`."""
        registers = self.machine.cpu.registers()
        slot = stack_view(self.machine.linear(registers), registers).linear
        item = WriteBreakpoint(Bytes(slot, _RETURN_ADDRESS), "the return address")
        met = self._last_met((item,), START, returning, including=True)
        if met is None:
            return None
        calling = self._in_front_of(met.moment)
        self._replay_to(calling, pausable=True)
        return calling if call_return_address(self.machine, self.machine.cpu.registers()) == resume else None

    def _first_repetition(self, last: Moment) -> Moment:
        """The first of the repetitions that go on without a break up to `last`, where the machine is."""
        cpu = self.machine.cpu
        rip, left = cpu.linear_rip, cpu.registers().general[RCX]

        def repeats(at: int) -> bool:
            if at < 0:
                return False
            self._replay_to(Moment(at), pausable=True)
            return cpu.linear_rip == rip and cpu.registers().general[RCX] == left + last.instruction - at

        known, stride = last.instruction, 1
        while repeats(known - stride):
            known, stride = known - stride, stride * 2
        while stride > 1:
            stride //= 2
            if repeats(known - stride):
                known -= stride
        return Moment(known) if known < last.instruction else last

    def _here(self) -> Instruction:
        """The instruction that is next; a byte where no code can be read."""
        at = self.machine.cpu.registers()
        raw = readable(self.machine.linear(at), at.linear_rip, LONGEST) or b"\0"
        return disassemble(raw, at.rip, code_bits(at))[0]

    def _handler_came(self) -> Moment | None:
        """Where the event came whose handler is running, or is being entered; None if none is."""
        activity, live = self.machine.activity, self.machine.live
        if isinstance(activity, Delivery):
            return Moment(self.moment.instruction, self.moment.step - len(activity.steps))
        return self._recording.recognised[live[-1].delivery][0] if live else None

    # Events

    def _event_before(self, moment: Moment) -> Moment | None:
        """The last moment before `moment` at which something happened."""
        return max((at for at in self._events_near(moment, -1) if at < moment), default=None)

    def _event_behind(self, moment: Moment) -> Moment | None:
        """The first moment behind `moment` at which something happened, as far as that is known."""
        return min((at for at in self._events_near(moment, 1) if at > moment), default=None)

    def _run_to_event(self) -> None:
        """On until something happens that is not of this moment, and back to where it did."""
        start = self.moment
        self._run(lambda: self._event_behind(start) is not None, limit=self.machine.clock.now + SEARCH_LIMIT)
        found = self._event_behind(start)
        assert found is not None
        self._replay_to(found)

    def _events_near(self, moment: Moment, way: int) -> list[Moment]:
        """The moments of the events of this instruction, and of the nearest one with events in the direction `way`."""
        events = self._recording.events
        low = bisect.bisect_left(events, moment.instruction, key=_instruction_of)
        high = bisect.bisect_right(events, moment.instruction, key=_instruction_of)
        if way < 0 and low:
            low = bisect.bisect_left(events, events[low - 1].instruction, key=_instruction_of)
        if way > 0 and high < len(events):
            high = bisect.bisect_right(events, events[high].instruction, key=_instruction_of)
        return [Moment(event.instruction, event.step) for event in events[low:high]]


def _instruction_of(event: Happened) -> int:
    return event.instruction


def _writes(given: Input, place: Bytes | str) -> bool:
    """Whether an input writes to the bytes, or to the register."""
    if isinstance(place, str):
        return isinstance(given, SetRegister) and given.register == place
    return (
        isinstance(given, Poke)
        and given.address < place.address + place.size
        and place.address < given.address + len(given.data)
    )


def _edited(given: Recorded) -> str:
    who = "you wrote it here" if given.script is None else "an input of the scenario wrote it here"
    return f"{who}: {given.input}"
