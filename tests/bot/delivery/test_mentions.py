"""Mentions in the local Slack: one for the event, one for an upgrade, one for a retraction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.local_slack.web_api.dispatcher import RecordedCall
from bot.store.outbox.models import DeliveryKind, DeliveryState
from formatters.models.notice import Distance, Notice
from formatters.text import grade_lines
from tests.bot.routing.test_mentions import BBH, BURST
from tests.support.delivery_harness import DeliveryHarness
from tests.support.factories import NOW, decoded_notice, record_notices, subscribe, unsubscribe
from tests.support.filter_strategies import SKY

FIRST, SECOND = decoded_notice(), decoded_notice(alert_type="INITIAL", minutes=5)
RETRACTION = decoded_notice(alert_type="RETRACTION", minutes=6)
HERE = "<!here>"

pytestmark = pytest.mark.backends("sqlite", "postgresql")


def posts(harness: DeliveryHarness, channel: str) -> list[RecordedCall]:
    """Return the posts in a channel that Slack accepted."""
    return [call for call in harness.calls("chat.postMessage", channel) if call.outcome == "ok"]


def mentioning(harness: DeliveryHarness, channel: str, target: str = HERE) -> list[dict[str, Any]]:
    """Return the posts whose notification mentions somebody."""
    return [call.args for call in posts(harness, channel) if target in call.args["text"]]


def edits_mention(harness: DeliveryHarness) -> bool:
    return any(HERE in str(call.args) for call in harness.calls("chat.update"))


async def test_an_event_is_mentioned_once_in_its_root_and_never_in_an_edit(harness: DeliveryHarness) -> None:
    (channel,) = await harness.create_subscribed_channels(words="CBC notify @here if NS")
    await harness.record_notices(FIRST)
    await harness.wait_until_delivered()
    (root,) = mentioning(harness, channel)
    assert root["text"].startswith(f"{HERE} BNS 95% PRELIM") and root["text"].count(HERE) == 1
    assert root["blocks"][0]["text"]["text"] == HERE and "thread_ts" not in root
    await harness.record_notices(SECOND)
    await harness.wait_until_delivered()
    assert harness.calls("chat.update") and not edits_mention(harness)
    assert len(mentioning(harness, channel)) == 1
    assert HERE not in str(harness.local_slack.messages(channel)[0]["blocks"])


async def test_an_upgrade_is_a_short_message_beside_the_thread_that_links_the_root(
    harness: DeliveryHarness,
) -> None:
    (channel,) = await harness.create_subscribed_channels(words="CBC notify @here")
    await harness.record_notices(FIRST)
    await harness.wait_until_delivered()
    await harness.record_notices(replace(SECOND, external=BURST))
    await harness.wait_until_delivered()
    _, upgrade = mentioning(harness, channel)
    assert "thread_ts" not in upgrade
    assert "New coincidence: Swift/BAT sub-threshold GRB candidate 0.25 s after the merger" in upgrade["text"]
    root = harness.local_slack.messages(channel)[0]
    link = await harness.client.permalink(channel, root["ts"])
    assert link is not None and f"<{link}|" in str(upgrade["blocks"])
    assert len(posts(harness, channel)) == 3, "root, reply, mention"


async def test_later_notice_that_meets_the_mention_condition_mentions(harness: DeliveryHarness) -> None:
    (channel,) = await harness.create_subscribed_channels(words="CBC notify @here if NS")
    await harness.record_notices(decoded_notice(**BBH))
    await harness.wait_until_delivered()
    assert mentioning(harness, channel) == []
    await harness.record_notices(SECOND)
    await harness.wait_until_delivered()
    (said,) = mentioning(harness, channel)
    assert "Light may be expected now" in said["text"] and "BNS 95" in said["text"]


async def test_retraction_mentions_only_people_mentioned_before(harness: DeliveryHarness) -> None:
    told, quiet = harness.create_channels(2)
    await subscribe(harness.factory, "CBC notify <@U1> @here", told)
    await subscribe(harness.factory, "CBC", quiet)
    await harness.record_notices(FIRST)
    await harness.wait_until_delivered()
    await harness.record_notices(RETRACTION)
    await harness.wait_until_delivered()
    _, down = mentioning(harness, told)
    assert down["text"].startswith("<@U1> <!here> RETRACTED") and "Stand down" in down["text"]
    assert "thread_ts" not in down and not edits_mention(harness)
    assert not any(
        "<@U1>" in call.args["text"] or HERE in call.args["text"] for call in posts(harness, quiet)
    )


async def test_a_restart_repeats_no_mention(harness: DeliveryHarness) -> None:
    (channel,) = await harness.create_subscribed_channels(words="CBC notify @here")
    await harness.record_notices(FIRST)
    await harness.wait_until_delivered()
    await harness.record_notices(replace(SECOND, external=BURST))
    await harness.wait_until_delivered()
    await harness.restart()
    await harness.run_rounds()
    await harness.record_notices(decoded_notice(alert_type="UPDATE", minutes=9))
    await harness.wait_until_delivered()
    assert len(mentioning(harness, channel)) == 2


async def test_mention_with_lost_answer_is_found_in_the_history(harness: DeliveryHarness) -> None:
    harness.local_slack.grant("channels:history")
    (channel,) = await harness.create_subscribed_channels(words="CBC notify @here if NS")
    await harness.record_notices(decoded_notice(**BBH))
    await harness.wait_until_delivered()
    harness.local_slack.fail("chat.postMessage", drop="after", times=1)
    await harness.record_notices(SECOND)

    async def doubtful() -> bool:
        return bool(
            await harness.rows(kind=DeliveryKind.MENTION.value, doubtful=1, state=DeliveryState.PENDING.value)
        )

    await harness.wait_until(doubtful)
    harness.advance(seconds=5)
    await harness.wait_until_delivered()
    assert len([text for text in harness.texts(channel) if HERE in text]) == 1


@pytest.mark.slow
@pytest.mark.parametrize("fault", [{"error": "channel_not_found"}, {"status": 429}, {"status": 500}])
async def test_without_the_roots_address_the_mention_goes_out_all_the_same(
    harness: DeliveryHarness, fault: dict[str, Any]
) -> None:
    (channel,) = await harness.create_subscribed_channels(words="CBC notify @here if NS")
    await harness.record_notices(decoded_notice(**BBH))
    await harness.wait_until_delivered()
    harness.local_slack.fail("chat.getPermalink", **fault)
    await harness.record_notices(SECOND)
    await harness.wait_until_delivered()
    (said,) = mentioning(harness, channel)
    assert "http" not in str(said["blocks"])


@pytest.mark.parametrize("target", [HERE, "<@U1>", "<!subteam^S0AB1>"])
async def test_refused_blocks_keep_the_mention(harness: DeliveryHarness, target: str) -> None:
    (channel,) = await harness.create_subscribed_channels(words=f"CBC notify {target}")
    harness.local_slack.fail("chat.postMessage", error="invalid_blocks")
    await harness.record_notices(FIRST)
    await harness.wait_until_delivered()
    (root,) = mentioning(harness, channel, target)
    assert root["text"].count(target) == 1 and not root.get("blocks")
    assert "I'm observing" not in root["text"]


async def test_a_mention_overtaken_by_a_retraction_is_not_posted(harness: DeliveryHarness) -> None:
    (channel,) = await harness.create_subscribed_channels(words="CBC notify @here if NS")
    await harness.record_notices(decoded_notice(**BBH))
    await harness.wait_until_delivered()
    await harness.worker.stop()
    await harness.record_notices(SECOND, RETRACTION)
    harness.start()
    await harness.wait_until_delivered()
    assert mentioning(harness, channel) == []
    assert await harness.state(DeliveryKind.MENTION) == ["dead"]


async def test_unsubscribing_before_the_post_prevents_the_mention(stopped_harness: DeliveryHarness) -> None:
    harness = stopped_harness
    first, second = harness.create_channels(2)
    await subscribe(harness.factory, "CBC notify @here", first, second)
    await subscribe(harness.factory, "all", first)
    notifying = (await harness.factory.subscriptions.for_channel(harness.local_slack.team_id, first))[0]
    await record_notices(harness.factory, FIRST)
    await unsubscribe(harness.factory, first, notifying.criteria.canonical)
    harness.start()
    await harness.wait_until_delivered()
    assert mentioning(harness, first) == [], "nor by the post that says who ended it"
    assert sorted("ended subscription 1" in c.args["text"] for c in posts(harness, first)) == [False, True]
    assert len(mentioning(harness, second)) == 1


async def test_a_deleted_root_that_comes_back_mentions_nobody_again(harness: DeliveryHarness) -> None:
    (channel,) = await harness.create_subscribed_channels(words="CBC notify @here")
    await harness.record_notices(FIRST)
    await harness.wait_until_delivered()
    await harness.client.web.chat_delete(channel=channel, ts=harness.local_slack.messages(channel)[0]["ts"])
    await harness.record_notices(SECOND)
    await harness.wait_until_delivered()
    assert len(posts(harness, channel)) >= 2
    assert len(mentioning(harness, channel)) == 1


@pytest.mark.slow
async def test_an_upgrade_is_not_lost_with_a_deleted_root(harness: DeliveryHarness) -> None:
    (channel,) = await harness.create_subscribed_channels(words="CBC notify @here if NS")
    await harness.record_notices(decoded_notice(**BBH))
    await harness.wait_until_delivered()
    await harness.client.web.chat_delete(channel=channel, ts=harness.local_slack.messages(channel)[0]["ts"])
    await harness.record_notices(SECOND)
    await harness.wait_until_delivered()
    assert len(mentioning(harness, channel)) == 1


NEAR = replace(FIRST, localization=SKY)
FAR = replace(SECOND, localization=replace(SKY, distance=Distance(mean=900.0, std=90.0)))


@pytest.mark.parametrize(("initial", "calls"), [(replace(SECOND, localization=SKY), 1), (FAR, 0)])
async def test_a_grade_that_a_newer_notice_took_away_mentions_nobody(
    harness: DeliveryHarness, initial: Notice, calls: int
) -> None:
    """As with any other condition: who is mentioned is decided once more when the root is sent."""
    (channel,) = await harness.create_subscribed_channels(words="CBC notify @here if grade tarot")
    await harness.record_notices(NEAR, initial)
    await harness.wait_until_delivered()
    assert len(mentioning(harness, channel)) == calls and len(posts(harness, channel)) == 2


async def test_a_mention_beside_the_thread_follows_the_newest_grade_too(harness: DeliveryHarness) -> None:
    (channel,) = await harness.create_subscribed_channels(words="CBC notify @here if grade tarot")
    await harness.record_notices(FIRST)
    await harness.wait_until_delivered()
    await harness.record_notices(replace(NEAR, time_created=NEAR.time_created + timedelta(minutes=1)), FAR)
    await harness.wait_until_delivered()
    assert mentioning(harness, channel) == []
    await harness.record_notices(replace(NEAR, alert_type="INITIAL", time_created=NOW + timedelta(hours=1)))
    await harness.wait_until_delivered()
    (said,) = mentioning(harness, channel)
    assert "INITIAL" in said["text"]


async def test_a_mention_beside_the_thread_says_the_grade_that_the_channel_shows(
    harness: DeliveryHarness,
) -> None:
    words = "CBC criteria tarot notify @here if grade tarot type=INITIAL"
    (channel,) = await harness.create_subscribed_channels(words=words)
    await harness.record_notices(NEAR)
    await harness.wait_until_delivered()
    await harness.record_notices(replace(SECOND, localization=SKY))
    await harness.wait_until_delivered()
    (said,) = mentioning(harness, channel)
    assert "40±8 Mpc tarot: Trigger FAR" in said["text"].replace("\u00a0", " ")


async def test_a_defect_in_wording_grades_keeps_neither_words_nor_mention_back(
    harness: DeliveryHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(word: Callable[..., object]) -> Callable[..., object]:
        def worded(*outcomes: Sequence[object]) -> object:
            if any(outcomes):
                raise ZeroDivisionError("a defect")
            return word(*outcomes)

        return worded

    words = "CBC criteria tarot notify @here if grade tarot type=INITIAL"
    (channel,) = await harness.create_subscribed_channels(words=words)
    await harness.record_notices(NEAR)
    await harness.wait_until_delivered()
    for name in ("push_grade", "has_risen", "card_lines", "grade_changes"):
        monkeypatch.setattr(grade_lines, name, broken(getattr(grade_lines, name)))
    await harness.record_notices(replace(SECOND, localization=SKY))
    await harness.wait_until_delivered()
    (said,) = mentioning(harness, channel)
    assert "INITIAL" in said["text"] and len(posts(harness, channel)) == 3, "root, reply, mention"
    texts = [message["text"] for message in harness.local_slack.messages(channel)]
    assert "BNS 95% INITIAL 31 deg²" in texts[0].replace("\u00a0", " ") and "fault" not in str(texts)
