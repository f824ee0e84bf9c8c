"""What somebody reads before gwevent is added to a workspace."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import get_args

import pytest
from aiohttp import web
from playwright.async_api import Browser, expect

from bot.slack.install_page import KEPT, REASONS, install_page, security_headers
from bot.slack.scopes import BOT_SCOPES, AllowedRole, requested_scopes
from tests.support.browser import SIZES, new_page

CONSENT = "https://slack.example/oauth/v2/authorize?state=1&scope=commands,chat:write"


def test_each_scope_that_is_asked_for_has_its_reason_and_no_other() -> None:
    asked = {role: requested_scopes(role) for role in get_args(AllowedRole)}
    assert REASONS.keys() == set().union(*asked.values())
    assert asked["anyone"] == BOT_SCOPES and set(asked["admins"]) - set(BOT_SCOPES) == {"users:read"}
    for scopes in asked.values():
        page = install_page(CONSENT, scopes)
        for scope, reason in REASONS.items():
            assert (f"<code>{scope}</code></dt><dd>{reason}</dd>" in page) is (scope in scopes)
        assert ("or profiles" in page) is ("users:read" not in scopes)


def test_the_page_names_what_the_operators_table_names() -> None:
    page = (Path(__file__).resolve().parents[3] / "deploy" / "README.md").read_text("utf-8")
    section = page.partition("## What is stored about people\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (.+?) \|", section, re.MULTILINE)
    assert rows[0] == "id of" and list(KEPT) == rows[1:]
    shown = install_page(CONSENT, BOT_SCOPES)
    for kept in KEPT.values():
        assert f"<li>{kept}</li>" in shown


def test_the_page_loads_nothing_and_leads_only_to_slack() -> None:
    page = install_page(CONSENT, BOT_SCOPES)
    assert not re.search(r"\bsrc=|url\(|@import|<script|<iframe|\bon\w+=", page)
    assert re.findall(r'href="([^"]*)"', page) == ["data:,", CONSENT.replace("&", "&amp;"), "#privacy"]
    assert 'id="privacy"' in page


def test_the_address_of_the_consent_page_ends_no_attribute() -> None:
    page = install_page('https://slack.example/?a="><script>alert(1)</script>', BOT_SCOPES)
    assert "<script>" not in page


def test_the_policy_allows_nothing_but_the_pages_own_style() -> None:
    policy = security_headers()["Content-Security-Policy"]
    assert policy.startswith("default-src 'none';") and "unsafe" not in policy and "http" not in policy


@pytest.fixture
async def address() -> AsyncIterator[str]:
    """The page on loopback, beside a page of consent."""

    async def page(request: web.Request) -> web.Response:
        return web.Response(
            text=install_page(f"{request.url.origin()}/consent", BOT_SCOPES),
            content_type="text/html",
            headers=security_headers(),
        )

    async def consent(_: web.Request) -> web.Response:
        return web.Response(text='<link rel="icon" href="data:,"><p>Allow?', content_type="text/html")

    application = web.Application()
    application.router.add_get("/slack/install", page)
    application.router.add_get("/consent", consent)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


@pytest.mark.parametrize("size", [*SIZES, "narrow"])
async def test_it_fits_any_screen_with_its_style_and_its_button_leads_on(
    browser: Browser, address: str, size: str
) -> None:
    complaints: list[str] = []
    page = await new_page(browser, size, complaints)
    await page.goto(f"{address}/slack/install")
    button = page.get_by_role("link", name="Add to Slack")
    await expect(button).to_be_in_viewport()
    await expect(button).to_have_css("background-color", "rgb(74, 21, 75)")
    assert await page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    await page.get_by_role("link", name="What gwevent keeps").click()
    await expect(page.get_by_role("heading", name="What it keeps")).to_be_in_viewport()
    await button.click()
    await expect(page.get_by_text("Allow?")).to_be_visible()
    assert complaints == []
    await page.context.close()
