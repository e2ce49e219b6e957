"""The vector that a handler is for, told by the name that its author gave it: only where there is no doubt."""

from __future__ import annotations

import re
from typing import Final

from idtviz.x86.vectors import VECTORS, Kind

REMAPPED: Final = 0x20
"""The vector of interrupt line 0, as every kernel sets its controllers that does not leave them where the BIOS did."""

_IRQS = 16
_SYSTEM_CALL = 0x80
_LONGEST_NUMBER = 6
_BITS = (16, 32, 64)

_NUMBERED = frozenset(
    ("isr", "irq", "vector", "vec", "int", "intr", "interrupt", "exception", "exc", "trap", "fault", "idt")
)
"""Words that make a number the number of a vector."""

_NOISE = _NUMBERED | frozenset(
    (
        *("handler", "handlers", "handle", "hndlr", "hdlr", "handling", "gate", "entry", "stub", "wrapper", "routine"),
        *("service", "do", "on", "the", "asm", "x86", "i386", "cpu", "kernel", "hw", "raw", "naked"),
        *("err", "error", "code", "errcode", "errorcode", "noerr", "no", "with", "without", "num", "nr", "number"),
    )
)
"""Words that say nothing of which vector it is."""

_DROPPED = (
    frozenset[str](),
    _NOISE - {"fault", "error", "no", "exception"},
    _NOISE - {"fault", "error", "no"},
    _NOISE - {"fault", "no"},
    _NOISE - {"error", "no"},
    _NOISE,
)
"""What is left out of a name in search of one that is known: less first, for `error` and `fault` may belong to it."""

_SAYS_HANDLER = _NUMBERED | frozenset(("handler", "handle", "hndlr", "hdlr", "gate", "entry", "stub", "wrapper"))
"""One of these has to stand with a name that may mean something else as well."""

_EXCEPTIONS = {
    0: "divide_by_zero division_by_zero div_by_zero divide_zero zero_divide zero_division div_zero div0 divide "
    "division divide_by_0 division_error div_error div_err divide_fault",
    1: "debug debug_fault debug_trap single_step singlestep",
    2: "nmi non_maskable nonmaskable non_maskable_nmi",
    3: "breakpoint break_point int3",
    4: "overflow into_overflow",
    5: "bound bounds bound_range bounds_check bound_check bound_exceeded bound_fault bounds_range_exceeded "
    "out_of_bounds bound_range_exceed",
    6: "invalid_opcode undefined_opcode illegal_opcode bad_opcode invalid_op invalid_instruction illegal_instruction "
    "undefined_instruction opcode",
    7: "device_not_available no_coprocessor coprocessor_not_available device_na fpu_not_available no_math_coprocessor "
    "device_unavailable no_device",
    8: "double_fault",
    9: "coprocessor_segment_overrun coprocessor_overrun coprocessor_seg_overrun coproc_seg_overrun",
    10: "invalid_tss bad_tss tss tss_fault invalid_tss_fault",
    11: "segment_not_present seg_not_present segment_np segment_not_present_fault",
    12: "stack_segment stack_segment_fault stack_fault stack_seg_fault stack_exception ss_fault",
    13: "general_protection general_protection_fault gp_fault gpfault gpf protection_fault gen_prot_fault general_prot",
    14: "page_fault pagefault pgfault pgflt page_flt pf_fault",
    16: "x87_floating_point floating_point fpu_error x87_fpu x87_fpu_error math_fault coprocessor_error x87 x87_fault "
    "fpu_fault floating_point_error fpu_floating_point x87_floating_point_error coproc_error",
    17: "alignment_check alignment align_check alignment_fault",
    18: "machine_check mce",
    19: "simd simd_floating_point simd_fp simd_error simd_fault simd_coprocessor_error simd_fpu simd_fp_error "
    "simd_floating_point_error xmm",
    20: "virtualization virtualisation",
    21: "control_protection control_protection_fault",
    28: "hypervisor_injection",
    29: "vmm_communication",
    30: "security",
}
"""Names that mean one exception wherever they stand; the titles of the vectors come to them."""

_NOT_ALONE = frozenset(
    (
        *("debug", "overflow", "bound", "bounds", "divide", "division", "opcode", "tss", "alignment", "security"),
        *("simd", "x87", "xmm", "floating_point", "virtualization", "virtualisation"),
    )
)
"""Those of them that mean it only beside a word such as `handler`."""

