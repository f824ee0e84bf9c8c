"""What every method has in common: tokens, scopes, rate limits, faults."""

import asyncio
import json
import time
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.local_slack.server import LocalSlack
from bot.local_slack.web_api.dispatcher import METHODS
from bot.slack.web_api import form_values

FORM = "application/x-www-form-urlencoded"


async def refused(awaitable: Any) -> str:
    with pytest.raises(SlackApiError) as caught:
        await awaitable
    return str(caught.value.response["error"])


async def test_tokens(local_slack: LocalSlack, slack_client: AsyncWebClient) -> None:
    me = await slack_client.auth_test()
    assert (me["user_id"], me["team_id"]) == (local_slack.bot_user_id, local_slack.team_id)
    assert "chat:write" in me.headers["x-oauth-scopes"]

    async def with_token(token: str | None) -> str:
        return await refused(AsyncWebClient(token, base_url=local_slack.api_url).auth_test())

    assert await with_token(None) == "not_authed"
    assert await with_token("xoxb-wrong") == "invalid_auth"
    assert await with_token(local_slack.app_token) == "not_allowed_token_type"
    for error in ("token_revoked", "account_inactive", "token_expired"):
        local_slack.revoke_token(error)
        assert await with_token(local_slack.bot_token) == error
    local_slack.restore_token()
    await slack_client.auth_test()
    with pytest.raises(ValueError, match="no state of a token"):
        local_slack.revoke_token("nonsense")


async def test_connections_need_the_app_token(local_slack: LocalSlack, slack_client: AsyncWebClient) -> None:
    opened = await slack_client.apps_connections_open(app_token=local_slack.app_token)
    assert opened["url"].startswith("ws://127.0.0.1:")
    wrong = slack_client.apps_connections_open(app_token=local_slack.bot_token)
    assert await refused(wrong) == "not_allowed_token_type"
    assert await refused(slack_client.apps_connections_open(app_token="xapp-1")) == "invalid_auth"


async def test_connections_are_limited_too(local_slack: LocalSlack, slack_client: AsyncWebClient) -> None:
    local_slack.rate_limiter.enabled = True
    for _ in range(50):
        await slack_client.apps_connections_open(app_token=local_slack.app_token)
    with pytest.raises(SlackApiError) as caught:
        await slack_client.apps_connections_open(app_token=local_slack.app_token)
    assert (caught.value.response.status_code, caught.value.response["error"]) == (429, "ratelimited")


async def test_a_scope_that_is_missing_is_named(
    local_slack: LocalSlack, slack_client: AsyncWebClient
) -> None:
    channel = local_slack.add_channel("gw-cbc")
    local_slack.ungrant("chat:write")
    with pytest.raises(SlackApiError) as caught:
        await slack_client.chat_postMessage(channel=channel, text="x")
    assert caught.value.response["error"] == "missing_scope"
    assert caught.value.response["needed"] == "chat:write"


async def test_unknown_methods_and_arguments(local_slack: LocalSlack, slack_client: AsyncWebClient) -> None:
    assert await refused(slack_client.api_call("chat.sing")) == "unknown_method"
    assert await refused(slack_client.api_call("chat.postMessage", json={"text": "x"})) == "invalid_arguments"
    strange = {"channel": ["C1"], "text": "x"}
    assert await refused(slack_client.api_call("chat.postMessage", json=strange)) == "invalid_arguments"
    headers = {"Authorization": f"Bearer {local_slack.bot_token}", "Content-Type": "application/json"}
    async with aiohttp.ClientSession(local_slack.api_url, headers=headers) as session:
        for body, error in (("{", "invalid_json"), ("[]", "json_not_object")):
            async with session.post("chat.postMessage", data=body) as response:
                assert (await response.json())["error"] == error


async def test_too_many_calls_get_429_and_the_time_to_wait(
    local_slack: LocalSlack, slack_client: AsyncWebClient
) -> None:
    local_slack.rate_limiter.enabled = True
    channel = local_slack.add_channel("gw-cbc")
    other = local_slack.add_channel("gw-burst")
    with pytest.raises(SlackApiError) as caught:
        for _ in range(10):
            await slack_client.chat_postMessage(channel=channel, text="x")
    assert caught.value.response.status_code == 429
    assert caught.value.response["error"] == "ratelimited"
    assert int(caught.value.response.headers["Retry-After"]) >= 1
    posted = await slack_client.chat_postMessage(channel=other, text="another channel")
    with pytest.raises(SlackApiError) as caught:
        for _ in range(51):
            await slack_client.chat_update(channel=other, ts=posted["ts"], text="x")
    assert caught.value.response["error"] == "ratelimited"
    assert local_slack.calls[-1].outcome == "ratelimited"


