"""A class whose hand-ins are made by a generator: what each of them deserves is known beforehand."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from idtviz.lab.grading.verdicts import Word

LAB = Path(__file__).parent / "lab" / "memory.toml"
HANDED_OUT = (LAB.parent / "handler.S").read_text()

_HEAD = ".intel_syntax noprefix\n.text\n.global page_fault_handler, irq_handler\n"
_REMARKS = (
    "",
    "// by the book\n",
    "/* Tuesday, late */\n",
    "# it works, do not touch\n\n",
    "// größer als gedacht ✓\n",
)
_SPARE = ("rcx", "rdx", "rsi", "r8", "r9", "r10", "r11", "r15")
_NARROW = {"rcx": "ecx", "rdx": "edx", "rsi": "esi", "r8": "r8d", "r9": "r9d", "r10": "r10d", "r11": "r11d"} | {
    "r15": "r15d"
}


@dataclass(frozen=True, slots=True)
class Parts:
    """The instructions of a right solution; each wrong way replaces one of them."""

    index: str
    enter: str = ""
    address: str = "cr2"
    rights: str = "or      rax, 3"
    store: str = "mov     [heap_table + {index} * 8], rax"
    drop: str = "add     rsp, 8"
    back: str = "iretq"
    count: str = "inc     dword ptr [rip + ticks]"
    end: str = "mov     al, 0x20\n    out     0x20, al"
    leave: str = ""

    def text(self, chance: random.Random) -> str:
        """The file."""
        index = self.index
        fault = f"""\
page_fault_handler:
    {self.enter}
    push    rax
    push    {index}
    mov     {index}, {self.address}
    shr     {index}, 12
    and     {_NARROW[index]}, 511
    call    new_page
    {self.rights}
    {self.store.format(index=index)}
    pop     {index}
    pop     rax
    {self.drop}
    {self.back}
"""
        tick = f"""\
irq_handler:
    push    rax
    {self.count}
    {self.end}
    pop     rax
    {self.leave}
    iretq
"""
        first, second = (fault, tick) if chance.random() < 0.5 else (tick, fault)
        return _HEAD + chance.choice(_REMARKS) + first + chance.choice(_REMARKS) + second


_PRETENCE = """\
lea     rsi, [rip + text]
    mov     edx, 0x3f8
1:  lodsb
    test    al, al
    jz      2f
    out     dx, al
    jmp     1b
2:  cli
    hlt
