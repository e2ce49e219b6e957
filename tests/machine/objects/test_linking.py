"""Object files in memory: code that runs where it was laid out, and the names that it defines and leaves open."""

from __future__ import annotations

import struct
import subprocess
from pathlib import Path

import pytest
import unicorn
from unicorn import x86_const

from idtviz.machine.objects import Kind, LoadedObject, ObjectError, Use
from tests.machine.objects.compiled import BASE, FLAGS, HANDLERS, RECORDER, SUM, assembled, compiled, content, loaded

STACK, RETURN = 0x700000, 0x710000
RET = b"\xc3"


def returned(found: LoadedObject, name: str, *, argument: int = 0) -> int:
    """What a function returns that gets one number; what it calls and does not define only returns."""
    wide = found.bits == 64
    engine = unicorn.Uc(unicorn.UC_ARCH_X86, unicorn.UC_MODE_64 if wide else unicorn.UC_MODE_32)
    engine.mem_map(RECORDER & ~0xFFF, 0x10000)
    engine.mem_map(BASE, 0x100000)
    engine.mem_map(STACK, 0x20000)
    for slot in found.slots:
        engine.mem_write(slot, RET)
    for piece in found.pieces:
        engine.mem_write(piece.address, piece.data.ljust(piece.size, b"\0"))
    top = STACK + 0x8000
    engine.mem_write(top, struct.pack("<Q", RETURN) if wide else struct.pack("<II", RETURN, argument))
    engine.reg_write(x86_const.UC_X86_REG_RSP if wide else x86_const.UC_X86_REG_ESP, top)
    if wide:
        engine.reg_write(x86_const.UC_X86_REG_RDI, argument)
    engine.emu_start(found.named(name)[0].address, RETURN, count=10_000)
    assert engine.reg_read(x86_const.UC_X86_REG_RIP if wide else x86_const.UC_X86_REG_EIP) == RETURN
    return engine.reg_read(x86_const.UC_X86_REG_EAX)


@pytest.mark.parametrize("flags", FLAGS)
def test_compiled_code_runs_where_it_is_laid_out(flags):
    found = loaded(compiled(HANDLERS, flags))
    assert returned(found, "sum") == SUM
    assert {each.name: each.use for each in found.undefined if each.name == "outside"} == {"outside": Use.ACCESSED}


@pytest.mark.parametrize("flags", FLAGS)
def test_what_code_calls_and_does_not_define_has_a_slot_of_the_recorder(flags):
    found = loaded(compiled(HANDLERS, flags))
    assert [(address, each.name) for address, each in found.slots.items()] == [(RECORDER, "report")]
    variables = [each for each in found.undefined if each.name != "report"]
    assert [each.name for each in variables] == ["outside"]
    room = found.piece_at(variables[0].address)
    assert room is not None
    assert room.writable
    assert not any(room.data)


def test_sections_lie_on_pages_that_can_be_protected_by_what_they_hold():
    found = loaded(compiled(HANDLERS, "-O2 -fPIC -fcommon"))
    kinds: dict[int, set[tuple[bool, bool]]] = {}
    for piece in found.pieces:
        for page in range(piece.address >> 12, (piece.end - 1 >> 12) + 1):
            kinds.setdefault(page, set()).add((piece.writable, piece.executable))
    assert all(len(each) == 1 for each in kinds.values())
    assert found.base == BASE
    assert all(low.end <= high.address for low, high in zip(found.pieces, found.pieces[1:], strict=False))
    names = {piece.name for piece in found.pieces}
    assert {".text", ".rodata", ".data", ".bss", "COMMON", ".got", "undefined variables"} <= names


def test_sections_lie_where_their_alignment_wants_them():
    one, two = '.section .one,"aw"\n.align 4096\n.byte 2', '.section .two,"aw"\n.align 64\n.byte 3'
    found = loaded(assembled(f".text\n.byte 1\n.data\n.byte 1\n{one}\n{two}"))
    at = {piece.name: piece.address for piece in found.pieces}
    assert at[".one"] % 4096 == 0
    assert at[".two"] % 64 == 0


def test_the_base_is_taken_up_to_a_page():
    assert loaded(assembled("nop"), BASE + 1).base == BASE + 0x1000


def test_functions_come_before_labels_and_global_names_before_local_ones():
    source = """
    .globl isr14, page_fault
    table: .quad isr14
    local_label: nop
    .type local_function, @function
    local_function: ret
    .size local_function, . - local_function
    isr14: iretq
    .type page_fault, @function
    page_fault: call page_fault.cold; iretq
    .type page_fault.cold, @function
    page_fault.cold: ret
    .Lhidden: nop
    .data
    number: .quad 1
    .set constant, 8
    """
    found = loaded(assembled(source))
    assert [each.name for each in found.candidates] == ["page_fault", "local_function", "isr14", "table", "local_label"]
    by_name = {each.name: each for each in found.symbols}
    assert by_name["local_function"].size == 1
    assert by_name["page_fault"].kind is Kind.FUNCTION
    assert by_name["isr14"].kind is Kind.LABEL
    assert by_name["isr14"].is_global
    assert by_name["number"].section == ".data"
    assert not by_name["number"].executable
    assert "constant" not in by_name


