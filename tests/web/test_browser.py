"""The page in a browser."""

import asyncio

from idtviz.lab.session import LabSession
from tests.web.browser import browsing, columns, hides, opened, shows, state
from tests.web.serving import serving


async def test_a_key_typed_in_the_page_steps_the_machine_and_the_new_state_is_on_the_page():
    session = LabSession.open("page_fault")
    async with serving() as address, browsing() as browser:
        page = await opened(browser, address)
        await shows(page, *state(session))
        before = await page.screenshot()
        await page.keyboard.press("s")
        session.step()
        await shows(page, *state(session))
        assert await page.screenshot() != before


async def test_each_visitor_has_a_machine_of_their_own():
    session = LabSession.open("page_fault")
    untouched = state(session)
    async with serving() as address, browsing() as browser:
        one, other = await asyncio.gather(opened(browser, address), opened(browser, address))
        await asyncio.gather(shows(one, *untouched), shows(other, *untouched))
        await one.keyboard.press("s")
        session.step()
        await shows(one, *state(session))
        await shows(other, *untouched)


async def test_function_keys_control_keys_and_command_lines_reach_the_debugger():
    session = LabSession.open("page_fault")
    async with serving() as address, browsing() as browser:
        page = await opened(browser, address)
        await shows(page, *state(session))
        await page.keyboard.press("F11")
        session.step()
        await shows(page, *state(session))
        await page.keyboard.press("Control+p")
        await shows(page, "Search for commands")
        await page.keyboard.press("Escape")
        await hides(page, "Search for commands")  # a key right behind Esc would be Alt and that key
        await page.keyboard.type(":until #PF")
        await page.keyboard.press("Enter")
        session.run("#PF")
        await shows(page, *state(session))
        await page.keyboard.type("S")
        session.back()
        await shows(page, *state(session))


async def test_the_terminal_is_as_large_as_the_window():
    async with serving() as address, browsing() as browser:
        page = await opened(browser, address)
        wide = await columns(page)
        await page.set_viewport_size({"width": 1000, "height": 700})
        assert await columns(page, others_than=wide) < wide


async def test_by_the_token_in_the_address_one_is_in_and_nothing_comes_from_elsewhere():
    token, asked = "a-token-for-the-course", []
    async with serving(token=token) as address, browsing() as browser:
        stranger = await opened(browser, address)
        assert "asks for a token" in await stranger.inner_text("body")
        browser.on("request", lambda request: asked.append(request.url))
        page = await opened(browser, f"{address}/?token={token}")
        await shows(page, "instruction 0")
        assert page.url == f"{address}/"  # the token is no longer shown
        assert f"{address}/static/fonts/RobotoMono-VariableFont_wght.ttf" in asked
        assert [url for url in asked if not url.startswith((f"{address}/", "data:"))] == []


async def test_the_page_says_why_a_visit_has_ended_and_begins_another():
    async with serving() as address, browsing() as browser:
        page = await opened(browser, address)
        await shows(page, "instruction 0")
        await page.keyboard.press("q")
        await page.wait_for_selector("text=You have left")
        await page.click("text=Start again")
        await shows(page, "instruction 0")
