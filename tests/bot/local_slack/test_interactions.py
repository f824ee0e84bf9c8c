"""Buttons, response URLs, dialogs and the home tab, with the real Bolt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncRespond
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.local_slack.block_kit.interaction import missing_inputs
from bot.local_slack.errors import ApiError
from bot.local_slack.server import LocalSlack

if TYPE_CHECKING:
    from tests.bot.conftest import Connect

Json = dict[str, Any]
BUTTONS = [
    {
        "type": "actions",
        "elements": [
            {"type": "button", "action_id": "go", "value": "1", "text": {"type": "plain_text", "text": "Go"}},
            {
                "type": "static_select",
                "action_id": "choose",
                "options": [
                    {"text": {"type": "plain_text", "text": word}, "value": word} for word in ("cbc", "burst")
                ],
            },
        ],
    }
]
MODAL = {
    "type": "modal",
    "callback_id": "subscribe",
    "title": {"type": "plain_text", "text": "Subscribe"},
    "submit": {"type": "plain_text", "text": "Save"},
    "notify_on_close": True,
    "blocks": [
        {
            "type": "input",
            "block_id": "filter",
            "label": {"type": "plain_text", "text": "Filter"},
            "element": {"type": "plain_text_input", "action_id": "words", "max_length": 10, "min_length": 2},
        },
        {
            "type": "actions",
            "block_id": "extra",
            "elements": [
                {"type": "button", "action_id": "preview", "text": {"type": "plain_text", "text": "Preview"}}
            ],
        },
    ],
}


def input_values(words: str) -> Json:
    return {"filter": {"words": {"type": "plain_text_input", "value": words}}}


@pytest.fixture
def app(slack_client: AsyncWebClient) -> AsyncApp:
    return AsyncApp(client=slack_client)


async def test_an_overflow_menu_sends_the_chosen_option_of_whoever_chose_it(
    local_slack: LocalSlack, app: AsyncApp, slack_client: AsyncWebClient, connect: Connect
) -> None:
    heard: list[Json] = []

    @app.action("menu")
    async def on_menu(ack: AsyncAck, body: Json) -> None:
        await ack()
        heard.append(body)

    await connect(app)
    channel = local_slack.add_channel("gw")
    page = {"text": {"type": "plain_text", "text": "Page"}, "value": "page", "url": "https://a.org/"}
    mute = {"text": {"type": "plain_text", "text": "Mute"}, "value": "mute"}
    menu = {"type": "overflow", "action_id": "menu", "options": [page, mute]}
    posted = await slack_client.chat_postMessage(
        channel=channel, text="menu", blocks=[{"type": "actions", "elements": [menu]}]
    )
    for value in ("mute", "page"):
        done = await local_slack.press(channel, posted["ts"], "menu", value, user=local_slack.colleague)
        assert done.ok
    assert [one["user"]["id"] for one in heard] == [local_slack.colleague] * 2
    sent = [one["actions"][0] for one in heard]
    assert [one["type"] for one in sent] == ["overflow"] * 2
    chosen = [one["selected_option"] for one in sent]
    assert chosen == [mute, page], "a link is opened by Slack, and told to the app too"
    for nothing in ("hide", None):
        with pytest.raises(ApiError, match="no_such_action"):
            await local_slack.press(channel, posted["ts"], "menu", nothing)


async def test_a_button_of_a_message(
    local_slack: LocalSlack, app: AsyncApp, slack_client: AsyncWebClient, connect: Connect
) -> None:
    heard: list[Json] = []

    @app.action("go")
    async def go(ack: AsyncAck, body: Json, respond: AsyncRespond) -> None:
        await ack()
        heard.append(body)
        await respond("edited", replace_original=True)

    @app.action("choose")
    async def choose(ack: AsyncAck, body: Json) -> None:
        await ack()
        heard.append(body)

    await connect(app)
    channel = local_slack.add_channel("gw-cbc")
    posted = await slack_client.chat_postMessage(channel=channel, text="a &amp; b", blocks=BUTTONS)
    assert (await local_slack.press(channel, posted["ts"], "go")).ok
    await local_slack.wait_for(lambda: local_slack.messages(channel)[0]["text"] == "edited")
    (body,) = heard
    assert body["actions"][0]["value"] == "1"
    assert body["message"]["text"] == "a &amp; b"
    assert body["container"] == {
        "type": "message",
        "message_ts": posted["ts"],
        "channel_id": channel,
        "is_ephemeral": False,
    }
    assert (body["channel"]["name"], body["team"]["id"], body["user"]["id"]) == (
        "gw-cbc",
        local_slack.team_id,
        local_slack.user,
    )
    again = await slack_client.chat_postMessage(channel=channel, text="x", blocks=BUTTONS)
    await local_slack.press(channel, again["ts"], "choose", "burst")
    assert heard[1]["actions"][0]["selected_option"]["value"] == "burst"
    (state,) = heard[1]["state"]["values"].values()
    assert state["choose"]["selected_option"]["value"] == "burst"
    for ts, action_id, value in (
        (again["ts"], "stop", None),
        (again["ts"], "go", "2"),
        ("1.000000", "go", None),
    ):
        with pytest.raises(ApiError, match=r"no_such_action|message_not_found"):
            await local_slack.press(channel, ts, action_id, value)


async def test_a_button_of_an_ephemeral_answer(
    local_slack: LocalSlack, app: AsyncApp, connect: Connect
) -> None:
    heard: list[Json] = []

    @app.command("/gwevent")
    async def command(ack: AsyncAck, respond: AsyncRespond) -> None:
        await ack()
        await respond("for you", blocks=BUTTONS)

    @app.action("go")
    async def go(ack: AsyncAck, body: Json, respond: AsyncRespond) -> None:
        await ack()
        heard.append(body)
        await respond("for all", response_type="in_channel", replace_original=False)
        await respond(delete_original=True)

    await connect(app)
    channel = local_slack.add_channel("ops", private=True)
    shown = await (await local_slack.command("/gwevent", channel=channel)).wait_for_answer()
    with pytest.raises(ApiError, match="message_not_found"):
        await local_slack.press(channel, shown["ts"], "go", user=local_slack.colleague)
    await local_slack.press(channel, shown["ts"], "go")
    await local_slack.wait_for(lambda: not local_slack.ephemerals(channel))
    assert [message["text"] for message in local_slack.messages(channel)] == ["for all"]
    assert heard[0]["container"]["is_ephemeral"] is True
    assert "message" not in heard[0], "Slack doesn't send the words of an ephemeral message back"
    assert heard[0]["channel"]["name"] == "privategroup"


async def test_a_response_url_is_good_five_times(
    local_slack: LocalSlack, app: AsyncApp, connect: Connect
) -> None:
    statuses: list[tuple[int, str]] = []

    @app.command("/gwevent")
    async def command(ack: AsyncAck, command: Json) -> None:
        await ack()
        async with aiohttp.ClientSession() as session:
            for body in (
                {"text": "one", "blocks": [{"type": "hologram"}]},
                {},
                {"text": "x", "replace_original": True},
                {"text": "x", "as_user": True},
                {"text": "five"},
                {"text": "six"},
            ):
                async with session.post(command["response_url"], json=body) as response:
                    statuses.append((response.status, await response.text()))

    await connect(app)
    channel = local_slack.add_channel("gw-cbc")
    await local_slack.command("/gwevent", channel=channel)
    await local_slack.wait_for(lambda: len(statuses) == 6)
    assert [status for status, _ in statuses] == [400, 400, 400, 400, 200, 404]
    words = ("invalid_blocks", "no_text", "invalid_payload", "invalid_payload", "ok", "used_url")
    assert all(word in text for word, (_, text) in zip(words, statuses, strict=True)), statuses
    guess = f"{local_slack.url}/response/{local_slack.team_id}/guess"
    async with aiohttp.ClientSession() as session, session.post(guess, json={}) as response:
        assert response.status == 404


async def test_a_dialog(
    local_slack: LocalSlack, app: AsyncApp, slack_client: AsyncWebClient, connect: Connect
) -> None:
    submitted: list[Json] = []
    events: list[str] = []

    @app.action("go")
    async def go(ack: AsyncAck, body: Json, client: AsyncWebClient) -> None:
        await ack()
        await client.views_open(trigger_id=body["trigger_id"], view=MODAL)
        with pytest.raises(SlackApiError) as caught:
            await client.views_open(trigger_id=body["trigger_id"], view=MODAL)
        events.append(caught.value.response["error"])

    @app.action("preview")
    async def preview(ack: AsyncAck, body: Json, client: AsyncWebClient) -> None:
        await ack()
        events.append(body["container"]["type"])
        view = {**MODAL, "title": {"type": "plain_text", "text": "Preview"}}
        await client.views_update(view_id=body["view"]["id"], hash=body["view"]["hash"], view=view)
        with pytest.raises(SlackApiError) as caught:
            await client.views_update(view_id=body["view"]["id"], hash=body["view"]["hash"], view=view)
        events.append(caught.value.response["error"])

    @app.view("subscribe")
    async def subscribe(ack: AsyncAck, view: Json) -> None:
        words = view["state"]["values"]["filter"]["words"]["value"]
        submitted.append(view)
        if words == "wrong":
            await ack(response_action="errors", errors={"filter": "unknown word"})
        elif words == "nonsense":
            await ack(response_action="errors", errors={"nowhere": "no such block"})
        elif words == "button":
            button = next(block["block_id"] for block in view["blocks"] if block["type"] != "input")
            await ack(response_action="errors", errors={button: "no input"})
        elif words == "update":
            await ack(response_action="update", view={**MODAL, "private_metadata": "updated"})
        elif words == "push":
            await ack(response_action="push", view=MODAL)
        elif words == "clear":
            await ack(response_action="clear")
        else:
            await ack()

    @app.view_closed("subscribe")
    async def closed(ack: AsyncAck) -> None:
        await ack()
        events.append("closed")

    await connect(app)
    channel = local_slack.add_channel("gw-cbc")
    posted = await slack_client.chat_postMessage(channel=channel, text="x", blocks=BUTTONS)
    await local_slack.press(channel, posted["ts"], "go")
    await local_slack.wait_for(lambda: local_slack.view() and len(events) == 1)
    assert events == ["exchanged_trigger_id"]
    assert local_slack.view(local_slack.colleague) is None

    assert (await local_slack.submit({})).errors == {"filter": "Please complete this required field."}
    assert (await local_slack.submit(input_values("x" * 11))).errors == {
        "filter": "Please shorten this to 10 characters or less."
    }
    assert (await local_slack.submit(input_values("x"))).errors == {
        "filter": "Please use at least 2 characters."
    }
    assert submitted == []
    assert (await local_slack.submit(input_values("wrong"))).errors == {"filter": "unknown word"}
    assert (await local_slack.submit(input_values("nonsense"))).error == "invalid_response_action"
    assert (await local_slack.submit(input_values("button"))).error == "invalid_response_action"
    assert (await local_slack.submit(input_values("update"))).ok
    view = local_slack.view()
    assert view is not None
    assert view["private_metadata"] == "updated"
    assert (await local_slack.submit(input_values("push"))).ok
    pushed = local_slack.view()
    assert pushed is not None
    assert (pushed["previous_view_id"], pushed["root_view_id"]) == (view["id"], view["id"])
    assert (await local_slack.submit(input_values("fine"))).ok
    assert (local_slack.view() or {})["id"] == view["id"]

    await local_slack.view_action("preview")
    await local_slack.wait_for(lambda: len(events) == 3)
    assert events[1:] == ["view", "hash_conflict"]
    assert (local_slack.view() or {})["title"]["text"] == "Preview"
    await local_slack.submit(input_values("clear"))
    assert local_slack.view() is None

    await local_slack.press(channel, posted["ts"], "go")
    await local_slack.wait_for(local_slack.view)
    await local_slack.close_view()
    await local_slack.wait_for(lambda: "closed" in events)
    assert local_slack.view() is None


def test_more_choices_than_a_select_takes_are_refused_before_they_are_submitted() -> None:
    element = {"type": "multi_static_select", "action_id": "choose", "max_selected_items": 1}
    blocks = [{"type": "input", "block_id": "sets", "element": element}]
    for count, wrong in ((1, {}), (2, {"sets": "Please choose at most 1."})):
        chosen = {"sets": {"choose": {"selected_options": [{"value": str(n)} for n in range(count)]}}}
        assert missing_inputs(blocks, chosen) == wrong


async def test_the_home_tab(
    local_slack: LocalSlack, app: AsyncApp, slack_client: AsyncWebClient, connect: Connect
) -> None:
    home = {"type": "home", "blocks": BUTTONS}
    heard: list[Json] = []

    @app.event("app_home_opened")
    async def opened(event: Json, client: AsyncWebClient) -> None:
        heard.append(event)
        await client.views_publish(user_id=event["user"], view=home)

    @app.action("go")
    async def go(ack: AsyncAck, body: Json) -> None:
        await ack()
        heard.append(body)

    await connect(app)
    local_slack.events.subscribed.add("app_home_opened")
    local_slack.open_home()
    published = await local_slack.wait_for(local_slack.home)
    assert published is not None
    assert published["type"] == "home"
    assert (heard[0]["tab"], heard[0]["user"]) == ("home", local_slack.user)
    assert (await local_slack.view_action("go")).ok
    assert heard[1]["view"]["id"] == published["id"]
    assert "channel" not in heard[1]
    with pytest.raises(SlackApiError, match="invalid_arguments"):
        await slack_client.views_publish(user_id="U000", view=home)
    with pytest.raises(SlackApiError, match="invalid_arguments"):
        await slack_client.views_publish(user_id=local_slack.user, view=MODAL)
    with pytest.raises(SlackApiError, match="hash_conflict"):
        await slack_client.views_publish(user_id=local_slack.user, view=home, hash="1")
    with pytest.raises(SlackApiError, match="not_found"):
        await slack_client.views_update(view_id="V000", view=home)
    with pytest.raises(SlackApiError, match="invalid_trigger_id"):
        await slack_client.views_open(trigger_id="1.2.3", view=MODAL)
