"""Answers that Slack refuses: their words are shown if any way is left, and a refusal is no defect."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError, SlackRequestError
from slack_sdk.web.async_slack_response import AsyncSlackResponse
from structlog.testing import capture_logs

from bot.app.application import Application
from bot.listeners.responses import transport_failure
from bot.local_slack.server import LocalSlack
from bot.slack.errors import Unavailable
from bot.slack.web_client import may_refuse_content


def plain(message: dict[str, Any]) -> str:
    assert not message["blocks"]
    return str(message["text"])


def refusal(code: str | None) -> SlackApiError:
    """Return slack_sdk's error for a refusal of Slack's, or for an answer without a code."""
    answer = AsyncSlackResponse(
        client=None,
        http_verb="POST",
        api_url="https://slack.com/api/chat.postEphemeral",
        req_args={},
        data={} if code is None else {"ok": False, "error": code},
        headers={},
        status_code=200,
    )
    return SlackApiError("refused", answer)  # type: ignore[no-untyped-call]


@pytest.mark.parametrize(
    ("status", "error"),
    [(400, "invalid_blocks"), (403, "action_prohibited"), (413, "too_large"), (422, "new")],
)
async def test_a_response_comes_without_blocks_that_slack_refuses(
    bot: Application, local_slack: LocalSlack, status: int, error: str
) -> None:
    channel = local_slack.add_channel("gw")
    local_slack.fail("respond", status=status, error=error, times=None, having=("blocks",))
    done = await local_slack.command("/gwevent", "status", channel=channel)
    assert "silent" in plain(await done.wait_for_answer(15))


@pytest.mark.parametrize("status", range(200, 600))
def test_any_refusal_that_other_content_may_change_is_tried_without_blocks(status: int) -> None:
    is_other = status < 400 or status >= 500 or status in (404, 407, 408, 410, 429)
    assert may_refuse_content(status) is not is_other


async def test_a_mention_is_answered_without_blocks_that_slack_refuses(
    bot: Application, local_slack: LocalSlack
) -> None:
    channel = local_slack.add_channel("gw")
    local_slack.invite(channel)
    local_slack.fail("chat.postEphemeral", error="invalid_blocks", times=None, having=("blocks",))
    await local_slack.say("@gwevent status", channel)
    await local_slack.wait_for(lambda: local_slack.ephemerals(channel), 15)
    assert "silent" in plain(local_slack.ephemerals(channel)[0])


async def test_a_direct_message_is_answered_without_blocks_that_slack_refuses(
    bot: Application, local_slack: LocalSlack
) -> None:
    channel = local_slack.direct_message()
    local_slack.fail("chat.postMessage", error="invalid_blocks", times=None, having=("blocks",))
    await local_slack.say("status", channel)
    await local_slack.wait_for(lambda: len(local_slack.messages(channel)) == 2, 15)
    assert "silent" in plain(local_slack.messages(channel)[1])


@pytest.mark.parametrize("way", ["command", "mention", "direct message"])
async def test_what_slack_never_shows_is_logged_in_one_line(
    bot: Application, local_slack: LocalSlack, way: str
) -> None:
    channel = local_slack.direct_message() if way == "direct message" else local_slack.add_channel("gw")
    local_slack.invite(channel)
    local_slack.fail("respond", status=404, error="expired_url", times=None)
    local_slack.fail("chat.postEphemeral", error="user_not_in_channel", times=None)
    local_slack.fail("chat.postMessage", drop="before", times=None, channel=channel)
    with capture_logs() as logged:
        if way == "command":
            await local_slack.command("/gwevent", "status", channel=channel)
        else:
            mention = "@gwevent " if way == "mention" else ""
            await local_slack.say(f"{mention}status", channel)
        async with asyncio.timeout(15):
            while not any(line["event"] in ("answer_not_shown", "ephemeral_failed") for line in logged):
                await asyncio.sleep(0.02)
    assert not any(line["event"] == "listener_failed" for line in logged)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (refusal("user_not_in_channel"), "user_not_in_channel"),
        (refusal(None), "an answer that says nothing"),
        (SlackRequestError("no URL"), "no answer: SlackRequestError"),
        (aiohttp.ServerDisconnectedError(), "no answer: ServerDisconnectedError"),
        (TimeoutError(), "no answer: TimeoutError"),
        (Unavailable("can't connect"), "can't connect"),
        (ValueError("a defect"), None),
        (KeyError("a defect"), None),
    ],
)
def test_only_slacks_failures_are_no_defects(error: Exception, reason: str | None) -> None:
    assert transport_failure(error) == reason


async def test_the_first_command_needs_no_answer_about_the_token(
    bot: Application, local_slack: LocalSlack
) -> None:
    channel = local_slack.add_channel("gw")
    local_slack.fail("auth.test", status=503, times=None)
    done = await local_slack.command("/gwevent", "status", channel=channel)
    assert "silent" in (await done.wait_for_answer(15))["text"]
    local_slack.invite(channel)
    await local_slack.say("@gwevent status", channel)
    await local_slack.wait_for(lambda: len(local_slack.ephemerals(channel)) == 2, 15)
