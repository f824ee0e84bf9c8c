"""How arguments travel to Slack."""

from __future__ import annotations

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bot.slack.client import SlackClient
from bot.slack.errors import OutcomeUnknown
from bot.slack.message_metadata import DeliveryMetadata
from bot.slack.responses import failure_from_answer
from bot.slack.web_api import Answer, form_values
from formatters.blockkit.message import Message


async def test_arguments_that_slack_does_not_take_as_json_stand_in_the_body_as_a_form() -> None:
    seen: list[tuple[str, str, dict[str, object]]] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append((request.query_string, request.content_type, dict(await request.post())))
        return web.json_response({"ok": True, "messages": []})

    app = web.Application()
    app.router.add_post("/api/{method}", answer)
    async with TestServer(app) as server, aiohttp.ClientSession() as session:
        client = SlackClient("xoxb-1", f"{server.make_url('/api/')}", session)
        await client.find_delivery("C1", DeliveryMetadata(delivery_id=1), None)
    form = {"channel": "C1", "include_all_metadata": "1", "limit": "200"}
    assert seen == [("", "application/x-www-form-urlencoded", form)]


def test_truth_values_are_ones_and_zeros() -> None:
    assert form_values({"a": True, "b": False, "c": 20, "d": "x"}) == {
        "a": "1",
        "b": "0",
        "c": "20",
        "d": "x",
    }


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_takes_neither_words_nor_token_anywhere(status: int) -> None:
    reached: list[tuple[str, bytes, str | None]] = []

    async def elsewhere(request: web.Request) -> web.Response:
        reached.append((request.method, await request.read(), request.headers.get("Authorization")))
        return web.json_response({"ok": True, "ts": "1.000001"})

    async def redirect(_: web.Request) -> web.Response:
        return web.Response(status=status, headers={"Location": str(other.make_url("/api/chat.update"))})

    strange, slack = web.Application(), web.Application()
    strange.router.add_route("*", "/{path:.*}", elsewhere)
    slack.router.add_post("/api/{method}", redirect)
    async with (
        TestServer(strange) as other,
        TestServer(slack) as server,
        aiohttp.ClientSession() as session,
    ):
        client = SlackClient("xoxb-1", f"{server.make_url('/api/')}", session)
        with pytest.raises(OutcomeUnknown, match=f"HTTP {status}"):
            await client.edit("C1", "1.000001", Message(text="what a private channel reads"))
    assert reached == []


async def test_half_a_surrogate_pair_in_a_cursor_ends_as_a_failure_of_slack() -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(
            body=b'{"ok": true, "messages": [], "response_metadata": {"next_cursor": "\\ud800"}}',
            content_type="application/json",
        )

    app = web.Application()
    app.router.add_post("/api/{method}", answer)
    async with TestServer(app) as server, aiohttp.ClientSession() as session:
        client = SlackClient("xoxb-1", f"{server.make_url('/api/')}", session)
        with pytest.raises(OutcomeUnknown):
            await client.find_delivery("C1", DeliveryMetadata(delivery_id=1), None)


@pytest.mark.parametrize("text", ["\ud800", "a\0b", "two\nlines"])
@pytest.mark.parametrize("status", [200, 500])
def test_the_reason_of_a_refusal_can_be_stored(text: str, status: int) -> None:
    """An outcome that can't be recorded would leave its delivery as being sent."""
    failure = failure_from_answer(Answer(status, {}, {"ok": False, "error": text, "errors": [text]}))
    for stored in (failure.reason, *failure.details):
        assert stored.isprintable() and stored.isascii()
