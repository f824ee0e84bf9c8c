"""`gwevent demo` as anybody starts it; `--once` in full, the other with a browser in front of it."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Browser, Locator, Page, expect

from tests.support.bot_process import REPOSITORY
from tests.support.browser import SIZES, WIDE, new_page
from tests.support.waiting import TIMEOUT_S

pytestmark = pytest.mark.process


def environment(folder: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "PYTHONPATH": str(REPOSITORY),
        "PYTHONUNBUFFERED": "1",
        "COLUMNS": "100",
    }


async def demo(folder: Path, *arguments: str, **variables: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", "demo", *arguments),
        env=environment(folder) | variables,
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


@pytest.mark.timeout(300)
async def test_demo_once_prints_each_channels_messages(tmp_path: Path) -> None:
    process = await demo(tmp_path, "--once")
    stdout, stderr = await process.communicate()
    assert process.returncode == 0, stderr.decode()
    said = stdout.decode().replace("\u00a0", " ")
    heard = dict(zip(*[iter(re.split(r"─+ #([\w-]+) ─+", said)[1:])] * 2, strict=True))
    assert set(heard) == {"gw-cbc", "gw-burst", "gw-mocks"}
    assert "MS181101ab" in heard["gw-mocks"]
    assert "BNS 95 %" in heard["gw-mocks"]
    assert "9.1e-14 Hz" in heard["gw-mocks"]
    assert "40 ± 8 Mpc" in heard["gw-mocks"]
    assert "MOCK" not in heard["gw-cbc"]
    assert "RETRACTED" in heard["gw-cbc"]
    assert "ntt-kilonova: Bronze → Silver" in heard["gw-cbc"]
    assert "ntt-kilonova: Silver → Gold" in heard["gw-cbc"], "a grade rises as the sky map shrinks"
    assert "ntt-kilonova: Bronze ended by the retraction" in heard["gw-cbc"]
    assert "rubin-2026: " in heard["gw-cbc"], "which grade depends on where the Sun is today"
    assert "ntt-kilonova: Gold" in heard["gw-mocks"] and "rubin-2026" not in heard["gw-mocks"]
    assert "kilonova" not in heard["gw-burst"], "its subscription chooses no criteria sets"
    assert "MOCK" not in heard["gw-burst"]
    assert " Hz · " in heard["gw-burst"]
    assert "Neutrino search · " in heard["gw-cbc"] and "GCN 45641" in heard["gw-cbc"]
    assert re.search(r"AT\d{4}zzk: level .* % \(inside 50 %\), 3-D level", heard["gw-cbc"])
    assert "Fermi GBM bn" in heard["gw-burst"] and "expected by chance" in heard["gw-burst"]
    assert "Follow-up" not in heard["gw-mocks"], "its subscription has no streams"
    assert stderr.decode() == ""


async def test_a_taken_port_is_one_sentence(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        process = await demo(tmp_path, "--port", str(port))
        _, stderr = await process.communicate()
    assert process.returncode == 2
    assert stderr.decode() == f"gwevent: Port {port} is taken; choose another with --port.\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
async def test_demo_ends_cleanly_by_any_signal(tmp_path: Path, number: signal.Signals) -> None:
    (tmp_path / "tmp").mkdir()
    process = await demo(tmp_path, "--port", "0", TMPDIR=str(tmp_path / "tmp"))
    assert process.stdout is not None
    async with asyncio.timeout(TIMEOUT_S):
        while b"Ctrl-C ends it" not in (line := await process.stdout.readline()):
            assert line, "The demo ended before it was ready."
        process.send_signal(number)
        _, stderr = await process.communicate()
    assert (process.returncode, stderr.decode()) == (0, "")
    assert list((tmp_path / "tmp").glob("gwevent-demo-*")) == []


@asynccontextmanager
async def running_demo(folder: Path) -> AsyncIterator[str]:
    """The address of a demo that plays its story."""
    process = await demo(folder, "--port", "0")
    assert process.stdout is not None
    try:
        async with asyncio.timeout(TIMEOUT_S):
            while not (
                found := re.search(r"http://127\.0\.0\.1:\d+", (await process.stdout.readline()).decode())
            ):
                assert not process.stdout.at_eof(), "The demo ended before it was ready."
        reader = asyncio.create_task(process.stdout.read())
        yield found[0]
        reader.cancel()
    finally:
        process.terminate()
        await process.wait()


def article(page: Page, words: str) -> Locator:
    return page.locator("article", has_text=words).last


async def picture(page: Page, folder: Path, name: str) -> None:
    await page.screenshot(path=folder / f"{name}.png")


@pytest.mark.timeout(300)
async def test_the_demo_in_a_browser(tmp_path: Path, browser: Browser) -> None:
    async with running_demo(tmp_path) as url:
        await asyncio.gather(*(watched(browser, url, size, tmp_path) for size in SIZES))


async def watched(browser: Browser, url: str, size: str, folder: Path) -> None:
    complaints: list[str] = []
    page = await new_page(browser, size, complaints)
    await page.goto(f"{url}/#gw-mocks")
    root = page.locator("article", has_text=re.compile("MOCK · BNS 95")).first
    await expect(root).to_be_visible()
    await expect(root).to_contain_text("ntt-kilonova: Gold")
    await picture(page, folder, f"{size}-1-story")

    box = page.get_by_role("textbox", name="Message #gw-mocks")
    await box.fill("/gwevent MS181101ab")
    await box.press("Enter")
    # The other page asks as the same person: its answers come here too.
    answers = page.locator("article", has_text="Only visible to you")
    answer = answers.filter(has_text=re.compile(r"40\s±\s8\sMpc")).last
    await expect(answer).to_contain_text(re.compile(r"BNS\s95\s%"))
    await expect(answer).to_contain_text(re.compile(r"40\s±\s8\sMpc"))
    await picture(page, folder, f"{size}-2-answer")
    before = await page.locator("article", has_text="MS181101ab").count()
    await answer.get_by_role("button", name="Post to channel").click()
    posted = page.locator("article", has_text="MS181101ab")
    await expect(posted).not_to_have_count(before)
    await picture(page, folder, f"{size}-3-posted")

    own = f"go-{size}"
    await box.fill(f"/gwevent criteria add {own} Go: BNS distance<100 area90<50; Watch: NS distance<300")
    await box.press("Enter")
    added = page.locator("article", has_text=f"{own} added")
    await expect(added).to_contain_text("Watch: NS distance<300")
    await picture(page, folder, f"{size}-4-criteria-added")
    await box.fill(f"/gwevent criteria show {own} MS181101ab")
    await box.press("Enter")
    shown = page.locator("article", has_text=f"{own}: Go").last
    await expect(shown).to_contain_text("distance<100")
    await expect(shown.get_by_role("button", name=f"Edit {own}")).to_be_visible()
    await picture(page, folder, f"{size}-5-criteria-shown")
    assert await page.evaluate(WIDE) == []
    await expect(page.get_by_role("button", name=re.compile(r"gwevent candidates S\d{6}k"))).to_be_attached()
    await expect(page.get_by_role("button", name=re.compile(r"gwevent plan S\d{6}[a-z]"))).to_be_attached()

    replies = page.get_by_role("link", name=re.compile(r"\d+ repl")).first
    await expect(replies).to_be_visible()
    await replies.click()
    await expect(page.get_by_text(re.compile("INITIAL|PRELIMINARY 2")).last).to_be_visible()
    await picture(page, folder, f"{size}-6-thread")
    assert await page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), (
        "it scrolls sideways"
    )
    assert complaints == []
    await page.context.close()
