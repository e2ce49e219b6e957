"""The 16550 serial port, and the debug console."""

from __future__ import annotations

from dataclasses import dataclass, field

from idtviz.machine.chips.debugcon import DebugConsole
from idtviz.machine.chips.transcript import BLOCK, LIMIT, Transcript
from idtviz.machine.chips.uart import WIRE_LIMIT, Uart

THR = RBR = 0x3F8
IER, IIR, LCR, MCR, LSR, MSR, SCR = range(0x3F9, 0x400)
FCR = IIR


@dataclass
class Bench:
    edges: list[bool] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.chip = Uart(self.edges.append)

    def out(self, port: int, value: int) -> None:
        self.chip.write(port, 1, value)

    def inp(self, port: int) -> int:
        return self.chip.read(port, 1)

    def drain(self) -> bytes:
        codes = bytearray()
        while self.inp(LSR) & 1:
            codes.append(self.inp(RBR))
        return bytes(codes)


def test_what_is_transmitted_is_collected_and_the_transmitter_is_always_ready() -> None:
    bench = Bench()
    for byte in b"hello\n":
        assert bench.inp(LSR) == 0x60
        bench.out(THR, byte)
    assert bench.chip.state.output == b"hello\n"
    assert bench.edges == []


def test_dlab_opens_the_divisor() -> None:
    bench = Bench()
    bench.out(LCR, 0x83)
    bench.out(THR, 0x01)
    bench.out(IER, 0x02)
    assert (bench.inp(RBR), bench.inp(IER), bench.inp(LCR)) == (0x01, 0x02, 0x83)
    bench.out(LCR, 0x03)
    assert (bench.inp(IER), bench.chip.state.divisor, bench.chip.state.output) == (0, 0x201, b"")


def test_the_scratch_register_reads_back_and_a_read_only_one_ignores_a_write() -> None:
    bench = Bench()
    bench.out(SCR, 0xA5)
    bench.out(LSR, 0xFF)
    bench.out(MSR, 0xFF)
    assert (bench.inp(SCR), bench.inp(LSR), bench.inp(MSR)) == (0xA5, 0x60, 0xB0)


def test_received_data_interrupts_through_out2_only() -> None:
    bench = Bench()
    bench.out(IER, 0x01)
    bench.chip.receive(b"a")
    assert (bench.inp(IIR), bench.edges) == (0x04, [])
    bench.out(MCR, 0x0B)
    assert bench.edges == [True]
    assert bench.inp(RBR) == ord("a")
    assert (bench.edges, bench.inp(IIR)) == ([True, False], 0x01)


def test_without_fifos_each_byte_makes_its_own_edge() -> None:
    bench = Bench()
    bench.out(MCR, 0x08)
    bench.out(IER, 0x01)
    bench.chip.receive(b"abc")
    received = bytes(bench.inp(RBR) for _ in range(3))
    assert (received, bench.edges) == (b"abc", [True, False] * 3)


def test_the_fifo_holds_16_bytes_and_the_rest_waits_on_the_wire() -> None:
    bench = Bench()
    bench.out(FCR, 0xC7)
    assert bench.inp(IIR) == 0xC1
    data = bytes(range(40))
    assert bench.chip.receive(data) == 40
    assert len(bench.chip.state.received) == 16
    assert bench.drain() == data
    assert bench.inp(RBR) == 0
    assert bench.chip.receive(bytes(5000)) == WIRE_LIMIT


def test_the_fifo_interrupts_at_its_trigger_level_and_times_out_below() -> None:
    bench = Bench()
    bench.out(MCR, 0x08)
    bench.out(FCR, 0x41)  # four bytes
    bench.out(IER, 0x01)
    bench.chip.receive(b"abc")
    assert bench.inp(IIR) == 0xCC
    bench.chip.receive(b"d")
    assert bench.inp(IIR) == 0xC4
    assert bench.edges == [True]
    bench.inp(RBR)
    assert bench.inp(IIR) == 0xCC
    assert bench.edges == [True, False, True]


def test_clearing_or_switching_the_fifo_empties_it() -> None:
    bench = Bench()
    bench.out(FCR, 0x01)
    bench.chip.receive(b"abc")
    bench.out(FCR, 0x03)
    assert bench.drain() == b""
    bench.chip.receive(b"abc")
    bench.out(FCR, 0x00)
    assert bench.drain() == b""


def test_the_transmitter_interrupts_when_enabled_and_after_each_byte() -> None:
    bench = Bench()
    bench.out(MCR, 0x08)
    bench.out(IER, 0x02)
    assert bench.edges == [True]
    assert bench.inp(IIR) == 0x02
    assert (bench.edges, bench.inp(IIR)) == ([True, False], 0x01)  # reading the IIR took note
    bench.out(THR, 0x41)
    bench.out(THR, 0x42)
    assert bench.edges == [True, False, True, False, True]


def test_interrupts_are_told_by_priority() -> None:
    bench = Bench()
    bench.out(IER, 0x0F)
    bench.out(MCR, 0x10)  # loop: the modem inputs fall
    bench.out(THR, 1)
    bench.out(THR, 2)  # no room: overrun
    told = [bench.inp(IIR)]
    assert bench.inp(LSR) & 0x1E == 0x02
    told.append(bench.inp(IIR))
    assert bench.inp(RBR) == 2  # without FIFOs the newer byte is kept
    told += [bench.inp(IIR), bench.inp(IIR)]
    bench.inp(MSR)
    told.append(bench.inp(IIR))
    assert told == [0x06, 0x04, 0x02, 0x00, 0x01]


def test_loop_mode_sends_to_itself_and_not_out() -> None:
    bench = Bench()
    bench.out(FCR, 0x01)
    bench.out(MCR, 0x1F)
    bench.inp(MSR)
    for byte in range(17):
        bench.out(THR, byte)
    assert bench.inp(LSR) & 0x02  # the 17th byte found the FIFO full
    assert bench.drain() == bytes(range(16))
    assert bench.chip.state.output == b""
    bench.chip.receive(b"x")
    assert not bench.inp(LSR) & 1
    bench.out(MCR, 0x0B)
    assert bench.drain() == b"x"


def test_loop_mode_turns_the_modem_outputs_into_inputs_and_notes_changes() -> None:
    bench = Bench()
    bench.out(MCR, 0x1A)  # RTS and OUT2 are CTS and DCD
    assert bench.inp(MSR) == 0x90 | 0x02  # DSR fell
    bench.out(MCR, 0x1E)
    assert bench.inp(MSR) == 0xD0
    bench.out(MCR, 0x1A)
    assert bench.inp(MSR) == 0x94  # the trailing edge of the ring indicator


def test_the_debug_console_prints_and_answers_with_its_own_number() -> None:
    chip = DebugConsole()
    assert chip.read(0xE9, 1) == 0xE9
    for byte in b"ok":
        chip.write(0xE9, 1, byte)
    assert chip.state.output == b"ok"
    assert chip.read(0xE9, 2) == 0xFFE9
    chip.write(0xE9, 2, 0x4142)  # the high byte belongs to the port above
    assert chip.state.output == b"okB"


def test_a_transcript_keeps_the_last_mebibyte_and_counts_the_rest() -> None:
    transcript = Transcript()
    total = LIMIT + 2 * BLOCK + 5
    for number in range(total):
        transcript = transcript.append(number % 251)
    output = transcript.output
    assert transcript.count == total
    assert LIMIT <= len(output) <= LIMIT + BLOCK
    assert transcript.dropped == total - len(output)
    assert output == bytes(number % 251 for number in range(transcript.dropped, total))
