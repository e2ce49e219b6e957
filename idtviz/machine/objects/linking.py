"""Linking one object file to itself: every name gets an address, and every place that waits for one is filled in."""

from __future__ import annotations

from collections.abc import Iterator

from idtviz.machine.objects import file, layout, limits, relocation
from idtviz.machine.objects.file import Entry, ObjectFile, Relocation
from idtviz.machine.objects.loaded import LoadedObject, Piece, Undefined, Use
from idtviz.machine.objects.names import symbols
from idtviz.machine.objects.problem import ObjectError, short
from idtviz.machine.objects.relocation import Rule, Terms
from idtviz.machine.objects.room import Room
from idtviz.machine.objects.uses import stronger, use_of, use_of_pointer

_TABLE = "_GLOBAL_OFFSET_TABLE_"
_VARIABLE = 1024  # bytes for each variable that another file would define
_MOST_FOLLOWED = 512  # addresses whose further way is looked at


class Linking:
    """One object file on its way into memory. Raises ObjectError."""

    def __init__(self, found: ObjectFile, base: int) -> None:
        self._file = found
        self._word = found.bits // 8
        self._sections = layout.checked(found)
        self._relocations = self._read_relocations()
        self._room = Room(base, found.bits)
        self._addresses = {each.number: at for each, at in layout.placed(self._sections, self._room)}
        self._values: dict[int, int] = {}
        """The addresses of the symbols that lie in no section, by their numbers."""
        self._entries: dict[int, int] = {}
        """Where the global offset table has the address of each symbol that needs it."""
        self._table = 0

    def loaded(self, recorder: int, slot: int) -> LoadedObject:
        """Everything in its place; `recorder` is where the first slot of `slot` bytes lies."""
        common = self._common()
        undefined, variables = self._undefined(recorder, slot)
        self._place_table()
        data = {each.number: bytearray(self._file.contents(each)) for each in self._sections if each.has_bytes}
        for place in self._relocations:
            self._apply(place, data[place.section])
        entries = b"".join(self._number(self._value(symbol)) for symbol in self._entries)
        pieces = [
            Piece(
                each.name,
                self._addresses[each.number],
                bytes(data.get(each.number, b"")),
                each.size,
                layout.is_writable(each),
                each.is_code,
            )
            for each in self._sections
            if each.size
        ]
        pieces += [piece for piece in (common, variables) if piece.size]
        if entries:
            pieces.append(Piece(".got", self._table, entries, len(entries), writable=False, executable=False))
        pieces.sort(key=lambda each: each.address)
        named = tuple(symbols(self._file, self._addresses, self._values))
        return LoadedObject(
            self._file.bits,
            linked=False,
            pieces=tuple(pieces),
            symbols=named,
            undefined=undefined,
            sections=self._addresses,
        )

    def _read_relocations(self) -> list[Relocation]:
        found: list[Relocation] = []
        left = limits.MOST_RELOCATIONS
        for section, target in self._file.relocation_sections():
            if not target.is_loaded:
                continue
            if not target.has_bytes:
                raise ObjectError(
                    f"the ELF file is damaged: {short(section.name)} fills in {short(target.name)}, which has no bytes"
                )
            for each in self._file.relocations(section, left):
                left -= 1
                if each.kind == relocation.NONE:
                    continue
                rule = self._rule(each)
                if each.offset + rule.size > target.size:
                    raise ObjectError(f"{self._shown(each)}: it lies behind the end of the section")
                found.append(each)
        return found

    def _rule(self, place: Relocation) -> Rule:
        rule = relocation.RULES[self._file.bits].get(place.kind)
        if rule is None:
            name = relocation.type_name(self._file.bits, place.kind)
            raise ObjectError(f"{self._shown(place)}: {relocation.refusal(name)}")
        return rule

    def _shown(self, place: Relocation) -> str:
        name = self._file.name(self._file.symbols[place.symbol])
        return (
            f"{relocation.type_name(self._file.bits, place.kind)} at {short(self._file.sections[place.section].name)}"
            f"+{place.offset:#x}{f' for {short(name)}' if name else ''}"
        )

    def _common(self) -> Piece:
        """Room for variables that several files may define, each without a value (C with `-fcommon`)."""
        self._room.page()
        begin = self._room.at
        size = 0
        for number, entry in enumerate(self._file.symbols):
            if entry.section == file.SHN_COMMON:
                layout.check_alignment(self._file.name(entry), entry.value)
                size += entry.size
                if size > limits.LARGEST_ZEROED:
                    raise ObjectError(
                        f"the common symbols have more than {limits.LARGEST_ZEROED} bytes; expected at most that"
                    )
                self._values[number] = self._room.take(entry.size, max(1, entry.value))
        return Piece("COMMON", begin, b"", self._room.at - begin, writable=True, executable=False)

    def _undefined(self, recorder: int, slot: int) -> tuple[tuple[Undefined, ...], Piece]:
        """What stands in for each name that is not defined, and the room for those that are variables."""
        uses = self._uses()
        self._room.page()
        begin = self._room.at
        found: dict[str, Undefined] = {}
        slots = 0
        for number, entry in enumerate(self._file.symbols):
            name = self._file.name(entry) if entry.section == file.SHN_UNDEF else ""
            if not name or name == _TABLE:
                continue
            if name not in found:
                use = Use.ACCESSED if entry.kind == file.STT_OBJECT else uses.get(number, Use.NAMED)
                address = self._room.take(_VARIABLE, 16) if use is Use.ACCESSED else recorder + slot * slots
                slots += use is not Use.ACCESSED
                size = _VARIABLE if use is Use.ACCESSED else slot
                found[name] = Undefined(name, address, size, use, entry.binding == file.STB_WEAK)
                if len(found) > limits.MOST_UNDEFINED:
                    raise ObjectError(
                        f"the file leaves more than {limits.MOST_UNDEFINED} names undefined; expected a handler and "
                        "what it needs"
                    )
            self._values[number] = found[name].address
        room = Piece("undefined variables", begin, b"", self._room.at - begin, writable=True, executable=False)
        return tuple(found.values()), room

    def _uses(self) -> dict[int, Use]:
        """What the code does with each symbol that the file does not define, by number."""
        found: dict[int, Use] = {}
        followed = 0
        for each in self._relocations:
            section = self._file.sections[each.section]
            if self._file.symbols[each.symbol].section != file.SHN_UNDEF or not section.is_code:
                continue
            begin = section.offset + each.offset
            before = self._file.raw[max(section.offset, begin - 3) : begin]
            use = use_of(before, self._rule(each), self._file.bits)
            if use is Use.NAMED and found.get(each.symbol, use) is Use.NAMED and followed < _MOST_FOLLOWED:
                followed += 1
                near = max(section.offset, begin - 16)
                code = self._file.raw[near : min(section.offset + section.size, begin + 128)]
                use = use_of_pointer(code, begin - near, self._file.bits)
            found[each.symbol] = stronger(found.get(each.symbol, use), use)
        return found

    def _place_table(self) -> None:
        """Give the global offset table its place, and its entries theirs."""
        self._room.page()
        self._table = self._room.at
        for each in self._relocations:
            if self._rule(each).entry and each.symbol not in self._entries:
                self._entries[each.symbol] = self._room.take(self._word)
        for number, entry in self._tables():
            self._values[number] = self._table
            if entry.section != file.SHN_UNDEF:
                raise ObjectError(f"the ELF file defines {_TABLE} itself; a linker makes it")

    def _tables(self) -> Iterator[tuple[int, Entry]]:
        for number, entry in enumerate(self._file.symbols):
            if entry.kind != file.STT_SECTION and self._file.name(entry) == _TABLE:
                yield number, entry

    def _value(self, number: int) -> int:
        """The address that a symbol stands for. Raises ObjectError."""
        entry = self._file.symbols[number]
        known = self._values.get(number)
        if known is not None:
            return known
        if entry.kind == file.STT_GNU_IFUNC:
            raise ObjectError(
                f"{short(self._file.name(entry))} is a function that is chosen when a program starts (STT_GNU_IFUNC)"
            )
        if entry.section in self._addresses:
            return self._addresses[entry.section] + entry.value
        if entry.section == file.SHN_ABS or not number:
            return entry.value
        if entry.section == file.SHN_UNDEF:
            raise ObjectError(f"the ELF file is damaged: symbol {number} is undefined and has no name")
        raise ObjectError(f"{short(self._file.name(entry)) or f'symbol {number}'} lies in no section that is in memory")

    def _apply(self, place: Relocation, data: bytearray) -> None:
        rule = self._rule(place)
        end = place.offset + rule.size
        addend = place.addend
        if addend is None:
            addend = int.from_bytes(data[place.offset : end], "little", signed=True)
        # An instruction without a base register has the address of the entry itself in it (i386 ABI 1.1, 4.4.1).
        based = not place.offset or data[place.offset - 1] & 0xC7 != 0x05
        terms = Terms(
            self._value(place.symbol),
            addend,
            self._addresses[place.section] + place.offset,
            self._entries.get(place.symbol, 0),
            self._table,
            based,
        )
        value = rule.fits(rule.value(terms), self._file.bits)
        if value is None:
            raise ObjectError(
                f"{self._shown(place)}: {terms.s:#x} cannot be written there, from {terms.p:#x}; expected a number of "
                f"{8 * rule.size} bits, {rule.range.value}"
            )
        data[place.offset : end] = value.to_bytes(rule.size, "little")

    def _number(self, value: int) -> bytes:
        return (value & (1 << self._file.bits) - 1).to_bytes(self._word, "little")
