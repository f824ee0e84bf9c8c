"""Every command typed into the page of the local Slack, and each answer read there, at a desk and a phone."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from bot.app import application
from bot.app.application import Application
from bot.app.factory import Factory, utc_now
from bot.ingest.pipeline import IngestResult
from bot.local_slack.server import LocalSlack
from bot.samples import bns, burst, ms181101ab, retracted, to_avro
from bot.settings import Settings
from bot.skymap_service.image_process import ImageProcess
from bot.sources.base import Origin
from bot.store.database import Database
from formatters.models.superevent import Superevent
from formatters.skymap_image import DrawnPicture
from tests.bot.gracedb.fake import FakeGraceDb, with_notices
from tests.support.browser import SIZES, WIDE, new_page
from tests.support.delivery_harness import IdleSource
from tests.support.factories import notice_record
from tests.support.waiting import TIMEOUT_S

RECEIVED = Origin(source="files", location="test", live=False)
ARCHIVED, NEVER = "S190425z", "S190426zz"
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


class OnePixelImageProcess(ImageProcess):
    """One pixel instead of a map: how maps are drawn is tested elsewhere."""

    async def draw(
        self, superevent: Superevent, gw_map: bytes | None, combined_map: bytes | None = None
    ) -> DrawnPicture:
        return DrawnPicture(PNG, f"Sky map of {superevent.superevent_id}")


@dataclass
class CommandPage:
    """A channel, and the events that the bot knows by then."""

    local_slack: LocalSlack
    binary: str
    gone: str


@asynccontextmanager
async def open_command_page(folder: Path) -> AsyncIterator[CommandPage]:
    now = utc_now()
    binary, gone = bns(now), retracted(now)
    gracedb = FakeGraceDb()
    await gracedb.start()
    gracedb.add(with_notices(ARCHIVED, notice_record(ARCHIVED)))
    database = Database(f"sqlite+aiosqlite:///{folder / 'gwevent.sqlite'}")
    await database.migrate()
    async with LocalSlack(limits=False, file_delay=0.0) as local_slack:
        local_slack.add_channel("gw")
        settings = Settings.model_validate(
            {
                "slack_bot_token": local_slack.bot_token,
                "slack_app_token": local_slack.app_token,
                "slack_api_url": local_slack.api_url,
                "gracedb_url": gracedb.url,
                "commands_per_minute": 1_000,
            }
        )
        bot = Application(settings, Factory(database), [IdleSource()], utc_now)
        stop = asyncio.Event()
        running = asyncio.create_task(bot.run(stop))
        try:
            async with asyncio.timeout(TIMEOUT_S):
                await bot.ready.wait()
            for notice in (*ms181101ab(now)[1:3], *binary[-2:], *burst(now), *gone):
                assert await bot.pipeline.handle(to_avro(notice), RECEIVED) is IngestResult.STORED
            yield CommandPage(local_slack, str(binary[0]["superevent_id"]), str(gone[0]["superevent_id"]))
        finally:
            stop.set()
            await running
            await database.close()
            await gracedb.stop()


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loopback is asked directly, and no second process draws."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(application, "ImageProcess", OnePixelImageProcess)


def command_cases(stage: CommandPage) -> list[tuple[str, ...]]:
    """What is typed after /gwevent, and words of the answer."""
    bns, gone = stage.binary, stage.gone
    long = "x" * 10_000
    return [
        ("help", "See", "latest", "help events"),
        ("help subscribe", "notify @here", "circulars", "help filters"),
        ("help filters", "distance<300", "never matches"),
        ("criteria", "Built in", "rubin-2026", "New set"),
        (
            "criteria add ntt-kilonova Gold: NS distance<150 area90<60; Silver: NS distance<300",
            "ntt-kilonova added",
            "Silver: NS distance<300",
        ),
        (
            f"criteria show ntt-kilonova {bns}",
            f"{bns}",
            "ntt-kilonova: Gold",
            "area90<60",
            "Edit ntt-kilonova",
        ),
        (f"criteria show rubin-2026 {bns}", "rubin-2026", "22dbfa2", "Rubin"),
        ("criteria add ntt-kilonova Gold: NS", "There is a set ntt-kilonova already"),
        ("criteria add other Gold: distanec<3", 'did you mean "distance"'),
        ("criteria add other Gold: NS; gold: BNS", '"gold" is there twice'),
        (f"criteria add many {'; '.join(f'G{n}: NS' for n in range(21))}", "at most 20 grades"),
        ("subscribe CBC criteria ntt-kilonov", "ntt-kilonova"),
        ("subscribe CBC grade ntt-kilonova >= Bronze", "Bronze", "Gold", "Silver"),
        ("status", "silent: connected", "Deliveries waiting: 0"),
        ("latest BNS>0.5 distance<300", f"BNS 97 % · UPDATE · {bns}", "55 ± 9 Mpc", "1.74 s after the"),
        ("latest only mock", "MOCK · BNS 95 %", "40 ± 8 Mpc", "90 %: 31 deg²"),
        ("latest NSBH>0.99", "No event that matches NSBH>0.99 was received yet."),
        ("recent 2 retracted", "The last 2 events", gone, "RETRACTED", "deg²", "Burst"),
        ("search BNS far<1/yr since 2023-05", "1 of 2 events since 2023-05-01 matches BNS far<1/yr", bns),
        ("search", "The last 2 events", "1 retracted (add retracted)", bns),
        ("test CBC BNS>0.5", "1 of 3 past events", "would have matched CBC BNS>0.5", bns),
        (
            "search near 194.3 -17.86 180deg>0.9 retracted",
            "3 of 3 events match near",
            "The sky map decided about 3 events.",
        ),
        ("test not (visible from Parkes>99%) mock", "of 4 past events", "The sky map decided about"),
        ("test V1 (external or massgap) area90<50 instruments>=2", "1 of 3 past events", bns),
        ("subscribe BNS distanc<300", '"distanc" is no condition; did you mean "distance"?'),
        ("subscriptions", "This channel has no subscription"),
        (
            "subscribe CBC BNS>0.5 notify @here if NS",
            "Done",
        ),
        ("subscriptions", "1. CBC BNS>0.5 notify @here if NS", "by @observer"),
        (
            "edit 1 CBC BNS>0.9 distance<300",
            "Subscription 1 is now CBC BNS>0.9 distance<300",
        ),
        ("pause 1", "Paused CBC BNS>0.9", "/gwevent resume 1"),
        ("resume 1", "CBC BNS>0.9 distance<300 is active again"),
        ("unsubscribe 1", "Unsubscribed from CBC BNS>0.9 distance<300"),
        ("check 12h57m10s -17d51m 40 Mpc MS181101ab", "Inside the 50 % region", "of the peak's", "3-D level"),
        (
            "check MS181101ab\nNGC4993 13h09m48s -23d22m53s 40 Mpc\npeak 12:57:12 -17:51:36 z=0.0098",
            "1 of 2 positions in the 90 % region of MOCK MS181101ab",
            "NGC4993",
            "43.7 Mpc",
            "Planck18",
        ),
        (f"visible Parkes {bns}", f"Visibility tonight · {bns}", "Parkes", "Window, UTC", "above 30°"),
        ("sites add Palomar, Keck", "Palomar, Keck added", "33.36° N 116.86° W, 1,706 m"),
        ("sites add MyDome 34.2 -116.9 1700", "MyDome added", "34.20° N 116.90° W, 1,700 m"),
        ("sites altitude 25", "above 25°, Sun below −18°"),
        ("sites remove Keck", "Keck removed", "MyDome"),
        ("visible", "Visibility tonight · S", "Palomar", "MyDome", "Moon", "above 25°"),
        (bns.lower(), f"BNS 97 % · UPDATE · {bns}", "Significant · vetted by people", "90 %: 49 deg²"),
        (gone, f"RETRACTED · {gone}", "No longer a candidate of interest"),
        (f"{bns} history", f"{bns}: 2 notices", "INITIAL", "↳ combined", "1 per 82,000 yr"),
        (f"{bns} map", f"Sky map of {bns} UPDATE"),
        (f"{bns} json", '"superevent_id": "' + bns, '"instruments": ["H1", "L1", "V1"]'),
        (f"{bns} moc", f"90 % credible region of {bns}", "Aladin", "cells down to order"),
        (f"{bns} foo", "I don't understand “foo”", f"BNS 97 % · UPDATE · {bns}"),
        (ARCHIVED, "from GraceDB", ARCHIVED, "BNS 95 %"),
        (NEVER, f"No notice of {NEVER} was received.", "GraceDB"),
        ("🚀🚀", "I don't understand “🚀🚀”.", "/gwevent help"),
        ("lates BNS", "“lates” is read as “latest”.", bns),
        ("check 400 -23", "RA 400 isn't between 0° and 360°."),
        (long, "I don't understand “xxxxx"),
        (f"latest {long}", "at most 1,000 characters"),
        ("'; DROP TABLE notices; --", "I don't understand “'; DROP TABLE notices; --”."),
        ("*bold* <!channel> & <b>x</b>", "“bold <!channel> & <b>x</b>”"),
        ("latest BNS>2", '"2" is no probability'),
    ]


async def open_page(browser: Browser, url: str, size: str, complaints: list[str]) -> Page:
    page = await new_page(browser, size, complaints)
    await page.goto(f"{url}/#gw")
    await expect(page.get_by_role("textbox", name="Message #gw")).to_be_visible()
    return page


async def ask(page: Page, typed: str, *expected: str) -> None:
    answers = page.locator("article", has_text="Only visible to you")
    before = await answers.count()
    box = page.get_by_role("textbox", name="Message #gw")
    await box.fill(f"/gwevent {typed}")
    await box.press("Enter")
    answer = answers.nth(before)
    for words in expected:
        await expect(answer).to_contain_text(words)
    assert "&amp;" not in await answer.inner_text() and "&lt;" not in await answer.inner_text()


@pytest.mark.timeout(120)
@pytest.mark.parametrize("size", SIZES)
async def test_the_button_that_ends_all_asks_first(tmp_path: Path, browser: Browser, size: str) -> None:
    complaints: list[str] = []
    async with open_command_page(tmp_path) as stage:
        page = await open_page(browser, stage.local_slack.url, size, complaints)
        for words in ("CBC", "Burst"):
            await ask(page, f"subscribe {words}", "Done")
        await ask(page, "unsubscribe", "Nothing has ended yet")
        button = page.get_by_role("button", name="End all 2")
        ended = page.locator("article", has_text="Unsubscribed from")
        for answer in ("No", "Yes"):
            assert await ended.count() == 0
            await button.click()
            await expect(page.get_by_text("End all 2? gwevent posts this in the channel.")).to_be_visible()
            await page.get_by_role("button", name=answer, exact=True).click()
        await expect(ended).to_contain_text("Unsubscribed from CBC, Burst.")
    assert complaints == []


@pytest.mark.timeout(300)
async def test_every_command_is_answered_on_the_page(tmp_path: Path, browser: Browser) -> None:
    complaints: list[str] = []
    async with open_command_page(tmp_path) as stage:
        app_harness = await open_page(browser, stage.local_slack.url, "desktop", complaints)
        phone = await open_page(browser, stage.local_slack.url, "phone", complaints)
        questions = command_cases(stage)
        for typed, *expected in questions:
            await ask(app_harness, typed, *expected)
        shown = phone.locator("article", has_text="Only visible to you")
        await expect(shown).to_have_count(len(questions))
        await ask(phone, "latest BNS", stage.binary)
        for page in (app_harness, phone):
            picture = page.get_by_role("img", name=f"Sky map of {stage.binary}")
            await expect(picture).to_have_js_property("naturalWidth", 1)
            assert await page.evaluate(WIDE) == []
            assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert complaints == []
