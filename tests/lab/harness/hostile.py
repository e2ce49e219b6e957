"""Handlers that do to the machine what none should: for each there has to be an answer, and soon."""

from __future__ import annotations

BOTH = {
    "loops": "1: jmp 1b",
    "loops_on_a_port": "1: in al, 0x64\njmp 1b",
    "calls_itself": "1: call 1b",
    "pushes_for_ever": "1: push {a}\njmp 1b",
    "halts": "1: hlt\njmp 1b",
    "halts_with_interrupts": "sti\n1: hlt\njmp 1b",
    "stops": "cli\nhlt",
    "jumps_to_zero": "xor {a}, {a}\njmp {a}",
    "jumps_to_the_end_of_memory": "mov {a}, -16\njmp {a}",
    "interrupts_itself": "int 6",
    "interrupts_with_everything": "xor ecx, ecx\n1: int 0x20\nint 0x80\nint 3\nint 13\njmp 1b",
    "undefined": "ud2",
    "invalid_after_flags": "push -1\npopf{s}\nud2",
    "repeats_for_ever": "mov {d}, 0x400000\nmov {c}, -1\nrep stosb",
    "repeats_over_everything": "cld\nxor {d}, {d}\nmov {c}, -1\nrep stosb",
    "repeats_out": "mov {c}, -1\nmov {si}, 0x200000\nmov dx, 0x3f8\nrep outsb",
    "repeats_in": "cld\nmov {c}, -1\nmov {d}, 0x400000\nmov dx, 0x60\nrep insb",
    "no_idt": "sub {sp}, 16\nlidt [{sp}]\nud2",
    "no_idt_at_all": "push 0\npush 0\nlidt [{sp}]\nud2",
    "no_gdt": "push 0\npush 0\nlgdt [{sp}]\nmov ax, 0x10\nmov ds, ax",
    "no_page_tables": "xor {a}, {a}\nmov cr3, {a}\nnop\npop {a}",
    "page_tables_far_away": "mov {a}, 0x7ffff000\nmov cr3, {a}\nnop\npop {a}",
    "paging_off": "mov {a}, cr0\nand eax, 0x7fffffff\nmov cr0, {a}\nnop",
    "protection_off": "mov {a}, cr0\nand eax, 0x7ffffffe\nmov cr0, {a}\nnop",
    "model_specific": "mov ecx, 0xc0000080\nxor eax, eax\nxor edx, edx\nwrmsr\nnop",
    "no_such_model_specific": "mov ecx, 0x12345678\nmov eax, -1\nmov edx, -1\nwrmsr",
    "reset_by_keyboard": "mov al, 0xfe\nout 0x64, al\n1: jmp 1b",
    "reset_by_port_92": "in al, 0x92\nor al, 1\nout 0x92, al\n1: jmp 1b",
    "reset_by_cf9": "mov dx, 0xcf9\nmov al, 6\nout dx, al\n1: jmp 1b",
    "task_register": "mov ax, 0x10\nltr ax",
    "local_table": "xor eax, eax\nlldt ax\nmov ax, 4\nmov ds, ax",
    "debug_registers": "mov {a}, -1\nmov dr7, {a}\nmov dr0, {a}\nnop",
    "single_steps": "pushf{s}\nor word ptr [{sp}], 0x100\npopf{s}\nnop\nnop",
    "pic_anew": "mov al, 0x11\nout 0x20, al\nmov al, 0\nout 0x21, al\nmov al, 4\nout 0x21, al\nmov al, 1\n"
    "out 0x21, al\nsti\n"
    "mov al, 0x34\nout 0x43, al\nmov al, 2\nout 0x40, al\nmov al, 0\nout 0x40, al\n1: jmp 1b",
    "timer_runs_wild": "mov al, 0x34\nout 0x43, al\nmov al, 2\nout 0x40, al\nmov al, 0\nout 0x40, al\n"
    "1: mov al, 0x20\nout 0x20, al\nsti\njmp 1b",
    "sti_for_ever": "1: sti\ncli\njmp 1b",
    "vector_instructions": "vzeroall\nvpxor ymm0, ymm0, ymm0",
    "virtualises": "vmcall",
    "system_management": "rsm",
    "invalidates": "invd\nwbinvd\ncpuid\nrdtsc",
    "calls_what_is_not_there_for_ever": "1: call outside\njmp 1b",
    "writes_what_stands_in": "mov {d}, 0x60000\nmov {c}, 0x1000\ncld\nrep stosb\ncall outside",
    "stack_nowhere": "mov {sp}, 0\npush {a}",
    "stack_at_the_end": "mov {sp}, -8\npush {a}",
    "stack_in_its_code": "lea {sp}, [{here}]\n2: push {a}\npush {a}\n1: jmp 1b",
    "long_nops": ".rept 20000\nnop\n.endr",
    "loops_a_while": "mov ecx, 50000\n1: loop 1b\n{eoi}",
    "two_handlers_deep": "push {a}\npush {a}\npush {a}\niret{q}",
}

