"""Answers with tables, code and images, in the local Slack."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Locator, Page, expect

from bot.alerts.decode import decode
from bot.app import application
from bot.app.application import Application
from bot.app.factory import Factory
from bot.delivery.image_drawer import ImageDrawer
from bot.delivery.image_provider import ImageProvider
from bot.local_slack.server import LocalSlack
from bot.samples import ms181101ab, to_avro
from bot.settings import Settings
from bot.skymap_service.image_process import ImageFailed, ImageProcess
from formatters.models.superevent import Superevent
from formatters.skymap_image import DrawnPicture
from tests.bot.listeners.test_slash_command import typed, words
from tests.support.browser import new_page
from tests.support.delivery_harness import IdleSource
from tests.support.factories import NOW, TEAM, Clock, planner, subscribe

MOCK = "MS181101ab"
PNG = b"\x89PNG\r\n\x1a\n"


class Quick(ImageProcess):
    """An image process that returns a constant image and counts the drawings."""

    drawn = 0
    fails = False

    async def draw(
        self, superevent: Superevent, gw_map: bytes | None, combined_map: bytes | None = None
    ) -> DrawnPicture:
        assert gw_map is not None
        if Quick.fails:
            raise ImageFailed("The picture took longer than 30 s.")
        Quick.drawn += 1
        return DrawnPicture(PNG, f"Sky map of {superevent.superevent_id}, {superevent.latest.alert_type}")


@pytest.fixture
async def bot(
    local_slack: LocalSlack, factory: Factory, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Application]:
    """Run the bot on the local Slack, with two notices in its store."""
    monkeypatch.setattr(application, "ImageProcess", Quick)
    monkeypatch.setattr(Quick, "drawn", 0)
    monkeypatch.setattr(Quick, "fails", False)
    for body in map(to_avro, ms181101ab(NOW)[:2]):
        notice = replace(decode(body), received=NOW)
        await factory.notices.record(notice, body, "test:1", NOW, planner(NOW))
    settings = Settings.model_validate(
        {
            "slack_bot_token": local_slack.bot_token,
            "slack_app_token": local_slack.app_token,
            "slack_api_url": local_slack.api_url,
        }
    )
    made = Application(settings, factory, [IdleSource()], clock)
    stop = asyncio.Event()
    running = asyncio.create_task(made.run(stop))
    async with asyncio.timeout(60):
        await made.ready.wait()
    yield made
    stop.set()
    await running


async def shown(local_slack: LocalSlack, channel: str, text: str) -> dict[str, Any]:
    """Type a command whose answer comes by a Web API call, and return it."""
    before = len(local_slack.ephemerals(channel))
    assert (await local_slack.command("/gwevent", text, channel=channel)).ok
    await local_slack.wait_for(lambda: len(local_slack.ephemerals(channel)) > before, 60)
    return dict(local_slack.ephemerals(channel)[-1])


def kinds(message: dict[str, Any]) -> list[str]:
    return [block["type"] for block in message["blocks"]]


async def test_tables_and_code_blocks_are_shown_in_ephemeral_answers(
    bot: Application, local_slack: LocalSlack
) -> None:
    channel = local_slack.add_channel("gw")
    history = await typed(local_slack, channel, f"{MOCK} history")
    assert kinds(history) == ["section", "table", "actions"]
    assert "rich_text" in kinds(await typed(local_slack, channel, f"{MOCK} json"))
    assert "rich_text" in kinds(await typed(local_slack, channel, f"{MOCK} moc"))
    listed = await typed(
        local_slack, channel, f"check {MOCK}\nNGC 4993 13h09m48s -23d22m53s 40 Mpc\nM31 10.7 41.3"
    )
    assert "of 2 positions" in words(listed) and "NGC 4993" in words(listed)
    assert "RA 400" in words(await typed(local_slack, channel, "check 400 10"))


async def test_the_image_is_drawn_and_uploaded_once(bot: Application, local_slack: LocalSlack) -> None:
    channel = local_slack.add_channel("gw")
    for _ in range(2):
        answer = await shown(local_slack, channel, f"{MOCK} map")
        assert answer["ephemeral"] and kinds(answer) == ["section", "image"]
        assert answer["blocks"][1]["alt_text"] == f"Sky map of {MOCK}, PRELIMINARY"
    assert Quick.drawn == 1
    assert local_slack.messages(channel) == []


@pytest.mark.slow
async def test_waits_until_slack_has_processed_the_image(bot: Application, local_slack: LocalSlack) -> None:
    channel = local_slack.add_channel("gw")
    local_slack.file_server.delay = 1.0
    assert "image" in kinds(await shown(local_slack, channel, f"{MOCK} map"))


async def test_a_mention_in_a_thread_gets_the_image_there(bot: Application, local_slack: LocalSlack) -> None:
    channel = local_slack.add_channel("gw")
    await local_slack.say("Look!", channel)
    (root,) = local_slack.messages(channel)
    await local_slack.say(f"@gwevent {MOCK} map", channel, thread_ts=root["ts"])
    await local_slack.wait_for(lambda: local_slack.ephemerals(channel), 60)
    (answer,) = local_slack.ephemerals(channel)
    assert answer["thread_ts"] == root["ts"] and "image" in kinds(dict(answer))


async def test_a_sentence_says_why_there_is_no_image(bot: Application, local_slack: LocalSlack) -> None:
    Quick.fails = True
    channel = local_slack.add_channel("gw")
    assert "The picture took longer than 30 s." in words(await typed(local_slack, channel, f"{MOCK} map"))
    Quick.fails = False
    outside = local_slack.add_channel("outside", bot_member=False)
    said = words(await shown(local_slack, outside, f"{MOCK} map"))
    assert "/invite @gwevent" in said and "slack_file" not in said


async def test_without_the_scope_there_is_no_image(bot: Application, local_slack: LocalSlack) -> None:
    channel = local_slack.add_channel("gw")
    (client,) = bot.slack.clients.values()
    client.scopes = frozenset({"chat:write"})
    assert "scope files:write" in words(await typed(local_slack, channel, f"{MOCK} map"))
    assert Quick.drawn == 0


@pytest.fixture
async def page(bot: Application, local_slack: LocalSlack, browser: Browser) -> AsyncIterator[Page]:
    """The workspace on a phone, with the bot behind it."""
    local_slack.add_channel("gw")
    complaints: list[str] = []
    shown = await new_page(browser, "phone", complaints)
    await shown.goto(f"{local_slack.url}/#gw")
    yield shown
    assert complaints == []


async def ask(page: Page, text: str) -> Locator:
    """Type a command and return its answer."""
    answers = page.locator("article", has_text="Only visible to you")
    before = await answers.count()
    box = page.get_by_role("textbox", name="Message #gw")
    await box.fill(f"/gwevent {text}")
    await box.press("Enter")
    await expect(answers).to_have_count(before + 1)
    return answers.last


@pytest.mark.timeout(300)
async def test_answers_are_shown_in_the_browser(page: Page, tmp_path: Path) -> None:
    one = await ask(page, f"check 13h09m48s -23d22m53s 40 Mpc {MOCK}")
    await expect(one).to_contain_text("3-D credible level at")
    await expect(one.locator("table tr")).to_have_count(3)
    many = await ask(page, f"check {MOCK}\nNGC 4993 13h09m48s -23d22m53s 40 Mpc\nM31 10.68 41.27")
    await expect(many.locator("table tr")).to_have_count(3)
    await expect(many).to_contain_text(re.compile(r"of 2 positions in the 90\s% region"))
    await page.screenshot(path=tmp_path / "list.png")
    await expect((await ask(page, f"{MOCK} history")).locator("table tr")).to_have_count(3)
    await expect(await ask(page, f"{MOCK} json")).to_contain_text('"alert_type": "PRELIMINARY"')
    await expect(await ask(page, f"{MOCK} moc")).to_contain_text("mocpy reads it")
    picture = (await ask(page, f"{MOCK} map")).get_by_role("img", name=f"Sky map of {MOCK}, PRELIMINARY")
    await expect(picture.first).to_be_attached()
    await expect(await ask(page, "check 400 10")).to_contain_text("RA 400 isn't between 0° and 360°.")
    await page.screenshot(path=tmp_path / "end.png")
    assert await page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), (
        "it scrolls sideways"
    )


@pytest.mark.slow
async def test_an_image_in_the_store_is_reused(
    bot: Application, local_slack: LocalSlack, factory: Factory
) -> None:
    channel = local_slack.add_channel("gw")
    await subscribe(factory, "all mock", channel)
    body = to_avro(ms181101ab(NOW)[2])
    notice = replace(decode(body), received=NOW)
    await factory.notices.record(notice, body, "test:1", NOW, planner(NOW), draw_image=True)
    bot.delivery_worker.wake()
    bot.image_worker.wake()
    await local_slack.wait_for(lambda: "slack_file" in str(local_slack.messages(channel)), 60)
    assert Quick.drawn == 1
    answer = await shown(local_slack, channel, f"{MOCK} map")
    assert answer["blocks"][1]["slack_file"]["id"] in str(local_slack.messages(channel))
    assert Quick.drawn == 1


async def test_an_image_served_by_the_bot_is_shown_by_url(factory: Factory) -> None:
    await subscribe(factory, "all mock", "C1")
    body = to_avro(ms181101ab(NOW)[1])
    notice = replace(decode(body), received=NOW)
    await factory.notices.record(notice, body, "test:1", NOW, planner(NOW), draw_image=True)
    await factory.leases.heartbeat({TEAM})
    job = await factory.images.next_wanted(NOW)
    superevent = await factory.notices.superevent(MOCK)
    assert job is not None and superevent is not None
    drawer = ImageDrawer(factory.notices, Quick())
    illustrate = ImageProvider(factory.notices, factory.images, {}, drawer, "https://gw.example.org")
    with pytest.raises(ImageFailed, match="files:write"):
        await illustrate(TEAM, superevent, superevent.latest)
    await factory.images.record_png(job, PNG, "Sky map", NOW)
    picture = await illustrate(TEAM, superevent, superevent.latest)
    assert picture.url is not None and picture.url.startswith("https://gw.example.org/pictures/")
    assert picture.file_id is None and picture.alt_text == "Sky map"
