"""The page of the local Slack in a real browser, with a small Bolt app behind it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from PIL import Image
from playwright.async_api import Browser, Locator, Page, expect
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from bot.local_slack.app_manifest import EVENTS, SCOPES
from bot.local_slack.server import LocalSlack
from bot.local_slack.workspace import Draft
from tests.support.browser import SIZES, launch_browser, new_page

pytestmark = pytest.mark.asyncio(loop_scope="module")

SOURCE = Path(__file__).resolve().parents[3] / "bot/local_slack/page"
ON_A_PHONE = pytest.mark.parametrize("page", ["phone"], indirect=True)

Json = dict[str, Any]


def plain(text: str) -> Json:
    return {"type": "plain_text", "text": text}


def options(*texts: str) -> list[Json]:
    return [{"text": plain(text), "value": text.lower()} for text in texts]


def section(text: str, **more: Any) -> Json:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}, **more}


def button(action_id: str, text: str, **more: Any) -> Json:
    return {"type": "button", "action_id": action_id, "text": plain(text), **more}


def input_block(block_id: str, label: str, element: Json, **more: Any) -> Json:
    return {"type": "input", "block_id": block_id, "label": plain(label), "element": element, **more}


ANSWER = [
    {"type": "header", "text": plain("BNS 95 % & more · S181101ab")},
    section("*Terrestrial* &lt;1 % · HasNS &gt;99 % · [194.304, −17.857] · 22:22:46 UTC · ~8 of ~9"),
    {
        "type": "actions",
        "block_id": "buttons",
        "elements": [
            button("post", "Post to the channel", value="S181101ab"),
            button("filter", "Filter…"),
            button("open", "GraceDB", url="http://127.0.0.1:9/superevents/S181101ab"),
        ],
    },
]

DIALOG = {
    "type": "modal",
    "callback_id": "filter",
    "title": plain("Filter"),
    "submit": plain("Save"),
    "blocks": [
        input_block(
            "group", "Group", {"type": "static_select", "action_id": "g", "options": options("CBC", "Burst")}
        ),
        input_block(
            "classes",
            "Classes",
            {"type": "multi_static_select", "action_id": "c", "options": options("BNS", "NSBH", "BBH")},
        ),
        input_block(
            "far",
            "At most, per year",
            {"type": "number_input", "action_id": "f", "is_decimal_allowed": True},
        ),
        input_block("words", "Filter", {"type": "plain_text_input", "action_id": "w"}),
        input_block(
            "kinds",
            "Also",
            {"type": "checkboxes", "action_id": "k", "options": options("Mock", "Test")},
            optional=True,
        ),
        input_block(
            "how", "How", {"type": "radio_buttons", "action_id": "h", "options": options("Loud", "Quiet")}
        ),
        input_block("where", "Where", {"type": "conversations_select", "action_id": "c"}),
    ],
}

HOME = {
    "type": "home",
    "blocks": [section("*gwevent* is at home"), {"type": "actions", "elements": [button("knock", "Knock")]}],
}


@dataclass
class Stage:
    """The sandbox, the app in it, and what the app was told."""

    local_slack: LocalSlack
    client: AsyncWebClient
    cbc: str
    burst: str
    pressed: list[Json] = field(default_factory=list)
    submitted: list[Json] = field(default_factory=list)


def register_handlers(app: AsyncApp, stage: Stage) -> None:
    @app.command("/gwevent")
    async def command(ack: Any, respond: Any) -> None:
        await ack()
        await respond(text="BNS 95% S181101ab", blocks=ANSWER)

    @app.action(re.compile(""))
    async def action(ack: Any, body: Json) -> None:
        await ack()
        pressed = body["actions"][0]
        stage.pressed.append(pressed)
        if pressed["action_id"] == "post":
            root = await stage.client.chat_postMessage(
                channel=body["channel"]["id"], text="Root of S181101ab"
            )
            await stage.client.chat_postMessage(
                channel=body["channel"]["id"], thread_ts=root["ts"], text="UPDATE: 31 → 12 deg²"
            )
        if pressed["action_id"] == "filter":
            await stage.client.views_open(trigger_id=body["trigger_id"], view=DIALOG)

    @app.view("filter")
    async def submission(ack: Any, view: Json) -> None:
        values = view["state"]["values"]
        stage.submitted.append(values)
        if values["words"]["w"]["value"] == "bad":
            await ack(response_action="errors", errors={"words": "“bad” is not a filter."})
        else:
            await ack()

    @app.event("app_home_opened")
    async def home(event: Json) -> None:
        await stage.client.views_publish(user_id=event["user"], view=HOME)

    @app.event({"type": "member_joined_channel"})
    async def joined() -> None:
        """Nothing to do."""


@pytest_asyncio.fixture(loop_scope="module")
async def stage() -> AsyncIterator[Stage]:
    # More than gwevent itself asks for: a home tab and pictures.
    scopes, events = SCOPES | {"files:read", "files:write"}, EVENTS | {"app_home_opened"}
    async with LocalSlack(limits=False, scopes=scopes, events=events) as local_slack:
        client = AsyncWebClient(local_slack.bot_token, base_url=local_slack.api_url)
        stage = Stage(
            local_slack, client, local_slack.add_channel("gw-cbc"), local_slack.add_channel("gw-burst")
        )
        app = AsyncApp(client=client)
        register_handlers(app, stage)
        handler = AsyncSocketModeHandler(
            app,
            local_slack.app_token,
            web_client=AsyncWebClient(local_slack.app_token, base_url=local_slack.api_url),
        )
        await handler.connect_async()  # type: ignore[no-untyped-call]
        try:
            yield stage
        finally:
            await handler.close_async()  # type: ignore[no-untyped-call]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with launch_browser() as launched:
        yield launched


@pytest_asyncio.fixture(params=SIZES, loop_scope="module")
async def page(request: pytest.FixtureRequest, browser: Browser, stage: Stage) -> AsyncIterator[Page]:
    """The page at a desktop's and a phone's size; it may not complain, nor ask another host for anything."""
    complaints: list[str] = []
    page = await new_page(browser, request.param, complaints)
    hosts: set[str] = set()
    page.on("request", lambda asked: hosts.add(urlsplit(asked.url).hostname or ""))
    await page.goto(f"{stage.local_slack.url}/#gw-cbc")
    await expect(box(page)).to_be_visible()
    yield page
    assert await page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), (
        "it scrolls sideways"
    )
    assert complaints == []
    assert hosts <= {"127.0.0.1", ""}
    await page.context.close()


def box(page: Page, name: str = "Message #gw-cbc") -> Locator:
    return page.get_by_role("textbox", name=name)


def message(page: Page, words: str) -> Locator:
    return page.locator("article", has_text=words).last


async def ask(page: Page) -> Locator:
    await box(page).fill("/gwevent S181101ab")
    await box(page).press("Enter")
    answer = message(page, "S181101ab")
    await expect(answer).to_be_visible()
    return answer


async def test_a_command_is_suggested_and_its_answer_is_for_the_asker_alone(page: Page) -> None:
    await box(page).press_sequentially("/gw")
    await expect(page.get_by_role("option")).to_contain_text("Gravitational-wave alerts")
    await box(page).press("Enter")
    await expect(box(page)).to_have_value("/gwevent ")
    await box(page).press_sequentially("S181101ab")
    await box(page).press("Enter")
    answer = message(page, "S181101ab")
    await expect(answer).to_contain_text("Only visible to you")
    await expect(answer).to_contain_text("BNS 95 % & more · S181101ab")
    await expect(answer).to_contain_text(
        "Terrestrial <1 % · HasNS >99 % · [194.304, −17.857] · 22:22:46 UTC · ~8 of ~9"
    )
    await expect(answer.locator("strong", has_text="Terrestrial")).to_be_visible()
    await expect(answer.locator("s")).to_have_count(0)
    await expect(answer).to_contain_text("APP")


async def test_a_button_presses_and_a_thread_opens(page: Page, stage: Stage) -> None:
    answer = await ask(page)
    await answer.get_by_role("button", name="Post to the channel").click()
    root = message(page, "Root of S181101ab")
    await root.get_by_role("link", name="1 reply").click()
    thread = page.get_by_role("complementary", name="Thread")
    await expect(thread).to_contain_text("UPDATE: 31 → 12 deg²")
    await box(page, "Reply…").fill("pointing a telescope")
    await box(page, "Reply…").press("Enter")
    await expect(thread.locator("article").last).to_contain_text("pointing a telescope")
    close = thread.get_by_role("link", name="Back to the channel")
    if not await close.is_visible():
        close = thread.get_by_role("link", name="Close thread")
    await close.click()
    await expect(thread).to_have_count(0)
    await expect(root.get_by_role("link", name="2 replies")).to_be_visible()
    assert [each["action_id"] for each in stage.pressed] == ["post"]
    assert (stage.pressed[0]["value"], stage.pressed[0]["block_id"]) == ("S181101ab", "buttons")
    assert [each["text"] for each in stage.local_slack.messages(stage.cbc)] == [
        "Root of S181101ab",
        "UPDATE: 31 → 12 deg²",
        "pointing a telescope",
    ]


async def test_a_link_button_opens_its_link_and_tells_the_app(page: Page, stage: Stage) -> None:
    answer = await ask(page)
    async with page.context.expect_page() as opened:
        await answer.get_by_role("button", name="GraceDB").click()
    await stage.local_slack.wait_for(lambda: stage.pressed)
    assert [each["action_id"] for each in stage.pressed] == ["open"]
    await (await opened.value).close()


async def test_a_dialog_is_filled_corrected_and_submitted(page: Page, stage: Stage) -> None:
    await (await ask(page)).get_by_role("button", name="Filter…").click()
    dialog = page.get_by_role("dialog", name="Filter")
    await expect(dialog).to_be_visible()
    await dialog.get_by_role("button", name="Save").click()
    await expect(dialog.get_by_text("Please complete this required field.")).to_have_count(6)

    await choose(dialog, "Group", "Burst")
    await dialog.get_by_role("textbox", name="Classes").click()
    for name in ("BNS", "BBH", "NSBH", "BBH"):
        await dialog.locator("#static_select_popup label", has=page.get_by_text(name, exact=True)).click()
    await dialog.get_by_role("heading", name="Filter").click()
    await dialog.get_by_label("At most, per year").fill("0.5")
    await dialog.get_by_role("textbox", name="Filter").fill("bad")
    await dialog.get_by_label("Mock").check()
    await dialog.get_by_label("Quiet").check()
    await choose(dialog, "Where", "#gw-burst")
    await dialog.get_by_role("button", name="Save").click()
    await expect(dialog.get_by_role("alert")).to_have_text("“bad” is not a filter.")

    await dialog.get_by_role("textbox", name="Filter").fill("BNS>0.5 & area<100")
    await dialog.get_by_role("textbox", name="Filter").press("Enter")
    await expect(dialog).to_have_count(0)
    values = stage.submitted[-1]
    assert values["group"]["g"]["selected_option"]["value"] == "burst"
    assert [each["value"] for each in values["classes"]["c"]["selected_options"]] == ["bns", "nsbh"]
    assert values["far"]["f"]["value"] == "0.5"
    assert values["words"]["w"]["value"] == "BNS>0.5 & area<100"
    assert [each["value"] for each in values["kinds"]["k"]["selected_options"]] == ["mock"]
    assert values["how"]["h"]["selected_option"]["value"] == "quiet"
    assert values["where"]["c"]["selected_conversation"] == stage.burst


async def choose(within: Locator, label: str, words: str) -> None:
    await within.get_by_role("textbox", name=label).click()
    await within.locator("#static_select_popup").get_by_text(words, exact=True).click()


async def test_menus_and_confirmed_buttons_act(page: Page, stage: Stage) -> None:
    sure = {
        "title": plain("Sure?"),
        "text": plain("No more alerts."),
        "confirm": plain("Yes"),
        "deny": plain("No"),
    }
    blocks = [
        section(
            "An accessory",
            block_id="side",
            accessory={"type": "overflow", "action_id": "menu", "options": options("Mute", "Who")},
        ),
        {
            "type": "actions",
            "block_id": "row",
            "elements": [
                {"type": "static_select", "action_id": "select", "options": options("CBC", "Burst")},
                button("stop", "Unsubscribe", style="danger", confirm=sure),
            ],
        },
    ]
    await stage.client.chat_postMessage(channel=stage.cbc, text="menus", blocks=blocks)
    shown = message(page, "An accessory")
    await shown.get_by_role("button", name="More options").click()
    await shown.get_by_text("Who", exact=True).click()
    await shown.get_by_role("button", name="Unsubscribe").click()
    await shown.get_by_role("button", name="No", exact=True).click()
    await shown.get_by_role("button", name="Unsubscribe").click()
    await shown.get_by_role("button", name="Yes").click()
    await shown.locator("[data-action=select] input").click()
    await shown.locator("#static_select_popup").get_by_text("Burst", exact=True).click()
    await stage.local_slack.wait_for(lambda: len(stage.pressed) >= 3)
    told = {each["action_id"]: each.get("selected_option", {}).get("value") for each in stage.pressed}
    assert told == {"menu": "who", "stop": None, "select": "burst"}
    await expect(shown.locator("[data-action=select]")).to_contain_text("Burst")


@ON_A_PHONE
async def test_a_menu_behind_buttons_stays_on_the_screen_and_opens_pages(page: Page, stage: Stage) -> None:
    link = {"text": plain("Circulars"), "value": "link", "url": f"{stage.local_slack.url}/page/icon.svg"}
    menu = {"type": "overflow", "action_id": "menu", "options": [link, *options("Mute")]}
    for number, texts in enumerate((["Go"], ["I have it", "Check position"], ["Check position"] * 3)):
        buttons = [button(f"b{at}", text) for at, text in enumerate(texts)]
        row = {"type": "actions", "block_id": "row", "elements": [*buttons, menu]}
        blocks = [section(f"Card {number}"), row]
        await stage.client.chat_postMessage(channel=stage.cbc, text="card", blocks=blocks)
        shown = message(page, f"Card {number}")
        await shown.get_by_role("button", name="More options").click()
        await expect(shown.get_by_text("Mute", exact=True)).to_be_in_viewport(ratio=1)
        box = await shown.locator("[id^=overflow_menu_popup_]").bounding_box()
        assert box is not None and box["x"] >= 0 and box["x"] + box["width"] <= SIZES["phone"]["width"]
        await shown.get_by_text("Mute", exact=True).click()
        await expect(shown.locator("[id^=overflow_menu_popup_]")).to_have_count(0)
    await shown.get_by_role("button", name="More options").click()
    async with page.expect_popup() as opened:
        await shown.get_by_text("Circulars", exact=True).click()
    assert (await opened.value).url == link["url"]
    await stage.local_slack.wait_for(lambda: len(stage.pressed) >= 4)
    assert [each["selected_option"]["value"] for each in stage.pressed] == ["mute"] * 3 + ["link"]


async def test_news_of_another_channel_is_notified_with_its_push_text(page: Page, stage: Stage) -> None:
    await stage.client.chat_postMessage(
        channel=stage.burst,
        text="BURST 487 Hz FAR &lt;1/yr <https://127.0.0.1/x|GraceDB>",
        blocks=[section("*other words*")],
    )
    toast = page.locator("a.toast")
    await expect(toast).to_contain_text("gwevent in #gw-burst")
    await expect(toast).to_contain_text("BURST 487 Hz FAR <1/yr GraceDB")
    row = page.get_by_role("link", name="channel gw-burst, 1 unread", include_hidden=True)
    await expect(row).to_have_count(1)
    await toast.click()
    await expect(message(page, "other words")).to_be_visible()
    await expect(message(page, "other words")).to_have_attribute("title", re.compile("BURST 487 Hz"))
    await expect(row).to_have_count(0)


@ON_A_PHONE
async def test_edits_show_and_deletions_vanish(page: Page, stage: Stage) -> None:
    posted = await stage.client.chat_postMessage(channel=stage.cbc, text="PRELIMINARY")
    gone = await stage.client.chat_postMessage(channel=stage.cbc, text="a slip")
    await expect(message(page, "a slip")).to_be_visible()
    await stage.client.chat_update(channel=stage.cbc, ts=posted["ts"], text="RETRACTED")
    await stage.client.chat_delete(channel=stage.cbc, ts=gone["ts"])
    await expect(message(page, "RETRACTED")).to_contain_text("(edited)")
    await expect(page.get_by_text("a slip")).to_have_count(0)


@ON_A_PHONE
async def test_the_home_opens_and_its_buttons_act(page: Page, stage: Stage) -> None:
    await page.goto(f"{stage.local_slack.url}/#@app")
    await expect(page.get_by_text("gwevent is at home")).to_be_visible()
    await page.get_by_role("button", name="Knock").click()
    await stage.local_slack.wait_for(lambda: stage.pressed)
    assert stage.pressed[0]["action_id"] == "knock"


@ON_A_PHONE
async def test_a_refused_command_is_explained(page: Page) -> None:
    await box(page).fill("/nonsense")
    await box(page).press("Enter")
    await expect(message(page, "not a valid command")).to_contain_text("Slackbot")
    await expect(page.get_by_text("Not sent")).to_have_count(0)


@ON_A_PHONE
async def test_pictures_of_the_workspace_are_shown(page: Page, stage: Stage, tmp_path: Path) -> None:
    picture = tmp_path / "map.png"
    picture.write_bytes(PNG)
    uploaded = await stage.client.files_upload_v2(
        file=str(picture), title="Sky map", alt_txt="sky map of S181101ab"
    )
    file = uploaded["file"]["id"]
    await stage.local_slack.wait_for(lambda: stage.local_slack.workspace.files[file].ready)
    blocks = [{"type": "image", "slack_file": {"id": file}, "alt_text": "sky map of S181101ab"}]
    await stage.client.chat_postMessage(channel=stage.cbc, text="map", blocks=blocks)
    image = page.get_by_role("img", name="sky map of S181101ab")
    await expect(image).to_be_visible()
    await expect(image).to_have_js_property("naturalWidth", 8)
    await image.click()
    await expect(page.get_by_role("dialog", name="sky map of S181101ab")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_have_count(0)


async def post_many(stage: Stage, count: int, thread_ts: str | None = None) -> None:
    for number in range(count):
        await stage.client.chat_postMessage(channel=stage.cbc, text=f"message {number}", thread_ts=thread_ts)


async def upload(stage: Stage, picture: Path) -> str:
    """Share a picture of 400 × 400 pixels with the workspace; return its id."""
    Image.new("RGB", (400, 400), "purple").save(picture)
    uploaded = await stage.client.files_upload_v2(file=str(picture), title="Sky map", alt_txt="a large map")
    file: str = uploaded["file"]["id"]
    await stage.local_slack.wait_for(lambda: stage.local_slack.workspace.files[file].ready)
    return file


async def test_the_list_stays_at_its_end_as_pictures_load(page: Page, stage: Stage, tmp_path: Path) -> None:
    await post_many(stage, 25)
    file = await upload(stage, tmp_path / "map.png")
    blocks = [{"type": "image", "slack_file": {"id": file}, "alt_text": "a large map"}]
    for number in range(3):
        await stage.client.chat_postMessage(channel=stage.cbc, text=f"map {number}", blocks=blocks)
    newest = page.get_by_role("img", name="a large map").last
    await expect(page.get_by_role("img", name="a large map")).to_have_count(3)
    await expect(newest).to_have_js_property("naturalWidth", 400)
    await expect(newest).to_be_in_viewport(ratio=0.9)
    await expect(page.get_by_role("button", name="new message")).to_have_count(0)


async def test_who_has_scrolled_up_is_left_there_and_told_what_came(page: Page, stage: Stage) -> None:
    await post_many(stage, 40)
    await expect(message(page, "message 39")).to_be_in_viewport()
    log = page.get_by_role("log", name="Messages in gw-cbc")
    await log.evaluate("box => box.scrollTop = 0")
    await expect(message(page, "message 0")).to_be_in_viewport()
    # The page has to have seen the scrolling before something comes.
    await page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    await stage.client.chat_postMessage(channel=stage.cbc, text="the first that came")
    pill = page.get_by_role("button", name="1 new message ↓")
    await expect(pill).to_be_in_viewport()
    await stage.client.chat_postMessage(channel=stage.cbc, text="the second that came")
    pill = page.get_by_role("button", name="2 new messages ↓")
    await expect(pill).to_be_in_viewport()
    assert await log.evaluate("box => box.scrollTop") == 0
    await pill.click()
    await expect(message(page, "the second that came")).to_be_in_viewport()
    await expect(pill).to_have_count(0)
    await stage.client.chat_postMessage(channel=stage.cbc, text="it is followed again")
    await expect(message(page, "it is followed again")).to_be_in_viewport()


@ON_A_PHONE
async def test_a_message_taller_than_the_list_is_shown_from_its_beginning(page: Page, stage: Stage) -> None:
    await post_many(stage, 20)
    blocks = [section(f"line {number}") for number in range(45)]
    await stage.client.chat_postMessage(channel=stage.cbc, text="a long answer", blocks=blocks)
    await expect(page.get_by_text("line 0", exact=True)).to_be_in_viewport()
    await expect(page.get_by_text("line 44", exact=True)).not_to_be_in_viewport()


async def test_a_thread_scrolls_to_the_answer(page: Page, stage: Stage) -> None:
    root = await stage.client.chat_postMessage(channel=stage.cbc, text="Root of S181101ab")
    await post_many(stage, 30, thread_ts=root["ts"])
    await message(page, "Root of S181101ab").get_by_role("link", name="30 replies").click()
    thread = page.get_by_role("complementary", name="Thread")
    await expect(thread.locator("article").last).to_be_in_viewport()
    await thread.get_by_role("log").evaluate("box => box.scrollTop = 0")
    await expect(thread.locator("article").first).to_be_in_viewport()
    await box(page, "Reply…").fill("where is it?")
    await box(page, "Reply…").press("Enter")
    await expect(message(page, "where is it?")).to_be_in_viewport()
    await stage.client.chat_postMessage(channel=stage.cbc, thread_ts=root["ts"], text="There it is.")
    await expect(message(page, "There it is.")).to_be_in_viewport()


async def test_a_command_to_try_is_clicked_and_the_draft_stays(page: Page) -> None:
    await box(page).fill("half a thou")
    await page.get_by_role("button", name="/gwevent latest").click()
    await expect(message(page, "S181101ab")).to_contain_text("Only visible to you")
    await expect(box(page)).to_have_value("half a thou")


async def test_a_page_that_is_loaded_again_has_no_dialog_of_before(page: Page) -> None:
    await (await ask(page)).get_by_role("button", name="Filter…").click()
    dialog = page.get_by_role("dialog", name="Filter")
    await expect(dialog).to_be_visible()
    await page.reload()
    await expect(message(page, "S181101ab")).to_be_visible()
    await expect(dialog).to_have_count(0)
    await message(page, "S181101ab").get_by_role("button", name="Filter…").click()
    await expect(dialog).to_be_visible()
    await dialog.get_by_role("button", name="Cancel").click()
    await expect(dialog).to_have_count(0)


async def test_the_list_of_channels_leads_everywhere(page: Page, stage: Stage) -> None:
    back = page.get_by_role("link", name="Back to the channels")
    if await back.is_visible():
        await back.click()
        await expect(box(page)).not_to_be_visible()
    await page.get_by_role("link", name="channel gw-burst").click()
    await expect(box(page, "Message #gw-burst")).to_be_visible()
    assert urlsplit(page.url).fragment == "gw-burst"


async def test_odd_blocks_spoil_nothing_around_them(browser: Browser, stage: Stage) -> None:
    """What the strict server would refuse, put into the workspace past it."""
    cell = {"type": "raw_number", "value": 31.2, "text": "31.2"}
    header = [{"type": "raw_text", "text": "Event &amp; area"}, {"type": "raw_text", "text": "deg²"}]
    blocks: tuple[Json, ...] = (
        section("before"),
        {"type": "wibble"},
        {"type": "table", "rows": "none"},
        {"type": "table", "rows": [header, [{"type": "raw_text", "text": "S1"}, cell]]},
        {
            "type": "data_table",
            "caption": "Recent events",
            "rows": [header, [{"type": "raw_text", "text": "S2"}, cell]],
        },
        {"type": "image", "image_url": "https://example.com/x.png", "alt_text": "elsewhere"},
        section(
            f"after <@{stage.local_slack.user}> <!here> "
            "<https://127.0.0.1/a_b_c?d=1&amp;e=2|a *link*> # 5 :wave:"
        ),
    )
    stage.local_slack.workspace.post(Draft(stage.cbc, stage.local_slack.bot_user_id, "odd", blocks))
    context = await browser.new_context()
    page = await context.new_page()
    hosts: set[str] = set()
    page.on("request", lambda asked: hosts.add(urlsplit(asked.url).hostname or ""))
    await page.goto(f"{stage.local_slack.url}/#gw-cbc")
    shown = message(page, "before")
    await expect(shown).to_contain_text("This page can't draw a block of type “wibble”.")
    await expect(shown).to_contain_text("This block of type table could not be drawn.")
    await expect(shown.get_by_role("cell", name="Event & area")).to_have_count(2)
    await expect(shown.get_by_role("cell", name="31.2")).to_have_count(2)
    await expect(shown).to_contain_text("Recent events")
    await expect(shown).to_contain_text("after @observer @here a *link* # 5 👋")
    link = shown.get_by_role("link", name="a *link*")
    await expect(link).to_have_attribute("href", "https://127.0.0.1/a_b_c?d=1&e=2")
    assert hosts <= {"127.0.0.1", ""}
    await page.context.close()


async def test_the_bundle_is_what_its_sources_give(tmp_path: Path) -> None:
    node = shutil.which("node")
    if node is None or not (SOURCE / "node_modules/esbuild").is_dir():
        pytest.skip(
            "Node or the page's node_modules aren't here: run bot/local_slack/page/build to have them."
        )
    subprocess.run([node, SOURCE / "bundle.mjs", tmp_path], check=True)
    for name in ("page.js", "page.css", "index.html", "icon.svg", "LICENSES.txt"):
        assert (tmp_path / name).read_bytes() == (SOURCE / "static" / name).read_bytes(), (
            f"{name} is out of date"
        )


async def test_the_bundle_names_its_licences_and_the_lock_file_no_registry() -> None:
    lock = json.loads((SOURCE / "package-lock.json").read_text())
    assert not any("resolved" in each for each in lock["packages"].values())
    licences = (SOURCE / "static/LICENSES.txt").read_text()
    assert "slack-blocks-to-jsx 1.1.1 (MIT)" in licences
    assert "react-dom 19.3.1 (MIT)" in licences


PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000008000000080800000000e164e1570000000e49444154789c6370800206ca18"
    "00406610011ad8ddd40000000049454e44ae426082"
)