LONG = {
    "overwrites_its_idt": "sub rsp, 16\nsidt [rsp]\nmov rdi, [rsp + 2]\nmov ecx, 4096\n"
    "xor eax, eax\ncld\nrep stosb\nud2",
    "overwrites_its_gdt": "sub rsp, 16\nsgdt [rsp]\nmov rdi, [rsp + 2]\nmov ecx, 256\nxor eax, eax\ncld\nrep stosb\n"
    "add rsp, 16\niretq",
    "overwrites_its_tables": "mov rdi, cr3\nmov ecx, 4096\n"
    "xor eax, eax\ncld\nrep stosb\nmov rax, cr3\nmov cr3, rax\nnop",
    "modifies_itself": "lea rax, [rip + 1f]\nmov word ptr [rax], 0xcf48\n1: nop\nnop\nud2",
    "far_jump": "push 0x23\npush 0\nretfq",
    "far_jump_32": "push 0x20\nlea rax, [rip + 1f]\npush rax\nretfq\n1: nop\nhlt",
    "system_return": "xor ecx, ecx\nsysretq",
    "system_call": "syscall",
    "forged_frame": "push 0\npush 0\npush 0\npush 0\npush 0\niretq",
    "non_canonical_frame": "mov rax, 1 << 63\nmov [rsp], rax\niretq",
    "non_canonical_stack": "mov rsp, 0x7a00000000000000\nint3",
    "gs_base_far_away": "mov ecx, 0xc0000101\nmov eax, -1\nmov edx, 0x7fffffff\nwrmsr\nmov rax, gs:[0]",
    "to_user_for_ever": "1: mov qword ptr [rsp + 8], 0x23\nmov qword ptr [rsp + 32], 0x1b\niretq",
    "returns_to_itself": "lea rax, [rip - 7]\nmov [rsp], rax\niretq",
}

FLAT = {
    "overwrites_its_idt": "sub esp, 8\nsidt [esp]\nmov edi, [esp + 2]\nmov ecx, 2048\n"
    "xor eax, eax\ncld\nrep stosb\nud2",
    "overwrites_its_gdt": "sub esp, 8\nsgdt [esp]\nmov edi, [esp + 2]\nmov ecx, 256\nxor eax, eax\ncld\nrep stosb\n"
    "add esp, 8\niretd",
    "modifies_itself": "mov byte ptr [1f], 0xcf\n1: nop\nud2",
    "far_jump": "push 0x23\npush 0\nretf",
    "virtual_8086": "or dword ptr [esp + 8], 0x20000\niretd",
    "nested_task": "pushfd\nor dword ptr [esp], 0x4000\npopfd\niretd",
    "to_a_task": "push 0xf8\npush 0\nretf",
    "turns_paging_on": "mov eax, cr0\nor eax, 0x80000000\nmov cr0, eax\nnop",
}

_WIDE = {"a": "rax", "c": "rcx", "d": "rdi", "si": "rsi", "sp": "rsp", "s": "q", "q": "q", "here": "rip + 2f"}
_NARROW = {
    "a": "eax",
    "c": "ecx",
    "d": "edi",
    "si": "esi",
    "sp": "esp",
    "s": "d",
    "q": "d",
    "here": "handler_of_it + 64",
}
_EOI = {"eoi": "push {a}\nmov al, 0x20\nout 0x20, al\npop {a}\niret{q}"}


def source(text: str, bits: int) -> str:
    """What GNU as takes: the handler is `handler_of_it`."""
    words = _WIDE if bits == 64 else _NARROW
    words = words | {name: value.format(**words) for name, value in _EOI.items()}
    return f".globl handler_of_it\n.type handler_of_it, @function\nhandler_of_it:\n{text.format(**words)}\n"


ALL = [(bits, name, text) for bits, own in ((64, BOTH | LONG), (32, BOTH | FLAT)) for name, text in own.items()]