text: .asciz "42 and three ticks\\n"
"""
_FLOOD = "mov     edx, 0x3f8\n1:  out     dx, al\n    jmp     1b"

WRONG: dict[str, tuple[Word, dict[str, str]]] = {
    "no-eoi": (Word.FAILED, {"end": ""}),
    "eoi-at-the-wrong-port": (Word.FAILED, {"end": "mov     al, 0x20\n    out     0xa0, al"}),
    "rbx-clobbered": (Word.FAILED, {"rights": "or      rax, 3\n    mov     rbx, rax"}),
    "iret-of-32-bits": (Word.FAILED, {"back": "iretd"}),
    "error-code-kept": (Word.FAILED, {"drop": ""}),
    "popped-where-there-is-none": (Word.FAILED, {"leave": "add     rsp, 8"}),
    "not-mapped": (Word.LOOPING, {"store": ""}),
    "cr3-for-cr2": (Word.LOOPING, {"address": "cr3"}),
    "read-only": (Word.LOOPING, {"rights": "or      rax, 1"}),
    "endless-loop": (Word.LOOPING, {"enter": "1:  jmp     1b"}),
    "halted": (Word.FAILED, {"enter": "cli\n    hlt"}),
    "triple-fault": (Word.FAILED, {"enter": "xor     esp, esp\n    dec     rsp"}),
    "pretence": (Word.FAILED, {"enter": _PRETENCE}),
    "not-counted": (Word.FAILED, {"count": ""}),
    "one-page-for-all": (Word.FAILED, {"rights": "lea     rax, [rip + free_page]\n    or      rax, 3"}),
}
"""What can be wrong with it, what it comes to, and how it is written."""
_ONE_PAGE = "\n.bss\n.balign 4096\nfree_page: .skip 4096\n"

EMPTY = {"nothing": "", "white": " \n\t\n", "as-handed-out": HANDED_OUT}

NOT_BUILT = {
    "not-assembly": "#!/bin/sh\nrm -rf /\n",
    "no-handler": ".intel_syntax noprefix\n.text\nnop\n",
    "secrets": '{right}\n.incbin "/etc/passwd"\n',
    "secrets-by-include": '{right}\n#include "/etc/passwd"\n',
    "the-solution": '#include "solutions/handler.S"\n',
    "the-solution-from-above": '#include "../../../lab/solutions/handler.S"\n',
    "above": '{right}\n.incbin "../../../../../../../etc/hostname"\n',
    "endless-file": '{right}\n.incbin "/dev/zero"\n',
    "bomb": "{right}\n.rept 1000000000\nnop\n.endr\n",
    "nested-bomb": "{right}\n" + ".rept 1000\n" * 3 + ".quad 0\n" + ".endr\n" * 3,
    "huge": "{right}\n.data\n.fill 0x7fffffff, 8, 1\n",
    "includes-itself": '{right}\n#include "handler.S"\n',
    "endless-macro": "{right}\n.macro m\nm\n.endm\nm\n",
}
"""What no image is made of; `{right}` stands for a right solution."""

HOSTILE_CODE: dict[str, tuple[Word, str]] = {
    "flood": (Word.LOOPING, _FLOOD),
    "sleeps-for-ever": (Word.FAILED, "1:  hlt\n    jmp     1b"),
    "wipes-memory": (Word.LOOPING, "xor     edi, edi\n    mov     ecx, 0x800000\n    rep     stosb"),
    "no-tables": (Word.FAILED, "xor     eax, eax\n    mov     cr3, rax"),
    "resets": (Word.FAILED, "mov     al, 0xfe\n    out     0x64, al\n    cli\n    hlt"),
}
"""What runs before the handler does anything."""

NAMES = (
    "=cmd|' C'!A0",
    "<img src=x onerror=alert(1)>",
    "new\nline",
    "\x1b[31mred",
    "a..b",
    "größe ✓",
    "a" * 200,
    "-rf",
)


@dataclass(frozen=True, slots=True)
class Student:
    """`write` puts the hand-in into the folder, under the name `entry`."""

    name: str
    word: Word
    entry: str
    write: Callable[[Path], object]


def students(count: int, seed: int = 1, without: Collection[str] = ()) -> Iterator[Student]:
    """A class of `count`: every kind of hand-in, then more of the kinds that a class really has."""
    chance = random.Random(seed)
    makers = _makers(without)
    for number in range(count):
        make = makers[number] if number < len(makers) else chance.choice(makers + [_right] * len(makers))
        yield make(f"{number:04}", chance)


def hand_in(folder: Path, count: int, seed: int = 1, without: Collection[str] = ()) -> dict[str, Word]:
    """Write all hand-ins into `folder`; returns what each student deserves. `without`: kinds that are left out."""
    folder.mkdir(exist_ok=True)
    expected = {}
    for student in students(count, seed, without):
        student.write(folder / student.entry)
        expected[student.name] = student.word
    return expected


_Maker = Callable[[str, random.Random], Student]


def _makers(without: Collection[str]) -> list[_Maker]:
    found: list[_Maker] = [_right, _right_in_a_folder]
    found += [_wrong(kind) for kind in WRONG]
    found += [_text(kind, Word.EMPTY, text) for kind, text in EMPTY.items()]
    found += [_text(kind, Word.NOT_BUILT, text) for kind, text in NOT_BUILT.items() if kind not in without]
    found += [_hostile(kind) for kind in HOSTILE_CODE if kind not in without]
    found += [_named(name) for name in NAMES]
    found += [_special(*each) for each in _SPECIAL]
    return found


def _solution(chance: random.Random, **changes: str) -> str:
    return Parts(chance.choice(_SPARE), **changes).text(chance)


def _file(kind: str, word: Word, number: str, text: str) -> Student:
    name = f"{number}-{kind}"
    return Student(name, word, f"{name}.S", lambda path: path.write_text(text))


def _right(number: str, chance: random.Random) -> Student:
    return _file("right", Word.PASSED, number, _solution(chance))


def _right_in_a_folder(number: str, chance: random.Random) -> Student:
    text = _solution(chance)

    def write(path: Path) -> None:
        path.mkdir()
        (path / "handler.S").write_text(text)
        (path / "notes.txt").write_text("what I thought about it")
        (path / "kernel.S").write_text("nobody asked for another kernel")

    return Student(f"{number}-folder", Word.PASSED, f"{number}-folder", write)


def _wrong(kind: str) -> _Maker:
    word, changes = WRONG[kind]
    more = _ONE_PAGE if kind == "one-page-for-all" else ""
    return lambda number, chance: _file(kind, word, number, _solution(chance, **changes) + more)


def _text(kind: str, word: Word, text: str) -> _Maker:
    return lambda number, chance: _file(kind, word, number, text.replace("{right}", _solution(chance)))


def _hostile(kind: str) -> _Maker:
    word, code = HOSTILE_CODE[kind]
    return lambda number, chance: _file(kind, word, number, _solution(chance, enter=code))


def _named(name: str) -> _Maker:
    def make(number: str, chance: random.Random) -> Student:
        text, whole = _solution(chance), f"{name}-{number}"
        return Student(whole, Word.PASSED, f"{whole}.S", lambda path: path.write_text(text))

    return make


def _undecodable(path: Path) -> None:
    Path(os.fsdecode(os.fsencode(path))).write_text("nonsense")


def _folder_of_nothing(path: Path) -> None:
    path.mkdir()


def _folder_for_a_file(path: Path) -> None:
    (path / "handler.S").mkdir(parents=True)


def _link_inside(path: Path) -> None:
    path.mkdir()
    (path / "handler.S").symlink_to("/etc/passwd")


def _large(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(3 << 30)


_SPECIAL: tuple[tuple[str, str, Word, Callable[[Path], object]], ...] = (
    ("link", ".S", Word.REFUSED, lambda path: path.symlink_to("/etc/passwd")),
    ("link-to-a-solution", ".S", Word.REFUSED, lambda path: path.symlink_to(LAB.parent / "solutions" / "handler.S")),
    ("fifo", ".S", Word.REFUSED, os.mkfifo),
    ("large", ".S", Word.REFUSED, _large),
    ("text", ".txt", Word.REFUSED, lambda path: path.write_text("I was ill")),
    ("folder-of-nothing", "", Word.EMPTY, _folder_of_nothing),
    ("folder-for-a-file", "", Word.REFUSED, _folder_for_a_file),
    ("link-inside", "", Word.REFUSED, _link_inside),
    ("not-\udcff\udcfe-text", ".S", Word.NOT_BUILT, _undecodable),
    ("bytes", ".S", Word.NOT_BUILT, lambda path: path.write_bytes(bytes(range(256)) * 100)),
)


def _special(kind: str, suffix: str, word: Word, write: Callable[[Path], object]) -> _Maker:
    def make(number: str, _chance: random.Random) -> Student:
        name = f"{number}-{kind}"
        return Student(name, word, name + suffix, write)

    return make
