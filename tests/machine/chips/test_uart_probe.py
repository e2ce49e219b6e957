"""What a driver does to find out which serial port it has, and whether its interrupt works.

The steps are those of Linux's 8250 driver and of the tests that teaching kernels copy from the OSDev wiki.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from idtviz.machine.chips.uart import Uart

THR, IER, IIR, FCR, LCR, MCR, LSR, MSR, SCR = 0, 1, 2, 2, 3, 4, 5, 6, 7


@dataclass
class Bench:
    edges: list[bool] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.chip = Uart(self.edges.append)

    def out(self, register: int, value: int) -> None:
        self.chip.write(0x3F8 + register, 1, value)

    def inp(self, register: int) -> int:
        return self.chip.read(0x3F8 + register, 1)


def test_the_scratch_register_keeps_what_is_written() -> None:
    bench = Bench()
    for value in (0xAE, 0x51):
        bench.out(SCR, value)
        assert bench.inp(SCR) == value


def test_only_the_four_lower_bits_of_ier_exist() -> None:
    bench = Bench()
    bench.out(IER, 0xFF)
    assert bench.inp(IER) == 0x0F
    bench.out(IER, 0)
    assert bench.inp(IER) == 0


def test_in_loop_mode_the_modem_outputs_are_the_modem_inputs_and_a_byte_comes_back() -> None:
    bench = Bench()
    bench.out(MCR, 0x1A)
    assert bench.inp(MSR) & 0xF0 == 0x90
    bench.out(MCR, 0x1E)
    assert bench.inp(MSR) & 0xF0 == 0xD0
    bench.out(THR, 0xAE)
    assert bench.inp(THR) == 0xAE
    bench.out(MCR, 0x0F)
    assert bench.chip.state.output == b""


def test_the_fifo_bits_of_iir_say_16550a() -> None:
    bench = Bench()
    assert bench.inp(IIR) >> 6 == 0
    bench.out(FCR, 0x01)
    assert bench.inp(IIR) >> 6 == 3
    bench.out(FCR, 0x21)  # the 64-byte FIFO of a 16750
    assert bench.inp(IIR) >> 5 == 6
    bench.out(LCR, 0xBF)  # the enhanced registers of a 16650
    assert bench.inp(IIR) != 0


def test_each_enabling_of_the_transmitters_interrupt_raises_it_anew() -> None:
    bench = Bench()
    bench.out(MCR, 0x08)
    for _ in range(2):
        bench.out(IER, 0x02)
        assert bench.inp(LSR) & 0x60 == 0x60
        assert bench.inp(IIR) == 0x02
        assert bench.inp(IIR) == 0x01
        bench.out(IER, 0x00)
    assert bench.edges == [True, False, True, False]


def test_writing_a_byte_ends_the_transmitters_interrupt_and_its_leaving_raises_the_next() -> None:
    bench = Bench()
    bench.out(MCR, 0x08)
    bench.out(IER, 0x02)
    bench.out(THR, ord("a"))
    assert bench.edges == [True, False, True]
    assert bench.inp(IIR) == 0x02


def test_a_received_byte_goes_before_the_empty_transmitter_and_reading_it_lets_that_through() -> None:
    bench = Bench()
    bench.out(MCR, 0x08)
    bench.out(IER, 0x03)
    bench.chip.receive(b"x")
    assert bench.inp(IIR) == 0x04
    assert bench.inp(THR) == ord("x")
    assert bench.inp(IIR) == 0x02
    assert bench.edges == [True, False]


def test_out2_is_the_gate_between_the_chip_and_irq4() -> None:
    bench = Bench()
    bench.out(IER, 0x02)
    assert bench.edges == []
    bench.out(MCR, 0x08)
    assert bench.edges == [True]
