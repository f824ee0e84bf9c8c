"""Take the README's pictures from the demo: its story on the local Slack's page, in headless Chromium.

From the repository's folder; two minutes for all of them:

.venv-test/bin/python -m deploy.pictures.make [message commands home phone]
"""

from __future__ import annotations

import argparse
import asyncio
import io
import os
import re
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from PIL import Image
from playwright.async_api import Browser, Locator, Page, expect

from tests.support.browser import launch_browser, new_page

FOLDER = Path(__file__).resolve().parent
REPOSITORY = FOLDER.parents[1]
STORY_TIMEOUT_S = 300.0
MAX_BYTES = 200_000
"""A picture isn't larger, so that a clone stays small."""
COLOURS = 200
GRADES = "ntt-kilonova: Gold"
EVENT = "BNS 97"
"""What the demo's binary neutron star is called in the end."""


@asynccontextmanager
async def told_demo() -> AsyncIterator[str]:
    """Yield the address of a demo whose story was told."""
    with tempfile.TemporaryDirectory() as home:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bot", "demo", "--port", "0"),
            env={
                "PATH": os.environ["PATH"],
                "HOME": home,
                "PYTHONPATH": str(REPOSITORY),
                "PYTHONUNBUFFERED": "1",
            },
            cwd=home,
            stdout=asyncio.subprocess.PIPE,
        )
        assert process.stdout is not None
        try:
            url = ""
            async with asyncio.timeout(STORY_TIMEOUT_S):
                while "That was the story" not in (line := (await process.stdout.readline()).decode()):
                    assert line, "The demo ended before its story did."
                    if found := re.search(r"http://127\.0\.0\.1:\d+", line):
                        url = found[0]
            yield url
        finally:
            process.terminate()
            await process.wait()


def card(page: Page) -> Locator:
    """Return the message of the binary neutron star."""
    return page.get_by_role("log").first.locator("article", has_text=EVENT).first


async def show_card(page: Page, url: str) -> Locator:
    """Open the channel and wait until the message has its grades and its sky map."""
    await page.goto(f"{url}/#gw-cbc")
    await expect(card(page)).to_contain_text(GRADES)
    await expect(card(page).get_by_role("img").last).to_be_visible()
    return card(page)


async def scroll_to_top(message: Locator) -> None:
    """Scroll the channel so that a message begins at the top of it, below the bar with the channel's name."""
    await message.page.wait_for_load_state("networkidle")
    await message.evaluate("node => node.scrollIntoView({block: 'start'})")
    await message.page.mouse.move(2, 2)
    await expect(message.page.get_by_role("status").locator("a")).to_have_count(0)
    await asyncio.sleep(0.5)


async def message(page: Page, url: str) -> None:
    """The message with grades and map, and its thread beside it."""
    shown = await show_card(page, url)
    await shown.get_by_role("link", name=re.compile(r"\d+ repl")).click()
    await expect(page.get_by_role("complementary", name="Thread")).to_contain_text("UPDATE")
    await scroll_to_top(shown)


async def ask(page: Page, command: str, words: str) -> Locator:
    """Type a command and wait for the answer with these words."""
    box = page.get_by_role("textbox", name="Message #gw-cbc")
    await box.fill(command)
    await box.press("Enter")
    answer = page.locator("article", has_text="Only visible to you").filter(has_text=words).last
    await expect(answer).to_be_visible()
    return answer


async def commands(page: Page, url: str) -> None:
    """Two questions and their answers, which the asker alone sees."""
    shown = await show_card(page, url)
    found = re.search(r"S\d{6}[a-z]+", await shown.inner_text())
    assert found is not None
    first = await ask(page, f"/gwevent criteria show ntt-kilonova {found[0]}", GRADES)
    await ask(page, f"/gwevent check 254.1 32.9 {found[0]}", found[0])
    await scroll_to_top(first)


async def home(page: Page, url: str) -> None:
    """The App Home tab."""
    await page.goto(f"{url}/#@app")
    await expect(page.get_by_text("gw-cbc").last).to_be_visible()
    await page.wait_for_load_state("networkidle")


async def phone(page: Page, url: str) -> None:
    """The message on a phone."""
    await scroll_to_top(await show_card(page, url))


PICTURES: dict[str, tuple[Callable[[Page, str], Awaitable[None]], str]] = {
    "message": (message, "desktop"),
    "commands": (commands, "desktop"),
    "home": (home, "desktop"),
    "phone": (phone, "phone"),
}
"""Name of the file -> what is shown, and on what."""


async def take(browser: Browser, url: str, name: str) -> None:
    """Take one picture and write it, with few colours. Raises ValueError if it becomes too large."""
    show, size = PICTURES[name]
    page = await new_page(browser, size, [])
    if size == "desktop":
        await page.set_viewport_size({"width": 1280, "height": 1060})
    await show(page, url)
    png = io.BytesIO()
    with Image.open(io.BytesIO(await page.screenshot())) as shot:
        shot.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(png, "PNG", optimize=True)
    if len(png.getvalue()) > MAX_BYTES:
        raise ValueError(f"{name}.png has {len(png.getvalue()):,} bytes, more than {MAX_BYTES:,}.")
    (FOLDER / f"{name}.png").write_bytes(png.getvalue())
    sys.stdout.write(f"{name}.png: {len(png.getvalue()):,} bytes\n")
    await page.context.close()


async def take_all(names: list[str]) -> None:
    """Play the demo's story and take these pictures one after the other."""
    async with launch_browser() as browser, told_demo() as url:
        for name in names:
            await take(browser, url, name)


def main() -> None:
    """Take the named pictures, or all."""
    parser = argparse.ArgumentParser(prog="python -m deploy.pictures.make", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*PICTURES, []], help="pictures; all without a name")
    asyncio.run(take_all(parser.parse_args().names or list(PICTURES)))


if __name__ == "__main__":
    main()
