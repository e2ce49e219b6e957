"""`idtviz serve`, as far as it comes before the first visitor."""

import socket
import sys

import pytest

from idtviz.cli.main import _run
from tests.web.serving import free_port, program


def refused(monkeypatch, capsys, *options: str) -> str:
    monkeypatch.setattr(sys, "argv", ["idtviz", "serve", *options])
    with pytest.raises(SystemExit) as ended:
        sys.exit(_run())
    output, errors = capsys.readouterr()
    assert (ended.value.code, output, errors.count("\n")) == (2, "", 1)
    return errors


def test_a_port_that_is_taken_is_one_clear_message(monkeypatch, capsys):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        said = refused(monkeypatch, capsys, "--port", str(port))
    assert said == f"idtviz: cannot listen on 127.0.0.1, port {port}: address already in use\n"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--host", "192.0.2.1"], "cannot listen on 192.0.2.1, port"),
        (["--host", ""], "--host"),
        (["--host", "no such host"], "cannot listen on no such host"),
        (["--token", "short"], "--token: expected at least 16"),
        (["--url", "ftp://lab.example.edu"], "--url: found 'ftp://lab.example.edu'"),
        (["--url", "https://lab.example.edu/idtviz"], "without a path"),
        (["--port", "65536"], "--port"),
        (["nothing.toml"], "nothing.toml: does not exist"),
    ],
)
def test_what_cannot_be_served_is_one_clear_message(monkeypatch, capsys, options, said):
    assert said in refused(monkeypatch, capsys, "--port", str(free_port()), *options)


def test_without_the_extra_it_says_what_to_install(monkeypatch, capsys):
    for name in [name for name in sys.modules if name.startswith(("idtviz.web", "textual_serve"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "textual_serve", None)
    monkeypatch.setitem(sys.modules, "textual_serve.server", None)
    assert "pip install 'idtviz[serve]'" in refused(monkeypatch, capsys)


async def test_beyond_this_computer_a_token_is_made_up_and_stands_in_the_address(tmp_path):
    async with program(tmp_path, "--host", "0.0.0.0") as server:
        assert len(server.line.partition("/?token=")[2].split()[0]) >= 40
