"""A visitor with a browser: Chromium, without a window."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import BrowserContext, Page, async_playwright

from idtviz.lab.session import LabSession
from tests.web.serving import PATIENCE

SWITCHES = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
_FIND_THE_TERMINAL = """
  // textual.js keeps its terminal to itself; as it gets its first add-on, it is noted where a test finds it.
  Object.defineProperty(Object.prototype, "webglAddon", {
    configurable: true,
    set(value) {
      Object.defineProperty(this, "webglAddon", { value, writable: true });
      window.terminalOfTheTest = this.terminal;
    },
  });
"""
_LINES = """() => {
  const { rows, cols, buffer } = window.terminalOfTheTest ?? { rows: 0 };
  const line = (row) => buffer.active.getLine(row).translateToString(true, 0, cols).trimEnd();
  return Array.from({ length: rows }, (_, row) => line(row));
}"""
_SHOWS = f"wanted => {{ const lines = ({_LINES})().join('\\n'); return wanted.every(text => lines.includes(text)); }}"


@asynccontextmanager
async def browsing() -> AsyncIterator[BrowserContext]:
    """A browser with a fresh profile, as large as a screen, in which no script has failed in the end."""
    chromium = shutil.which("chromium")
    assert chromium is not None, "found no program chromium; these tests need it: apt-get install chromium"
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=SWITCHES)
        try:
            context = await browser.new_context(viewport={"width": 1600, "height": 1000})
            failed: list[str] = []
            context.on("weberror", lambda error: failed.append(str(error.error)))
            yield context
            assert failed == []
        finally:
            await browser.close()


async def opened(browser: BrowserContext, address: str) -> Page:
    """The page at the address."""
    page = await browser.new_page()
    await page.add_init_script(_FIND_THE_TERMINAL)
    await page.goto(address)
    return page


async def shows(page: Page, *wanted: str) -> None:
    """Wait until all of it is on the page's terminal at once."""
    await page.wait_for_function(_SHOWS, arg=list(wanted), timeout=PATIENCE * 1000)


async def hides(page: Page, unwanted: str) -> None:
    """Wait until it is no longer on the page's terminal."""
    gone = f"unwanted => !({_LINES})().join('\\n').includes(unwanted)"
    await page.wait_for_function(gone, arg=unwanted, timeout=PATIENCE * 1000)


async def columns(page: Page, others_than: int = 0) -> int:
    """How wide the terminal is, once it is not as wide as `others_than` and its top line fills it."""
    filled = f"""others => {{
      const shown = ({_LINES})()[0] ?? "";
      return shown.endsWith("stopped") && shown.length > terminalOfTheTest.cols - 3 && terminalOfTheTest.cols !== others
        ? terminalOfTheTest.cols
        : 0;
    }}"""
    found = await page.wait_for_function(filled, arg=others_than, timeout=PATIENCE * 1000)
    return await found.json_value()


def state(session: LabSession) -> tuple[str, str, str]:
    """What the debugger shows of a session's state: the count of instructions, and two registers."""
    registers = session.view.registers
    return f"instruction {session.moment}", f"rip {registers.rip:016x}", f"rsp {registers.rsp:016x}"
