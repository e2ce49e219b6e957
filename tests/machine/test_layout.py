"""The engine's private layout is proven before it is used: a wrong one is refused with a message, and nothing else."""

from __future__ import annotations

import ctypes

import pytest

from idtviz.machine import layout
from idtviz.machine.engine import open_engine
from idtviz.machine.pc import Machine


def with_fields(*fields: tuple[str, object]) -> type[ctypes.Structure]:
    return type("CpuState", (ctypes.Structure,), {"_fields_": fields})


def swapped(first: str, second: str) -> type[ctypes.Structure]:
    """The structure with two of its fields in each other's places."""
    names = dict(layout.CpuState._fields_)
    order = {first: second, second: first}
    return with_fields(*((order.get(name, name), names[order.get(name, name)]) for name in names))


@pytest.mark.parametrize(
    ("first", "second", "what"),
    [
        ("gdt", "idt", "descriptor-table register"),
        ("eip", "eflags", "RFLAGS|RIP"),
        ("ldt", "tr", "LDTR or TR"),
        ("cc_src", "cc_dst", "RFLAGS"),
        ("hflags", "hflags2", "summary of the processor mode"),
        ("segs", "cr", "register"),
        ("efer", "cc_src2", "EFER"),
    ],
)
def test_a_field_in_the_wrong_place_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, first: str, second: str, what: str
) -> None:
    monkeypatch.setattr(layout, "CpuState", swapped(first, second))
    with pytest.raises(layout.LayoutError, match=what) as refused:
        layout.locate(open_engine())
    assert "idtviz supports unicorn 2.1.4" in str(refused.value)


def test_a_state_that_is_not_found_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "_OBJECT_BYTES", 64)
    with pytest.raises(layout.LayoutError, match="its CPU state was not found"):
        layout.locate(open_engine())


def test_a_counter_that_is_not_found_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "_HANDLE_BYTES", 1024)
    with pytest.raises(layout.LayoutError, match="was not found"):
        layout.locate(open_engine())


def test_exception_fields_in_the_wrong_place_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    fields = (*layout.ExceptionState._fields_[:3], ("gap", ctypes.c_uint64 * 2), *layout.ExceptionState._fields_[4:])
    fields = (*fields[:3], ("dr", ctypes.c_uint64 * 6), *fields[4:])
    monkeypatch.setattr(layout, "ExceptionState", type("ExceptionState", (ctypes.Structure,), {"_fields_": fields}))
    with pytest.raises(layout.LayoutError, match="its exception state"):
        layout.locate(open_engine())


def test_many_machines_live_side_by_side() -> None:
    machines = [Machine(1 << 20, 1000) for _ in range(20)]
    for index, machine in enumerate(machines):
        machine.cpu.rip = index
    assert [machine.cpu.rip for machine in machines] == list(range(20))
