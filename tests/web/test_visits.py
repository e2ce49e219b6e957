"""A visit from its beginning to its end, and what is left of it: nothing."""

import asyncio
import json
import os
import re
import select
import signal
import socket
from pathlib import Path

import aiohttp
import pytest

from idtviz.lab import library
from idtviz.lab.copies import copy
from idtviz.web.limits import Limits
from tests.web.serving import PATIENCE, children, ended, gone, program, serving, until, visiting, visiting_early


async def test_when_the_page_is_closed_the_process_and_its_folder_are_gone(tmp_path):
    async with program(tmp_path) as server:
        async with visiting(server.address):
            (process,) = server.processes()
            (folder,) = tmp_path.glob("idtviz-serve-*/visitor-*")
            assert Path(f"/proc/{process}/cwd").readlink() == folder
        await gone(process)
        async with visiting(server.address):
            assert not folder.exists()
            assert len(list(folder.parent.iterdir())) == 1


async def test_an_assembler_at_work_ends_with_the_visit(tmp_path, monkeypatch):
    told, gcc = tmp_path / "told", tmp_path / "gcc"
    os.mkfifo(told)
    pipe = os.open(told, os.O_RDONLY | os.O_NONBLOCK)
    gcc.write_text(f"#!/bin/sh\necho $$ > {told}\nexec sleep 600\n")
    gcc.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    async with serving(file="course/02_frame") as address:
        async with visiting(address) as visitor:
            for keys in ("E", "#", "\x1bOQ"):
                await visitor.send_json(["stdin", keys])
            await asyncio.to_thread(select.select, [pipe], [], [], PATIENCE)
            assembler = int(os.read(pipe, 100))
        await gone(assembler)
    os.close(pipe)


async def test_a_visit_ends_with_its_page_however_much_was_typed_that_the_process_has_not_read():
    async with serving() as address, visiting(address) as visitor:
        (process,) = children()
        os.kill(process, signal.SIGSTOP)
        await visitor.send_json(["stdin", "s" * 250_000])
        visitor.get_extra_info("socket").shutdown(socket.SHUT_RDWR)
        await gone(process)


async def test_a_process_that_was_stopped_does_not_outlive_a_server_that_is_killed(tmp_path):
    async with program(tmp_path) as server, visiting(server.address):
        (process,) = server.processes()
        os.kill(process, signal.SIGSTOP)
        server.process.kill()
        await gone(process)


async def test_what_is_no_http_is_not_told_to_whoever_runs_the_server(tmp_path):
    async with program(tmp_path) as server:
        for sent in (b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\r\n\r\n", b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\n\r\n"):
            reader, writer = await asyncio.open_connection("127.0.0.1", int(server.address.rpartition(":")[2]))
            writer.write(sent)
            assert (await reader.read()).startswith(b"HTTP/1.0 400")
            writer.close()
        server.process.terminate()
        _, told = await server.process.communicate()
    assert told == b""


async def test_a_visitor_who_leaves_by_q_is_told_that_it_is_over():
    async with serving() as address, visiting(address) as visitor:
        await visitor.send_json(["stdin", "q"])
        assert "You have left" in await ended(visitor)


async def test_a_visitor_whose_process_fails_is_told_so():
    async with serving() as address, visiting(address) as visitor:
        (process,) = children()
        os.kill(process, signal.SIGKILL)
        assert "has failed" in await ended(visitor)


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (Limits(idle=0.2), "No key for 0.2 seconds"),
        (Limits(stay=0.2), "A visit lasts 0.2 seconds at most"),
        (Limits(resident=1 << 20), "more than 1 MiB of memory"),
    ],
)
async def test_a_visit_ends_at_its_limits_and_says_at_which(limits, reason):
    async with serving(limits) as address, visiting_early(address) as visitor:
        assert reason in await ended(visitor)


