"""How arguments travel to Slack."""

from __future__ import annotations

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer

from bot.slack.client import SlackClient
from bot.slack.message_metadata import DeliveryMetadata
from bot.slack.web_api import form_values


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
