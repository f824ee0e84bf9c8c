"""Headless Chromium for the tests that use the local Slack's page."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page, ViewportSize

TIMEOUT_MS = 60_000
"""The longest wait for something on the page. It makes a test fail instead of hang; nothing measures it."""
PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
SIZES: dict[str, ViewportSize] = {
    "desktop": {"width": 1280, "height": 860},
    "phone": {"width": 390, "height": 844},
}

WIDE = """() => [...document.querySelectorAll("article *")].filter((node) => {
    const scrolls = (each) => ["auto", "scroll"].includes(getComputedStyle(each).overflowX);
    const inside = node.closest("table, pre, [class*=__table]");
    return !inside && (node.getBoundingClientRect().right > innerWidth + 1
        || (scrolls(node) && node.scrollWidth > node.clientWidth + 1));
}).map((node) => `${node.tagName} ${node.textContent.slice(0, 60)}`)"""
"""What reaches over the right edge, or scrolls sideways, besides tables and code."""

NARROW: ViewportSize = {"width": 360, "height": 800}
"""The narrowest phone for which a card's rows are counted."""


@asynccontextmanager
async def launch_browser() -> AsyncIterator[Browser]:
    """Launch Chromium. Without one the test is skipped, except in CI, where it fails."""
    # Imported here: every worker of every run loads this module for its fixture.
    from playwright.async_api import async_playwright, expect

    expect.set_options(timeout=TIMEOUT_MS)
    path = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if path is None:
        reason = "There is no Chromium here. Install it (Debian, Ubuntu: apt-get install chromium)."
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield browser
        await browser.close()


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """A headless Chromium."""
    async with launch_browser() as launched:
        yield launched


async def new_page(browser: Browser, size: str, complaints: list[str]) -> Page:
    """Open an empty page of a size in SIZES, or "narrow".

    What it logs as error or warning is appended to `complaints`.
    """
    phone = size != "desktop"
    viewport = NARROW if size == "narrow" else SIZES[size]
    context = await browser.new_context(viewport=viewport, has_touch=phone, is_mobile=phone)
    context.set_default_timeout(TIMEOUT_MS)
    page = await context.new_page()
    page.on(
        "console",
        lambda message: complaints.append(message.text) if message.type in ("error", "warning") else None,
    )
    page.on("pageerror", lambda error: complaints.append(str(error)))
    return page