def test_a_symbol_outside_its_section_is_no_candidate():
    found = loaded(assembled(".globl far\nnop\n.set far, . + 0x1000"))
    assert [each.name for each in found.symbols] == ["far"]
    assert not found.candidates


def test_an_instruction_tells_what_it_does_with_a_name():
    source = """
    call called; jmp jumped_to; jne jumped_to_if; call *through_table@GOTPCREL(%rip)
    mov read(%rip), %eax; incq counted(%rip); movl $1, set(%rip); call *variable(%rip)
    lea address(%rip), %rax; push %rax
    lea array(%rip), %rcx; mov (%rcx,%rdx,4), %eax
    mov slow@GOTPCREL(%rip), %rbx; xor %edi, %edi; call *%rbx
    mov far@GOTPCREL(%rip), %rax; movq $1, (%rax)
    movl table(,%rcx,8), %eax
    .quad pointer
    """
    found = {each.name: each.use for each in loaded(assembled(source)).undefined}
    called = ("called", "jumped_to", "jumped_to_if", "through_table", "slow")
    accessed = ("read", "counted", "set", "variable", "array", "far", "table")
    assert found == {
        **dict.fromkeys(called, Use.CALLED),
        **dict.fromkeys(accessed, Use.ACCESSED),
        **dict.fromkeys(("address", "pointer"), Use.NAMED),
    }


def test_a_name_that_is_undefined_and_weak_has_a_slot_and_says_so():
    (found,) = loaded(assembled(".weak hook\ncall hook")).undefined
    assert (found.name, found.is_weak, found.address, found.size) == ("hook", True, RECORDER, 16)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (".quad there, there + 2", struct.pack("<QQ", BASE + 0x40, BASE + 0x42)),
        (".long there", struct.pack("<I", BASE + 0x40)),
        (".quad there - . + 1", struct.pack("<Q", 0x41)),
        (".long there - .", struct.pack("<I", 0x40)),
        ("mov $there, %rax", b"\x48\xc7\xc0" + struct.pack("<I", BASE + 0x40)),
        ("mov $there, %eax", b"\xb8" + struct.pack("<I", BASE + 0x40)),
        ("call there", b"\xe8" + struct.pack("<i", 0x40 - 5)),
        ("call outside", b"\xe8" + struct.pack("<i", RECORDER - BASE - 5)),
        (".quad _GLOBAL_OFFSET_TABLE_", struct.pack("<Q", 0x1000)),  # R_X86_64_GOTPC64
        ("lea _GLOBAL_OFFSET_TABLE_(%rip), %rax", b"\x48\x8d\x05" + struct.pack("<i", 0x1000 - 7)),
    ],
)
def test_a_relocation_is_applied_as_the_abi_says(source, expected):
    found = loaded(assembled(f".globl there\n{source}\n.org 0x40\nthere: nop"))
    assert content(found, ".text").startswith(expected)


def test_an_i386_instruction_without_a_base_register_has_the_address_of_the_entry_in_it():
    source = "mov outside@GOT, %eax\nmov outside@GOT(%ebx), %ecx\ncall *report@GOT"
    found = loaded(assembled(source, "-m32"))
    table = next(piece for piece in found.pieces if piece.name == ".got")
    expected = b"\x8b\x05" + struct.pack("<I", table.address) + b"\x8b\x8b" + bytes(4)
    assert content(found, ".text") == expected + b"\xff\x15" + struct.pack("<I", table.address + 4)
    assert struct.unpack("<II", table.data) == tuple(each.address for each in found.undefined)


def test_short_relocations_are_applied_and_checked():
    raw = assembled(".word there - .\n.byte there - .\n.globl there\n.org 0x40\nthere: nop")
    assert content(loaded(raw), ".text")[:3] == b"\x40\0\x3e"
    far = assembled('.byte there - .\n.section .other,"ax"\n.skip 256\n.globl there\nthere: nop')
    with pytest.raises(ObjectError, match=r"R_X86_64_PC8 at \.text\+0x0 for there: .* 8 bits, signed"):
        loaded(far)


def test_code_of_the_kernel_model_can_lie_in_the_highest_2_gib():
    found = loaded(compiled(HANDLERS, "-O2 -fno-pic -mcmodel=kernel"), 0xFFFFFFFF80100000, 0xFFFFFFFF80000000)
    assert found.base == 0xFFFFFFFF80100000
    with pytest.raises(ObjectError, match=r"R_X86_64_32 at \.text\+0x1.*expected a number of 32 bits, unsigned"):
        loaded(assembled("mov $there, %eax; there: nop"), 0xFFFFFFFF80100000, 0xFFFFFFFF80000000)


def test_a_recorder_that_no_call_reaches_is_refused():
    with pytest.raises(ObjectError, match=r"R_X86_64_PLT32 at \.text\+0x1 for report: 0x100000 cannot be written"):
        loaded(assembled("call report"), 1 << 40)