async def test_faults_by_status_and_error(local_slack: LocalSlack, slack_client: AsyncWebClient) -> None:
    channel = local_slack.add_channel("gw-cbc")
    other = local_slack.add_channel("gw-burst")
    post = slack_client.chat_postMessage
    local_slack.fail("chat.postMessage", status=429, retry_after=7, channel=channel)
    await post(channel=other, text="not hit")
    with pytest.raises(SlackApiError) as caught:
        await post(channel=channel, text="x")
    assert (caught.value.response.status_code, caught.value.response.headers["Retry-After"]) == (429, "7")
    local_slack.fail("chat.postMessage", status=500, times=2)
    for _ in range(2):
        with pytest.raises(SlackApiError) as caught:
            await post(channel=channel, text="x")
        assert caught.value.response.status_code == 500
    local_slack.fail("chat.postMessage", error="restricted_action")
    assert await refused(post(channel=channel, text="x")) == "restricted_action"
    assert local_slack.messages(channel) == [], "none of these did its work"
    await post(channel=channel, text="at last")
    outcomes = [call.outcome for call in local_slack.calls if call.args.get("channel") == channel]
    assert outcomes == ["http 429", "http 500", "http 500", "restricted_action", "ok"]


@pytest.mark.parametrize(("drop", "posted"), [("before", 0), ("after", 1)])
async def test_a_connection_dropped_before_or_after_the_work(
    local_slack: LocalSlack, slack_client: AsyncWebClient, drop: Any, posted: int
) -> None:
    channel = local_slack.add_channel("gw-cbc")
    local_slack.fail("chat.postMessage", drop=drop)
    with pytest.raises(aiohttp.ClientError):
        await slack_client.chat_postMessage(channel=channel, text="x")
    assert len(local_slack.messages(channel)) == posted
    assert local_slack.calls[-1].outcome == f"dropped {drop}"


@pytest.mark.slow
async def test_slack_sdk_retries_a_dropped_post_by_default(local_slack: LocalSlack) -> None:
    channel = local_slack.add_channel("gw-cbc")
    local_slack.fail("chat.postMessage", drop="after")
    client = AsyncWebClient(local_slack.bot_token, base_url=local_slack.api_url)
    await client.chat_postMessage(channel=channel, text="x")
    assert len(local_slack.messages(channel)) == 2


async def test_an_answer_can_be_held_back(local_slack: LocalSlack, slack_client: AsyncWebClient) -> None:
    channel = local_slack.add_channel("gw-cbc")
    local_slack.fail("chat.postMessage", delay_after=30.0)
    call = asyncio.create_task(slack_client.chat_postMessage(channel=channel, text="x"))
    await local_slack.wait_for(lambda: local_slack.messages(channel))
    assert not call.done()
    call.cancel()
    local_slack.fail("chat.postMessage", delay=0.05)
    started = time.monotonic()
    await slack_client.chat_postMessage(channel=channel, text="y")
    assert time.monotonic() - started >= 0.05


async def test_two_teams_stay_apart(local_slack: LocalSlack, slack_client: AsyncWebClient) -> None:
    other = local_slack.add_team("Other observatory")
    other.add_user("reader")
    channel = local_slack.add_channel("gw-cbc", team=other.id)
    call = slack_client.chat_postMessage(channel=channel, text="x")
    assert await refused(call) == "channel_not_found"
    client = AsyncWebClient(other.bot_token, base_url=local_slack.api_url)
    assert (await client.auth_test())["team_id"] == other.id
    await client.chat_postMessage(channel=channel, text="x")
    assert local_slack.messages(channel)[0]["user"] == other.bot.id
    local_slack.revoke_token(team=other.id)
    await slack_client.auth_test()


READING_SCOPES = ("channels:history", "files:read", "files:write", "users:read")
METHODS_WITHOUT_JSON = sorted(name for name, method in METHODS.items() if not method.takes_json)


