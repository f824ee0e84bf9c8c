"""Quiet events in the local Slack: the same posts, with the header as push text, and nothing is broadcast."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from formatters.models.notice import Notice
from tests.support.delivery_harness import DeliveryHarness
from tests.support.factories import decoded_notice, subscribe
from tests.support.filter_strategies import GRB

BBH: dict[str, Any] = {"classification": {"BBH": 0.97, "Terrestrial": 0.03}, "properties": {"HasNS": 0.0}}
BNS: dict[str, Any] = {"classification": {"BNS": 0.97, "Terrestrial": 0.03}}
FIRST = decoded_notice(**BBH)
INITIAL = decoded_notice(**BBH, alert_type="INITIAL", minutes=5)
RETRACTION = decoded_notice(alert_type="RETRACTION", minutes=9)

pytestmark = pytest.mark.backends("sqlite", "postgresql")


async def announce(harness: DeliveryHarness, *notices: Notice) -> None:
    for notice in notices:
        await harness.record_notices(notice)
        await harness.wait_until_delivered()


def posts(harness: DeliveryHarness, channel: str) -> list[dict[str, Any]]:
    return [dict(call.args) for call in harness.calls("chat.postMessage", channel)]


def is_broadcast(post: dict[str, Any]) -> bool:
    return bool(post.get("reply_broadcast"))


async def test_the_push_of_a_quiet_event_is_its_header(harness: DeliveryHarness) -> None:
    quiet, loud = [
        *await harness.create_subscribed_channels(words="CBC quiet BBH"),
        *await harness.create_subscribed_channels(words="CBC"),
    ]
    await announce(harness, FIRST)
    [silent], [noisy] = posts(harness, quiet), posts(harness, loud)
    assert silent["text"] == silent["blocks"][0]["text"]["text"].replace("\u00a0", " ")
    assert silent["text"].startswith("BBH 97 %") and "FAR" not in silent["text"]
    assert "FAR" in noisy["text"]
    assert silent["blocks"] == noisy["blocks"]


async def test_replies_of_quiet_events_are_not_broadcast(harness: DeliveryHarness) -> None:
    quiet, loud = [
        *await harness.create_subscribed_channels(words="CBC quiet BBH"),
        *await harness.create_subscribed_channels(words="CBC"),
    ]
    await announce(harness, FIRST, INITIAL, RETRACTION)
    assert len(posts(harness, quiet)) == len(posts(harness, loud)) == 3
    assert not any(map(is_broadcast, posts(harness, quiet)))
    assert any(map(is_broadcast, posts(harness, loud)))


async def test_an_event_that_may_bring_light_after_all_is_loud(harness: DeliveryHarness) -> None:
    (channel,) = await harness.create_subscribed_channels(words="CBC quiet BBH")
    await announce(harness, FIRST, decoded_notice(**BNS, alert_type="INITIAL", minutes=5))
    assert is_broadcast(posts(harness, channel)[-1])


async def test_what_was_told_loudly_is_corrected_loudly(harness: DeliveryHarness) -> None:
    quiet, loud = [
        *await harness.create_subscribed_channels(words="CBC quiet BBH"),
        *await harness.create_subscribed_channels(words="CBC"),
    ]
    await announce(harness, decoded_notice(**BNS), INITIAL)
    assert [is_broadcast(p) for p in posts(harness, quiet)] == [is_broadcast(p) for p in posts(harness, loud)]


async def test_a_coincidence_is_loud(harness: DeliveryHarness) -> None:
    (channel,) = await harness.create_subscribed_channels(words="CBC quiet BBH")
    await announce(harness, FIRST, replace(INITIAL, external=GRB))
    assert is_broadcast(posts(harness, channel)[-1])


async def test_who_is_woken_reads_why(harness: DeliveryHarness) -> None:
    (channel,) = await harness.create_subscribed_channels(words="CBC quiet BBH notify @here if BBH>0.9")
    await announce(harness, FIRST)
    [post] = posts(harness, channel)
    assert post["text"].startswith("<!here> BBH 97%") and "FAR" in post["text"]


async def test_a_second_subscription_of_the_channel_may_ask_for_words(harness: DeliveryHarness) -> None:
    (channel,) = await harness.create_subscribed_channels(words="CBC quiet BBH")
    await subscribe(harness.factory, "all BBH", channel)
    await announce(harness, FIRST)
    assert "FAR" in posts(harness, channel)[0]["text"]