def test_a_program_that_would_lie_over_the_recorder_is_refused():
    with pytest.raises(ObjectError, match=r"\.text takes 0x200000 to 0x201005, where what the file calls"):
        loaded(assembled(".skip 0x1000\ncall report"), BASE, BASE + 0x800)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("mov %fs:there@tpoff, %eax", r"R_X86_64_TPOFF32 at \.text\+0x4 for there: thread-local storage has no place"),
        ("mov there@gottpoff(%rip), %rax", r"R_X86_64_GOTTPOFF .*: thread-local storage"),
        (".long there@size", r"R_X86_64_SIZE32 at \.text\+0x0 for there: it cannot be applied here"),
        (".reloc ., R_X86_64_RELATIVE, 4\n.quad 0", r"R_X86_64_RELATIVE .*only a dynamic linker"),
        (".type f, @gnu_indirect_function\nf: ret\n.data\n.quad f", r"f is a function that is chosen when a program"),
        (".data\n.align 8192\n.byte 1\n.text\nnop", r"\.data is aligned to 0x2000; expected a power of two, at most"),
        (".bss\n.skip 17 << 20\n.text\nnop", r"\(\.bss\) have 17825792 bytes; expected at most 16777216"),
        (".comm big, 17 << 20, 8\nnop", r"the common symbols have more than 16777216 bytes"),
        (".data\n.byte 1", r"no code"),
        ('.section .gnu.lto_main,"e"\n.byte 1', "compile without -flto"),
        ("", r"no code"),
    ],
)
def test_what_cannot_be_loaded_is_refused_by_name(source, message):
    with pytest.raises(ObjectError, match=message):
        loaded(assembled(source))


def linked(source: str, tmp_path: Path, *flags: str) -> bytes:
    (tmp_path / "a.o").write_bytes(assembled(source))
    subprocess.run(["ld", *flags, "-o", tmp_path / "a.elf", tmp_path / "a.o"], check=True, timeout=60)
    return (tmp_path / "a.elf").read_bytes()


LINKED = ".globl _start, isr14\n_start: lea isr14(%rip), %rax\nisr14: iretq\n.data\n.globl table\ntable: .quad isr14"


def test_the_segments_of_a_linked_program_are_taken_as_they_are(tmp_path):
    found = loaded(linked(LINKED, tmp_path, "-Ttext=0x400000", "-N"))
    by_name = {each.name: each.address for each in found.symbols}
    assert (found.linked, found.moved, found.entry) == (True, 0, 0x400000)
    assert by_name["isr14"] == 0x400007
    assert "isr14" in {each.name for each in found.candidates}
    piece = found.piece_at(by_name["table"])
    assert piece is not None
    at = by_name["table"] - piece.address
    assert piece.data[at : at + 8] == struct.pack("<Q", 0x400007)


def test_a_position_independent_program_is_moved_to_the_base(tmp_path):
    found = loaded(linked(LINKED, tmp_path, "-pie", "--no-dynamic-linker"))
    by_name = {each.name: each.address for each in found.symbols}
    assert found.moved == BASE
    piece = found.piece_at(by_name["table"])
    assert piece is not None
    at = by_name["table"] - piece.address
    assert piece.data[at : at + 8] == struct.pack("<Q", by_name["isr14"])


def test_a_program_that_wants_a_dynamic_linker_is_refused(tmp_path):
    with pytest.raises(ObjectError, match="PT_INTERP"):
        loaded(linked(LINKED, tmp_path, "-pie", "-I", "/lib64/ld-linux-x86-64.so.2"))


def test_a_linker_fills_in_the_same_bytes(tmp_path):
    """Every section of gcc's that GNU ld leaves as it is, laid out by it where we have laid it out."""
    raw = compiled(HANDLERS, "-O2 -fno-pic -fcommon")
    found = loaded(raw)
    places = [piece for piece in found.pieces if piece.name in (".text", ".rodata", ".data", ".bss")]
    rest = [piece for piece in found.pieces if piece.name.startswith((".rodata.", ".data."))]
    script = "".join(f"{each.name} {each.address:#x} : {{ *({each.name}) }}\n" for each in (*places, *rest))
    common = next(piece for piece in found.pieces if piece.name == "COMMON")
    script = f"SECTIONS {{\n{script}.common {common.address:#x} : {{ *(COMMON) }}\n/DISCARD/ : {{ *(*) }}\n}}"
    (tmp_path / "a.o").write_bytes(raw)
    (tmp_path / "a.ld").write_text(script)
    names = [f"--defsym={each.name}={each.address:#x}" for each in found.undefined]
    output = tmp_path / "a.elf"
    subprocess.run(
        ["ld", "--no-relax", "-e", "0", "-T", tmp_path / "a.ld", *names, "-o", output, tmp_path / "a.o"], check=True
    )
    other = loaded(output.read_bytes())
    for each in (*places, *rest):
        piece = other.piece_at(each.address)
        assert piece is not None, each.name
        at = each.address - piece.address
        assert piece.data[at : at + len(each.data)] == each.data, each.name