async def test_what_no_terminal_sends_ends_the_visit():
    sent = [
        "",
        "[",
        "{}",
        '["stdin"]',
        '["stdin", 1]',
        '["resize", {"width": "1", "height": 1}]',
        '["quit"]',
        "[" * 5000,
    ]
    async with serving() as address:
        for message in sent:
            async with visiting_early(address) as visitor:
                await visitor.send_str(message)
                assert "no terminal sends" in await ended(visitor)


async def test_a_page_may_ask_for_any_size_and_type_any_character():
    async with serving() as address, visiting(address) as visitor:
        await visitor.send_json(["resize", {"width": 10**9, "height": -5}])
        await visitor.send_json(["resize", {"width": 160, "height": 48}])
        await visitor.send_str(json.dumps(["stdin", "\ud800\0"]))
        await visitor.send_json(["stdin", "s"])
        await until(visitor, b"+0x7")


async def test_a_screenshot_is_handed_out_as_a_file_and_never_as_a_page():
    async with serving() as address, visiting(address) as visitor, aiohttp.ClientSession() as session:
        await visitor.send_json(["stdin", "\x10"])
        await until(visitor, b"Search for commands")
        await visitor.send_json(["stdin", "screenshot"])
        await until(visitor, b"SVG")
        await visitor.send_json(["stdin", "\r"])
        while (message := await visitor.receive(timeout=PATIENCE)).type is not aiohttp.WSMsgType.TEXT:
            pass
        said, key = message.json()
        assert said == "deliver_file_start"
        async with session.get(f"{address}/download/{key}") as response:
            assert response.headers["Content-Disposition"].startswith('attachment; filename="idtviz_')
            assert response.headers["Content-Type"] == "application/octet-stream"
            assert (await response.text()).startswith("<svg")


async def test_ctrl_c_ends_the_server_its_visits_and_their_folders(tmp_path):
    async with program(tmp_path) as server, visiting(server.address) as visitor:
        (process,) = server.processes()
        server.process.send_signal(signal.SIGINT)
        assert await ended(visitor) == "The server was stopped."
        await gone(process)
        output, errors = await server.process.communicate()
        assert (server.process.returncode, output, errors) == (130, b"", b"")
        assert list(tmp_path.iterdir()) == []


async def test_no_visitors_process_outlives_a_server_that_is_killed(tmp_path):
    async with program(tmp_path) as server, visiting(server.address):
        (process,) = server.processes()
        server.process.kill()
        await gone(process)


async def test_a_visitors_process_knows_neither_the_token_nor_the_servers_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("IDTVIZ_TOKEN", "a-token-for-the-course")
    monkeypatch.setenv("SECRET_OF_THE_HOST", "1")
    async with serving() as address, visiting(address):
        (process,) = children()
        known = Path(f"/proc/{process}/environ").read_text()
    assert "SECRET_OF_THE_HOST" not in known
    assert "a-token-for-the-course" not in known


async def test_a_visitors_process_is_held_to_limits():
    async with serving() as address, visiting(address):
        (process,) = children()
        held = dict(re.findall(r"^Max (.+?) {2,}(\S+)", Path(f"/proc/{process}/limits").read_text(), re.MULTILINE))
        nice = os.getpriority(os.PRIO_PROCESS, process)
    assert int(held["open files"]) <= 256
    assert int(held["address space"]) <= 32 << 30
    assert int(held["file size"]) <= 64 << 20
    assert int(held["core file size"]) == 0
    assert nice > os.getpriority(os.PRIO_PROCESS, 0) or nice == 19


async def test_a_scenario_of_the_hosts_own_is_worked_on_in_a_copy(tmp_path):
    scenario = copy(library.folder() / "page_fault.toml", tmp_path / "host")
    async with program(tmp_path, file=str(scenario)) as server, visiting(server.address):
        (found,) = tmp_path.glob("idtviz-serve-*/visitor-*/lab/page_fault.toml")
        assert found.read_bytes() == scenario.read_bytes()
