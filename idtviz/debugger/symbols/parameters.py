"""What functions declare to take, from the types in the debugging information of an object file."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Any

from elftools.dwarf.dwarfinfo import DebugSectionDescriptor, DwarfConfig, DWARFInfo

from idtviz.debugger.symbols.dwarf.sections import BROKEN, DwarfSections

_MOST_ENTRIES = 200_000
_MOST_UNITS = 2000
_LARGEST = 8 << 20  # bytes of a section
_MOST_MEMBERS = 32
_RUST = 0x1C
_POINTERS = ("DW_TAG_pointer_type", "DW_TAG_reference_type")
_ALIASES = ("DW_TAG_typedef", "DW_TAG_const_type", "DW_TAG_volatile_type", "DW_TAG_restrict_type")
_STRUCTURES = ("DW_TAG_structure_type", "DW_TAG_class_type", "DW_TAG_union_type")


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a function: its name, the name of its type, whether that is a pointer or a reference.

    `members` are the names of the members of the structure that it is or points to, in order; none of any other type.
    """

    name: str
    type: str
    pointer: bool
    members: tuple[str, ...]


Parameters = tuple[Parameter, ...]


class Signatures:
    """What each function of an object file takes, and each that is declared there, as far as it tells."""

    def __init__(self, sections: DwarfSections, bits: int) -> None:
        self._defined: dict[int, Parameters] = {}
        self._declared: dict[str, Parameters] = {}
        self._rust: set[int] = set()
        # What was read in front of something that is broken is as good as ever.
        with suppress(*BROKEN, NotImplementedError, RecursionError):
            for function in _functions(_dwarf(sections, bits)):
                taken = tuple(_parameters(function))
                if "DW_AT_low_pc" in function.attributes:
                    address = function.attributes["DW_AT_low_pc"].value
                    self._defined[address] = taken
                    if _language(function) == _RUST:
                        self._rust.add(address)
                elif "DW_AT_declaration" in function.attributes:
                    self._declared[_name(function)] = taken

    def at(self, address: int) -> Parameters | None:
        """The parameters of the function at a linear address; None where nothing is known of it."""
        return self._defined.get(address)

    def is_rust(self, address: int) -> bool:
        """Whether the function at a linear address is written in Rust."""
        return address in self._rust

    def of(self, name: str) -> Parameters | None:
        """Those of a function that is declared and lies in another file."""
        return self._declared.get(name)


def _dwarf(sections: DwarfSections, bits: int) -> Any:
    def section(name: str) -> DebugSectionDescriptor | None:
        data = sections.get(name)[:_LARGEST]
        return DebugSectionDescriptor(io.BytesIO(data), name, None, len(data), 0) if data else None

    wanted = {
        "debug_info_sec": ".debug_info",
        "debug_abbrev_sec": ".debug_abbrev",
        "debug_str_sec": ".debug_str",
        "debug_addr_sec": ".debug_addr",
        "debug_str_offsets_sec": ".debug_str_offsets",
        "debug_line_str_sec": ".debug_line_str",
        "debug_line_sec": ".debug_line",
    }
    absent = (
        "debug_aranges_sec", "debug_frame_sec", "eh_frame_sec", "debug_loc_sec", "debug_ranges_sec",
        "debug_pubtypes_sec", "debug_pubnames_sec", "debug_loclists_sec", "debug_rnglists_sec", "debug_sup_sec",
        "gnu_debugaltlink_sec", "debug_types_sec",
    )  # fmt: skip
    config = DwarfConfig(
        little_endian=True, machine_arch="x64" if bits == 64 else "x86", default_address_size=bits // 8
    )
    found: dict[str, Any] = {key: section(name) for key, name in wanted.items()}
    return DWARFInfo(config=config, **found, **dict.fromkeys(absent))


def _functions(dwarf: Any) -> Iterator[Any]:
    left = _MOST_ENTRIES
    for unit in islice(dwarf.iter_CUs(), _MOST_UNITS):
        for entry in unit.iter_DIEs():
            left -= 1
            if not left:
                return
            if entry.tag == "DW_TAG_subprogram":
                yield entry


def _language(function: Any) -> int | None:
    found = function.cu.get_top_DIE().attributes.get("DW_AT_language")
    return None if found is None else found.value


def _parameters(function: Any) -> Iterator[Parameter]:
    for child in islice(function.iter_children(), 256):
        if child.tag == "DW_TAG_formal_parameter":
            yield _parameter(child)


def _parameter(entry: Any) -> Parameter:
    origin = _referred(entry, "DW_AT_abstract_origin") or entry
    kind = _plain(_referred(origin, "DW_AT_type"))
    pointer = kind is not None and kind.tag in _POINTERS
    target = _plain(_referred(kind, "DW_AT_type")) if pointer else kind
    members: tuple[str, ...] = ()
    if target is not None and target.tag in _STRUCTURES:
        inside = (child for child in islice(target.iter_children(), 256) if child.tag == "DW_TAG_member")
        members = tuple(_name(child) for child in islice(inside, _MOST_MEMBERS))
    named = _name(target) if target is not None else ""
    return Parameter(_name(origin), named, pointer, members)


def _plain(kind: Any) -> Any:
    """A type without the names and qualifiers around it."""
    for _ in range(16):
        if kind is None or kind.tag not in _ALIASES:
            return kind
        kind = _referred(kind, "DW_AT_type")
    return None


def _referred(entry: Any, attribute: str) -> Any:
    if entry is None or attribute not in entry.attributes:
        return None
    return entry.get_DIE_from_attribute(attribute)


def _name(entry: Any) -> str:
    found = entry.attributes.get("DW_AT_name")
    return found.value.decode("utf-8", errors="replace") if found is not None else ""
