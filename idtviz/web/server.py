"""The server: who is let in, the page, and a visit for each websocket."""

from __future__ import annotations

import asyncio
import html
import logging
import signal
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from string import Template

from aiohttp import WSCloseCode, web
from aiohttp.http_exceptions import HttpProcessingError
from textual_serve.server import Server, to_int

from idtviz.web.admission import Admission
from idtviz.web.limits import Limits
from idtviz.web.visit import Visit

PAGE = Path(__file__).with_name("page")
FONT_SIZES = range(6, 49)
"""Pixels: `?fontsize=20` in the address."""
LONGEST_MESSAGE = 256 << 10
"""Bytes of what a page may send at once: a text that is pasted in."""
_USUAL_SIZE = (("width", 80), ("height", 24))
_HEARTBEAT = 15.0  # seconds; a page that is silent for longer is gone
_AT_THE_END = 10.0  # seconds for the visits to end
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; connect-src 'self'; font-src 'self'; img-src 'self' data:; "
        "style-src 'self' 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class VisitorServer(Server):
    """Serves the debugger on `file`, or the gallery."""

    def __init__(self, admission: Admission, limits: Limits, file: str | None = None) -> None:
        super().__init__("idtviz", admission.host, admission.port, public_url=admission.address)
        self._admission = admission
        self._limits = limits
        self._file = file
        self._visits: set[Visit] = set()
        self._places = 0
        self._home = Path()

    async def run(self, ready: Callable[[str], None]) -> bool:
        """Serve until a signal says stop; whether that was Ctrl+C. `ready` is told the address, once it answers.

        Raises OSError where it cannot listen there.
        """
        logging.getLogger("textual-serve").setLevel(logging.ERROR)
        logging.getLogger("aiohttp.server").addFilter(_is_worth_telling)
        stopped: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        with _signals(stopped), tempfile.TemporaryDirectory(prefix="idtviz-serve-", ignore_cleanup_errors=True) as home:
            self._home = Path(home)
            runner = web.AppRunner(await self._make_app(), access_log=None, shutdown_timeout=_AT_THE_END)
            await runner.setup()
            try:
                await web.TCPSite(runner, self.host, self.port).start()
                ready(self._admission.address)
                return await stopped
            finally:
                await runner.cleanup()

    async def _make_app(self) -> web.Application:
        app = web.Application(middlewares=[self._guard], client_max_size=LONGEST_MESSAGE)
        app.add_routes(
            [
                web.get("/", self._page),
                web.get("/ws", self._visit),
                web.get("/download/{key}", self.handle_download),
                web.static("/static", self.statics_path),
                web.static("/page", PAGE),
            ]
        )
        app.on_response_prepare.append(_prepare)
        app.on_shutdown.append(self._dismiss)
        return app

    @web.middleware
    async def _guard(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        refusal = self._admission.refusal(request)
        return await handler(request) if refusal is None else _message(refusal.status, refusal.text)

    async def _page(self, request: web.Request) -> web.Response:
        if self._places >= self._limits.visitors:
            return _message(503, self._full)
        size = to_int(request.query.get("fontsize", ""), 16)
        scheme = "wss" if self._admission.scheme == "https" else "ws"
        page = web.Response(
            text=_filled(
                "page.html",
                websocket=f"{scheme}://{request.host}/ws",
                font_size=str(max(FONT_SIZES.start, min(size, FONT_SIZES.stop - 1))),
            ),
            content_type="text/html",
            headers={"Cache-Control": "no-store"},
        )
        if self._admission.brings_token(request):
            # Not behind a redirect: that would still belong to the page with the link, and lack a strict cookie.
            page.set_cookie(
                self._admission.cookie,
                self._admission.token or "",
                httponly=True,
                samesite="Strict",
                secure=self._admission.scheme == "https",
            )
        return page

    async def _visit(self, request: web.Request) -> web.StreamResponse:
        websocket = web.WebSocketResponse(heartbeat=_HEARTBEAT, max_msg_size=LONGEST_MESSAGE)
        if not websocket.can_prepare(request):
            return _message(400, "This is where the page's websocket leads; there is nothing to read here.")
        await websocket.prepare(request)
        if self._places >= self._limits.visitors:
            await websocket.close(code=WSCloseCode.TRY_AGAIN_LATER, message=self._full.encode())
            return websocket
        self._places += 1
        try:
            visit = Visit(self._file, self._limits, self._home, websocket, self.download_manager, request.transport)
            self._visits.add(visit)
            try:
                await visit.last(*(to_int(request.query.get(name, ""), usual) for name, usual in _USUAL_SIZE))
            finally:
                self._visits.discard(visit)
        finally:
            self._places -= 1
        return websocket

    @property
    def _full(self) -> str:
        most = self._limits.visitors
        return (
            f"All {most} machines are taken. Come back later." if most > 1 else "The machine is taken. Come back later."
        )

    async def _dismiss(self, app: web.Application) -> None:  # noqa: ARG002
        for visit in self._visits:
            visit.dismiss()


def _is_worth_telling(record: logging.LogRecord) -> bool:
    """Whether something has failed here: what comes to the port and is no HTTP is answered, and that is all."""
    return record.exc_info is None or not isinstance(record.exc_info[1], HttpProcessingError)


@contextmanager
def _signals(stopped: asyncio.Future[bool]) -> Iterator[None]:
    """SIGINT makes `stopped` true, SIGTERM false."""

    def stop(*, by_keyboard: bool) -> None:
        if not stopped.done():
            stopped.set_result(by_keyboard)

    loop, numbers = asyncio.get_running_loop(), (signal.SIGINT, signal.SIGTERM)
    for number in numbers:
        loop.add_signal_handler(number, partial(stop, by_keyboard=number == signal.SIGINT))
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


async def _prepare(request: web.Request, response: web.StreamResponse) -> None:
    """A file that a visitor's process hands out is kept as a file: it is never shown as a page of this server."""
    response.headers.update(_HEADERS)
    if request.path.startswith("/download/") and response.status == 200:
        response.headers["Content-Type"] = "application/octet-stream"
        _, _, name = response.headers.get("Content-Disposition", "").partition("filename=")
        safe = "".join(sign if sign.isascii() and (sign.isalnum() or sign in "._-") else "_" for sign in name)
        response.headers["Content-Disposition"] = f'attachment; filename="{safe[:100] or "file"}"'


def _message(status: int, text: str) -> web.Response:
    return web.Response(status=status, text=_filled("message.html", text=text), content_type="text/html")


def _filled(name: str, **values: str) -> str:
    template = Template((PAGE / name).read_text(encoding="utf-8"))
    return template.substitute({key: html.escape(value) for key, value in values.items()})
