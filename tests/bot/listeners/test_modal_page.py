"""The subscription modal and App Home in a browser, on the local Slack with the real bot."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from bot.app.application import Application
from bot.app.factory import Factory
from bot.local_slack.server import LocalSlack
from bot.observing.observatories import observatories
from bot.samples import bns, ms181101ab, to_avro
from bot.sources.base import Origin
from bot.store.channels.change_log import ChangeAuthor
from tests.bot.local_slack.test_page import choose
from tests.support.browser import SIZES, WIDE, new_page
from tests.support.factories import NOW, TEAM, decoded_notice, record_notices
from tests.support.waiting import wait_until


@pytest.mark.parametrize("size", SIZES)
async def test_subscribe_in_the_modal_and_edit_from_app_home(
    size: str, browser: Browser, bot: Application, local_slack: LocalSlack, factory: Factory, tmp_path: Path
) -> None:
    channel = local_slack.add_channel("gw-cbc")
    await record_notices(factory, [decoded_notice(), decoded_notice("S261121b", far=2e-8)])
    await bot.pipeline.handle(to_avro(ms181101ab(NOW)[1]), Origin("test", "1", live=False))
    complaints: list[str] = []
    page = await new_page(browser, size, complaints)

    async def picture(name: str) -> None:
        await page.screenshot(path=tmp_path / f"{size}-{name}.png")

    await page.goto(f"{local_slack.url}/#gw-cbc")
    box = page.get_by_role("textbox", name="Message #gw-cbc")
    await box.fill("/gwevent dialog")
    await box.press("Enter")
    dialog = page.get_by_role("dialog", name="Subscribe")
    await expect(dialog.get_by_label(re.compile("^BNS: two neutron stars"))).to_be_visible()
    await picture("1-empty")
    await choose(dialog, "Group", "CBC (mergers)")
    await dialog.get_by_label(re.compile("^BNS: two neutron stars")).check()
    await dialog.get_by_label(re.compile("^Mean distance")).fill("0")
    await dialog.get_by_role("button", name="Subscribe").click()
    await expect(dialog.get_by_role("alert")).to_contain_text("A number above 0.")
    await picture("1-wrong")
    await dialog.get_by_label(re.compile("^Mean distance")).fill("300")
    await choose(dialog, "Group", "Burst")
    await dialog.get_by_role("button", name="Subscribe").click()
    again = dialog.get_by_text(re.compile("Press Subscribe again to store it"))
    await expect(again).to_have_count(2)
    await again.last.scroll_into_view_if_needed()
    await picture("1-never")
    await choose(dialog, "Group", "CBC (mergers)")
    await dialog.get_by_role("button", name="More conditions").click()
    await expect(dialog.get_by_label(re.compile("^BNS, %"))).to_have_value("50")
    await expect(dialog.get_by_label(re.compile("^Mean distance"))).to_have_value("300")
    await picture("1-more")
    await dialog.get_by_label(re.compile("^Mocks")).check()
    words = dialog.get_by_label(re.compile("^Further conditions"))
    await words.fill("not V2")
    await dialog.get_by_role("button", name="Subscribe").click()
    await expect(dialog.get_by_role("alert")).to_contain_text("nor a condition like BNS")
    await picture("2-wrong")
    await words.fill("not K1")
    await dialog.get_by_role("button", name="Preview and test").click()
    await expect(dialog.get_by_text(re.compile("of 3 past events"))).to_be_visible()
    await expect(dialog.get_by_text("CBC BNS distance<300 not K1 mock").first).to_be_visible()
    await dialog.get_by_text(re.compile("of 3 past events")).scroll_into_view_if_needed()
    await picture("3-preview")
    await dialog.get_by_role("button", name="Subscribe").click()
    await expect(dialog.get_by_text(re.compile("^Done[.]"))).to_be_visible()
    await picture("4-done")
    await dialog.get_by_role("button", name="Close").last.click()
    await expect(dialog).to_have_count(0)  # until then what is behind it takes no keys
    await expect(page.locator("article", has_text="Subscribed").last).to_contain_text("BNS distance<300")
    (stored,) = await factory.subscriptions.for_channel(TEAM, channel)
    assert stored.criteria.canonical == "CBC BNS distance<300 not K1 mock"

    await factory.sites.add(TEAM, channel, [o.site for o in observatories()[:2]], ChangeAuthor("U1", NOW))
    await bot.pipeline.handle(to_avro(bns(NOW)[1]), Origin("test", "2", live=True))
    await wait_until(lambda: factory.posted_events.newest(TEAM, [channel], 1))
    await page.goto(f"{local_slack.url}/#@app")
    await expect(page.get_by_text("What came last")).to_be_visible()
    await expect(page.get_by_text("What to do next")).to_be_visible()
    await picture("5-home")
    await page.get_by_role("button", name="Edit").click()
    dialog = page.get_by_role("dialog", name="Edit subscription")
    await expect(dialog.get_by_label(re.compile("^Mean distance"))).to_have_value("300")
    await expect(dialog.get_by_label(re.compile("^Further conditions"))).to_have_value("not K1")
    await picture("6-edit")
    await dialog.get_by_label(re.compile("^Mean distance")).fill("200")
    await dialog.get_by_role("button", name="Save").click()
    await expect(dialog.get_by_text(re.compile("^Subscription 1 is now"))).to_be_visible()
    await dialog.get_by_role("button", name="Close").last.click()
    await expect(dialog).to_have_count(0)  # until then what is behind it takes no keys
    await expect(page.get_by_text("distance<200").first).to_be_visible()
    await picture("7-edited")
    assert await page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert complaints == []
    await page.context.close()


@pytest.mark.parametrize("size", SIZES)
async def test_make_a_criteria_set_in_the_form_and_edit_it_from_app_home(
    size: str, browser: Browser, bot: Application, local_slack: LocalSlack, factory: Factory, tmp_path: Path
) -> None:
    channel = local_slack.add_channel("gw-cbc")
    complaints: list[str] = []
    page = await new_page(browser, size, complaints)

    async def picture(name: str) -> None:
        await page.screenshot(path=tmp_path / f"{size}-{name}.png")

    await page.goto(f"{local_slack.url}/#gw-cbc")
    box = page.get_by_role("textbox", name="Message #gw-cbc")
    await box.fill("/gwevent criteria")
    await box.press("Enter")
    await page.get_by_role("button", name="New set").click()
    dialog = page.get_by_role("dialog", name="New criteria set")
    await dialog.get_by_label(re.compile("^Name")).fill("ntt-kilonova")
    grades = dialog.get_by_label(re.compile("^Grades"))
    await grades.fill("Gold: NS distanec<150")
    await dialog.get_by_role("button", name="Create").click()
    await expect(dialog.get_by_role("alert")).to_contain_text('did you mean "distance"')
    await picture("1-wrong")
    await grades.fill("Gold: NS distance<150\nSilver: distance<100 distance>200")
    await dialog.get_by_role("button", name="Say it in words").click()
    await expect(dialog.get_by_text("Look again before you store this")).to_be_visible()
    await picture("2-words")
    await dialog.get_by_role("button", name="Create").click()
    await expect(dialog.get_by_text("Press Create again to store it as it is.")).to_have_count(2)
    await picture("3-never")
    await grades.fill("Gold: NS distance<150\nSilver: NS distance<300")
    await dialog.get_by_role("button", name="Create").click()
    await expect(dialog.get_by_text("ntt-kilonova added.")).to_be_visible()
    await picture("4-done")
    await dialog.get_by_role("button", name="Close").last.click()
    await expect(dialog).to_have_count(0)  # until then what is behind it takes no keys

    await box.fill("/gwevent dialog")
    await box.press("Enter")
    dialog = page.get_by_role("dialog", name="Subscribe")
    await dialog.get_by_role("textbox", name=re.compile("^Criteria sets")).click()
    await dialog.locator("#static_select_popup label", has_text="ntt-kilonova: Gold, Silver").click()
    await picture("5-chosen")
    await dialog.get_by_role("button", name="Subscribe").click()
    await expect(dialog.get_by_text(re.compile("^Done[.]"))).to_be_visible()
    await dialog.get_by_role("button", name="Close").last.click()
    await expect(dialog).to_have_count(0)  # until then what is behind it takes no keys
    (stored,) = await factory.subscriptions.for_channel(TEAM, channel)
    assert stored.criteria.canonical == "all quiet BBH criteria ntt-kilonova"

    await page.goto(f"{local_slack.url}/#@app")
    await expect(page.get_by_text("Gold: NS distance<150")).to_be_visible()
    await page.get_by_text("Gold: NS distance<150").scroll_into_view_if_needed()
    await picture("6-home")
    await page.get_by_role("button", name="Edit").last.click()
    dialog = page.get_by_role("dialog", name="Edit criteria set")
    grades = dialog.get_by_label(re.compile("^Grades"))
    await expect(grades).to_have_value("Gold: NS distance<150\nSilver: NS distance<300")
    await picture("7-edit")
    await grades.fill("Gold: NS distance<120\nSilver: NS distance<300")
    await dialog.get_by_role("button", name="Save").click()
    await expect(dialog.get_by_role("button", name="Save")).to_have_count(0)
    await dialog.get_by_role("button", name="Close").last.click()
    await expect(dialog).to_have_count(0)  # until then what is behind it takes no keys
    await expect(page.get_by_text("Gold: NS distance<120").first).to_be_visible()
    await page.get_by_role("button", name="Remove").click()
    await expect(page.get_by_text(re.compile("It is refused while a channel uses it"))).to_be_visible()
    await page.get_by_role("button", name="Yes", exact=True).click()
    await expect(page.get_by_text("Nothing was changed").first).to_be_visible()
    await picture("8-refused")
    assert await page.evaluate(WIDE) == []
    assert await page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert complaints == []
    await page.context.close()