@pytest.mark.parametrize("method", METHODS_WITHOUT_JSON)
@pytest.mark.parametrize("body", [None, b"{", b"[]"])
async def test_a_method_that_takes_no_json_sees_nothing_of_it(
    local_slack: LocalSlack, method: str, body: bytes | None
) -> None:
    """It answers as it does to a call without arguments; the same in a form, or in the query, it does see."""
    channel = local_slack.add_channel("gw-cbc")
    for scope in READING_SCOPES:
        local_slack.grant(scope)
    arguments = {
        "channel": channel,
        "user": local_slack.user,
        "file": "F0NONE",
        "filename": "a.png",
        "limit": "0",
    }
    arguments |= {"length": "none", "ts": "1.000001", "message_ts": "1.000001"}
    headers = {"Authorization": f"Bearer {local_slack.bot_token}"}
    as_json = {**headers, "Content-Type": "application/json"}
    async with aiohttp.ClientSession(local_slack.api_url, headers=headers) as session:

        async def answer(**request: Any) -> Any:
            async with session.post(method, **request) as response:
                said = await response.json()
            return said

        seen = await answer(data=arguments)
        assert seen == await answer(params=arguments)
        unseen = await answer(data=json.dumps(arguments).encode() if body is None else body, headers=as_json)
        assert local_slack.calls[-1].args == {}
        assert unseen == await answer() != seen


async def test_what_was_seen_of_slack_when_json_is_not_taken(
    local_slack: LocalSlack, slack_client: AsyncWebClient
) -> None:
    local_slack.grant("users:read")
    local_slack.grant("files:write")

    async def answer(method: str, **arguments: object) -> dict[str, Any]:
        with pytest.raises(SlackApiError) as caught:
            await slack_client.api_call(method, json=arguments)
        assert isinstance(caught.value.response.data, dict)
        return caught.value.response.data

    assert (await answer("users.info", user=local_slack.user))["error"] == "user_not_found"
    upload = await answer("files.getUploadURLExternal", filename="a.png", length=3)
    assert upload["error"] == "invalid_arguments"
    assert upload["response_metadata"]["messages"] == ["[ERROR] missing required field: filename"]
    listed = await slack_client.api_call("users.list", json={"limit": 1})
    assert len(listed["members"]) > 1
    assert len((await slack_client.users_list(limit=1))["members"]) == 1


NAMES = (
    *(
        "channel",
        "text",
        "blocks",
        "metadata",
        "thread_ts",
        "ts",
        "message_ts",
        "user",
        "users",
        "types",
        "limit",
    ),
    *(
        "cursor",
        "oldest",
        "latest",
        "filename",
        "length",
        "files",
        "channel_id",
        "channels",
        "file",
        "trigger_id",
    ),
    *("view", "view_id", "external_id", "hash", "user_id", "markdown_text", "attachments", "reply_broadcast"),
)
STRANGE: tuple[Any, ...] = (
    "",
    "x",
    "-1",
    7,
    -1.5,
    True,
    [],
    [1],
    {},
    {"id": 1},
    [[]],
    [{}],
    "[1]",
    "{}",
    "\ud83d",
    "a" * 5000,
)


@pytest.mark.parametrize("as_form", [False, True])
@pytest.mark.parametrize("method", [*METHODS, "apps.connections.open"])
async def test_strange_arguments_get_an_answer_of_slacks(
    local_slack: LocalSlack, method: str, as_form: bool
) -> None:
    good = {"channel": local_slack.add_channel("gw-cbc"), "user": local_slack.user, "text": "x"}
    for scope in (
        "channels:history",
        "channels:join",
        "files:read",
        "files:write",
        "im:read",
        "im:write",
        "users:read",
    ):
        local_slack.grant(scope)
    headers = {"Authorization": f"Bearer {local_slack.bot_token}"}
    async with aiohttp.ClientSession(local_slack.api_url, headers=headers) as session:
        for strange in STRANGE:
            for args in (dict.fromkeys(NAMES, strange), {**dict.fromkeys(NAMES, strange), **good}):
                # A form's text may be half a surrogate pair, which aiohttp's own form can't hold.
                form = urlencode(form_values(args), errors="surrogatepass").encode()
                body: dict[str, Any] = {"data": form} if as_form else {"json": args}
                headers = {"Content-Type": FORM} if as_form else {}
                async with session.post(method, **body, headers=headers) as response:
                    assert response.status == 200, (args, await response.text())
                    assert (await response.json())["ok"] in (True, False)
