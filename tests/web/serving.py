"""A server for tests: in this process, or as a program of its own; and a visitor who comes without a browser."""

import asyncio
import os
import re
import select
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from idtviz.web.admission import Admission
from idtviz.web.limits import Limits
from idtviz.web.server import VisitorServer

ROOT = Path(__file__).parents[2]
USUAL = Limits()
PATIENCE = 60  # seconds after which something counts as hung


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return found.getsockname()[1]


@asynccontextmanager
async def serving(limits: Limits = USUAL, file: str | None = "page_fault", **asked: str) -> AsyncIterator[str]:
    """Where a server in this process listens; `asked`: more of what Admission has."""
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    port = free_port()
    server = VisitorServer(Admission("127.0.0.1", port, **asked), limits, file)
    running = asyncio.create_task(server.run(ready.set_result))
    try:
        await ready
        yield f"http://127.0.0.1:{port}"
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


@dataclass
class Program:
    """`idtviz serve` as a program; `home` is where its temporary folders lie; `line`, what it says."""

    process: asyncio.subprocess.Process
    line: str
    address: str
    home: Path

    def processes(self) -> list[int]:
        """Those of its visitors."""
        return children(self.process.pid)


@asynccontextmanager
async def program(home: Path, *options: str, file: str = "page_fault") -> AsyncIterator[Program]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "idtviz", "serve", file, "--port", str(free_port()), *options),
        env={**os.environ, "TMPDIR": str(home)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=ROOT,
    )
    try:
        async with asyncio.timeout(PATIENCE):
            line = (await process.stdout.readline()).decode()
        yield Program(process, line, re.search(r"http://[^/ ]+", line)[0], home)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


def children(process: int | None = None) -> list[int]:
    """The processes that a process has begun; of this one those with a debugger: other tests have theirs."""
    found = [
        int(pid)
        for task in Path(f"/proc/{process or os.getpid()}/task").iterdir()
        for pid in (task / "children").read_text().split()
    ]
    return found if process is not None else [pid for pid in found if b"idtviz.web" in _command(pid)]


def _command(process: int) -> bytes:
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:
        return b""


async def gone(process: int) -> None:
    """Wait until a process has ended."""
    try:
        handle = os.pidfd_open(process)
    except ProcessLookupError:
        return
    try:
        found, _, _ = await asyncio.to_thread(select.select, [handle], [], [], PATIENCE)
        assert found, f"process {process} is still there"
    finally:
        os.close(handle)


def websocket_of(address: str) -> str:
    return f"{address.replace('http', 'ws', 1)}/ws"


@asynccontextmanager
async def visiting_early(address: str) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    """A visitor at the websocket, whose process has only just been started."""
    where = f"{websocket_of(address)}?width=160&height=48"
    async with aiohttp.ClientSession() as session, session.ws_connect(where, origin=address) as visitor:
        yield visitor


@asynccontextmanager
async def visiting(address: str) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    """A visitor at the websocket, once the debugger is on the screen."""
    async with visiting_early(address) as visitor:
        await until(visitor, b"instruction 0")
        yield visitor


async def until(visitor: aiohttp.ClientWebSocketResponse, wanted: bytes) -> None:
    """Read what comes for the screen until `wanted` is in it."""
    seen = b""
    async with asyncio.timeout(PATIENCE):
        while wanted not in seen:
            message = await visitor.receive()
            assert message.type is aiohttp.WSMsgType.BINARY, (message, visitor.close_code, seen[-200:])
            seen += message.data


async def ended(visitor: aiohttp.ClientWebSocketResponse) -> str:
    """What the server says as it ends the visit."""
    async with asyncio.timeout(PATIENCE):
        while (message := await visitor.receive()).type is aiohttp.WSMsgType.BINARY:
            pass
    assert message.type is aiohttp.WSMsgType.CLOSE, message
    return message.extra
