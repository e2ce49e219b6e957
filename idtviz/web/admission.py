"""Who is let in.

Whoever can reach the port is not yet a visitor: any page that a browser has open can send requests to the browser's own
computer. So a server of this computer alone answers to this computer's own names only (a foreign name that was made to
lead here is none), and its websocket to its own page only. Elsewhere a token is asked for, on every path.
"""

from __future__ import annotations

import hmac
import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

from aiohttp import hdrs, web

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is refused: the status of HTTP, and what the person is told."""

    status: int
    text: str


@dataclass(frozen=True, slots=True)
class Admission:
    """`token`: None asks for none. `url`: where visitors find the server, if that is not where it listens."""

    host: str
    port: int
    token: str | None = None
    url: str | None = None

    @property
    def cookie(self) -> str:
        """The name of the cookie. Cookies do not tell ports apart, so the name does."""
        return f"idtviz-{self.port}"

    @property
    def scheme(self) -> str:
        """`http`, or `https` where a proxy speaks that for the server."""
        return urlsplit(self.url).scheme if self.url else "http"

    @property
    def address(self) -> str:
        """Where visitors find the server: `http://127.0.0.1:8000`."""
        if self.url:
            return self.url.rstrip("/")
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{_with_port(host, self.port, 'http')}"

    def refusal(self, request: web.Request) -> Refusal | None:
        """Why the request is refused; None lets it in."""
        if not self._is_ours(request.host):
            named = urlsplit(self.address).netloc
            return Refusal(403, f"This server is not called {request.host!r}. It answers to {named}.")
        origin = request.headers.get(hdrs.ORIGIN)
        if origin is None and request.headers.get(hdrs.UPGRADE) is None:
            pass  # the address was typed in, or a link followed
        elif origin != f"{self.scheme}://{request.host}":
            return Refusal(403, "This server answers to its own page only, and the request comes from another.")
        if self.token is not None and not (self.brings_token(request) or self._is_known(request)):
            return Refusal(
                401, "This server asks for a token. Open the whole address that it printed when it was started."
            )
        return None

    def brings_token(self, request: web.Request) -> bool:
        """Whether the right token stands in the address."""
        return self.token is not None and _same(request.query.get("token", ""), self.token)

    def _is_known(self, request: web.Request) -> bool:
        return self.token is not None and _same(request.cookies.get(self.cookie, ""), self.token)

    def _is_ours(self, host: str) -> bool:
        """Whether the server is called so. Behind a token any name will do: the cookie goes to the right one only."""
        if self.url:
            return host.lower() == urlsplit(self.url).netloc.lower()
        if not is_loopback(self.host):
            return True
        return host.lower() in {_with_port(name, self.port, "http") for name in LOOPBACK_NAMES} | {
            urlsplit(self.address).netloc.lower()
        }


def is_loopback(host: str) -> bool:
    """Whether a host is this computer and nothing else, by its address or name."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _same(one: str, other: str) -> bool:
    """Compared in a time that does not tell how much of it was right."""
    return hmac.compare_digest(one.encode(errors="surrogateescape"), other.encode())


def _with_port(host: str, port: int, scheme: str) -> str:
    return host if port == _DEFAULT_PORTS[scheme] else f"{host}:{port}"
