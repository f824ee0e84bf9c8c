"""Mentions in the local Slack: once for the event, once for an upgrade, once to take it back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bot.local_slack.web_api.dispatcher import RecordedCall
from bot.store.outbox.models import DeliveryKind, DeliveryState
from tests.bot.routing.test_mentions import BBH, BURST
from tests.support.delivery_harness import DeliveryHarness
from tests.support.factories import decoded_notice, record_notices, subscribe, unsubscribe

FIRST, SECOND = decoded_notice(), decoded_notice(alert_type="INITIAL", minutes=5)
RETRACTION = decoded_notice(alert_type="RETRACTION", minutes=6)
HERE = "<!here>"

pytestmark = pytest.mark.backends("sqlite", "postgresql")


def posts(office: DeliveryHarness, channel: str) -> list[RecordedCall]:
    """What was posted there, and Slack took."""
    return [call for call in office.calls("chat.postMessage", channel) if call.outcome == "ok"]


def mentioning(office: DeliveryHarness, channel: str, target: str = HERE) -> list[dict[str, Any]]:
    """The posts whose notification mentions somebody."""
    return [call.args for call in posts(office, channel) if target in call.args["text"]]


def edits_mention(office: DeliveryHarness) -> bool:
    return any(HERE in str(call.args) for call in office.calls("chat.update"))


async def test_an_event_is_mentioned_once_in_its_root_and_never_in_an_edit(office: DeliveryHarness) -> None:
    (channel,) = await office.create_subscribed_channels(words="CBC notify @here if NS")
    await office.record_notices(FIRST)
    await office.wait_until_delivered()
    (root,) = mentioning(office, channel)
    assert root["text"].startswith(f"{HERE} BNS 95% PRELIM") and root["text"].count(HERE) == 1
    assert root["blocks"][0]["text"]["text"] == HERE and "thread_ts" not in root
    await office.record_notices(SECOND)
    await office.wait_until_delivered()
    assert office.calls("chat.update") and not edits_mention(office)
    assert len(mentioning(office, channel)) == 1
    assert HERE not in str(office.local_slack.messages(channel)[0]["blocks"])


async def test_an_upgrade_is_a_short_message_beside_the_thread_that_links_the_root(
    office: DeliveryHarness,
) -> None:
    (channel,) = await office.create_subscribed_channels(words="CBC notify @here")
    await office.record_notices(FIRST)
    await office.wait_until_delivered()
    await office.record_notices(replace(SECOND, external=BURST))
    await office.wait_until_delivered()
    _, upgrade = mentioning(office, channel)
    assert "thread_ts" not in upgrade
    assert "New coincidence: Swift targeted sub-threshold 0.25 s after" in upgrade["text"]
    root = office.local_slack.messages(channel)[0]
    link = await office.client.permalink(channel, root["ts"])
    assert link is not None and f"<{link}|" in str(upgrade["blocks"])
    assert len(posts(office, channel)) == 3, "root, reply, mention"


async def test_a_mention_whose_condition_comes_true_with_a_later_notice(office: DeliveryHarness) -> None:
    (channel,) = await office.create_subscribed_channels(words="CBC notify @here if NS")
    await office.record_notices(decoded_notice(**BBH))
    await office.wait_until_delivered()
    assert mentioning(office, channel) == []
    await office.record_notices(SECOND)
    await office.wait_until_delivered()
    (said,) = mentioning(office, channel)
    assert "Light may be expected now" in said["text"] and "BNS 95" in said["text"]


async def test_a_retraction_stands_down_who_was_mentioned(office: DeliveryHarness) -> None:
    told, quiet = office.create_channels(2)
    await subscribe(office.factory, "CBC notify <@U1> @here", told)
    await subscribe(office.factory, "CBC", quiet)
    await office.record_notices(FIRST)
    await office.wait_until_delivered()
    await office.record_notices(RETRACTION)
    await office.wait_until_delivered()
    _, down = mentioning(office, told)
    assert down["text"].startswith("<@U1> <!here> RETRACTED") and "Stand down" in down["text"]
    assert "thread_ts" not in down and not edits_mention(office)
    assert not any("<@U1>" in call.args["text"] or HERE in call.args["text"] for call in posts(office, quiet))


async def test_a_restart_repeats_no_mention(office: DeliveryHarness) -> None:
    (channel,) = await office.create_subscribed_channels(words="CBC notify @here")
    await office.record_notices(FIRST)
    await office.wait_until_delivered()
    await office.record_notices(replace(SECOND, external=BURST))
    await office.wait_until_delivered()
    await office.restart()
    await office.run_rounds()
    await office.record_notices(decoded_notice(alert_type="UPDATE", minutes=9))
    await office.wait_until_delivered()
    assert len(mentioning(office, channel)) == 2


async def test_a_mention_whose_answer_was_lost_is_found_again(office: DeliveryHarness) -> None:
    office.local_slack.grant("channels:history")
    (channel,) = await office.create_subscribed_channels(words="CBC notify @here if NS")
    await office.record_notices(decoded_notice(**BBH))
    await office.wait_until_delivered()
    office.local_slack.fail("chat.postMessage", drop="after", times=1)
    await office.record_notices(SECOND)

    async def doubtful() -> bool:
        return bool(
            await office.rows(kind=DeliveryKind.MENTION.value, doubtful=1, state=DeliveryState.PENDING.value)
        )

    await office.wait_until(doubtful)
    office.advance(seconds=5)
    await office.wait_until_delivered()
    assert len([text for text in office.texts(channel) if HERE in text]) == 1


@pytest.mark.parametrize("fault", [{"error": "channel_not_found"}, {"status": 429}, {"status": 500}])
async def test_without_the_roots_address_the_mention_goes_out_all_the_same(
    office: DeliveryHarness, fault: dict[str, Any]
) -> None:
    (channel,) = await office.create_subscribed_channels(words="CBC notify @here if NS")
    await office.record_notices(decoded_notice(**BBH))
    await office.wait_until_delivered()
    office.local_slack.fail("chat.getPermalink", **fault)
    await office.record_notices(SECOND)
    await office.wait_until_delivered()
    (said,) = mentioning(office, channel)
    assert "http" not in str(said["blocks"])


@pytest.mark.parametrize("target", [HERE, "<@U1>", "<!subteam^S0AB1>"])
async def test_refused_blocks_take_no_mention_with_them(office: DeliveryHarness, target: str) -> None:
    (channel,) = await office.create_subscribed_channels(words=f"CBC notify {target}")
    office.local_slack.fail("chat.postMessage", error="invalid_blocks")
    await office.record_notices(FIRST)
    await office.wait_until_delivered()
    (root,) = mentioning(office, channel, target)
    assert root["text"].count(target) == 1 and not root.get("blocks")
    assert "I'm observing" not in root["text"]


async def test_a_mention_overtaken_by_a_retraction_is_not_posted(office: DeliveryHarness) -> None:
    (channel,) = await office.create_subscribed_channels(words="CBC notify @here if NS")
    await office.record_notices(decoded_notice(**BBH))
    await office.wait_until_delivered()
    await office.worker.stop()
    await office.record_notices(SECOND, RETRACTION)
    office.start()
    await office.wait_until_delivered()
    assert mentioning(office, channel) == []
    assert await office.state(DeliveryKind.MENTION) == ["dead"]


async def test_who_unsubscribes_before_the_post_is_not_mentioned(still_office: DeliveryHarness) -> None:
    office = still_office
    first, second = office.create_channels(2)
    await subscribe(office.factory, "CBC notify @here", first, second)
    await subscribe(office.factory, "all", first)
    notifying = (await office.factory.subscriptions.for_channel(office.local_slack.team_id, first))[0]
    await record_notices(office.factory, FIRST)
    await unsubscribe(office.factory, first, notifying.criteria.canonical)
    office.start()
    await office.wait_until_delivered()
    assert mentioning(office, first) == [], "nor by the post that says who ended it"
    assert sorted("ended subscription 1" in c.args["text"] for c in posts(office, first)) == [False, True]
    assert len(mentioning(office, second)) == 1


async def test_a_deleted_root_that_comes_back_mentions_nobody_again(office: DeliveryHarness) -> None:
    (channel,) = await office.create_subscribed_channels(words="CBC notify @here")
    await office.record_notices(FIRST)
    await office.wait_until_delivered()
    await office.client.web.chat_delete(channel=channel, ts=office.local_slack.messages(channel)[0]["ts"])
    await office.record_notices(SECOND)
    await office.wait_until_delivered()
    assert len(posts(office, channel)) >= 2
    assert len(mentioning(office, channel)) == 1


async def test_an_upgrade_is_not_lost_with_a_deleted_root(office: DeliveryHarness) -> None:
    (channel,) = await office.create_subscribed_channels(words="CBC notify @here if NS")
    await office.record_notices(decoded_notice(**BBH))
    await office.wait_until_delivered()
    await office.client.web.chat_delete(channel=channel, ts=office.local_slack.messages(channel)[0]["ts"])
    await office.record_notices(SECOND)
    await office.wait_until_delivered()
    assert len(mentioning(office, channel)) == 1
