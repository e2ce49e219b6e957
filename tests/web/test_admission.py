"""Who is let in, and who is not."""

import aiohttp
import pytest

from idtviz.web.limits import Limits
from tests.web.serving import children, ended, serving, visiting, websocket_of

TOKEN = "a-token-for-the-course"
PATHS = ["/", "/ws", "/static/js/textual.js", "/page/page.js", "/download/0123", "/elsewhere"]


async def status(session: aiohttp.ClientSession, address: str, **headers: str) -> int:
    async with session.get(address, headers=headers) as response:
        text = await response.text(errors="replace")
        assert response.status == 200 or "Traceback" not in text
        return response.status


async def refused(address: str, **options: object) -> int:
    """The status with which the websocket is refused."""
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await session.ws_connect(websocket_of(address), **options)
        return caught.value.status


@pytest.mark.parametrize("path", PATHS)
async def test_without_the_token_every_path_is_refused(path):
    async with serving(token=TOKEN) as address, aiohttp.ClientSession() as session:
        assert await status(session, address + path) == 401
        assert await status(session, f"{address}{path}?token=a-token-for-another") == 401


async def test_the_websocket_is_refused_without_the_token():
    async with serving(token=TOKEN) as address:
        assert await refused(address, origin=address) == 401
        assert children() == []


async def test_the_token_in_the_address_is_kept_as_a_strict_cookie_that_scripts_cannot_read():
    jar = aiohttp.CookieJar(unsafe=True)
    async with serving(token=TOKEN) as address, aiohttp.ClientSession(cookie_jar=jar) as session:
        async with session.get(f"{address}/?token={TOKEN}") as response:
            said = response.headers["Set-Cookie"]
            assert response.status == 200
            assert TOKEN not in await response.text()
        assert "HttpOnly" in said
        assert "SameSite=Strict" in said
        assert await status(session, f"{address}/") == 200
        assert await status(session, f"{address}/static/js/textual.js") == 200
        async with session.ws_connect(websocket_of(address), origin=address) as visitor:
            assert (await visitor.receive()).type is aiohttp.WSMsgType.BINARY


@pytest.mark.parametrize("name", ["rebound.example.com", "127.0.0.1", "localhost:1", "127.0.0.1.example.com"])
async def test_on_this_computer_alone_the_server_has_no_other_names(name):
    async with serving() as address, aiohttp.ClientSession() as session:
        assert await status(session, f"{address}/", Host=name) == 403
        assert await refused(address, origin=f"http://{name}", headers={"Host": name}) == 403


@pytest.mark.parametrize("origin", ["http://example.com", "null", "http://127.0.0.1", "https://localhost", None])
async def test_the_page_of_another_site_does_not_reach_the_websocket(origin):
    async with serving() as address:
        assert await refused(address, **({} if origin is None else {"origin": origin})) == 403
        assert children() == []


async def test_behind_a_proxy_the_server_has_the_name_that_visitors_use():
    url = "https://lab.example.edu"
    async with serving(token=TOKEN, url=url) as address, aiohttp.ClientSession() as session:
        assert await status(session, f"{address}/?token={TOKEN}") == 403
        async with session.get(f"{address}/?token={TOKEN}", headers={"Host": "lab.example.edu"}) as response:
            assert response.status == 200
            assert "wss://lab.example.edu/ws" in await response.text()
            assert "Secure" in response.headers["Set-Cookie"]


async def test_a_page_is_answered_to_no_other_site_and_loads_from_none():
    async with serving() as address, aiohttp.ClientSession() as session, session.get(f"{address}/") as response:
        assert "default-src 'none'" in response.headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in response.headers["Content-Security-Policy"]
        assert "//" not in (await response.text()).replace(websocket_of(address), "")


async def test_one_visitor_too_many_is_told_so():
    async with serving(Limits(visitors=1)) as address, visiting(address), aiohttp.ClientSession() as session:
        async with session.get(f"{address}/") as response:
            assert response.status == 503
            assert "The machine is taken" in await response.text()
        async with session.ws_connect(websocket_of(address), origin=address) as second:
            assert "The machine is taken" in await ended(second)
        assert len(children()) == 1
