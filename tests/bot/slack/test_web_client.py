"""How arguments travel to Slack."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from hypothesis import given
from hypothesis import strategies as st
from slack_sdk.web import async_client
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.internal_utils import convert_bool_to_0_or_1

from bot.slack.client import SlackClient
from bot.slack.errors import OutcomeUnknown
from bot.slack.message_metadata import DeliveryMetadata
from bot.slack.responses import failure_from_answer
from bot.slack.web_api import JSON_METHODS, Answer, WebApi, form_values
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


class Recorder:
    """A Slack that says yes to everything, and keeps how its methods were called."""

    def __init__(self) -> None:
        self.calls: dict[str, tuple[str, dict[str, str]]] = {}
        """By method: content type and the form's values; none for another body."""

    async def answer(self, request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        self.calls[request.match_info["method"]] = request.content_type, form
        return web.json_response({"ok": True})


@asynccontextmanager
async def recording_api() -> AsyncIterator[tuple[WebApi, Recorder]]:
    recorder, app = Recorder(), web.Application()
    app.router.add_post("/api/{method}", recorder.answer)
    async with TestServer(app) as server, aiohttp.ClientSession() as session:
        client = AsyncWebClient("xoxb-1", base_url=f"{server.make_url('/api/')}")
        yield WebApi(client, session), recorder


def documented_methods() -> list[str]:
    """Return the methods that slack_sdk knows."""
    return sorted(set(re.findall(r'api_call\(\s*"([\w.]+)"', inspect.getsource(async_client))))


def methods_sent_as_json() -> set[str]:
    """Return the methods that slack_sdk sends as JSON."""
    found = re.findall(r'api_call\(\s*"([\w.]+)",\s*json=', inspect.getsource(async_client))
    return set(found)


async def test_every_method_goes_as_a_form_unless_it_is_known_to_take_json() -> None:
    methods = [*documented_methods(), "conversations.somethingNew"]
    assert len(methods) > 200
    async with recording_api() as (api, recorder):
        for method in methods:
            await api.call(method, {"channel": "C1", "limit": 3})
    as_json = {method for method, (kind, _) in recorder.calls.items() if kind == "application/json"}
    assert as_json == JSON_METHODS
    assert as_json <= methods_sent_as_json()
    for method in set(methods) - as_json:
        form = {"channel": "C1", "limit": "3"}
        assert recorder.calls[method] == ("application/x-www-form-urlencoded", form), method


async def test_a_call_without_arguments_has_an_empty_form() -> None:
    async with recording_api() as (api, recorder):
        await api.call("auth.test", {"team_id": None})
    assert recorder.calls["auth.test"][1] == {}


SCALARS = st.none() | st.booleans() | st.integers() | st.text()
NESTED = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8
)


@given(st.dictionaries(st.text(min_size=1), NESTED))
def test_a_form_keeps_every_argument_but_none(arguments: dict[str, Any]) -> None:
    form = form_values(arguments)
    assert set(form) == {name for name, value in arguments.items() if value is not None}
    for name, text in form.items():
        value = arguments[name]
        if isinstance(value, bool):
            assert text == ("1" if value else "0")
        elif isinstance(value, list | dict):
            assert json.loads(text) == value
        else:
            assert text == str(value)


def test_a_form_has_scalars_as_slack_sdk_writes_them() -> None:
    given_values = {"a": True, "b": False, "c": 20, "d": "x", "e": None}
    theirs = convert_bool_to_0_or_1({name: v for name, v in given_values.items() if v is not None})
    assert theirs is not None
    assert form_values(given_values) == {name: str(value) for name, value in theirs.items()}


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
