"""The house stands as it is described: floors, doors, and what the wheel carries."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from idtviz.debugger.view import View
from idtviz.lab.session import LabSession

ROOT = Path(__file__).resolve().parents[1]
COMMANDS = ("step", "micro_step", "next", "finish", "run", "back", "micro_back", "seek", "digest")
PROPERTIES = ("moment", "view", "events")
PANELS = ("registers", "idt", "gdt", "tss", "frame", "pic", "stack", "paging")
FOREIGN = ("unicorn", "capstone", "elftools", "pydantic", "textual", "rich", "typer")


def python(*arguments: str, cwd: Path = ROOT) -> str:
    """What a fresh interpreter prints, whose current folder is the root of the repository unless `cwd` says another."""
    environment = os.environ | {"NO_COLOR": "1", "TERM": "dumb"}
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def imported_by(*arguments: str) -> set[str]:
    """The top-level packages that a command of idtviz imports."""
    program = (
        "import sys\n"
        "sys.argv = ['idtviz', *sys.argv[1:]]\n"
        "from idtviz.cli.main import run\n"
        "try:\n    run()\n"
        "except SystemExit as end:\n    assert not end.code, end.code\n"
        "print('\\nIMPORTED', *sorted({name.partition('.')[0] for name in sys.modules}))\n"
    )
    return set(python("-c", program, *arguments).rpartition("IMPORTED")[2].split())


def test_x86_needs_no_package_but_python() -> None:
    files = sorted((ROOT / "idtviz/x86").rglob("[!_]*.py"))
    modules = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in files]
    found = python("-c", f"import sys, {', '.join(modules)}; print(*sys.modules)").split()
    assert not {name.partition(".")[0] for name in found} & set(FOREIGN)
    assert not [name for name in found if name.startswith("idtviz.") and not name.startswith("idtviz.x86")]


def test_importing_idtviz_imports_nothing_else() -> None:
    found = python("-c", "import sys, idtviz; print(*sys.modules)").split()
    assert not {name.partition(".")[0] for name in found} & set(FOREIGN)
    assert [name for name in found if name.startswith("idtviz")] == ["idtviz"]


@pytest.mark.parametrize(
    "command",
    [
        ("trace", "double_fault_no_ist"),
        ("test", "double_fault_no_ist"),
        ("list",),
        ("schema",),
        ("explain", "#PF"),
        ("--version",),
    ],
)
def test_a_command_without_a_screen_never_imports_textual(command: tuple[str, ...]) -> None:
    assert "textual" not in imported_by(*command)


def test_the_session_has_the_commands_and_values_of_the_contract() -> None:
    import idtviz  # noqa: PLC0415 -- the name is looked up on the package, as a notebook does

    assert idtviz.Session is LabSession
    assert idtviz.__all__ == ["Session", "__version__"]
    for name in COMMANDS:
        assert callable(getattr(LabSession, name)), name
    for name in PROPERTIES:
        assert isinstance(getattr(LabSession, name), property), name
    session = LabSession.open("page_fault")
    for name in PANELS:
        getattr(session.view, name)
    assert isinstance(session.view, View)
    assert str(session.moment) == "0"
    assert hash(session.moment) == hash(session.moment)
    int(session.digest(), 16)


def test_every_package_of_the_house_is_typed() -> None:
    assert (ROOT / "idtviz/py.typed").is_file()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    built = python(
        "-c", "import sys; from hatchling.build import build_wheel; print(build_wheel(sys.argv[1]))", str(folder)
    )
    return folder / built.split()[-1]


def test_the_wheel_holds_the_package_and_every_scenario(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for path in (ROOT / "scenarios").rglob("*"):
        if path.suffix in (".toml", ".elf", ".bin", ".img", ".txt", ".S", ".inc", ".ld", ".c", ".o", ".set"):
            assert f"idtviz/{path.relative_to(ROOT).as_posix()}" in names
    for path in (ROOT / "idtviz").rglob("*"):
        data = (".tcss", ".bin", ".sym", ".S", ".ld", ".elf", ".o", ".toml", ".html", ".js", ".css")
        if path.suffix in (".py", *data) or path.name == "py.typed":
            assert path.relative_to(ROOT).as_posix() in names
    assert {"idtviz/machine/firmware/bios.bin", "idtviz/machine/firmware/bios.sym"} <= names


def test_what_the_wheel_holds_runs_a_boot_sector_with_its_bios_from_any_folder(wheel: Path, tmp_path: Path) -> None:
    inside, elsewhere = tmp_path / "installed", tmp_path / "elsewhere"
    zipfile.ZipFile(wheel).extractall(inside)
    elsewhere.mkdir()
    program = (
        "import sys\n"
        "sys.path.insert(0, sys.argv.pop(1))\n"
        "from idtviz.cli.main import run\n"
        "print(sys.modules['idtviz'].__file__)\n"
        "run()\n"
    )
    printed = python("-c", program, str(inside), "trace", "boot_sector", cwd=elsewhere).splitlines()
    assert printed[0] == str(inside / "idtviz/__init__.py")
    assert any(line.split(maxsplit=1)[-1].startswith("INT 0x10") and "bios_int10" in line for line in printed)
    assert "halted" in printed[-1]
