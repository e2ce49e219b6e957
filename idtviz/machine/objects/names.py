"""The names that a file defines, with their addresses in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from idtviz.machine.objects import file
from idtviz.machine.objects.file import ObjectFile
from idtviz.machine.objects.loaded import Kind, ObjectSymbol

_KINDS = {
    file.STT_NOTYPE: Kind.LABEL,
    file.STT_OBJECT: Kind.DATA,
    file.STT_FUNC: Kind.FUNCTION,
    file.STT_COMMON: Kind.DATA,
    file.STT_GNU_IFUNC: Kind.FUNCTION,
}


def symbols(found: ObjectFile, addresses: Mapping[int, int], elsewhere: Mapping[int, int]) -> Iterator[ObjectSymbol]:
    """The names of what is in memory; `addresses` of sections by number, `elsewhere` of symbols in no section."""
    for number, entry in enumerate(found.symbols):
        kind = _KINDS.get(entry.kind)
        if kind is None or entry.section == file.SHN_UNDEF:
            continue
        if entry.section in addresses:
            section = found.sections[entry.section]
            address, place, executable = addresses[entry.section] + entry.value, section.name, section.is_code
        elif entry.section == file.SHN_COMMON and number in elsewhere:
            address, place, executable = elsewhere[number], "COMMON", False
        else:
            continue
        name = found.name(entry)
        if not name or name.startswith(file.NOT_WRITTEN):
            continue
        address &= (1 << found.bits) - 1
        size = 0 if kind is Kind.LABEL else entry.size
        yield ObjectSymbol(name, address, size, place, kind, entry.binding != file.STB_LOCAL, executable)
