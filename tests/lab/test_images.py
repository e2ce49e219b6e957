"""A file is what its contents say, and takes beside it what its kind takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from idtviz.lab.image_kinds import Kind
from idtviz.lab.images import recognise
from idtviz.lab.overrides import Overrides
from idtviz.lab.preparation import Prepared, prepare
from idtviz.lab.problems import ScenarioError
from idtviz.lab.run import run
from idtviz.lab.session import LabSession
from tests.lab.folders import SCENARIOS, write
from tests.machine.boot import files

SECTOR = b"\xfa\xf4".ljust(510, b"\0") + b"\x55\xaa"
MULTIBOOT = (SCENARIOS / "multiboot_hello.elf").read_bytes()
OBJECT = (SCENARIOS / "bare_handler.o").read_bytes()


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (files.elf(), Kind.ELF),
        (files.multiboot(), Kind.MULTIBOOT),
        (files.multiboot2(), Kind.MULTIBOOT),
        (files.Addresses().file(), Kind.MULTIBOOT),
        (files.BzImage().file(), Kind.BZIMAGE),
        (OBJECT, Kind.OBJECT),
        (OBJECT + files.multiboot(), Kind.OBJECT),
        (SECTOR, Kind.BOOT_SECTOR),
        (SECTOR + files.Addresses().file(), Kind.BOOT_SECTOR),
        (b"\x90" * 4096, None),
        (b"", None),
    ],
)
def test_a_file_is_what_its_contents_say(raw, kind):
    assert recognise(raw) is kind


def prepared(folder: Path, raw: bytes, **said) -> Prepared:
    path = folder / "kernel.bin"
    path.write_bytes(raw)
    return prepare(path, Overrides(**said))


def refused(folder: Path, raw: bytes, **said) -> list[str]:
    with pytest.raises(ScenarioError) as caught:
        prepared(folder, raw, **said)
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("raw", "boot", "mode", "controller", "memory"),
    [
        (files.elf(bits=64), "elf64", "long", "pic", 16 << 20),
        (files.elf(), "elf32", "protected", "pic", 16 << 20),
        (files.multiboot(), "multiboot", "protected", "apic", 128 << 20),
        (files.multiboot2(), "multiboot2", "protected", "apic", 128 << 20),
        (files.BzImage().file(), "bzimage", "protected", "apic", 128 << 20),
        (OBJECT, "object", "long", "pic", 16 << 20),
        (SECTOR, "boot_sector", "real", "apic", 128 << 20),
        (files.multiboot(size=200 << 20), "multiboot", "protected", "apic", 201 << 20),
    ],
)
def test_a_file_alone_gets_the_machine_that_it_expects(tmp_path, raw, boot, mode, controller, memory):
    found = prepared(tmp_path, raw)
    section = found.scenario.machine
    assert (found.boot, section.mode, section.controller, section.memory) == (boot, mode, controller, memory)


def test_a_kernel_with_headers_of_both_versions_is_of_the_first(tmp_path):
    header = files.multiboot2_header(files.END)
    padding = bytes(-(52 + 32) % 8)
    body = padding + header + files.multiboot_header() + files.CODE
    raw = files.elf(files.Segment(body), entry=0x100000 + len(body) - 2)
    assert prepared(tmp_path, raw).boot == "multiboot"


def test_the_user_may_want_another_machine(tmp_path):
    section = prepared(tmp_path, files.multiboot(), apic=False, memory=32 << 20, speed=1_000_000).scenario.machine
    assert (section.controller, section.memory, section.instructions_per_second) == ("pic", 32 << 20, 1_000_000)


def test_command_line_and_modules_of_the_user_reach_the_kernel(tmp_path):
    module = tmp_path / "mod"
    module.write_bytes(b"from the module\n")
    found = prepared(tmp_path, MULTIBOOT, command_line="one two", modules=(f"{module} three",))
    session = LabSession(found)
    assert run(session).reason == "halted"
    from idtviz.lab.expectations import screen_of  # noqa: PLC0415 -- behind the run

    text = screen_of(session.machine).text
    assert "command line: one two" in text
    assert "module 'mod three': from the module" in text


@pytest.mark.parametrize(
    ("raw", "said", "says"),
    [
        (files.elf(), {"command_line": ""}, "--cmdline: a bare ELF kernel takes none"),
        (SECTOR, {"initrd": "x"}, "--initrd: a boot sector takes none"),
        (files.BzImage().file(), {"modules": ("x",)}, "--module: a bzImage takes none"),
        (files.BzImage().file(), {"loader": "grub"}, "--loader: a bzImage takes none"),
        (files.multiboot(), {"modules": ("/nowhere/x y",)}, "--module: '/nowhere/x' does not exist"),
        (files.multiboot(), {"disks": ("/nowhere/x",)}, "--disk: '/nowhere/x' does not exist"),
        (files.multiboot(), {"symbols": ("/nowhere/x",)}, "--symbols: '/nowhere/x' does not exist"),
        (files.multiboot2(), {"loader": "qemu"}, "QEMU loads no Multiboot2 kernels"),
        (files.multiboot(size=1 << 31), {}, "the image needs memory up to"),
        (files.multiboot(size=32 << 20), {"memory": 16 << 20}, "the image needs memory up to"),
        (files.elf(), {"symbol": "x"}, "--symbol: a bare ELF kernel takes none"),
        (SECTOR, {"ring": 3}, "--ring: a boot sector takes none"),
        (files.multiboot(), {"vector": 14}, "--vector: a Multiboot kernel takes none"),
        (OBJECT, {"apic": True}, "--apic: a bare handler runs on a machine with the 8259s alone"),
        (OBJECT, {"disks": ("x",)}, "--disk: a bare handler takes none"),
        (OBJECT, {"command_line": ""}, "--cmdline: a bare handler takes none"),
        (OBJECT, {"memory": 1 << 20}, "the image needs memory up to"),
        (OBJECT, {"vector": 17, "ring": 0}, "page_fault_handler is for #AC, which never comes from ring 0"),
        (OBJECT, {"symbol": "x"}, "has no code called 'x'; what it has: page_fault_handler"),
        (OBJECT, {"symbol": "report"}, "has no code called 'report'"),
        (OBJECT[:64], {}, "the ELF file is cut short"),
        (b"\x90" * 600, {"rom": True}, "a ROM is a multiple of 512"),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path, raw, said, says):
    (message,) = refused(tmp_path, raw, **said)
    assert says in message


def test_disks_beside_a_disk_are_the_next_ones_until_there_are_four(tmp_path):
    raw, beside = SECTOR + bytes(4 << 20), tmp_path / "beside"
    beside.write_bytes(b"beside")
    drives = prepared(tmp_path, raw, disks=(str(beside),) * 3).setup.build().board.drives
    assert (list(drives), drives[0x81].read(0)[:6]) == ([0x80, 0x81, 0x82, 0x83], b"beside")
    assert "--disk: no place for 4 more hard disks; expected at most 3" in refused(
        tmp_path, raw, disks=(str(beside),) * 4
    )


def test_a_scenario_attaches_disks_behind_the_one_that_it_boots_from(tmp_path):
    text = 'title = "x"\n[image]\ndisk = "small.bin"\ndisks = ["small.bin"]\n'
    found = prepare(write(tmp_path, text, SECTOR + bytes((4 << 20) - 512)))
    assert list(found.setup.build().board.drives) == [0x80, 0x81]


def test_a_scenario_takes_another_machine_and_no_files_of_the_user():
    found = prepare("multiboot_stale_gdt", Overrides(loader="qemu", apic=True, memory=32 << 20))
    assert (found.scenario.image.loader, found.scenario.machine.controller) == ("qemu", "apic")
    assert run(LabSession(found)).reason == "halted"
    with pytest.raises(ScenarioError, match="--module: a scenario names its own files"):
        prepare("multiboot_stale_gdt", Overrides(modules=("x",)))
    with pytest.raises(ScenarioError, match="--cmdline: a bare ELF kernel takes none"):
        prepare("page_fault", Overrides(command_line="x"))


def test_a_mode_that_an_image_does_not_begin_in_is_named_in_its_line(tmp_path):
    text = 'title = "x"\n[machine]\nmode = "long"\n[image]\nmultiboot = "small.bin"\n'
    with pytest.raises(ScenarioError, match=r"small.toml:3: machine.mode: a Multiboot kernel is entered in protected"):
        prepare(write(tmp_path, text, files.multiboot()))


def test_an_elf_of_32_bits_needs_no_mode(tmp_path):
    assert prepare(write(tmp_path, 'title = "x"\n[image]\nelf = "small.bin"\n', files.elf())).boot == "elf32"


def test_a_scenario_boots_from_a_disk_that_stands_alone(tmp_path):
    disk = SECTOR + bytes((4 << 20) - 512)
    found = prepare(write(tmp_path, 'title = "x"\n[image]\ndisk = "small.bin"\n', disk))
    assert (found.boot, found.scenario.machine.mode) == ("disk", "real")
