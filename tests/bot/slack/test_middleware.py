"""Rate limits of people, response URLs, and who may change what a channel receives."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest
from slack_bolt.async_app import AsyncApp, AsyncBoltRequest

from bot.app.application import Application
from bot.app.factory import Factory
from bot.commands.context import CommandContext
from bot.local_slack.server import LocalSlack
from bot.settings import Settings
from bot.slack.middleware import UserRateLimiter, is_allowed_response_url, register_middleware
from formatters.answers.answer import SHARE_ACTION
from tests.bot.listeners.test_slash_command import typed, words
from tests.support.delivery_harness import IdleSource
from tests.support.factories import MOCK, Clock, decoded_notice, record_notices

SLACK = "https://slack.com/api/"
LOCAL = "http://127.0.0.1:8017/api/"
PATIENT = 30.0


@asynccontextmanager
async def bot_with(
    local_slack: LocalSlack, factory: Factory, clock: Clock, **changes: object
) -> AsyncIterator[Application]:
    """Run the bot on the local Slack with these settings."""
    given = {
        "slack_bot_token": local_slack.bot_token,
        "slack_app_token": local_slack.app_token,
        "slack_api_url": local_slack.api_url,
    }
    bot = Application(Settings.model_validate(given | changes), factory, [IdleSource()], clock)
    stop = asyncio.Event()
    running = asyncio.create_task(bot.run(stop))
    try:
        async with asyncio.timeout(PATIENT):
            await bot.ready.wait()
        yield bot
    finally:
        stop.set()
        await running


def test_a_bucket_fills_again_token_by_token() -> None:
    now = 100.0
    allowance = UserRateLimiter(20, lambda: now)
    assert [allowance.try_acquire("T1", "U1") for _ in range(21)] == [True] * 20 + [False]
    assert allowance.try_acquire("T1", "U2") and allowance.try_acquire("T2", "U1"), (
        "each person has their own"
    )
    now += 2.9
    assert not allowance.try_acquire("T1", "U1")
    now += 0.2
    assert allowance.try_acquire("T1", "U1") and not allowance.try_acquire("T1", "U1")
    now += 3_600
    assert [allowance.try_acquire("T1", "U1") for _ in range(21)] == [True] * 20 + [False]


def test_buckets_that_are_full_are_forgotten() -> None:
    now = 0.0
    allowance = UserRateLimiter(7, lambda: now)
    for number in range(30_000):
        now += 0.01
        assert allowance.try_acquire("T1", f"U{number}")
    assert len(allowance._full_at) <= 10_001
    assert [allowance.try_acquire("T1", "U") for _ in range(8)] == [True] * 7 + [False]


@pytest.mark.parametrize(
    ("url", "api_url", "may"),
    [
        ("https://hooks.slack.com/commands/T1/2/x", SLACK, True),
        ("https://hooks.slack.com/actions/T1/2/x", LOCAL, True),
        ("http://127.0.0.1:8017/response/T1/x", LOCAL, True),
        ("http://127.0.0.1:8017/response/T1/x", SLACK, False),
        ("http://127.0.0.1:9999/response/T1/x", LOCAL, False),
        ("http://hooks.slack.com/commands/T1/2/x", SLACK, False),
        ("https://hooks.slack.com.evil.example/x", SLACK, False),
        ("https://evil.example/hooks.slack.com", SLACK, False),
        ("https://hooks.slack.com@evil.example/x", SLACK, False),
        ("https://hooks.slack.com\\@evil.example/x", SLACK, False),
        ("https://hooks.slack.com:8443/x", SLACK, False),
        ("https://slack.com/x", SLACK, False),
        ("https://[hooks.slack.com/x", SLACK, False),
        ("file:///etc/passwd", LOCAL, False),
        ("", SLACK, False),
        (None, SLACK, False),
        (["https://hooks.slack.com/x"], SLACK, False),
    ],
)
def test_answers_go_to_slack_alone(url: object, api_url: str, may: bool) -> None:
    assert is_allowed_response_url(url, api_url) is may


@pytest.mark.parametrize("key", ["response_url", "response_urls"])
async def test_request_with_a_foreign_response_url_reaches_no_listener(
    key: str,
) -> None:
    reached: list[str] = []
    app = AsyncApp(token="xoxb-none", request_verification_enabled=False)
    # No Slack is there to say who the token belongs to.
    app._async_middleware_list = [
        m for m in app._async_middleware_list if "Authorization" not in type(m).__name__
    ]
    register_middleware(app, SLACK, UserRateLimiter(100))

    @app.action("share")
    async def on_share(ack: Any, action: dict[str, Any]) -> None:
        reached.append(action["value"])
        await ack()

    for url in ("https://evil.example/x", "https://hooks.slack.com/actions/x"):
        body = {
            "type": "block_actions",
            "team": {"id": "T1"},
            "user": {"id": "U1"},
            "actions": [{"type": "button", "action_id": "share", "block_id": "b", "value": url}],
            key: url if key == "response_url" else [{"response_url": url}],
        }
        answer = await app.async_dispatch(AsyncBoltRequest(body=body, mode="socket_mode"))
        assert answer.status == 200, "acknowledged either way: Slack needn't send it again"
    assert reached == ["https://hooks.slack.com/actions/x"]


async def test_rate_limited_user_is_told_and_others_are_answered(
    local_slack: LocalSlack, factory: Factory, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    frozen = partial(UserRateLimiter, clock=lambda: 0.0)
    monkeypatch.setattr("bot.app.slack_interface.UserRateLimiter", frozen)
    channel = local_slack.add_channel("gw")
    await record_notices(factory, decoded_notice(MOCK))
    async with bot_with(local_slack, factory, clock, commands_per_minute=1):
        answer = await typed(local_slack, channel, MOCK)
        assert MOCK in words(answer)
        assert "more than 1 questions" in words(await typed(local_slack, channel, "help"))
        pressed = await local_slack.press(channel, answer["ts"], SHARE_ACTION)
        assert pressed.ok and "more than 1 questions" in words(await pressed.wait_for_answer(PATIENT))
        seen = len(local_slack.ephemerals(channel))
        await local_slack.say("@gwevent help", channel)
        await local_slack.wait_for(lambda: len(local_slack.ephemerals(channel)) > seen, PATIENT)
        assert "more than 1 questions" in words(local_slack.ephemerals(channel)[-1])
        assert [m["text"] for m in local_slack.messages(channel)] == ["<@U0BOT0001> help"]
        private = local_slack.direct_message()
        await local_slack.say("help", private)
        await local_slack.wait_for(lambda: local_slack.ephemerals(private), PATIENT)
        assert "more than 1 questions" in words(local_slack.ephemerals(private)[-1])
        done = await local_slack.command("/gwevent", "help", channel=channel, user=local_slack.colleague)
        assert "latest" in words(await done.wait_for_answer(PATIENT))


async def subscriptions(factory: Factory, local_slack: LocalSlack, channel: str) -> int:
    return len(await factory.subscriptions.for_channel(local_slack.team_id, channel))


async def test_members_alone_may_subscribe_where_that_is_set(
    local_slack: LocalSlack, factory: Factory, clock: Clock
) -> None:
    channel = local_slack.add_channel("gw")
    for number in range(1_100):
        local_slack.workspace.add_user(f"astronomer{number}")
    local_slack.workspace.channels[channel].members.discard(local_slack.user)
    async with bot_with(local_slack, factory, clock, who_may_subscribe="members") as bot:
        # Slack lets nobody type where they are no member, so this one left meanwhile.
        asker = CommandContext(local_slack.team_id, channel, local_slack.user)
        for question in (
            *("subscribe CBC", "Unsub", "edit 1 CBC", "pause", "sites add X", "subscriptions add CBC"),
            *("subs remove 1", "subscriptions pause 1", "site add X"),
        ):
            assert "Only members" in (await bot.slack.listeners.router.dispatch(question, asker)).text
        # Beside an event's id the word changes nothing at all.
        await bot.slack.listeners.router.dispatch("S230518h subscribe CBC", asker)
        assert await subscriptions(factory, local_slack, channel) == 0
        local_slack.workspace.channels[channel].members.add(local_slack.user)
        assert "no subscription" in words(await typed(local_slack, channel, "subscriptions"))
        assert "Only members" not in words(await typed(local_slack, channel, "subscribe CBC"))
        assert await subscriptions(factory, local_slack, channel) == 1
        local_slack.ungrant("channels:read")
        assert "no channels:read or groups:read" in words(await typed(local_slack, channel, "unsubscribe"))
        local_slack.grant("channels:read")
        local_slack.fail("conversations.members", error="internal_error")
        assert "try again later" in words(await typed(local_slack, channel, "unsubscribe"))
        assert await subscriptions(factory, local_slack, channel) == 1, "where Slack doesn't tell, nobody may"


async def test_admins_alone_may_subscribe_where_that_is_set(
    local_slack: LocalSlack, factory: Factory, clock: Clock
) -> None:
    channel = local_slack.add_channel("gw")
    async with bot_with(local_slack, factory, clock, who_may_subscribe="admins"):
        assert "no users:read" in words(await typed(local_slack, channel, "subscribe CBC"))
        local_slack.grant("users:read")
        assert "Only admins" in words(await typed(local_slack, channel, "subscribe CBC"))
        assert await subscriptions(factory, local_slack, channel) == 0
        local_slack.workspace.users[local_slack.user].is_admin = True
        await typed(local_slack, channel, "subscribe CBC")
        assert await subscriptions(factory, local_slack, channel) == 1


async def test_anyone_may_by_default_and_slack_is_not_asked(
    local_slack: LocalSlack, factory: Factory, clock: Clock
) -> None:
    channel = local_slack.add_channel("gw")
    async with bot_with(local_slack, factory, clock):
        await typed(local_slack, channel, "subscribe CBC")
    assert await subscriptions(factory, local_slack, channel) == 1
    assert {call.method for call in local_slack.calls}.isdisjoint({"conversations.members", "users.info"})


@pytest.mark.parametrize(
    ("event", "is_limited"),
    [
        ({"channel_type": "im"}, True),
        ({"channel_type": "im", "subtype": "file_share"}, True),
        ({"channel_type": "im", "subtype": "message_changed"}, False),
        ({"channel_type": "channel"}, False),
        ({"channel_type": "group", "subtype": "file_share"}, False),
    ],
)
async def test_direct_messages_that_are_answered_are_limited_and_what_is_said_in_channels_isnt(
    event: dict[str, Any], is_limited: bool
) -> None:
    asked: list[str] = []

    class Limiter(UserRateLimiter):
        def try_acquire(self, team_id: str, user_id: str) -> bool:
            asked.append(user_id)
            return True

    app = AsyncApp(token="xoxb-none", request_verification_enabled=False)
    app._async_middleware_list = [
        m for m in app._async_middleware_list if "Authorization" not in type(m).__name__
    ]
    register_middleware(app, SLACK, Limiter(1))
    said = {"type": "message", "user": "U1", "channel": "D1", "text": "latest", "ts": "1.1", **event}
    body = {"type": "event_callback", "team_id": "T1", "event": said}
    await app.async_dispatch(AsyncBoltRequest(body=body, mode="socket_mode"))
    assert asked == (["U1"] if is_limited else [])