_LINES = {
    0: "timer pit clock systick pit_timer timer0 tick pit0 i8253 i8254",
    1: "keyboard kbd ps2_keyboard keyb kb keyboard_ps2",
    3: "com2 serial2 uart2 com2_serial",
    4: "com1 serial1 uart1 com1_serial",
    6: "floppy fdc floppy_disk",
    7: "lpt1",
    8: "rtc cmos real_time_clock cmos_rtc rtc_timer",
    12: "mouse ps2_mouse mouse_ps2",
    14: "primary_ata ata_primary ide_primary primary_ide ata0 ide0 hd0",
    15: "secondary_ata ata_secondary ide_secondary secondary_ide ata1 ide1 hd1",
}
_CALLS = "syscall syscalls system_call sys_call systemcall"

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_WORD = re.compile(r"0x[0-9a-f]+|[a-z][a-z0-9]*|[0-9][0-9a-f]*h?")
_WITH_NUMBER = re.compile(r"([a-z]+?)(0x[0-9a-f]+|[0-9][0-9a-f]?h|[0-9]+|[0-9][a-f])")
_HEXADECIMAL = re.compile(r"0x[0-9a-f]+|[0-9][0-9a-f]?h|[0-9][a-f]")


def _exceptions() -> dict[str, int]:
    found = {name: number for number, names in _EXCEPTIONS.items() for name in names.split()}
    for vector in VECTORS[:32]:
        if vector.kind is Kind.RESERVED:
            continue
        title = re.sub(r"\W+", "_", vector.title.lower().partition(" (")[0])
        found[title] = vector.number
        found.setdefault(title.removesuffix("_exception").removesuffix("_interrupt"), vector.number)
    return found


_BY_NAME = _exceptions()
_BY_MNEMONIC = {each.mnemonic[1:].lower(): each.number for each in VECTORS[:32] if each.mnemonic.startswith("#")}
_BY_MNEMONIC["xf"] = 19  # as AMD calls #XM
_BY_LINE = {name: REMAPPED + line for line, names in _LINES.items() for name in names.split()}
_OF_CALLS = frozenset(_CALLS.split())


def vector_of_name(name: str) -> int | None:
    """The vector that `name` tells of: `page_fault_handler`, `isr14`, `irq1_stub`; None where it tells none, or two.

    A path such as `kernel::idt::page_fault` is read by its last component. Interrupt lines are taken to begin at
    vector 0x20, and a system call to be INT 0x80.
    """
    last = name.partition("(")[0].rpartition("::")[2].partition("@")[0]
    words = _WORD.findall(_CAMEL.sub("_", last).lower().replace("_", " "))
    if not words or len(words) > 12:
        return None
    found = {vector for vector in (_numbered(words), _named(words)) if vector is not None}
    if len(found) == 1:
        return found.pop()
    return None


def _numbered(words: list[str]) -> int | None:
    """The vector of a name with one number in it: `isr14`, `irq_1`, `vector_0x21_entry`."""
    parts = [part for word in words for part in _split(word)]
    numbers = [part for part in parts if part[0].isdigit()]
    others = [part for part in parts if not part[0].isdigit()]
    if len(numbers) != 1 or not _NUMBERED & set(others):
        return None
    is_other = any(part not in _NOISE and part != "spurious" for part in others)
    text = numbers[0]
    is_hexadecimal = _HEXADECIMAL.fullmatch(text) is not None
    if len(text) > _LONGEST_NUMBER or not (is_hexadecimal or text.isdecimal()):
        return None
    number = int(text.removesuffix("h"), 16) if is_hexadecimal else int(text)
    if is_other and _named(words) is None:
        return None
    if "irq" in others or ("spurious" in others and number in (7, 15)):
        return REMAPPED + number if number < _IRQS else None
    if "int" in others and not is_hexadecimal and number >= 10:
        # Everybody says INT 80 for 0x80; whether INT 13 is one of the BIOS or #GP, nobody can tell.
        return _SYSTEM_CALL if text == "80" else None
    if number in _BITS and "entry" in others and not is_hexadecimal:
        return None
    return number if number < len(VECTORS) else None


def _split(word: str) -> list[str]:
    if word in _NOISE or _meaning(word) is not None:
        return [word]
    found = _WITH_NUMBER.fullmatch(word)
    return [found[1], found[2]] if found is not None and found[1] in _NUMBERED | {"spurious"} else [word]


def _named(words: list[str]) -> int | None:
    """The vector of a name in words: `page_fault_handler`, `do_general_protection`, `exc_pf`, `timer_interrupt`."""
    parts = [part for word in words for part in _split(word)]
    says_handler = bool(_SAYS_HANDLER & set(parts))
    if _NUMBERED & set(parts):
        parts = [part for part in parts if not part[0].isdigit()]
    for drop in _DROPPED:
        core = "_".join(part for part in parts if part not in drop)
        vector = _meaning(core)
        if vector == _SYSTEM_CALL:
            return None if "entry" in parts else vector
        if vector is not None and (says_handler or (core in _BY_NAME and core not in _NOT_ALONE)):
            return vector
    return None


def _meaning(core: str) -> int | None:
    """The vector of a name without the words around it."""
    if core in _OF_CALLS:
        return _SYSTEM_CALL
    return next((names[core] for names in (_BY_NAME, _BY_MNEMONIC, _BY_LINE) if core in names), None)
